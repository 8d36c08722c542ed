"""Garbage: when Python looks for what refers to itself in a circle, so that no key waits for it."""

import gc
from collections.abc import Mapping
from typing import Final

import msgspec

from probes.model.snapshot import Snapshot

_THRESHOLD: Final = (1_000, 10, 100)
"""Of gc.set_threshold. With Python's own, all that is drawn would be looked through every few pages; with these it is
after a million objects at least, some 100 MB, and what is young still takes less than a millisecond."""
_GROWN: Final = 1.25
"""How many times as much of a cluster must be there as when it was last left alone."""


class Garbage:
    """What stays is left alone: looking through a large cluster's values and rows holds the loop for 100 ms."""

    def __init__(self) -> None:
        self._held = 0
        gc.set_threshold(*_THRESHOLD)

    def has_grown(self, snapshot: Snapshot) -> bool:
        """Whether so much has come that it is worth leaving alone (``settle``), once the screens show it."""
        held = sum(len(value) for value in msgspec.structs.asdict(snapshot).values() if isinstance(value, Mapping))
        if held <= self._held * _GROWN:
            return False
        self._held = held
        return True

    def settle(self) -> None:
        """Leave alone what there is; what goes out of use all the same is freed as ever, unless it is in a circle."""
        gc.freeze()
