"""Hosts that are dead, hung or cut off, as real sshd processes: each fails in time, alone, and comes back."""

import asyncio
import socket
import struct
import threading
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from probes.transports.base import ConnectionLost, OutputTooLarge, TimedOut, Unreachable
from probes.transports.ssh import SshTransport
from tests.probes.transports.conftest import Site
from tests.probes.transports.sshd import descendants, free_port

SILENT = "while kill -0 $PPID 2>/dev/null; do sleep 0.3; done"
"""A script that says nothing for as long as its sshd lives, and is left nowhere."""


async def eventually(condition: object, seconds: float = 5.0) -> None:
    """Wait until a condition holds."""
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 it looks at other processes
            await asyncio.sleep(0.01)


async def answers(node: SshTransport) -> bool:
    return (await node.run(["true"], timeout=5)).returncode == 0


async def test_refused_port(site: Site) -> None:
    """A port where nothing listens is Unreachable at once, with host, address and port."""
    server = site.sshd()
    block = site.host("n1", server).replace(f"Port {server.port}", f"Port {(port := free_port())}")
    async with site.pool(block) as pool:
        with pytest.raises(Unreachable, match=rf"^n1 \(127.0.0.1:{port}\) refuses connections: check that sshd"):
            await pool.transport("n1").run(["true"], timeout=5)


async def test_unknown_name(site: Site) -> None:
    """A name that no resolver knows is Unreachable and says so."""
    async with site.pool("Host n1\n  HostName n1.invalid\n") as pool:
        with pytest.raises(Unreachable, match="name that is not found"):
            await pool.transport("n1").run(["true"], timeout=5)


