"""Hosts behind other hosts, with real sshd: ProxyJump and ProxyCommand as ssh has them, jump connections shared."""

import asyncio

import pytest

from probes.transports.base import ConfigRefused, HostKeyUnknown, Unreachable
from probes.transports.ssh import SshPool
from tests.probes.transports.conftest import Site
from tests.probes.transports.sshd import free_port


async def answers(pool: SshPool, *aliases: str) -> bool:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pool.transport(alias).run(["echo", alias], timeout=5)) for alias in aliases]
    return all(task.result().stdout == f"{alias}\n" for alias, task in zip(aliases, tasks, strict=True))


def logins(log: str) -> int:
    return log.count("Accepted publickey")


async def test_one_jump_connection_for_many_hosts(site: Site) -> None:
    """Hosts behind one jump host share one connection to it, however many connect at the same time."""
    jump, server = site.sshd(), site.sshd()
    site.trust(jump.known, server.known)
    blocks = [site.host(f"n{i}", server, "ProxyJump bastion") for i in range(5)]
    async with site.pool(site.host("bastion", jump), *blocks) as pool:
        assert await answers(pool, *(f"n{i}" for i in range(5)))
        assert await answers(pool, "bastion")
    assert logins(jump.log.read_text()) == 1
    assert logins(server.log.read_text()) == 5


async def test_two_jumps_in_a_row(site: Site) -> None:
    """A list of jump hosts is followed in order, and so is a jump host with a jump host of its own."""
    first, second, server = site.sshd(), site.sshd(), site.sshd()
    site.trust(first.known, second.known, server.known)
    hosts = [site.host("first", first), site.host("second", second)]
    async with site.pool(*hosts, site.host("n1", server, "ProxyJump first,second")) as pool:
        assert await answers(pool, "n1")
    assert logins(first.log.read_text()) == logins(second.log.read_text()) == 1
    hosts = [site.host("first", first), site.host("second", second, "ProxyJump first")]
    async with site.pool(*hosts, site.host("n1", server, "ProxyJump second")) as pool:
        assert await answers(pool, "n1")
    assert logins(first.log.read_text()) == logins(second.log.read_text()) == 2


async def test_jump_of_our_own_settings(site: Site) -> None:
    """A jump host of our settings, with user and port, is used for every host but itself."""
    jump, server = site.sshd(), site.sshd()
    site.trust(jump.known, server.known)
    any_host = site.host("*", server).replace(f"  Port {server.port}\n", "").replace("  User root\n", "")
    blocks = (f"Host n1\n  Port {server.port}\n  User root\n", any_host)
    async with site.pool(*blocks, jump=f"root@127.0.0.1:{jump.port}") as pool:
        assert await answers(pool, "n1")
    assert logins(jump.log.read_text()) == 1


async def test_the_jump_host_is_named(site: Site) -> None:
    """What goes wrong at the jump host says so and keeps its kind; behind it, a closed port is Unreachable."""
    jump, server = site.sshd(), site.sshd()
    site.trust(server.known)
    block = site.host("n1", server, "ProxyJump bastion")
    async with site.pool(site.host("bastion", jump), block) as pool:
        with pytest.raises(HostKeyUnknown, match=r"^n1 is reached by way of bastion: bastion .* is not known"):
            await answers_one(pool)
    site.trust(jump.known)
    block = block.replace(f"Port {server.port}", f"Port {free_port()}")
    async with site.pool(site.host("bastion", jump), block) as pool:
        with pytest.raises(Unreachable, match="cannot be reached from its jump host"):
            await answers_one(pool)


async def answers_one(pool: SshPool) -> None:
    await pool.transport("n1").run(["true"], timeout=5)


async def test_a_circle_is_refused(site: Site) -> None:
    """Jump hosts that lead back to themselves are ConfigRefused, not an endless wait."""
    for blocks in (("Host *\n  ProxyJump a\n",), ("Host n1\n  ProxyJump a\n", "Host a\n  ProxyJump n1\n")):
        async with site.pool(*blocks) as pool:
            with pytest.raises(ConfigRefused, match="lead in a circle"):
                await answers_one(pool)


async def test_malformed_jump(site: Site) -> None:
    """A jump host that is no host is named in the sentence."""
    async with site.pool("Host n1\n  ProxyJump a:b:c:99999\n") as pool:
        with pytest.raises(ConfigRefused, match="'a:b:c:99999' is no jump host"):
            await answers_one(pool)


async def test_a_lost_jump_host_is_made_anew(site: Site) -> None:
    """When the jump host cuts us off, the next use connects to it and through it again."""
    jump, server = site.sshd(), site.sshd()
    site.trust(jump.known, server.known)
    async with site.pool(site.host("bastion", jump), site.host("n1", server, "ProxyJump bastion")) as pool:
        assert await answers(pool, "n1")
        jump.end_sessions()
        assert await answers(pool, "n1")
    assert logins(jump.log.read_text()) == 2


async def test_proxy_command(site: Site) -> None:
    """ProxyCommand is run by a shell with its tokens, its noise is not shown, and it ends with the connection."""
    jump, server = site.sshd(), site.sshd()
    site.trust(jump.known, server.known)
    command = f"echo noise >&2; ssh -F {site.folder / 'config'} -W %h:%p bastion"
    blocks = (site.host("bastion", jump), site.host("n1", server, f"ProxyCommand sh -c '{command}'"))
    async with site.pool(*blocks) as pool:
        assert await answers(pool, "n1")
    failing = site.host("n1", server, "ProxyCommand false")
    async with site.pool(failing) as pool:
        with pytest.raises(Unreachable, match="ProxyCommand"):
            await answers_one(pool)


async def test_jump_none(site: Site) -> None:
    """ProxyJump none before a general ProxyJump means no jump host, as in ssh_config(5)."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server, "ProxyJump none"), "Host *\n  ProxyJump nowhere.invalid\n") as pool:
        assert await answers(pool, "n1")


async def test_the_way_out(site: Site) -> None:
    """BindAddress and AddressFamily decide where a connection comes from, as ssh_config(5) says."""
    server = site.sshd()
    site.trust(server.known, server.known.replace("127.0.0.1", "localhost"))
    async with site.pool(site.host("n1", server, "BindAddress 127.0.0.9")) as pool:
        done = await pool.transport("n1").run(["printenv", "SSH_CONNECTION"], timeout=5)
    assert done.stdout.startswith("127.0.0.9 ")
    block = site.host("n1", server, "AddressFamily inet6").replace("HostName 127.0.0.1", "HostName localhost")
    async with site.pool(block) as pool:
        with pytest.raises(Unreachable):
            await answers_one(pool)
