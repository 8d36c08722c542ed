"""Probing: what the screens need of whatever sends probes, and nothing of how it does that."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from probes.model.flux import ObjectRef
from probes.model.reach import Result

Report = Callable[[Result], None]


class CannotProbe(Exception):
    """What was asked for cannot be sent; its text is one sentence for the operator."""


class Wanted(msgspec.Struct, frozen=True):
    """What an operator wants to have probed."""

    kinds: tuple[str, ...]
    """As on the command line, sent one after the other: ``pmtu``, ``http``, …"""
    sources: tuple[str, ...] = ()
    """Only from these nodes and their pods; empty: from all."""
    destinations: tuple[str, ...] = ()
    """Of kinds that go from place to place: only to these nodes and their pods; empty: to all."""
    targets: tuple[str, ...] = ()
    """Of kinds that go to a target: URLs without secrets, hosts or names."""
    images: tuple[str, ...] = ()
    """Of ``registry``: images, or registries alone."""
    speaker: str = ""
    """The address of the pod that speaks for its node's pods; empty: any."""
    shown: ObjectRef | None = None
    """Where its results are looked at first; None: at the first of them."""


class Proposal(msgspec.Struct, frozen=True):
    """What would be sent, to be read before it is."""

    wanted: Wanted
    says: str
    """In one sentence: what, from where to where, and how much at the most."""
    total: int
    """How many results will come."""
    send: Callable[[Report], Awaitable[None]]
    """Sends it and reports each result as it is known; cancelling it ends all that runs and leaves nothing behind.

    Raises CannotProbe.
    """


class Probing(Protocol):
    """Whatever sends probes into the cluster that is shown."""

    async def propose(self, wanted: Wanted) -> Proposal:
        """Find out what would be sent; sends nothing. Raises CannotProbe."""
