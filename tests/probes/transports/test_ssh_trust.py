"""Host keys, against real sshd: only what known_hosts says is trusted, and each refusal says what it is."""

import subprocess
from pathlib import Path

import pytest

from probes.transports.base import ConfigRefused, HostKeyChanged, HostKeyUnknown, TransportError
from probes.transports.ssh import SshPool
from tests.probes.transports.conftest import Site
from tests.probes.transports.sshd import public


async def refusal(pool: SshPool, alias: str = "n1") -> TransportError:
    async with pool:
        with pytest.raises(TransportError) as caught:
            await pool.transport(alias).run(["true"], timeout=5)
    return caught.value


async def succeeds(pool: SshPool, alias: str = "n1") -> None:
    async with pool:
        done = await pool.transport(alias).run(["echo", "a  b", "$HOME"], timeout=5)
    assert (done.returncode, done.stdout) == (0, "a  b $HOME\n")


def keygen_on(flag: str, file: str, *more: str) -> None:
    subprocess.run(["ssh-keygen", "-q", flag, "-f", file, *more], check=True, capture_output=True)


def fingerprint(key: Path) -> str:
    return subprocess.run(["ssh-keygen", "-lf", str(key)], check=True, capture_output=True, text=True).stdout.split()[1]


async def test_a_known_key_is_trusted(site: Site) -> None:
    """A host whose key is in known_hosts runs commands, their words unchanged by a shell."""
    server = site.sshd()
    site.trust(server.known)
    await succeeds(site.pool(site.host("n1", server)))


async def test_an_unknown_key_is_refused(site: Site) -> None:
    """An unknown key is HostKeyUnknown, with the fingerprint as ssh prints it and the way to accept it."""
    server = site.sshd()
    site.trust("")
    error = await refusal(site.pool(site.host("n1", server)))
    assert isinstance(error, HostKeyUnknown)
    assert fingerprint(server.host_key) in str(error)
    assert f"run `ssh -F {site.folder / 'config'} n1` once" in str(error)
    assert "\n" not in str(error)


async def test_strictness_cannot_be_switched_off(site: Site) -> None:
    """StrictHostKeyChecking no, and files of /dev/null or none, still leave an unknown key refused."""
    server = site.sshd()
    site.trust("")
    loose = ("StrictHostKeyChecking no", "VerifyHostKeyDNS yes", "NoHostAuthenticationForLocalhost yes")
    assert isinstance(await refusal(site.pool(site.host("n1", server, *loose))), HostKeyUnknown)
    for files in ("/dev/null", "none"):
        block = site.host("n1", server, *loose, f"UserKnownHostsFile {files}")
        assert isinstance(await refusal(site.pool(block)), HostKeyUnknown)


async def test_accepting_a_key_by_hand_is_seen_at_once(site: Site) -> None:
    """A key that the operator accepts while we run is trusted at the next use: a changed file is read again."""
    server = site.sshd()
    site.trust("")
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        with pytest.raises(HostKeyUnknown):
            await node.run(["true"], timeout=5)
        site.trust(server.known)
        assert (await node.run(["true"], timeout=5)).returncode == 0


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
async def test_a_changed_key_is_another_warning(site: Site, kind: str) -> None:
    """Another key than the known one, of the same type or not, is HostKeyChanged: both fingerprints and the line."""
    server = site.sshd()
    old = site.new_key("old", kind)
    site.trust("# comment", f"[127.0.0.1]:{server.port} {public(old)}")
    error = await refusal(site.pool(site.host("n1", server)))
    assert isinstance(error, HostKeyChanged)
    assert fingerprint(server.host_key) in str(error)
    assert fingerprint(old) in str(error)
    assert f"{site.known_hosts}:2 " in str(error)
    assert f"ssh-keygen -R '[127.0.0.1]:{server.port}'" in str(error)


