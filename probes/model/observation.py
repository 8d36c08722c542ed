"""What a wire brings back, before anyone judges it."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Completed(msgspec.Struct, frozen=True):
    """One command that ran somewhere: what it was and what it said."""

    argv: tuple[str, ...]
    returncode: int
    """Exit status; 124 when its time limit ended it, 127 when there is no such command."""
    stdout: str
    stderr: str = ""

    @property
    def timed_out(self) -> bool:
        """Whether its time limit ended it."""
        return self.returncode in {124, 137, 143}

    @property
    def missing(self) -> bool:
        """Whether the host has no such command."""
        return self.returncode in {126, 127}


class Observed(msgspec.Struct, Generic[T], frozen=True):
    """A fact, where it came from and when."""

    source: str
    """``node/NAME`` for what a node said, ``kube/RESOURCE`` for what the API said."""
    at: float
    fact: T


class Failed(msgspec.Struct, frozen=True):
    """A source that did not answer: a failure is data with a time, not an exception in somebody's face."""

    source: str
    at: float
    reason: str
    """One sentence: what is wrong, where, what to do."""
    kind: str = "failed"
    """``failed`` | ``restricted`` (403) | ``absent`` (not installed) | ``unreachable`` | ``timeout``."""


class Listed(msgspec.Struct, Generic[T], frozen=True):
    """All objects of one resource, as a list brought them."""

    items: dict[str, T]


class Delta(msgspec.Struct, Generic[T], frozen=True):
    """What a watch said changed since."""

    changed: dict[str, T]
    removed: tuple[str, ...] = ()
