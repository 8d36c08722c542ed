"""The pool against in-process servers that count and hold: connect once, bounded, failures shared, imports late."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest

from probes.transports.base import CommandFailed, CommandRefused, ConnectionLost, LoginRefused, Unreachable
from probes.transports.ssh import SshPool, SshSettings

_STREAMS = 4


@dataclass
class Counts:
    """What the servers saw."""

    begun: int = 0
    logins: int = 0
    open: int = 0
    most_open: int = 0
    sessions: int = 0
    most_sessions: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)


class _Server(asyncssh.SSHServer):
    def __init__(self, counts: Counts, *, slow: bool) -> None:
        self._counts = counts
        self._slow = slow
        self._waiting = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:  # noqa: ARG002
        self._counts.begun += 1
        self._counts.met.set()
        self._waiting = True
        self._counts.open += 1
        self._counts.most_open = max(self._counts.most_open, self._counts.open)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._done()

    def _done(self) -> None:
        self._counts.open -= self._waiting
        self._waiting = False

    async def begin_auth(self, username: str) -> bool:  # noqa: ARG002
        if self._slow:
            await self._counts.release.wait()
        return True

    def auth_completed(self) -> None:
        self._done()
        self._counts.logins += 1


@dataclass
class Fleet:
    """In-process servers on ports of their own."""

    folder: Path
    counts: Counts = field(default_factory=Counts)
    blocks: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def add(self, name: str, *, slow: bool = False, let_in: bool = True) -> None:
        host, key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
        path = self.folder / f"{name}.key"
        key.write_private_key(path)
        allowed = key if let_in else host
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            server_factory=lambda: _Server(self.counts, slow=slow),
            process_factory=self._process,
            authorized_client_keys=asyncssh.import_authorized_keys(allowed.export_public_key().decode()),
            encoding=None,
        )
        self.stack.callback(server.close)
        port = server.get_port()
        self.known.append(f"[127.0.0.1]:{port} {host.export_public_key().decode()}")
        self.blocks.append(f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User ops\n  IdentityFile {path}\n")

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        counts = self.counts
        counts.sessions += 1
        counts.most_sessions = max(counts.most_sessions, counts.sessions)
        try:
            command = process.command or ""
            if command == "hold":
                if counts.sessions == _STREAMS:
                    counts.hold.set()
                await counts.release.wait()
            elif command == "vanish":
                process.channel.get_connection().abort()
            elif command == "fail":
                process.stdout.write(b"one\n")
                process.stderr.write(b"\x1b[31mbad\n")
            process.exit(7 if command == "fail" else 0)
        finally:
            counts.sessions -= 1

    @asynccontextmanager
    async def pool(self, at_once: int = 32, seconds: float = 10.0) -> AsyncIterator[SshPool]:
        config = self.folder / "config"
        files = f"Host *\n  IdentityAgent none\n  UserKnownHostsFile {self.folder}/known\n  GlobalKnownHostsFile none\n"
        config.write_text("".join(self.blocks) + files)
        (self.folder / "known").write_text("\n".join(self.known))
        async with SshPool(SshSettings(config, connect_seconds=seconds, connects_at_once=at_once)) as pool:
            yield pool


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    fleet = Fleet(tmp_path)
    async with fleet.stack:
        yield fleet
        fleet.counts.release.set()


async def many(pool: SshPool, names: list[str], argv: list[str]) -> list[int]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(pool.transport(name).run(argv, timeout=20)) for name in names]
    return [task.result().returncode for task in tasks]


async def test_one_connection_for_many_tasks(fleet: Fleet) -> None:
    """Twenty tasks that use a host at the same time make one connection, and never too many sessions on it."""
    await fleet.add("n1")
    async with fleet.pool() as pool:
        assert await many(pool, ["n1"] * 20, ["true"]) == [0] * 20
        assert await many(pool, ["n1"] * 20, ["true"]) == [0] * 20
    assert fleet.counts.logins == 1
    assert fleet.counts.most_sessions <= 5


async def test_bounded_logins(fleet: Fleet) -> None:
    """Of forty hosts no more than four are logged in to at the same time."""
    for i in range(40):
        await fleet.add(f"n{i}")
    async with fleet.pool(at_once=4) as pool:
        assert await many(pool, [f"n{i}" for i in range(40)], ["true"]) == [0] * 40
    assert fleet.counts.logins == 40
    assert fleet.counts.most_open <= 4


async def test_slow_logins_make_room(fleet: Fleet) -> None:
    """Hosts that are slow to let us in give up their place: a quick one behind them does not wait."""
    for i in range(3):
        await fleet.add(f"slow{i}", slow=True)
    await fleet.add("quick")
    async with fleet.pool(at_once=1) as pool, asyncio.TaskGroup() as group:
        slow = [group.create_task(pool.transport(f"slow{i}").run(["true"], timeout=20)) for i in range(3)]
        done = await pool.transport("quick").run(["true"], timeout=20)
        assert done.returncode == 0
        assert not any(task.done() for task in slow)
        fleet.counts.release.set()


async def test_a_shared_failure(fleet: Fleet) -> None:
    """Tasks that wait for the same login share its failure instead of trying one after the other."""
    await fleet.add("n1", slow=True)

    async def fails(pool: SshPool) -> str:
        with pytest.raises(Unreachable) as caught:
            await pool.transport("n1").run(["true"], timeout=20)
        return str(caught.value)

    async with fleet.pool(seconds=0.4) as pool:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(fails(pool)) for _ in range(8)]
        assert len({task.result() for task in tasks}) == 1
        assert fleet.counts.begun == 1
        assert "did not log us in within 0.4 s" in await fails(pool)
        assert fleet.counts.begun == 2


async def test_a_cancelled_login_does_not_fail_the_others(fleet: Fleet) -> None:
    """When the task that connects is cancelled, the next that waits for the host connects in its place."""
    await fleet.add("n1", slow=True)
    async with fleet.pool() as pool, asyncio.TaskGroup() as group:
        first = group.create_task(pool.transport("n1").run(["true"], timeout=20))
        second = group.create_task(pool.transport("n1").run(["true"], timeout=20))
        await fleet.counts.met.wait()
        first.cancel()
        fleet.counts.release.set()
        assert (await second).returncode == 0
    assert first.cancelled()


async def test_refused_login(fleet: Fleet) -> None:
    """A host that does not know our key is LoginRefused, and other hosts are not touched by it."""
    await fleet.add("shut", let_in=False)
    await fleet.add("n1")
    async with fleet.pool() as pool:
        with pytest.raises(LoginRefused, match=r"^shut \(127.0.0.1:\d+\) does not let ops log in \(1 key tried"):
            await pool.transport("shut").run(["true"], timeout=5)
        assert await many(pool, ["n1"], ["true"]) == [0]


async def test_a_host_that_vanishes(fleet: Fleet) -> None:
    """A host that cuts the connection under a command is ConnectionLost, once: the command is not sent again."""
    await fleet.add("n1")
    async with fleet.pool() as pool:
        with pytest.raises(ConnectionLost):
            await pool.transport("n1").run(["vanish"], timeout=5)
        assert fleet.counts.logins == 1
        assert await many(pool, ["n1"], ["true"]) == [0]
    assert fleet.counts.logins == 2


async def test_streams_are_bounded(fleet: Fleet) -> None:
    """A fifth stream to a host is refused at once; commands still find room beside four of them."""
    await fleet.add("n1")
    async with fleet.pool() as pool, AsyncExitStack() as stack:
        node = pool.transport("n1")
        streams = [await stack.enter_async_context(aclosing(node.lines(["hold"]))) for _ in range(4)]
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(anext(stream, "ended")) for stream in streams]
            await fleet.counts.hold.wait()
            with pytest.raises(CommandRefused, match="n1 already has 4 streams open"):
                await anext(node.lines(["hold"]))
            assert await many(pool, ["n1"] * 5, ["true"]) == [0] * 5
            fleet.counts.release.set()
        assert [task.result() for task in waiting] == ["ended"] * 4


async def test_a_failing_stream(fleet: Fleet) -> None:
    """A stream whose command fails gives its lines, then CommandFailed with what it said, made harmless."""
    await fleet.add("n1")
    async with fleet.pool() as pool:
        lines = pool.transport("n1").lines(["fail"])
        assert await anext(lines) == "one"
        with pytest.raises(CommandFailed, match=r"`fail` on n1 .* ended with status 7: \u241b\[31mbad$") as caught:
            await anext(lines)
    assert caught.value.returncode == 7


async def test_close_and_use_again(fleet: Fleet) -> None:
    """A closed transport connects anew when it is next used."""
    await fleet.add("n1")
    async with fleet.pool() as pool:
        node = pool.transport("n1")
        assert (await node.run(["true"], timeout=5)).returncode == 0
        await node.close()
        assert (await node.run(["true"], timeout=5)).returncode == 0
    assert fleet.counts.logins == 2


def test_asyncssh_is_imported_late() -> None:
    """Importing the pool imports neither asyncssh nor cryptography: start-up does not pay for hosts it never asks."""
    modules = "probes.transports.ssh, probes.transports.local"
    code = f"import sys, {modules}; print({{'asyncssh', 'cryptography'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
