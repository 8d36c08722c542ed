"""Commands on this machine, for when underlay runs on a node itself."""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar, cast

from probes.model.observation import Completed
from probes.model.text import clean
from probes.transports.base import CommandFailed, CommandRefused, TimedOut
from probes.transports.output import Lines, Output

_GRACE_SECONDS: Final = 1.0
"""What programs have to put their things in order once they are told to end."""
_LOOK_SECONDS: Final = 0.01
_MISSING: Final = 127
_NOT_EXECUTABLE: Final = 126
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


_P = TypeVar("_P", bound="_Process")


def is_here(addresses: tuple[str, ...], boot_id: str = "") -> bool:
    """Tell whether an address is one of this machine's own (Linux only; elsewhere nothing is).

    ``boot_id``: what the node says of its kernel's boot, where it does: private addresses are used at many places, and
    an operator's machine at one of them may have the address of a node at another.

    The kernel sends to an own address from that address, and to every other from another. Binding would tell less:
    with net.ipv4.ip_nonlocal_bind, as keepalived has it, every address can be bound.
    """
    try:
        booted = _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeError):
        return False
    if boot_id not in {"", booted}:
        return False
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, 9))  # looks up the route; nothing is sent
            except (OSError, UnicodeError):
                continue
            if probe.getsockname()[0] == address:
                return True
    return False


class LocalTransport:
    """Runs commands on this machine, each in a process group of its own that ends with it."""

    def __init__(self, host: str = "localhost") -> None:
        self._host = host

    @property
    def host(self) -> str:
        """The name of this machine, for messages."""
        return self._host

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a command to its end; see Transport. A program that does not exist is status 127, as a shell has it."""
        try:
            async with asyncio.timeout(timeout), _started(argv, PIPE, _Whole(self._host)) as whole:
                whole.write(stdin)
                await whole.ended
        except TimeoutError as error:
            raise TimedOut(
                f"`{clean(argv[0])}` on {self.host} did not end within {timeout:g} s: it was ended"
            ) from error
        except CommandFailed as error:
            return Completed(tuple(argv), error.returncode, "", str(error))
        return whole.output.completed(tuple(argv), whole.returncode)

    async def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:
        """Run a command and yield its lines; see Transport."""
        async with _started(argv, PIPE, _ByLine(self._host)) as stream:
            stream.write(stdin)
            while (line := await stream.lines.next()) is not None:
                yield line
            await stream.ended
            stream.lines.judge(argv[0], stream.returncode)

    async def close(self) -> None:
        """Do nothing: nothing is kept open between commands."""


class _Process(asyncio.SubprocessProtocol):
    """A running program."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.exited = asyncio.Event()
        self.transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.SubprocessTransport", transport)

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 asyncio's signature
        """Note the end: it has exited and nobody holds its pipes any more."""
        if not self.ended.done():
            self.ended.set_result(None)

    def write(self, stdin: bytes) -> None:
        """Give it what it is to read; its standard input stays open."""
        pipe = self.transport.get_pipe_transport(0) if self.transport is not None else None
        if pipe is not None:
            cast("asyncio.WriteTransport", pipe).write(stdin)

    @property
    def returncode(self) -> int:
        """Exit status, -N for a signal."""
        code = self.transport.get_returncode() if self.transport is not None else None
        return -signal.SIGKILL if code is None else code

    def has_company(self) -> bool:
        """Whether something that it started still runs."""
        if self.transport is None:
            return False
        try:
            os.killpg(self.transport.get_pid(), 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def signal_all(self, number: signal.Signals) -> None:
        """Signal it and all that it started."""
        if self.transport is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.transport.get_pid(), number)


class _Whole(_Process):
    """A program whose whole output is wanted."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.output = Output(where)

    def write(self, stdin: bytes) -> None:
        super().write(stdin)
        pipe = self.transport.get_pipe_transport(0) if self.transport is not None else None
        if pipe is not None:
            pipe.close()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output.feed(data, stderr=fd == 2)  # noqa: PLR2004 stderr
        if self.output.too_large and not self.ended.done():
            self.ended.set_result(None)


class _ByLine(_Process):
    """A program whose lines are wanted as they come."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.lines = Lines(where, self._pause, self._resume)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.lines.feed(data, stderr=fd == 2)  # noqa: PLR2004 stderr

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lines.end()

    def _pipe(self) -> asyncio.ReadTransport:
        assert self.transport is not None  # noqa: S101 data came through it
        return cast("asyncio.ReadTransport", self.transport.get_pipe_transport(1))

    def _pause(self) -> None:
        self._pipe().pause_reading()

    def _resume(self) -> None:
        self._pipe().resume_reading()


@asynccontextmanager
async def _started(argv: Sequence[str], stdin: int, process: _P) -> AsyncGenerator[_P, None]:
    """Start a program; on the way out nothing of its process group is left."""
    loop = asyncio.get_running_loop()
    try:
        await loop.subprocess_exec(
            lambda: process, *argv, stdin=stdin, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CommandFailed(f"{clean(argv[0])}: not found", _MISSING) from error
    except PermissionError as error:
        raise CommandFailed(f"{clean(argv[0])}: permission denied", _NOT_EXECUTABLE) from error
    except (OSError, ValueError) as error:
        raise CommandRefused(
            f"`{clean(argv[0])}` cannot be started ({clean(str(error))}): check the command"
        ) from error
    try:
        yield process
    finally:
        if not process.exited.is_set():
            process.signal_all(signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    await process.exited.wait()
                    while process.has_company():  # noqa: ASYNC110 - nobody tells when a process that is not our child ends
                        await asyncio.sleep(_LOOK_SECONDS)
        process.signal_all(signal.SIGKILL)
        await process.exited.wait()
        if process.transport is not None:
            process.transport.close()
