"""What a front end sees of a run, and how it answers.

An engine yields events and asks a ``Driver``. The engine itself checks what was typed: no front end can confirm by
mistake. ``Answer("abort")`` is understood at every question; between questions a front end calls ``Engine.interrupt``.
"""

from typing import Final, Literal, Protocol

import msgspec

Choice = Literal["confirm", "skip", "pause", "abort", "wait", "override"]
State = Literal["held", "excused", "waiting", "unknown"]
"""Of a condition: it holds; it does not, and did not before the run either; it does not (yet); nobody can tell."""
Outcome = Literal["done", "already", "not-needed", "skipped", "overridden", "failed"]
"""Of a step: done by us; it was so already; its condition did not ask for it; the operator skipped it; done, and the
operator went on although its gate did not hold; failed."""
End = Literal["completed", "failed", "aborted", "paused", "refused"]


class Ask(msgspec.Struct, frozen=True):
    """A question to the operator."""

    about: Literal["start", "step", "gate", "unsure"]
    """``start``: begin the run at all, consents included. ``step``: do this step. ``gate``: its gate did not hold in
    time. ``unsure``: whether the step happened cannot be told from what is observed."""
    step: str
    """The step's id; empty for ``start``."""
    text: str
    """The question in one sentence."""
    choices: tuple[Choice, ...]
    typed: str = ""
    """What must be typed to confirm or to override, exactly; empty: nothing."""
    says: tuple[str, ...] = ()
    """What the operator should know before answering, a sentence each."""


class Answer(msgspec.Struct, frozen=True):
    """The operator's answer; ``skip`` and ``override`` need a reason, what must be typed must be typed exactly."""

    choice: Choice
    typed: str = ""
    reason: str = ""


class Driver(Protocol):
    """A front end, as an engine sees it."""

    async def answer(self, ask: Ask) -> Answer:
        """Put a question to the operator. An answer that will not do is asked for again, with the reason in ``says``.

        Cancelling it (the run is aborted from elsewhere) must leave the front end usable.
        """


class ConditionState(msgspec.Struct, frozen=True):
    """How one condition of a gate stands."""

    text: str
    """What must hold, in words: ``flannel.1 is up with MTU 1450``."""
    state: State
    seen: str = ""
    """What was seen, or why nobody can tell."""
    absolute: bool = True
    """Whether it must hold whatever was before."""


class Event(msgspec.Struct, frozen=True, tag_field="event", tag=str.lower):
    """Something that happened in a run; ``at`` is in seconds since the epoch."""

    at: float


class RunStarted(Event, frozen=True, tag="run-started"):
    """The run begins, or goes on; ``plan`` is in the engine."""

    run: str
    resumed: bool
    journal: str
    """The path of its journal."""


class LockHeld(Event, frozen=True, tag="lock-held"):
    """The cluster's lock was taken or renewed."""

    holder: str
    until: float
    """When it ends unless it is renewed."""


class LockLost(Event, frozen=True, tag="lock-lost"):
    """The lock could not be renewed: nothing more is begun until it is ours again."""

    reason: str


class StepBegun(Event, frozen=True, tag="step-begun"):
    """It is a step's turn; its question follows."""

    step: str
    number: int
    """From 1."""
    resumed: bool = False


class StepActing(Event, frozen=True, tag="step-acting"):
    """The step is being done: from now on it may have happened."""

    step: str
    sends: tuple[str, ...]
    """What is sent, exactly."""


class StepOutput(Event, frozen=True, tag="step-output"):
    """A line that the step's command, or the engine about it, said."""

    step: str
    text: str


class StepHappened(Event, frozen=True, tag="step-happened"):
    """It was observed that the step's action took effect."""

    step: str
    seen: str


class GateSeen(Event, frozen=True, tag="gate-seen"):
    """How the step's gate stands now."""

    step: str
    conditions: tuple[ConditionState, ...]
    deadline: float
    """When it counts as failed unless it holds."""
    soak_ends: float | None = None
    """When it will have held for long enough; None: it does not hold now."""
    before: bool = False
    """Whether these are the conditions to begin the step, not those to end it."""


class StepEnded(Event, frozen=True, tag="step-ended"):
    """A step is behind us."""

    step: str
    outcome: Outcome
    reason: str = ""


class RunEnded(Event, frozen=True, tag="run-ended"):
    """The run ended, or rests."""

    end: End
    text: str
    """What is so now, and what is safe: a sentence or two for the operator."""
    left: tuple[str, ...] = ()
    """What the run leaves behind, such as a node that it cordoned; empty: nothing."""


AnyEvent = (
    RunStarted
    | LockHeld
    | LockLost
    | StepBegun
    | StepActing
    | StepOutput
    | StepHappened
    | GateSeen
    | StepEnded
    | RunEnded
)

ANSWERS_NEEDING_REASON: Final = frozenset({"skip", "override"})