async def test_a_second_key_type_does_not_make_a_change(site: Site) -> None:
    """A server with two keys of which one is known is trusted: we ask for the known type first."""
    rsa = site.new_key("rsa", "rsa")
    server = site.sshd(f"HostKey {rsa}")
    site.trust(f"[127.0.0.1]:{server.port} {public(rsa)}")
    await succeeds(site.pool(site.host("n1", server)))


async def test_algorithm_lists(site: Site) -> None:
    """Algorithm lists are followed: names we do not have are passed over, and one that leaves nothing is refused."""
    rsa = site.new_key("rsa", "rsa")
    server = site.sshd(f"HostKey {rsa}")
    site.trust(f"[127.0.0.1]:{server.port} {public(rsa)}", server.known)
    lists = ("HostKeyAlgorithms rsa-sha2-256", "KexAlgorithms sntrup761x25519-sha512@openssh.com,curve25519-sha256")
    more = (
        "Ciphers ^aes128-ctr",
        "MACs -umac*",
        "PubkeyAcceptedAlgorithms +ssh-rsa",
        "CASignatureAlgorithms ssh-ed25519",
    )
    await succeeds(site.pool(site.host("n1", server, *lists, *more)))
    site.trust(server.known)
    error = await refusal(site.pool(site.host("n1", server, *lists)))
    assert isinstance(error, HostKeyChanged)
    error = await refusal(site.pool(site.host("n1", server, "KexAlgorithms sntrup761x25519-sha512@openssh.com")))
    assert isinstance(error, ConfigRefused)
    assert "KexAlgorithms leaves no algorithm that is supported here" in str(error)


async def test_a_revoked_key_is_refused(site: Site) -> None:
    """A key marked @revoked is refused although another line trusts it, under any name of the host."""
    server = site.sshd()
    key = public(server.host_key)
    for names in (f"[127.0.0.1]:{server.port}", "127.0.0.1", "*"):
        site.trust(server.known, f"@revoked {names} {key}")
        error = await refusal(site.pool(site.host("n1", server)))
        assert isinstance(error, HostKeyChanged)
        assert "revoked" in str(error)


async def test_revoked_host_keys_files(site: Site) -> None:
    """RevokedHostKeys is honoured as text, and refused aloud where it is missing or a binary list."""
    server = site.sshd()
    site.trust(server.known)
    revoked = site.folder / "revoked"
    block = site.host("n1", server, f"RevokedHostKeys {revoked}")
    assert "cannot read RevokedHostKeys" in str(await refusal(site.pool(block)))
    revoked.write_text(public(site.new_key("other")) + "\n")
    await succeeds(site.pool(block))
    revoked.write_text(public(server.host_key) + "\n")
    assert isinstance(await refusal(site.pool(block)), HostKeyChanged)
    key = str(server.host_key) + ".pub"
    keygen_on("-k", str(revoked), key)
    error = await refusal(site.pool(block))
    assert isinstance(error, ConfigRefused)
    assert "key revocation list" in str(error)


def certify(site: Site, authority: Path, key: Path, principal: str, validity: str = "+1h") -> str:
    argv = ["ssh-keygen", "-q", "-s", authority, "-I", "t", "-h", "-n", principal, "-V", validity, f"{key}.pub"]
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)
    return f"HostCertificate {key}-cert.pub"


async def test_certificates_of_a_trusted_authority(site: Site) -> None:
    """A host certificate is trusted by its @cert-authority line, for the host's name and only while it is valid."""
    authority, key = site.new_key("authority"), site.new_key("host")
    server = site.sshd(certify(site, authority, key, "127.0.0.1"), host_key=key)
    site.trust(f"@cert-authority * {public(authority)}")
    await succeeds(site.pool(site.host("n1", server)))
    site.trust(f"@cert-authority * {public(site.new_key('other'))}")
    error = await refusal(site.pool(site.host("n1", server)))
    assert isinstance(error, HostKeyUnknown)
    assert fingerprint(authority) in str(error)
    site.trust(f"@cert-authority * {public(authority)}", f"@revoked * {public(authority)}")
    assert isinstance(await refusal(site.pool(site.host("n1", server))), HostKeyChanged)
    site.trust("")
    assert isinstance(await refusal(site.pool(site.host("n1", server))), HostKeyUnknown)


