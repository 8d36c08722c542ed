"""A run for the pictures: the journal of one on the demo cluster, told again up to a moment that stands still.

``run.jsonl`` is what ``underlay --demo flannel-missing-after-upgrade run restore-vxlan`` wrote, but for who and where.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final, Literal

import msgspec

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from runbooks.events import AnyEvent, Driver, GateSeen
from runbooks.facts import Found
from runbooks.journal import Answered, AnyRecord, Told, progress, read
from runbooks.plan import Plan
from runbooks.report import report
from runbooks.runbook import Runbook
from runbooks.shelf import Catalog, catalog
from tui.probing import CannotProbe, Proposal, Wanted
from tui.repairs import Leftover, PastRun, RepairFailed
from tui.screens.base import ReadFailed

FILE: Final = Path(__file__).parent / "run.jsonl"
Stage = Literal["plan", "step", "gate"]
"""How far it is told: nothing of it; up to its first step's question; until that step's gate is looked at."""


class Recorded:
    """What repairs in the pictures: nothing, by a run that has been."""

    def __init__(self, stage: Stage, now: float) -> None:
        self._records = read(FILE)
        self._stage = stage
        self._now = now

    @property
    def plan(self) -> Plan:
        """What the run went by."""
        return progress(self._records).plan

    def catalog(self) -> Catalog:
        """Give the runbooks there are."""
        return catalog()

    async def found(self, runbook: Runbook, diagnosis: Diagnosis) -> Found:  # noqa: ARG002 - read nothing
        """Know no more than the diagnosis."""
        return Found()

    def begin(self, plan: Plan) -> "Retold":
        """Tell the run again."""
        return Retold(plan, self._told(), self._now)

    def _told(self) -> list[AnyRecord]:
        """List what is told, and at its end the question that is put, if it is one."""
        for place, record in enumerate(self._records):
            match record:
                case Answered(ask=ask) if self._stage == "step" and ask.about == "step":
                    return self._records[: place + 1]
                case Told(event=GateSeen(before=False)) if self._stage == "gate":
                    return self._records[: place + 1]
        return []

    async def resume(self, run: str, *, breaking: str = "", abandon: bool = False) -> "Retold":  # noqa: ARG002
        """Resume nothing; raises RepairFailed."""
        raise RepairFailed(f"{run} is only told again")

    async def runs(self) -> tuple[PastRun, ...]:
        """List nothing."""
        return ()

    async def report(self, run: str) -> str:  # noqa: ARG002 - there is one
        """Give its report."""
        return report(self._records)

    async def leftovers(self) -> tuple[Leftover, ...]:
        """Find nothing left."""
        return ()


class Unasked:
    """What reads and sends where nobody asks: it is there, so that the keys for it are."""

    async def manifest(self, ref: ObjectRef) -> str:
        """Read nothing; raises ReadFailed."""
        raise ReadFailed(f"{ref.name} is only a picture")

    async def journal(self, node: str) -> str:
        """Read nothing; raises ReadFailed."""
        raise ReadFailed(f"{node} is only a picture")

    async def propose(self, wanted: Wanted) -> Proposal:
        """Send nothing; raises CannotProbe."""
        raise CannotProbe(f"{' '.join(wanted.kinds)}: this is only a picture")


class Retold:
    """A run that has been, told as if its last event had been just now."""

    def __init__(self, plan: Plan, records: list[AnyRecord], now: float) -> None:
        self.plan = plan
        self.past: tuple[AnyEvent, ...] = ()
        self._records = records
        self._ago = now - 2 - records[-1].at if records else 0.0

    async def events(self, driver: Driver) -> AsyncGenerator[AnyEvent, None]:
        """Tell it, and stop where the picture is taken."""
        for record in self._records:
            if isinstance(record, Told):
                yield self._moved(record.event)
        if self._records and isinstance(self._records[-1], Answered):
            await driver.answer(self._records[-1].ask)
        await asyncio.Event().wait()

    def _moved(self, event: AnyEvent) -> AnyEvent:
        times = {name: getattr(event, name, None) for name in ("at", "until", "deadline", "soak_ends")}
        return msgspec.structs.replace(event, **{k: at + self._ago for k, at in times.items() if at is not None})

    def interrupt(self, how: Literal["pause", "abort"]) -> None:
        """Go no further than it does."""
