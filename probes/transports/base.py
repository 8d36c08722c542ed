"""The seam between facts and wires: a Transport runs a command on one host.

Errors: TransportError
 ├ Unreachable        no route, refused, name not found, timed out while connecting
 ├ HostKeyUnknown     the host offers a key that known_hosts does not have
 ├ HostKeyChanged     the host offers another key than known_hosts has
 ├ LoginRefused       no method of authentication was accepted
 ├ ConfigRefused      the user's ssh configuration cannot be honoured
 ├ CommandRefused     logged in, but the host would not start the command
 ├ TimedOut           connected, but the command did not end in time
 ├ OutputTooLarge     the command said more than we are ready to keep
 ├ CommandFailed      the command of a stream ended with a status other than 0
 └ ConnectionLost     the connection ended under a command
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from probes.model.observation import Completed


class TransportError(Exception):
    """A host could not be asked; its text is one sentence for the operator."""


class Unreachable(TransportError):
    """No connection could be made."""


class HostKeyUnknown(TransportError):
    """The host's key is in no known_hosts file."""


class HostKeyChanged(TransportError):
    """The host's key is not the one in known_hosts: somebody else may be answering."""


class LoginRefused(TransportError):
    """The host accepted none of our ways to log in."""


class ConfigRefused(TransportError):
    """An ssh option that matters for safety is set in a way we cannot honour."""


class CommandRefused(TransportError):
    """The host would not start the command."""


class OutputTooLarge(TransportError):
    """The command said more than we are ready to keep."""


class CommandFailed(TransportError):
    """The command of a stream ended with a status other than 0; ``returncode`` is that status."""

    def __init__(self, sentence: str, returncode: int) -> None:
        super().__init__(sentence, returncode)
        self.returncode = returncode

    def __str__(self) -> str:
        return str(self.args[0])


class TimedOut(TransportError):
    """The command did not end within its time limit."""


class ConnectionLost(TransportError):
    """The connection ended while a command ran, or before it could start."""

    started = True
    """Whether the command may have begun to run."""


class Transport(Protocol):
    """Runs commands on one host."""

    @property
    def host(self) -> str:
        """Where commands run, for messages."""

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a command to its end; raises TransportError where it could not be run.

        ``timeout`` is the command's time in seconds, counted once it may start: a connection that has to be made first
        has a limit of its own. A command that is still running then raises TimedOut.
        """

    def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:
        """Run a command and yield its lines as they come, until it ends; raises TransportError.

        Its standard input brings ``stdin`` and stays open for as long: a command may read it to learn that nobody
        listens any more. Leave the generator with ``contextlib.aclosing``: closing it ends the command.
        """

    async def close(self) -> None:
        """End the connection; a closed transport connects anew when it is next used."""
