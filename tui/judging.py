"""Judging: when the newest snapshot is diagnosed, and where, so that keys are answered meanwhile."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from probes.model.peers import same_overlay
from probes.model.snapshot import Snapshot, moved
from probes.rules.diagnose import Advice, diagnose
from probes.rules.finding import Diagnosis

FRAME: Final = 0.1
"""Seconds between two diagnoses at least: ten a second are more than an eye takes in."""
_REST: Final = 32.0
"""Seconds of rest for each that judging and drawing took: of a large and restless cluster, 3 % of a core."""
_SLOWEST: Final = 0.5
"""Seconds between two diagnoses at most, however long they take."""
_MUCH: Final = 0.05
"""Share of the nodes that, once they answered for the first time, are worth a diagnosis at once."""
_MANY: Final = 50
"""Nodes that are new or answered anew at once, from which on a diagnosis is made in a thread."""


class Pace:
    """Lets a diagnosis be made when something came, and leaves the cores to others between two."""

    def __init__(self) -> None:
        self._arrived, self._answered = asyncio.Event(), asyncio.Event()

    def arrived(self, newest: Snapshot, judged: Snapshot) -> None:
        """Note that there is a snapshot newer than the one that was judged last."""
        self._arrived.set()
        if len(newest.networks) - len(judged.networks) > len(newest.nodes) * _MUCH:
            self._answered.set()

    def hurry(self) -> None:
        """Let a diagnosis be made although no other snapshot came."""
        self._arrived.set()

    async def due(self) -> None:
        """Wait until there is something to judge."""
        await self._arrived.wait()
        self._arrived.clear()

    async def rest(self, used: float) -> None:
        """Rest after a diagnosis that took ``used`` seconds; nodes that answer at last are not kept waiting."""
        await asyncio.sleep(FRAME)
        with suppress(TimeoutError):
            async with asyncio.timeout(min(_REST * used, _SLOWEST) - FRAME):
                await self._answered.wait()
        self._answered.clear()


async def judge(newest: Snapshot, before: Diagnosis, *, only: Collection[str], advice: Advice) -> Diagnosis:
    """Diagnose a snapshot; one of which much is new in a thread, so that keys are answered meanwhile."""
    was, nodes = before.snapshot, newest.nodes
    told = moved(nodes, was.nodes)
    # A Node that is a new peer is judged on all of them; a heartbeat on none but its own.
    count = len(told) if same_overlay(nodes, was.nodes, told) else len(nodes)
    if count + len(moved(newest.networks, was.networks)) < _MANY:
        return diagnose(newest, before, only=only, advice=advice)
    return await asyncio.to_thread(diagnose, newest, before, only=only, advice=advice)
