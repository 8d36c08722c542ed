"""Stepping: one step of a run, from its question to its gate, wherever an earlier attempt left it.

What happened is decided by what is observed, and everything that may be observed again is noted before it is sent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from probes.kube.errors import ApiError
from probes.transports.base import TransportError
from runbooks.actions import Wait
from runbooks.desk import Desk, Stopped
from runbooks.events import Answer, Ask, Choice, Outcome, StepActing, StepBegun, StepEnded, StepHappened
from runbooks.journal import Intended
from runbooks.lock import Lock, LockLost
from runbooks.plan import Plan, PlannedStep
from runbooks.sight import Mark
from runbooks.waiting import Waiting
from runbooks.writers.api import Conflict
from runbooks.writers.hands import Effect, Hands, sends
from runbooks.writers.node import NodeRefused
from runbooks.writers.objects import ObjectRefused

T = TypeVar("T")
PATIENCE: Final = 180.0
"""Seconds in which a node or the API that cannot be reached may come back, before the operator is asked."""
_RETRY: Final = 1.0
_UNREACHED = (TransportError, ApiError, Conflict, LockLost)
_FINAL: Final = frozenset({400, 403, 404, 405, 422})
"""Answers of the API that do not change by asking again, unless it has only just started: it says 403 and 404 then."""
_STARTING: Final = 20.0
_REFUSED = (NodeRefused, ObjectRefused)


class Stepping:
    """Takes the steps of one run."""

    def __init__(
        self, plan: Plan, desk: Desk, hands: Hands, lock: Lock, waiting: Waiting, *, patience: float = PATIENCE
    ) -> None:
        self._plan = plan
        self._desk = desk
        self._hands = hands
        self._lock = lock
        self._waiting = waiting
        self._patience = patience

    async def take(
        self, number: int, step: PlannedStep, intended: Intended | None, *, happened: bool
    ) -> tuple[str, ...]:
        """Take a step to its end; raises Stopped where the run must not go on. Gives what its gate excused."""
        desk = self._desk
        desk.tell(StepBegun(desk.clock(), step.id, number, resumed=intended is not None))
        if intended is None:
            if why := await self._not_needed(step):
                self._end(step, "not-needed", why)
                return ()
            overridden = not await self._waiting.begin(step) if step.before else False
            answer = await self._confirm(step)
            if answer.choice == "skip":
                self._end(step, "skipped", answer.reason)
                return ()
        else:
            overridden = False
        outcome, since, mark = await self._act(step, intended, happened=happened)
        opened, excused = await self._waiting.end(step, since, mark)
        why = f"excused, for it was no better before the run: {'; '.join(excused)}" if excused else ""
        self._end(step, outcome if opened and not overridden else "overridden", why)
        return excused

    def _end(self, step: PlannedStep, outcome: Outcome, reason: str = "") -> None:
        self._desk.tell(StepEnded(self._desk.clock(), step.id, outcome, reason))

    async def _not_needed(self, step: PlannedStep) -> str:
        """Say why a step is not needed; empty where it is. What nobody can tell is asked."""
        for conditions, wanted in ((step.when, False), (step.unless, True)):
            if not conditions:
                continue
            holds, seen = await self._waiting.glance(conditions, step.node)
            if holds is None:
                answer = await self._desk.ask(
                    Ask(
                        "unsure",
                        step.id,
                        "Whether this step is needed cannot be told. Take it?",
                        ("confirm", "skip", "pause", "abort"),
                        says=(seen,),
                    )
                )
                return answer.reason if answer.choice == "skip" else ""
            if holds is wanted:
                return seen
        return ""

    async def _confirm(self, step: PlannedStep) -> Answer:
        says = tuple(f"{what}: {text}" for what, text in (("effect", step.effect), ("risk", step.risk)) if text)
        text = "Do this step?" if step.writes else "Go on?"
        return await self._desk.ask(Ask("step", step.id, text, ("confirm", "skip", "pause", "abort"), step.typed, says))

    async def _act(
        self, step: PlannedStep, intended: Intended | None, *, happened: bool
    ) -> tuple[Outcome, float, Mark]:
        """Do it, or find out what became of it; gives how, since when and what was so before."""
        desk = self._desk
        if isinstance(step.action, Wait):
            await desk.rest(step.action.seconds)
        if not step.writes:
            return "done", desk.clock(), Mark()
        if intended is not None and happened:
            return "done", intended.at, intended.mark
        if intended is None:
            if await self._reach(step, lambda: self._hands.already(step)):
                return "already", desk.clock(), Mark()
            mark = await self._reach(step, lambda: self._hands.mark(step, desk.clock()))
            effect = Effect("no")
        else:
            mark = intended.mark
            effect = await self._reach(step, lambda: self._hands.look(step, mark))
            if effect.state == "failed":
                effect = await self._again(step, effect)
        since = mark.at if intended is None else intended.at
        effect = await self._until_done(step, mark, effect, noted=intended is not None)
        desk.tell(StepHappened(desk.clock(), step.id, effect.seen))
        return "done", since, mark

    async def _until_done(self, step: PlannedStep, mark: Mark, effect: Effect, *, noted: bool) -> Effect:
        """Begin it where it was not begun, and look until it is known to have happened."""
        desk = self._desk
        deadline = time.monotonic() + (step.gate.timeout if step.gate else self._patience)
        while effect.state != "yes":
            if effect.state == "no" or effect.again:
                desk.check()  # nothing was sent yet, or nothing more has to be
                if not noted:
                    lines = sends(self._plan.run, step)
                    await self._reach(step, self._lock.assure)
                    desk.check()
                    desk.write(Intended(mark.at, step.id, mark, lines))
                    desk.tell(StepActing(desk.clock(), step.id, lines))
                    noted = True
                desk.say(step.id, *await self._reach(step, lambda: self._begin(step, mark)))
            elif effect.state == "failed":
                raise Stopped("failed", effect.seen)
            elif effect.state == "unsure":
                effect = await self._unsure(step, effect)
                continue
            else:
                await self._pause()
            effect = await self._reach(step, lambda: self._hands.look(step, mark))
            desk.say(step.id, *effect.said)
            if effect.state in {"running", "no"} and time.monotonic() > deadline:
                await self._late(step, effect.seen or "it was sent, and nothing of it is seen")
                deadline = time.monotonic() + self._patience
            if effect.state == "running":
                await self._pause()
        return effect

    async def _begin(self, step: PlannedStep, mark: Mark) -> tuple[str, ...]:
        await self._lock.assure()
        return await self._hands.begin(step, mark)

    async def _pause(self) -> None:
        """Let a moment pass while something runs that cannot be called back: an interruption waits for its outcome."""
        await asyncio.sleep(_RETRY)

    async def _unsure(self, step: PlannedStep, effect: Effect) -> Effect:
        answer = await self._desk.ask(
            Ask(
                "unsure",
                step.id,
                "Did it happen? Confirm to do it (again), skip if it did.",
                ("confirm", "skip", "pause", "abort"),
                typed=step.typed,
                says=(effect.seen,),
            )
        )
        return Effect("no") if answer.choice == "confirm" else Effect("yes", f"by the operator's word: {answer.reason}")

    async def _again(self, step: PlannedStep, effect: Effect) -> Effect:
        """Ask what to do about a step that failed before the run was resumed."""
        choices: tuple[Choice, ...] = ("confirm", "skip", "pause", "abort")
        text = "It failed. Confirm to do it again, skip if it is as it should be now."
        answer = await self._desk.ask(Ask("unsure", step.id, text, choices, step.typed, (effect.seen,)))
        if answer.choice == "skip":
            return Effect("yes", f"by the operator's word: {answer.reason}")
        await self._reach(step, lambda: self._hands.forget(step))
        return Effect("no")

    async def _reach(self, step: PlannedStep, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the wire works, saying why it does not; the operator decides how long that goes on."""
        deadline = time.monotonic() + self._patience
        told = ""
        firm: float | None = None
        while True:
            try:
                return await call()
            except _REFUSED as error:
                raise Stopped("failed", str(error)) from error
            except _UNREACHED as error:
                if str(error) != told:
                    told = str(error)
                    self._desk.say(step.id, f"waiting: {told}")
                final = getattr(error, "status", None) in _FINAL
                firm = (firm or time.monotonic()) if final else None
                if isinstance(error, LockLost) or (firm is not None and time.monotonic() - firm > _STARTING):
                    raise Stopped("failed", told) from error
            if time.monotonic() > deadline:
                await self._late(step, told)
                deadline = time.monotonic() + self._patience
            await self._desk.rest(_RETRY)

    async def _late(self, step: PlannedStep, why: str) -> None:
        await self._desk.ask(
            Ask(
                "gate",
                step.id,
                "Nothing can be told of this step. Wait on, or leave it so?",
                ("wait", "pause", "abort"),
                says=(why,),
            )
        )