async def test_several_addresses(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name with a dead and a hung address before the good one still gets through, and is trusted by its name."""
    server = site.sshd()
    site.trust(server.known.replace("127.0.0.1", "node.test"))
    found = [(2, 1, 6, "", (address, server.port)) for address in ("127.0.0.2", "127.0.0.3", "127.0.0.1")]
    asked = socket.getaddrinfo

    def resolve(host: str, port: int, family: int, kind: int, *, flags: int = 0) -> list[Any]:
        if host != "node.test":
            return asked(host, port, family, kind, flags=flags)
        if flags:
            raise socket.gaierror(socket.EAI_NONAME, "not a number")
        return found

    monkeypatch.setattr("probes.transports.sshdial.socket.getaddrinfo", resolve)
    block = site.host("n1", server).replace("HostName 127.0.0.1", "HostName node.test")
    async with site.pool(block, seconds=3) as pool:
        with socket.create_server(("127.0.0.3", server.port)):
            assert await answers(pool.transport("n1"))


async def test_names_that_never_resolve(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty names that hang in the resolver delay no host whose address is known."""
    server = site.sshd()
    site.trust(server.known)
    release = threading.Event()
    asked = socket.getaddrinfo

    def resolve(host: str, port: int, family: int, kind: int, *, flags: int = 0) -> list[Any]:
        if host.startswith("lost"):
            if not flags:
                release.wait(10)
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return asked(host, port, family, kind, flags=flags)

    monkeypatch.setattr("probes.transports.sshdial.socket.getaddrinfo", resolve)
    async with site.pool(site.host("n1", server)) as pool, asyncio.TaskGroup() as group:
        for i in range(40):
            group.create_task(unreachable(pool.transport(f"lost{i}.test")))
        await asyncio.sleep(0)
        started = time.monotonic()
        assert await answers(pool.transport("n1"))
        assert time.monotonic() - started < 4
        release.set()


def disconnect(reason: bytes) -> bytes:
    """Write an SSH_MSG_DISCONNECT (RFC 4253, 11.1) before any encryption."""
    payload = b"\x01" + struct.pack(">I", 2) + struct.pack(">I", len(reason)) + reason + struct.pack(">I", 0)
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


_GREETINGS = {
    "mail": b"220 mail.example ESMTP\r\n" * 2000,
    "version 1": b"SSH-1.5-old\r\n",
    "binary": b"SSH-2.0-x\r\n" + bytes(range(256)) * 64,
    "malice": b"SSH-2.0-x\r\n" + disconnect(b"\x1b]0;owned\x07\n\xe2\x80\xaebad"),
    "endless": b"\xff" * 100000,
    "nothing": b"",
}


@pytest.mark.parametrize("greeting", _GREETINGS)
async def test_hosts_that_talk_nonsense(site: Site, capfd: pytest.CaptureFixture[str], greeting: str) -> None:
    """What speaks no ssh, or speaks it with malice, is Unreachable in one harmless sentence; nothing is printed."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_GREETINGS[greeting])
        await reader.read(100)
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = other.sockets[0].getsockname()[1]
    async with other, site.pool(f"Host n1\n  HostName 127.0.0.1\n  Port {port}\n") as pool:
        with pytest.raises(Unreachable, match="n1") as caught:
            await pool.transport("n1").run(["true"], timeout=5)
    assert str(caught.value).isprintable()
    assert capfd.readouterr() == ("", "")


async def test_hung_sshd(site: Site) -> None:
    """A stopped sshd, for which the kernel still accepts, is Unreachable in time; when it goes on, so do we."""
    server = site.sshd()
    site.trust(server.known)
    server.freeze()
    async with site.pool(site.host("n1", server), seconds=0.5) as pool:
        node = pool.transport("n1")
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"accepts connections, but its sshd did not log us in within 0.5 s"):
            await node.run(["true"], timeout=60)
        assert time.monotonic() - started < 2
        server.thaw()
        assert await answers(node)


async def test_hung_connection(site: Site) -> None:
    """A host that hangs under a connection gives TimedOut in time and is connected to anew at the next use."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        assert await answers(node)
        server.freeze()
        started = time.monotonic()
        with pytest.raises(TimedOut, match=r"`true` on n1 did not end within 0.3 s"):
            await node.run(["true"], timeout=0.3)
        assert time.monotonic() - started < 2
        server.thaw()
        assert await answers(node)


async def test_hung_before_a_stream(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that a hung host never starts is TimedOut instead of silence, and the next one connects anew."""
    monkeypatch.setattr("probes.transports.ssh._START_SECONDS", 0.3)
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        assert await answers(node)
        server.freeze()
        with pytest.raises(TimedOut, match=r"`echo` on n1 did not start within 0.3 s"):
            await anext(node.lines(["echo", "up"]))
        server.thaw()
        async with aclosing(node.lines(["echo", "up"])) as lines:
            assert [line async for line in lines] == ["up"]


async def test_killed_connection(site: Site) -> None:
    """A connection that is cut under a command is ConnectionLost; the next use connects anew."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        async with asyncio.TaskGroup() as group:
            cut = group.create_task(lost(node))
            await eventually(lambda: any("sleep" in name(pid) for pid in server.tree()))
            server.end_sessions()
            await cut
        assert await answers(node)


async def lost(node: SshTransport) -> None:
    with pytest.raises(ConnectionLost, match="n1"):
        await node.run(["sh", "-c", SILENT], timeout=30)


def name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


async def test_cut_between_commands(site: Site) -> None:
    """A connection that was cut while idle costs the next use nothing: it is seen and made anew."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        assert await answers(node)
        server.end_sessions()
        await eventually(lambda: len(server.tree()) == 1)
        await asyncio.sleep(0)
        assert await answers(node)


async def test_server_alive(site: Site) -> None:
    """ServerAliveInterval and CountMax end a stream from a host that has hung: ConnectionLost, not silence."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server, "ServerAliveInterval 1", "ServerAliveCountMax 1")) as pool:
        async with aclosing(pool.transport("n1").lines(["sh", "-c", f"echo up; {SILENT}"])) as lines:
            assert await anext(lines) == "up"
            server.freeze()
            started = time.monotonic()
            with pytest.raises(ConnectionLost):
                await anext(lines)
            assert time.monotonic() - started < 5
        server.thaw()


async def test_dead_hosts_do_not_delay_a_living_one(site: Site) -> None:
    """With room for two logins at once and six hung hosts ahead, a living host still answers long before they fail."""
    server, hung = site.sshd(), site.sshd()
    site.trust(server.known, hung.known)
    hung.freeze()
    blocks = [site.host(f"hung{i}", hung) for i in range(6)]
    living = site.host("n1", server)
    async with site.pool(living, *blocks, seconds=8, at_once=2) as pool, asyncio.TaskGroup() as group:
        tasks = [group.create_task(unreachable(pool.transport(f"hung{i}"))) for i in range(6)]
        await asyncio.sleep(0)
        started = time.monotonic()
        assert await answers(pool.transport("n1"))
        assert time.monotonic() - started < 5
        assert not any(task.done() for task in tasks)
        server.thaw()
        hung.stop()


async def unreachable(node: SshTransport) -> None:
    with pytest.raises(Unreachable):
        await node.run(["true"], timeout=5)


async def test_cancelling_ends_the_command(site: Site) -> None:
    """A cancelled command ends on the host, and its session is free for the next one."""
    server = site.sshd("MaxSessions 1")
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await node.run(["sh", "-c", "while echo tick; do sleep 0.1; done"], timeout=30)
        await eventually(lambda: not any(name(pid) == "sh\n" for pid in server.tree()))
        assert await answers(node)


async def test_a_silent_command_does_not_hold_a_session(site: Site) -> None:
    """A cancelled command that sshd cannot end counts as a session of its connection: a new connection is made."""
    server = site.sshd("MaxSessions 1")
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await node.run(["sh", "-c", SILENT], timeout=30)
        assert await answers(node)


async def test_too_much_output(site: Site) -> None:
    """Output of more than 16 MiB and a line of more than 64 KiB in a stream are OutputTooLarge, not memory."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        node = pool.transport("n1")
        with pytest.raises(OutputTooLarge, match=r"`cat` on n1 .* said more than 16 MiB"):
            await node.run(["cat", "/dev/zero"], timeout=30)
        async with aclosing(node.lines(["cat", "/dev/zero"])) as lines:
            with pytest.raises(OutputTooLarge, match="longer than 64 KiB"):
                await anext(lines)
        assert await answers(node)


async def test_back_pressure(site: Site) -> None:
    """A stream that nobody reads stays bounded in memory: the host is held back, and no line is lost."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        async with aclosing(pool.transport("n1").lines(["seq", "-f", "%.0f xxxxxxxxxxxxxxxxxxxx", "400000"])) as lines:
            first = await anext(lines)
            await asyncio.sleep(0.3)
            seen = [int(line.split()[0]) async for line in lines]
        assert int(first.split()[0]) == 1
        assert seen == list(range(2, 400001))


async def test_a_closed_stream_leaves_the_host(site: Site) -> None:
    """Closing a stream ends its command on the host as soon as it says something more."""
    server = site.sshd()
    site.trust(server.known)
    async with site.pool(site.host("n1", server)) as pool:
        async with aclosing(pool.transport("n1").lines(["sh", "-c", "while echo tick; do sleep 0.1; done"])) as lines:
            assert await anext(lines) == "tick"
        await eventually(
            lambda: not any("sleep" in name(pid) or name(pid) == "sh\n" for pid in descendants(server.pid))
        )


async def test_a_stream_takes_all_along(site: Site) -> None:
    """A stream's standard input is open while it is read: a command that waits for its end leaves nothing behind."""
    server = site.sshd()
    site.trust(server.known)
    script = "sleep 600 & a=$!; trap 'kill $a' EXIT; echo up; cat >/dev/null"
    async with site.pool(site.host("n1", server)) as pool:
        async with aclosing(pool.transport("n1").lines(["sh", "-c", script])) as lines:
            assert await anext(lines) == "up"
            await eventually(lambda: "sleep\n" in map(name, server.tree()))
            started = [pid for pid in server.tree() if name(pid) in {"sleep\n", "sh\n"}]
        await eventually(lambda: not any(map(name, started)))


async def test_nothing_is_left_after_close(site: Site) -> None:
    """A closed pool leaves no session on the host and no socket here."""
    server = site.sshd()
    site.trust(server.known)
    before = len(list(Path("/proc/self/fd").iterdir()))
    async with site.pool(site.host("n1", server)) as pool:
        assert await answers(pool.transport("n1"))
    await eventually(lambda: len(server.tree()) == 1)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
