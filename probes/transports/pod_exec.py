"""Commands in a container that the operator names, through the API: for pods of nodes that nobody reaches by SSH.

This starts a process in the container, and it has only the programs of its image. It is no part of the client that
reads the API, and is made only for a pod that was named on the command line.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec

from probes.model.observation import Completed
from probes.model.text import clean
from probes.transports.base import CommandFailed, CommandRefused, ConnectionLost, OutputTooLarge, TimedOut
from probes.transports.output import MAX_LINE, MAX_OUTPUT

_STDIN, _STDOUT, _STDERR, _STATUS = 0, 1, 2, 3
"""Channels of v4.channel.k8s.io and later (kubernetes staging/src/k8s.io/apimachinery/pkg/util/remotecommand)."""
_CHUNK: Final = 32 * 1024
_START_SECONDS: Final = 10.0
_MOST_ERROR: Final = 4096


class Socket(Protocol):
    """A websocket to a process in a container."""

    async def receive(self) -> bytes | None:
        """Wait for a message; None at the end."""

    async def send(self, message: bytes) -> None:
        """Send a message."""

    async def close(self) -> None:
        """End the connection, and with its standard input the process."""


Dial = Callable[[Sequence[str]], Awaitable[Socket]]
"""Starts a command in the container; raises TransportError."""


class _Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] = []


class _Status(msgspec.Struct):
    status: str = ""
    message: str = ""
    details: _Details | None = None


class PodExecTransport:
    """Runs commands in one container."""

    def __init__(self, host: str, dial: Dial) -> None:
        self._host = host
        self._dial = dial

    @property
    def host(self) -> str:
        """``NAMESPACE/POD``."""
        return self._host

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a command to its end; see Transport. Its standard error comes with its standard output's lines."""
        said: list[str] = []
        code = 0
        try:
            async with asyncio.timeout(timeout + _START_SECONDS):
                async for line in self.lines(argv, stdin=stdin):
                    said.append(line)
                    if sum(map(len, said[-100:])) > MAX_OUTPUT:
                        raise OutputTooLarge(f"`{clean(argv[0])}` in {self._host} said too much: it was ended")
        except CommandFailed as error:
            code = error.returncode
            said.append(str(error))
        except TimeoutError as error:
            raise TimedOut(f"`{argv[0]}` in {self._host} did not end within {timeout:g} s") from error
        return Completed(tuple(argv), code, "\n".join(said))

    async def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:
        """Run a command and yield its lines; see Transport."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                socket = await self._dial(argv)
        except TimeoutError as error:
            raise TimedOut(f"the API did not start a command in {self._host} within {_START_SECONDS:g} s") from error
        try:
            for first in range(0, len(stdin), _CHUNK):
                await socket.send(bytes((_STDIN,)) + stdin[first : first + _CHUNK])
            part, wrong = bytearray(), bytearray()
            while (message := await socket.receive()) is not None:
                channel, data = message[:1], message[1:]
                if channel == bytes((_STDOUT,)):
                    *whole, rest = (bytes(part) + data).split(b"\n")
                    part = bytearray(rest)
                    if len(part) > MAX_LINE or any(len(line) > MAX_LINE for line in whole):
                        raise OutputTooLarge(f"a line from {self._host} is longer than {MAX_LINE // 1024} KiB")
                    for line in whole:
                        yield line.decode("utf-8", "replace")
                elif channel == bytes((_STDERR,)):
                    wrong += data[: _MOST_ERROR - len(wrong)]
                elif channel == bytes((_STATUS,)):
                    if part:
                        yield part.decode("utf-8", "replace")
                    self._judge(argv[0], data, bytes(wrong))
                    return
            raise ConnectionLost(f"the connection to {self._host} ended under a command")
        finally:
            await socket.close()

    def _judge(self, name: str, raw: bytes, wrong: bytes) -> None:
        """Say how a command ended; raises CommandFailed, or CommandRefused where it never began."""
        try:
            status = msgspec.json.decode(raw, type=_Status)
        except msgspec.DecodeError as error:
            raise ConnectionLost(f"{self._host} did not say how a command ended") from error
        if status.status == "Success":
            return
        causes = status.details.causes if status.details is not None else []
        code = next((each.message for each in causes if each.reason == "ExitCode"), "")
        said = clean(wrong.decode("utf-8", "replace").strip().partition("\n")[0] or status.message)[:200]
        if not code.isdecimal():
            raise CommandRefused(f"{self._host} would not start `{clean(name)}`: {said}: its image may not have it")
        raise CommandFailed(f"`{clean(name)}` in {self._host} ended with status {code}: {said}", int(code))

    async def close(self) -> None:
        """Every command has a connection of its own, which ends with it."""
