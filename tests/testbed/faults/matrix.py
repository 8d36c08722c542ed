"""Matrix: breaks a testbed in one way after the other, and holds what underlay says against what it should say."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Self

from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError
from tests.testbed.faults.fault import Expected, Fault
from tests.testbed.faults.ground import Ground
from tests.testbed.faults.judge import Outcome, Told, everything, judge, key
from tests.testbed.faults.objects import Objects
from tests.testbed.faults.steps import Hands
from tests.testbed.faults.talk import Talk

OBSERVER = "tests.testbed.faults.observer"
HAND = "tests.testbed.faults.hand"
HEALED_WITHIN = 10.0
LOOK = 4.0
STORED = "stored artifact for revision 'main@sha1:0b1f3a9f5d7c2e4b6a8d0c1e3f5a7b9c1d3e5f70'"


class Matrix:
    """One healthy testbed, somebody who breaks it, and somebody who looks."""

    def __init__(self, bed: Testbed) -> None:
        self.bed = bed
        self._open = ExitStack()
        self.usual: frozenset[Expected] = frozenset()
        """What is found on the healthy testbed: advice."""
        self.worst_usual: tuple[str, ...] = ()
        """What of that is no mere note."""
        self.outcomes: list[Outcome] = []
        """What came of every fault so far."""

    def __enter__(self) -> Self:
        self._eyes = self._open.enter_context(eyes(self.bed))
        hand = self._open.enter_context(Talk(self.bed, HAND, str(self.bed.folder / "seed.json")))
        self.objects = Objects(hand)
        heal_seeds(self.objects)
        self.ground = Ground(self.bed)
        self._hands = Hands(self.bed, self.ground, self.objects)
        found = self._wait(lambda told: all(each["severity"] == "note" for each in everything(told)), 20.0)
        self.worst_usual = tuple(each["summary"] for each in everything(found) if each["severity"] != "note")
        self.usual = frozenset(key(each) for each in everything(found))
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def look(self) -> list[Told]:
        """Observe once."""
        said: dict[str, Any] = self._eyes.ask({"timeout": LOOK})
        if said["differs"]:
            raise TestbedError("a diagnosis made from the one before differs from one made afresh")
        findings: list[Told] = said["findings"]
        return findings

    def _wait(self, enough: Callable[[list[Told]], bool], within: float) -> list[Told]:
        """Observe until that is enough, or the time is over; gives the last observation."""
        end = time.monotonic() + within
        while True:
            told = self.look()
            if enough(told) or time.monotonic() > end:
                return told

    def prove(self, *faults: Fault) -> Outcome:
        """Inject a fault (or several at once), observe, and put all back."""
        began = time.monotonic()
        try:
            for fault in faults:
                self._hands.take(fault.inject)
            injected = time.monotonic()
            within = max(fault.within for fault in faults)
            told = self._wait(lambda found: judge(faults, found, self.usual).good, within)
            outcome = judge(faults, told, self.usual)
            seen = time.monotonic()
        finally:
            unhealed = self.heal(faults)
        seconds = {"inject": injected - began, "find": seen - injected, "heal": time.monotonic() - seen}
        self.outcomes.append(dataclasses.replace(outcome, unhealed=unhealed, seconds=seconds))
        return self.outcomes[-1]

    def heal(self, faults: Sequence[Fault]) -> tuple[str, ...]:
        """Put all back and wait until the testbed is as it was; gives what still is not."""
        for fault in reversed(faults):
            self._hands.take(fault.restore)
        self._hands.put_back()
        left = self._unusual(HEALED_WITHIN / 3)
        if left:
            # What flannel's twins were still about to write when the nodes were put back.
            for node in self.ground.saved:
                self.ground.restore(node)
            left = self._unusual(HEALED_WITHIN)
        return left

    def _unusual(self, within: float) -> tuple[str, ...]:
        told = self._wait(lambda found: {key(each) for each in everything(found)} <= self.usual, within)
        return tuple(str(key(each)) for each in everything(told) if key(each) not in self.usual)


def eyes(bed: Testbed) -> Talk:
    """Start underlay's eyes in the operator's namespace."""
    return Talk(bed, OBSERVER, str(bed.kubeconfig), str(bed.ssh_config))


def heal_seeds(objects: Objects) -> None:
    """Make the testbed healthy: what it is seeded with has a source that fails and an image that cannot be pulled."""
    objects.delete("Event shop/ledger-6c9f7b6d8-pq2wn.187a1c2b3d4e5f60")
    objects.delete("Pod shop/ledger-6c9f7b6d8-pq2wn")
    common = {"status": "True", "reason": "Succeeded", "observedGeneration": 1, "lastTransitionTime": "@-3600"}
    conditions = [{"type": kind, "message": STORED, **common} for kind in ("Ready", "ArtifactInStorage")]
    objects.patch("GitRepository flux-system/shop", {"status": {"conditions": conditions}})
    objects.forget()
