"""A command on a session channel, as asyncssh reports on it."""

import asyncio

import asyncssh

from probes.model.observation import Completed
from probes.transports.base import ConnectionLost
from probes.transports.output import Lines, Output


class Session(asyncssh.SSHClientSession[bytes]):
    """The channel of a command, and the news of its end."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._error: Exception | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """Keep the channel; asyncssh calls this."""
        self._channel = chan

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; asyncssh calls this."""
        self._error = exc
        if not self.ended.done():
            self.ended.set_result(None)

    def returncode(self) -> int:
        """Exit status; raises ConnectionLost where the host never told one."""
        code = self._channel.get_returncode() if self._channel is not None else None
        if code is None:
            raise lost(self._where) from self._error
        return code


class Command(Session):
    """A command whose whole output is wanted."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self._output = Output(where)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Keep output; asyncssh calls this."""
        self._output.feed(data, stderr=datatype is not None)
        if self._output.too_large and not self.ended.done():
            self.ended.set_result(None)

    def completed(self, argv: tuple[str, ...]) -> Completed:
        """Give what it said; raises OutputTooLarge and ConnectionLost."""
        return self._output.completed(argv, 0 if self._output.too_large else self.returncode())


class Stream(Session):
    """A command whose lines are wanted as they come."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self._lines = Lines(where, self._pause, self._resume)
        self.next = self._lines.next

    def data_received(self, data: bytes, datatype: int | None) -> None:
        """Take in output; asyncssh calls this."""
        self._lines.feed(data, stderr=datatype is not None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end; asyncssh calls this."""
        super().connection_lost(exc)
        self._lines.end()

    def judge(self, name: str) -> None:
        """Say how it ended; raises CommandFailed and ConnectionLost."""
        self._lines.judge(name, self.returncode())

    def _pause(self) -> None:
        if self._channel is not None:
            self._channel.pause_reading()

    def _resume(self) -> None:
        if self._channel is not None:
            self._channel.resume_reading()


def lost(where: str, *, started: bool = True) -> ConnectionLost:
    """Make the error for a connection that ended under a command."""
    error = ConnectionLost(f"the connection to {where} ended under a command: it is made anew when next used")
    error.started = started
    return error
