"""The SSH server of a node: answers the commands that underlay sends, and streams what changes."""

import asyncio
import shlex
from typing import TYPE_CHECKING, Final

from lab import probing, scripts, shell
from lab.listener import Listener
from lab.machine import Machine
from lab.world import World

if TYPE_CHECKING:
    import asyncssh

MAX_SCRIPT: Final = 1_000_000
"""Bytes of a batch or a volley that a node reads."""
MAX_BACKLOG: Final = 10_000
"""Lines that a slow reader of a monitor may lag behind."""
_STREAMS: Final = {"link": "link", "l": "link", "address": "address", "addr": "address", "route": "route",
                   "neigh": "neigh", "fdb": "fdb"}  # fmt: skip


async def serve(
    world: World, machine: Machine, door: Listener, host_key: "asyncssh.SSHKey", client_key: "asyncssh.SSHKey"
) -> "asyncssh.SSHAcceptor":
    """Serve a node's SSH at a door; only the demo's own client key is let in."""
    import asyncssh  # noqa: PLC0415 - 0.17 s to import

    async def handle(process: "asyncssh.SSHServerProcess[bytes]") -> None:
        # The peer may go at any time; that ends the session and nothing else.
        try:
            status = await _session(world, machine, process)
            process.exit(status)
        except (asyncssh.Error, ConnectionError, asyncio.IncompleteReadError):
            process.close()

    return await asyncssh.listen(
        sock=door,
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(client_key.export_public_key().decode()),
        process_factory=handle,
        encoding=None,
        config=None,
        allow_scp=False,
        agent_forwarding=False,
        password_auth=False,
        kbdint_auth=False,
        gss_host=None,
    )


async def _session(world: World, machine: Machine, process: "asyncssh.SSHServerProcess[bytes]") -> int:
    if not machine.alive:
        await process.wait_closed()  # a hung node accepts and never answers
    try:
        argv = tuple(shlex.split(process.command or ""))
    except ValueError:
        process.stderr.write(b"sh: 1: Syntax error: Unterminated quoted string\n")
        return 2
    if argv == ("sh", "-s"):
        script = await process.stdin.read(MAX_SCRIPT)
        return await shell.run_script(
            world,
            machine,
            script.decode("utf-8", "replace"),
            lambda text: process.stdout.write(text.encode()),
            lambda text: process.stderr.write(text.encode()),
        )
    if (asked := probing.volley(argv)) is not None:
        length, root = asked
        text = (await process.stdin.readexactly(min(length, MAX_SCRIPT))).decode("utf-8", "replace")
        return await probing.run(world, machine, text, lambda said: process.stdout.write(said.encode()), root=root)
    streams = monitored(argv)
    if streams:
        return await _monitor(machine, streams, process)
    if not argv:
        process.stderr.write(b"The demo's nodes give no login shell.\n")
        return 1
    stdin = b""
    if scripts.wrapped(argv) is not None:
        stdin = await process.stdin.read(MAX_SCRIPT)
    done = await shell.run_argv(world, machine, argv, stdin=stdin.decode("utf-8", "replace"))
    process.stdout.write(done.out.encode())
    process.stderr.write(done.err.encode())
    return done.rc


def monitored(argv: tuple[str, ...]) -> set[str]:
    """List the streams that ``ip monitor …``, ``bridge monitor …`` or a script of both follows; else none."""
    if argv[:2] == ("sh", "-c") and len(argv) == len(("sh", "-c", "SCRIPT")) and "\nip -o monitor " in argv[2]:
        return {"link", "address", "route", "neigh", "fdb", "journal"}  # the monitors and the journal side by side
    words = [word for word in argv[1:] if not word.startswith("-")]
    if argv[:1] not in {("ip",), ("bridge",)} or words[:1] != ["monitor"]:
        return set()
    if argv[0] == "bridge":
        return {"fdb"}
    named = {_STREAMS[word] for word in words[1:] if word in _STREAMS}
    return named or {"link", "address", "route", "neigh"}


async def _monitor(machine: Machine, streams: set[str], process: "asyncssh.SSHServerProcess[bytes]") -> int:
    lines: asyncio.Queue[str] = asyncio.Queue(MAX_BACKLOG)

    def listen(stream: str, line: str) -> None:
        if stream in streams and not lines.full():
            lines.put_nowait(line)

    async def pump() -> None:
        while True:
            process.stdout.write((await lines.get() + "\n").encode())
            await process.stdout.drain()

    machine.listeners.add(listen)
    try:
        async with asyncio.TaskGroup() as group:
            pumping = group.create_task(pump())
            await process.wait_closed()
            pumping.cancel()
    finally:
        machine.listeners.discard(listen)
    return 0
