"""The seam between facts and wires: a Transport runs a command on one host.

Errors: TransportError
 ├ Unreachable        no route, refused, name not found, timed out while connecting
 ├ HostKeyUnknown     the host offers a key that known_hosts does not have
 ├ HostKeyChanged     the host offers another key than known_hosts has
 ├ LoginRefused       no method of authentication was accepted
 ├ ConfigRefused      the user's ssh configuration cannot be honoured
 ├ TimedOut           connected, but the command did not end in time
 └ ConnectionLost     the connection ended under a command
"""

from collections.abc import AsyncIterator, Sequence
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


class TimedOut(TransportError):
    """The command did not end within its time limit."""


class ConnectionLost(TransportError):
    """The connection ended while a command ran."""


class Transport(Protocol):
    """Runs commands on one host."""

    @property
    def host(self) -> str:
        """Where commands run, for messages."""

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a command to its end within ``timeout`` seconds; raises TransportError where it could not be run."""

    def lines(self, argv: Sequence[str]) -> AsyncIterator[str]:
        """Run a command and yield its lines as they come, until it ends; raises TransportError."""

    async def close(self) -> None:
        """End the connection; a closed transport connects anew when it is next used."""
