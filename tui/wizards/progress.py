"""Progress: what a run's events come to, as one value; folding an event makes the next one. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from probes.model.text import clean
from runbooks.events import (
    AnyEvent,
    Ask,
    GateSeen,
    LockHeld,
    LockLost,
    Outcome,
    RunEnded,
    RunStarted,
    StepActing,
    StepBegun,
    StepEnded,
    StepHappened,
    StepOutput,
)
from runbooks.plan import Plan, PlannedStep

Phase = Literal["ahead", "begun", "acting", "happened", "behind"]
"""Of a step: not its turn yet; its turn, nothing sent; sent, nobody knows yet whether it happened; it was seen to have
happened, its gate is looked at; behind us."""
MOST_OUTPUT: Final = 500
"""Lines of a step's output that are kept, the last ones."""

_NOTES: Final = 5


class StepProgress(msgspec.Struct, frozen=True):
    """How one step stands."""

    phase: Phase = "ahead"
    begun_at: float | None = None
    acting_at: float | None = None
    ended_at: float | None = None
    sends: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    unseen: int = 0
    """Lines of output before those that are kept."""
    seen: str = ""
    """By what it was observed that it happened."""
    before: GateSeen | None = None
    """How the conditions to begin it stood last."""
    gate: GateSeen | None = None
    """How its gate stood last."""
    outcome: Outcome | None = None
    reason: str = ""


class Progress(msgspec.Struct, frozen=True, eq=False):
    """How a run stands."""

    plan: Plan
    steps: Mapping[str, StepProgress] = {}
    """By id, those whose turn has come."""
    current: str = ""
    """The id of the step whose turn it is, or was last."""
    started: RunStarted | None = None
    began_at: float | None = None
    """When it began to be followed here."""
    lock: LockHeld | None = None
    lost: str = ""
    """Why the lock is not ours any more; empty while it is."""
    notes: tuple[str, ...] = ()
    """What was said that is of no step, such as why the lock is waited for; the last lines."""
    ask: Ask | None = None
    """What is asked now."""
    asked_at: float = 0.0
    ended: RunEnded | None = None
    stopping: Literal["", "pause", "abort"] = ""
    """What was asked of it that it has not come to yet."""

    def step(self, identity: str) -> StepProgress:
        """Tell how a step stands."""
        return self.steps.get(identity, _AHEAD)

    @property
    def place(self) -> int:
        """The place of the current step, from 0; -1 before the first."""
        return next((i for i, step in enumerate(self.plan.steps) if step.id == self.current), -1)

    @property
    def planned(self) -> PlannedStep | None:
        """The current step as it was planned."""
        place = self.place
        return self.plan.steps[place] if place >= 0 else None

    @property
    def behind(self) -> int:
        """Count the steps that are behind."""
        return sum(step.phase == "behind" for step in self.steps.values())

    @property
    def can_go_on(self) -> bool:
        """Whether it rests, and can be taken up from where it does."""
        return self.ended is not None and self.ended.end in {"paused", "failed", "refused"}

    @property
    def is_live(self) -> bool:
        """Whether it goes on, or will once it is answered."""
        return self.ended is None


_AHEAD: Final = StepProgress()


def begun(plan: Plan, past: Iterable[AnyEvent], now: float) -> Progress:
    """Make the progress of a run that begins now, or goes on after what happened in it before."""
    made = Progress(plan)
    for event in past:
        made = fold(made, event)
    # What ended it then, and what was held then, is not so now.
    return msgspec.structs.replace(made, ended=None, lock=None, lost="", began_at=now)


def fold(progress: Progress, event: AnyEvent) -> Progress:
    """Take in one event."""
    change = msgspec.structs.replace
    match event:
        case RunStarted():
            return change(progress, started=event)
        case LockHeld():
            return change(progress, lock=event, lost="", notes=())
        case LockLost():
            return change(progress, lost=clean(event.reason))
        case RunEnded():
            return change(progress, ended=event, ask=None, stopping="")
        case StepOutput(step="", text=text):
            return change(progress, notes=(*progress.notes, clean(text))[-_NOTES:])
        case StepBegun():
            step = change(progress.step(event.step), phase="begun", begun_at=event.at, outcome=None, ended_at=None)
            return change(progress, current=event.step, steps={**progress.steps, event.step: step})
    step = _taken(progress.step(event.step), event)
    return change(progress, steps={**progress.steps, event.step: step})


def _taken(step: StepProgress, event: StepActing | StepOutput | StepHappened | GateSeen | StepEnded) -> StepProgress:
    change = msgspec.structs.replace
    match event:
        case StepActing():
            return change(step, phase="acting", acting_at=event.at, sends=tuple(clean(line) for line in event.sends))
        case StepOutput():
            output = (*step.output, *(clean(line) for line in event.text.split("\n")))
            over = max(0, len(output) - MOST_OUTPUT)
            return change(step, output=output[over:], unseen=step.unseen + over)
        case StepHappened():
            return change(step, phase="happened", seen=clean(event.seen))
        case GateSeen(before=True):
            return change(step, before=event)
        case GateSeen():
            return change(step, gate=event)
        case StepEnded():
            reason = clean(event.reason)
            return change(step, phase="behind", ended_at=event.at, outcome=event.outcome, reason=reason)
