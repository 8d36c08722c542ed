"""One ssh connection as asyncssh speaks it, and the commands that run on it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import asyncssh

from probes.model.observation import Completed
from probes.model.text import clean
from probes.transports.base import CommandRefused
from probes.transports.hostconfig import HostConfig
from probes.transports.sshsession import Command, Stream, lost

_S = TypeVar("_S", Command, Stream)


class Wire:
    """A connection that is made and logged in."""

    def __init__(self, config: HostConfig, connection: asyncssh.SSHClientConnection) -> None:
        self._where = f"{config.alias} ({config.address})"
        self.connection = connection
        self._dropped = False
        self._abandoned = 0
        """Sessions we ended whose command never told its end: sshd counts them while it runs."""

    @property
    def alive(self) -> bool:
        """Whether commands may still be started on it."""
        return not self._dropped and not self.connection.is_closed()

    def drop(self) -> None:
        """End it at once, without a word to the host."""
        self._dropped = True
        self.connection.abort()

    async def close(self) -> None:
        """End it in good order."""
        self.connection.close()
        await self.connection.wait_closed()

    async def run(self, argv: Sequence[str], line: str, stdin: bytes) -> Completed:
        """Run a command line to its end; cancelling this ends the command."""
        channel, command = await self._start(Command, line)
        try:
            with suppress(OSError):  # it ended without reading: what it said is what counts
                channel.write(stdin)
                channel.write_eof()
            await command.ended
        finally:
            self._end(channel)
        return command.completed(tuple(argv))

    async def lines(self, argv: Sequence[str], line: str, stdin: bytes, seconds: float) -> AsyncGenerator[str, None]:
        """Run a command line, started within some seconds, and yield what it says; raises CommandFailed."""
        async with asyncio.timeout(seconds):
            channel, stream = await self._start(Stream, line)
        try:
            with suppress(OSError):  # it ended without reading: what it said is what counts
                channel.write(stdin)
            while (text := await stream.next()) is not None:
                yield text
        finally:
            self._end(channel)
        stream.judge(argv[0])

    async def _start(self, kind: type[_S], line: str) -> tuple[asyncssh.SSHClientChannel[bytes], _S]:
        try:
            channel, session = await self.connection.create_session(lambda: kind(self._where), line, encoding=None)
        except asyncssh.ChannelOpenError as error:
            if self._abandoned:
                self.drop()
            if not self.alive:
                raise lost(self._where, started=False) from error
            raise CommandRefused(
                f"{self._where} logged us in but does not start commands ({clean(str(error))}): "
                "check MaxSessions and ForceCommand of its sshd"
            ) from error
        except (asyncssh.DisconnectError, OSError) as error:
            raise lost(self._where, started=False) from error
        return channel, cast("_S", session)

    def _end(self, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        """End the command, if it still runs, and give the session back."""
        if channel.get_returncode() is None:
            self._abandoned += 1
            with suppress(OSError):  # the channel is gone already
                channel.terminate()  # without a terminal, sshd leaves a command running when its channel closes
        channel.abort()
