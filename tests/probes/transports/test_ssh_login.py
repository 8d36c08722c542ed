"""Ways to log in, against real sshd: key files, the agent, and what is said when none is accepted."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from probes.transports.base import LoginRefused
from probes.transports.ssh import SshPool
from tests.probes.transports.conftest import Site
from tests.probes.transports.sshd import Sshd, public


@pytest.fixture
def server(site: Site) -> Sshd:
    server = site.sshd()
    site.trust(server.known)
    return server


def authorize(server: Sshd, *lines: str) -> None:
    server.authorized.write_text("".join(f"{line}\n" for line in lines))


def add_to_agent(agent: str, *keys: Path) -> None:
    askpass = keys[0].with_name("askpass")
    askpass.write_text("#!/bin/sh\necho secret\n")
    askpass.chmod(0o700)
    env = {**os.environ, "SSH_AUTH_SOCK": agent, "SSH_ASKPASS": str(askpass), "SSH_ASKPASS_REQUIRE": "force"}
    argv = ["ssh-add", "-q", *map(str, keys)]
    subprocess.run(argv, check=True, env=env, capture_output=True, stdin=subprocess.DEVNULL)


async def refusal(pool: SshPool) -> str:
    async with pool:
        with pytest.raises(LoginRefused) as caught:
            await pool.transport("n1").run(["true"], timeout=5)
    assert "\n" not in str(caught.value)
    return str(caught.value)


async def whoami(pool: SshPool) -> str:
    async with pool:
        return (await pool.transport("n1").run(["id", "-un"], timeout=5)).stdout.strip()


async def test_no_key_is_accepted(site: Site, server: Sshd) -> None:
    """A key that the host does not know is LoginRefused: the user, how many keys were tried, the command to try."""
    other = site.new_key("other")
    said = await refusal(
        site.pool(site.host("n1", server, f"IdentityFile {other}", "IdentityAgent none", defaults=False))
    )
    assert "does not let root log in" in said
    assert "1 key tried" in said
    assert f"`ssh -F {site.folder / 'config'} n1`" in said


async def test_encrypted_key_without_agent(site: Site, server: Sshd) -> None:
    """An encrypted key is never asked for at the terminal: the sentence says to ssh-add it."""
    secret = site.new_key("secret", passphrase="secret")  # noqa: S106 a test's
    authorize(server, public(secret))
    block = site.host("n1", server, f"IdentityFile {secret}", "IdentityAgent none", defaults=False)
    said = await refusal(site.pool(block))
    assert f"secret is encrypted and no agent holds it: run `ssh-add {secret}`" in said


async def test_missing_key_file(site: Site, server: Sshd) -> None:
    """A configured IdentityFile that does not exist is named."""
    block = site.host("n1", server, "IdentityFile /nonexistent/key", "IdentityAgent none", defaults=False)
    assert "/nonexistent/key does not exist" in await refusal(site.pool(block))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
async def test_agent(site: Site, server: Sshd, kind: str) -> None:
    """A key that only the agent can use logs us in, its file being encrypted."""
    secret = site.new_key("secret", kind, passphrase="secret")  # noqa: S106 a test's
    authorize(server, public(secret))
    agent = site.agent()
    add_to_agent(agent, secret)
    block = site.host("n1", server, f"IdentityFile {secret}", f"IdentityAgent {agent}", defaults=False)
    assert await whoami(site.pool(block)) == "root"


async def test_agent_of_the_environment(site: Site, server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IdentityAgent, SSH_AUTH_SOCK says where the agent is."""
    key = site.new_key("other")
    authorize(server, public(key))
    agent = site.agent()
    add_to_agent(agent, key)
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    block = site.host("n1", server, "IdentityFile none", defaults=False)
    assert await whoami(site.pool(block)) == "root"


