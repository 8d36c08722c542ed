"""Repairs: what the screens need of whatever carries runbooks out, and nothing of how it does that."""

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from probes.rules.finding import Diagnosis

if TYPE_CHECKING:  # the first frame does not wait for what reads runbooks
    from runbooks.events import AnyEvent, Driver
    from runbooks.facts import Found
    from runbooks.plan import Plan
    from runbooks.runbook import Runbook
    from runbooks.shelf import Catalog

RunState = Literal["running", "paused", "interrupted", "completed", "failed", "aborted", "refused"]
"""Of a run that a journal tells of; one that is ``interrupted`` ended without a word, as by a crash."""
OPEN: frozenset[RunState] = frozenset({"running", "paused", "interrupted", "failed"})
"""States of runs that can be gone on with."""


class RepairFailed(Exception):
    """What was asked for could not be done; its text is one sentence for the operator."""


class PastRun(msgspec.Struct, frozen=True):
    """A run that a journal tells of."""

    run: str
    runbook: str
    title: str
    context: str
    state: RunState
    started_at: float
    """Seconds since the epoch, as all times here."""
    seen_at: float
    """When its journal was written to last."""
    nodes: tuple[str, ...] = ()
    behind: int = 0
    """Steps that are behind it."""
    steps: int = 0
    text: str = ""
    """What it said at its end."""
    left: tuple[str, ...] = ()
    """What it leaves behind."""


class Leftover(msgspec.Struct, frozen=True):
    """Something that an earlier run left behind."""

    kind: Literal["lock", "cordon", "run"]
    text: str
    """What it is, in one sentence."""
    run: str = ""
    """The run that left it; empty where that is not known."""


class Execution(Protocol):
    """One run, as an engine carries it out."""

    @property
    def plan(self) -> "Plan":
        """What it goes by."""

    @property
    def past(self) -> "Sequence[AnyEvent]":
        """What happened in it before, where it is gone on with; oldest first."""

    def events(self, driver: "Driver") -> "AsyncGenerator[AnyEvent, None]":
        """Carry it out; ends with RunEnded."""

    def interrupt(self, how: Literal["pause", "abort"]) -> None:
        """Let it rest, or give it up, as soon as it is known whether what was sent has happened."""


class Repairs(Protocol):
    """Whatever carries runbooks out on the cluster that is shown."""

    def catalog(self) -> "Catalog":
        """Give the runbooks there are."""

    async def found(self, runbook: "Runbook", diagnosis: Diagnosis) -> "Found":
        """Read what a plan needs to know besides the diagnosis; changes nothing. Raises RepairFailed."""

    def begin(self, plan: "Plan") -> Execution:
        """Begin a run; its plan is in its journal from now on. Raises RepairFailed."""

    async def resume(self, run: str, *, breaking: str = "", abandon: bool = False) -> Execution:
        """Go on with a run, by the plan in its journal; raises RepairFailed.

        ``breaking``: the run whose lock is taken away, by its name. ``abandon``: take no further step, and end it.
        """

    async def runs(self) -> tuple[PastRun, ...]:
        """List the runs there were, the newest first; raises RepairFailed."""

    async def report(self, run: str) -> str:
        """Give the report of a run, as Markdown; raises RepairFailed."""

    async def leftovers(self) -> tuple[Leftover, ...]:
        """List what earlier runs left in the cluster and in the journals; raises RepairFailed."""
