"""Probed: what probes came to since underlay was opened, and the run that is under way; bounded in memory."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from probes.model.reach import Result, Tone, percentile
from probes.model.snapshot import Snapshot
from tui.probing import Proposal, Wanted

MOST: Final = 4000
"""Results that are kept; the oldest go first."""
SAMPLES: Final = 40
"""Times that are kept of each, over all runs."""
RUNS: Final = 20
"""Runs that are remembered of each."""


class Key(NamedTuple):
    """Tells one result from every other: the same probe from the same place to the same target."""

    probe: str
    vantage: str
    target: str
    asked: str = ""


class Past(NamedTuple):
    """What an earlier run came to."""

    at: float
    tone: Tone
    said: str
    middle: float | None
    """Seconds: the median of what came back."""
    lost: int
    sent: int


class Run(msgspec.Struct, frozen=True):
    """One run: what was sent, how far it is and how it ended."""

    number: int
    wanted: Wanted
    says: str
    total: int
    began: float
    tones: Mapping[Tone, int] = {}
    """How many results there are of each tone."""
    state: Literal["running", "done", "stopped", "failed"] = "running"
    reason: str = ""
    """Why it failed."""

    @property
    def done(self) -> int:
        """How many results are known."""
        return sum(self.tones.values())


Samples = tuple[float | None, ...]
"""Seconds in the order in which they were taken, over several runs; None is what did not come back."""


class Probed(msgspec.Struct, frozen=True, eq=False):
    """Every newest result, what came before it, and the newest run."""

    latest: Mapping[Key, Result] = {}
    samples: Mapping[Key, Mapping[str, Samples]] = {}
    """By variant; the empty one is all of them together."""
    past: Mapping[Key, tuple[Past, ...]] = {}
    """Runs, oldest first, the newest result's among them."""
    run: Run | None = None

    @property
    def is_running(self) -> bool:
        """Whether something is under way."""
        return self.run is not None and self.run.state == "running"


def key_of(result: Result) -> Key:
    """Name a result."""
    return Key(*result.key)


def begun(before: Probed, proposal: Proposal, at: float) -> Probed:
    """Begin a run."""
    number = before.run.number + 1 if before.run else 1
    run = Run(number, proposal.wanted, proposal.says, proposal.total, at)
    return msgspec.structs.replace(before, run=run)


def told(before: Probed, results: Iterable[Result]) -> Probed:
    """Note results, in the order in which they came."""
    latest, samples, past = dict(before.latest), dict(before.samples), dict(before.past)
    tones = dict(before.run.tones) if before.run else {}
    for result in results:
        key = key_of(result)
        latest.pop(key, None)  # so that the newest are last
        latest[key] = result
        tones[result.tone] = tones.get(result.tone, 0) + 1
        middle = percentile(result.times, 0.5)
        noted = Past(result.at, result.tone, result.said, middle, result.lost, result.sent)
        past[key] = (*past.get(key, ()), noted)[-RUNS:]
        old = samples.get(key, {})
        new = {variant: (*old.get(variant, ()), *values)[-SAMPLES:] for variant, values in samples_of(result).items()}
        samples[key] = {**old, **new}
    for key in list(latest)[: max(0, len(latest) - MOST)]:
        del latest[key], past[key], samples[key]
    run = msgspec.structs.replace(before.run, tones=tones) if before.run else None
    return Probed(latest, samples, past, run)


def ended(before: Probed, state: Literal["done", "stopped", "failed"], reason: str = "") -> Probed:
    """End the run that is under way."""
    run = msgspec.structs.replace(before.run, state=state, reason=reason) if before.run else None
    return msgspec.structs.replace(before, run=run)


def beside(snapshot: Snapshot, probed: Probed) -> Snapshot:
    """Put what probes came to beside what was observed; without any it is the same snapshot."""
    return msgspec.structs.replace(snapshot, probed=tuple(probed.latest.values())) if probed.latest else snapshot


def variants_of(result: Result) -> tuple[str, ...]:
    """List what a result's tries are told apart by, where each try has an outcome of its own."""
    found = dict.fromkeys(each.variant for each in result.attempts if each.variant and each.packets is None)
    return tuple(found)


def samples_of(result: Result) -> dict[str, list[float | None]]:
    """Give the times of a result as a sparkline shows them, by variant; what was lost is None."""
    tries = [each for each in result.attempts if not each.unable]
    if not tries or any(each.packets is not None for each in tries):
        return {"": [*result.times, *[None] * result.lost]}
    made: dict[str, list[float | None]] = {"": []}
    for each in tries:
        value = each.total if each.well else None
        made[""].append(value)
        if each.variant:
            made.setdefault(each.variant, []).append(value)
    return made
