"""An engine that does nothing: it tells what a test wrote down, asks what it wrote down, and notes the answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Final, Literal

import msgspec

from probes.rules.finding import Diagnosis
from runbooks.events import (
    ANSWERS_NEEDING_REASON,
    Answer,
    AnyEvent,
    Ask,
    ConditionState,
    Driver,
    GateSeen,
    LockHeld,
    RunEnded,
    RunStarted,
    State,
    StepActing,
    StepBegun,
    StepEnded,
    StepHappened,
    StepOutput,
)
from runbooks.facts import Found
from runbooks.gates import words
from runbooks.plan import Plan, PlannedStep
from runbooks.runbook import Runbook
from runbooks.shelf import Catalog, catalog
from tui.repairs import Leftover, PastRun, RepairFailed

_ROLLING: Final = "k3s-rolling-restart"
Told = AnyEvent | Ask | asyncio.Event
"""An event is yielded, a question asked until it is answered well, and an asyncio.Event waited for."""
Script = Callable[[Plan], Sequence[Told]]


class Scripted:
    """One run that goes by a script."""

    def __init__(self, plan: Plan, told: Sequence[Told], past: Sequence[AnyEvent] = ()) -> None:
        self.plan = plan
        self.past = past
        self.answers: list[Answer] = []
        self.interrupted: list[str] = []
        self._told = told
        self._stopped = asyncio.Event()

    async def events(self, driver: Driver) -> AsyncGenerator[AnyEvent, None]:
        for told in self._told:
            if self.interrupted:
                break
            if isinstance(told, asyncio.Event):
                await self._first(told)
            elif isinstance(told, Ask):
                answer = await self._ask(driver, told)
                if answer.choice in {"pause", "abort"}:
                    self.interrupted.append(answer.choice)
                elif answer.choice == "skip":
                    yield StepEnded(told_at(), told.step, "skipped", answer.reason)
                    break
            else:
                yield told
        if self.interrupted:
            end: Literal["paused", "aborted"] = "paused" if self.interrupted[-1] == "pause" else "aborted"
            yield RunEnded(told_at(), end, "What was sent has happened; nothing else was touched.")

    async def _first(self, event: asyncio.Event) -> None:
        waiting = [asyncio.ensure_future(each.wait()) for each in (event, self._stopped)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()

    async def _ask(self, driver: Driver, ask: Ask) -> Answer:
        said: tuple[str, ...] = ()
        while True:
            answer = await driver.answer(msgspec.structs.replace(ask, says=(*ask.says, *said)))
            self.answers.append(answer)
            if answer.choice in {"confirm", "override"} and answer.typed != ask.typed:
                said = (f"that is not {ask.typed}",)
            elif answer.choice in ANSWERS_NEEDING_REASON and not answer.reason:
                said = ("a reason is needed",)
            else:
                return answer

    def interrupt(self, how: Literal["pause", "abort"]) -> None:
        self.interrupted.append(how)
        self._stopped.set()


def told_at() -> float:
    return 1_000.0


class Repairs:
    """Runbooks from the catalog, and runs that go by a script."""

    def __init__(
        self,
        script: Script,
        *,
        runs: Sequence[PastRun] = (),
        left: Sequence[Leftover] = (),
        shelf: Catalog | None = None,
    ) -> None:
        self._script = script
        self._runs = tuple(runs)
        self._left = tuple(left)
        self._shelf = shelf or Catalog({_ROLLING: catalog().runbooks[_ROLLING]})
        self.begun: list[Scripted] = []
        self.resumed: list[tuple[str, str, bool]] = []
        self.failure = ""

    def catalog(self) -> Catalog:
        return self._shelf

    async def found(self, runbook: Runbook, diagnosis: Diagnosis) -> Found:  # noqa: ARG002 - as the real one
        if self.failure:
            raise RepairFailed(self.failure)
        return Found()

    def begin(self, plan: Plan) -> Scripted:
        run = Scripted(plan, self._script(plan))
        self.begun.append(run)
        return run

    async def resume(self, run: str, *, breaking: str = "", abandon: bool = False) -> Scripted:
        if self.failure or not self.begun:
            raise RepairFailed(self.failure or f"no run is called {run}")
        self.resumed.append((run, breaking, abandon))
        plan = self.begun[-1].plan
        told = list(self._script(plan))
        behind = [each for each in told if isinstance(each, StepEnded)][:1]
        names = {each.step for each in behind}
        ahead = [each for each in told if getattr(each, "step", "") not in names and not _is_start(each)]
        if abandon:
            ahead = [RunEnded(told_at(), "aborted", "Ended by the operator: nothing more was touched.")]
        again = Scripted(plan, ahead, behind)
        self.begun.append(again)
        return again

    async def runs(self) -> tuple[PastRun, ...]:
        return self._runs

    async def report(self, run: str) -> str:
        return f"# Run {run}\n\nEverything that happened.\n"

    async def leftovers(self) -> tuple[Leftover, ...]:
        return self._left


def _is_start(told: Told) -> bool:
    return isinstance(told, Ask) and told.about == "start"


def gate_seen(
    step: PlannedStep, at: float, held: int, state: State = "waiting", *, soak: float | None = None
) -> GateSeen:
    """See the first conditions of a gate hold, and the others as ``state``."""
    assert step.gate
    seen = [
        ConditionState(words(each), "held" if place < held else state, f"seen {place}", each.absolute)
        for place, each in enumerate(step.gate.conditions)
    ]
    return GateSeen(at, step.id, tuple(seen), at + step.gate.timeout, soak)


def question(step: PlannedStep) -> Ask:
    where = f" on {step.node}" if step.node else ""
    return Ask("step", step.id, f"{step.name}{where}?", ("confirm", "skip", "pause", "abort"), step.typed)


def story(plan: Plan, at: float = 1_000.0, *pauses: asyncio.Event) -> Iterator[Told]:
    """Tell of a run in which all goes well; it waits for ``pauses`` within its first gate: before it holds, soaking."""
    yield RunStarted(at, plan.run, resumed=False, journal=f"/state/{plan.run}.jsonl")
    if plan.consents or plan.writes:
        yield Ask("start", "", f"Begin {plan.title}?", ("confirm", "abort"), plan.context, plan.consents)
    yield LockHeld(at + 1, f"{plan.run} frodo@bag-end", at + 61)
    waits = list(pauses)
    for number, step in enumerate(plan.steps, 1):
        yield StepBegun(at + 2, step.id, number)
        yield question(step)
        yield StepActing(at + 3, step.id, tuple(step.by_hand))
        yield StepOutput(at + 4, step.id, "Job for k3s.service started.")
        yield StepHappened(at + 8, step.id, "a new InvocationID, b1946ac9")
        if step.gate:
            yield gate_seen(step, at + 9, 3)
            if waits:
                yield waits.pop(0)
            yield gate_seen(step, at + 10, len(step.gate.conditions) - 1, "unknown")
            yield gate_seen(step, at + 11, len(step.gate.conditions), soak=at + 11 + step.gate.soak)
            if waits:
                yield waits.pop(0)
        yield StepEnded(at + 41, step.id, "done")
    yield RunEnded(at + 50, "completed", "Every step was done and verified; nothing is left behind.")