@pytest.mark.parametrize(("principal", "validity"), [("elsewhere", "+1h"), ("127.0.0.1", "-2h:-1h")])
async def test_certificates_that_do_not_fit(site: Site, principal: str, validity: str) -> None:
    """A certificate for another host, or one that has expired, is refused."""
    authority, key = site.new_key("authority"), site.new_key("host")
    server = site.sshd(certify(site, authority, key, principal, validity), host_key=key)
    site.trust(f"@cert-authority * {public(authority)}")
    error = await refusal(site.pool(site.host("n1", server)))
    assert isinstance(error, HostKeyChanged)
    assert "not valid" in str(error)


async def test_hashed_names(site: Site) -> None:
    """Lines with hashed names, as ssh-keygen -H writes them, are found."""
    server = site.sshd()
    site.trust(server.known)
    keygen_on("-H", str(site.known_hosts))
    assert site.known_hosts.read_text().startswith("|1|")
    await succeeds(site.pool(site.host("n1", server)))


async def test_host_key_alias_is_the_only_name(site: Site) -> None:
    """With HostKeyAlias the alias is looked up, without the port, and the address does not count."""
    server = site.sshd()
    key = public(server.host_key)
    site.trust(f"node-one {key}")
    await succeeds(site.pool(site.host("n1", server, "HostKeyAlias node-one")))
    site.trust(f"127.0.0.1,[127.0.0.1]:{server.port},[node-one]:{server.port} {key}")
    assert isinstance(await refusal(site.pool(site.host("n1", server, "HostKeyAlias node-one"))), HostKeyUnknown)


async def test_the_address_does_not_vouch_for_the_name(site: Site) -> None:
    """A key known under the address alone is not trusted for the name, as with ssh."""
    server = site.sshd()
    site.trust(server.known)
    block = site.host("n1", server, defaults=True).replace("HostName 127.0.0.1", "HostName localhost")
    assert isinstance(await refusal(site.pool(block, "AddressFamily inet")), HostKeyUnknown)


async def test_check_host_ip(site: Site) -> None:
    """CheckHostIP yes refuses a host whose address is known with another key."""
    server = site.sshd()
    other = public(site.new_key("other"))
    lines = (f"[localhost]:{server.port} {public(server.host_key)}", f"[127.0.0.1]:{server.port} {other}")
    site.trust(*lines)
    block = site.host("n1", server, "AddressFamily inet").replace("HostName 127.0.0.1", "HostName localhost")
    await succeeds(site.pool(block))
    error = await refusal(site.pool(block + "  CheckHostIP yes\n"))
    assert isinstance(error, HostKeyChanged)
    assert "CheckHostIP" in str(error)


async def test_weak_rsa_keys(site: Site) -> None:
    """RequiredRSASize refuses a known RSA key that is too small."""
    server = site.sshd(host_key=site.new_key("rsa", "rsa", bits=2048))
    site.trust(server.known)
    await succeeds(site.pool(site.host("n1", server)))
    error = await refusal(site.pool(site.host("n1", server, "RequiredRSASize 3072")))
    assert isinstance(error, HostKeyChanged)
    assert "fewer than 3072 bits" in str(error)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("KnownHostsCommand /bin/true", "KnownHostsCommand"),
        ("BindInterface lo", "BindInterface"),
        ("ProxyUseFdpass yes", "ProxyUseFdpass"),
        ("CanonicalizeHostname yes", "CanonicalizeHostname"),
    ],
)
async def test_options_we_cannot_honour_are_refused(site: Site, line: str, name: str) -> None:
    """An option that decides whom we trust or where we go, and that we do not know, is named with its file and line."""
    config = site.config("Host n1", f"  {line}")
    error = await refusal(site.pool("Host n1", f"  {line}"))
    assert isinstance(error, ConfigRefused)
    assert str(error).startswith(f"{config} line 2: {name} ")