async def test_identities_only_picks_from_the_agent(site: Site, server: Sshd) -> None:
    """With IdentitiesOnly the agent's other keys stay unused, so a host that allows few attempts is still entered."""
    keys = [site.new_key(f"k{i}") for i in range(8)]
    authorize(server, public(keys[7]))
    agent = site.agent()
    add_to_agent(agent, *keys)
    lines = (f"IdentityFile {keys[7]}.pub", f"IdentityAgent {agent}", "IdentitiesOnly yes")
    assert await whoami(site.pool(site.host("n1", server, *lines, defaults=False))) == "root"
    lines = (f"IdentityFile {keys[0]}.pub", f"IdentityAgent {agent}", "IdentitiesOnly yes")
    assert "1 key tried" in await refusal(site.pool(site.host("n1", server, *lines, defaults=False)))


async def test_named_agent_keys_come_first(site: Site, server: Sshd) -> None:
    """A key named by IdentityFile is offered before the agent's others, as ssh does, so before MaxAuthTries ends."""
    keys = [site.new_key(f"k{i}") for i in range(8)]
    authorize(server, public(keys[7]))
    agent = site.agent()
    add_to_agent(agent, *keys)
    lines = (f"IdentityFile {keys[7]}", f"IdentityAgent {agent}")
    assert await whoami(site.pool(site.host("n1", server, *lines, defaults=False))) == "root"


async def test_dead_agent(site: Site, server: Sshd) -> None:
    """An agent socket that nobody serves does not stop a key file from working, and is named when nothing works."""
    lines = (f"IdentityAgent {site.folder / 'gone'}", f"IdentityFile {site.key}")
    assert await whoami(site.pool(site.host("n1", server, *lines, defaults=False))) == "root"
    lines = (f"IdentityAgent {site.folder / 'gone'}", "IdentityFile none")
    assert "gone does not answer" in await refusal(site.pool(site.host("n1", server, *lines, defaults=False)))


async def test_hung_agent(site: Site, server: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that never answers costs its time limit once, not once per host, and key files still work."""
    monkeypatch.setattr("probes.transports.sshkeys._AGENT_SECONDS", 0.3)
    asked = 0

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()

    path = site.folder / "silent"
    lines = (f"IdentityAgent {path}", f"IdentityFile {site.key}")
    blocks = [site.host(f"n{i}", server, *lines, defaults=False) for i in range(4)]
    async with await asyncio.start_unix_server(silent, path), site.pool(*blocks) as pool:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(pool.transport(f"n{i}").run(["true"], timeout=5)) for i in range(4)]
        assert [task.result().returncode for task in tasks] == [0] * 4
    assert asked == 1


async def test_user_certificate(site: Site, server: Sshd) -> None:
    """A certificate beside the key file is offered: a host that only knows the authority lets us in."""
    authority = site.new_key("authority")
    authorize(server, f"cert-authority {public(authority)}")
    key = site.new_key("other")
    sign(authority, key)
    block = site.host("n1", server, f"IdentityFile {key}", "IdentityAgent none", defaults=False)
    assert await whoami(site.pool(block)) == "root"


def sign(authority: Path, key: Path) -> None:
    argv = ["ssh-keygen", "-q", "-s", str(authority), "-I", "t", "-n", "root", f"{key}.pub"]
    subprocess.run(argv, check=True, capture_output=True)


async def test_public_key_login_switched_off(site: Site, server: Sshd) -> None:
    """PubkeyAuthentication no leaves us no way to log in, and that is said."""
    assert "PubkeyAuthentication is no" in await refusal(site.pool(site.host("n1", server, "PubkeyAuthentication no")))


async def test_nothing_of_ours_reaches_the_host(site: Site, server: Sshd) -> None:
    """No terminal, agent, display or environment of ours is given to the host, whatever is configured."""
    block = site.host("n1", server, "ForwardAgent yes", "ForwardX11 yes", "SendEnv *", "SetEnv A=b", "RequestTTY force")
    async with site.pool(block) as pool:
        said = (await pool.transport("n1").run(["sh", "-c", "env; tty"], timeout=5)).stdout
    names = {line.partition("=")[0] for line in said.splitlines()}
    assert not names & {"SSH_AUTH_SOCK", "DISPLAY", "A", "SSH_TTY", "LC_ALL"}
    assert "not a tty" in said


async def test_user_setting_wins(site: Site, server: Sshd) -> None:
    """A user said in our own settings wins over the one of the ssh configuration."""
    assert await whoami(site.pool(site.host("n1", server).replace("User root", "User nobody"), user="root")) == "root"
