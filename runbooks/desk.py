"""Desk: where a run's questions, answers and events go: to the front end, and to the journal before it."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from runbooks.events import (
    ANSWERS_NEEDING_REASON,
    Answer,
    AnyEvent,
    Ask,
    Driver,
    End,
    GateSeen,
    LockHeld,
    LockLost,
    StepOutput,
)
from runbooks.journal import Answered, AnyRecord, Journal, Told

_TRIES: Final = 50
Interrupt = Literal["pause", "abort"]


class Stopped(Exception):
    """The run does not go on; its text says why."""

    def __init__(self, end: End, reason: str) -> None:
        super().__init__(reason)
        self.end = end


class Desk:
    """One run's desk."""

    def __init__(self, driver: Driver, journal: Journal, clock: Callable[[], float]) -> None:
        self._driver = driver
        self._journal = journal
        self.clock = clock
        self.events: asyncio.Queue[AnyEvent] = asyncio.Queue()
        self._interrupted: Interrupt | None = None
        self._called = asyncio.Event()
        self._shown: dict[str, tuple[object, ...]] = {}

    def interrupt(self, what: Interrupt) -> None:
        """Have the run pause or end as soon as it is known what became of what was sent."""
        self._interrupted = what
        self._called.set()

    def check(self) -> None:
        """Raise Stopped where the operator wants the run to rest or to end."""
        if self._interrupted == "pause":
            raise Stopped("paused", "paused by the operator")
        if self._interrupted == "abort":
            raise Stopped("aborted", "aborted by the operator")

    async def rest(self, seconds: float) -> None:
        """Let time pass; ends at once, with Stopped, where the operator wants that."""
        try:
            async with asyncio.timeout(seconds):
                await self._called.wait()
        except TimeoutError:
            pass
        self.check()

    def write(self, record: AnyRecord) -> None:
        """Put a record into the journal; when this returns it is on disk."""
        self._journal.write(record)

    def tell(self, event: AnyEvent) -> None:
        """Tell of an event, and note it: of a gate and of the lock only what changed."""
        if isinstance(event, GateSeen):
            states = (event.before, event.soak_ends is None, *((each.text, each.state) for each in event.conditions))
            if self._shown.get(event.step) != states:
                self._shown[event.step] = states
                self.write(Told(event.at, event))
        elif isinstance(event, LockHeld | LockLost):
            said = (getattr(event, "reason", ""),)
            if self._shown.get("lock") != said:
                self._shown["lock"] = said
                self.write(Told(event.at, event))
        else:
            self.write(Told(event.at, event))
        self.events.put_nowait(event)

    def say(self, step: str, *lines: str) -> None:
        """Tell lines about a step."""
        for line in lines:
            self.tell(StepOutput(self.clock(), step, line))

    async def ask(self, ask: Ask) -> Answer:
        """Put a question until it is answered as it must be; raises Stopped for pause and abort."""
        self.check()
        for _ in range(_TRIES):
            answer = await self._answer(ask)
            why = _will_not_do(ask, answer)
            if not why:
                self.write(Answered(self.clock(), ask, answer))
                if answer.choice in {"pause", "abort"}:
                    self.interrupt("pause" if answer.choice == "pause" else "abort")
                    self.check()
                return answer
            ask = msgspec.structs.replace(
                ask, says=(*(said for said in ask.says if not said.startswith("✗ ")), f"✗ {why}")
            )
        raise Stopped("paused", f"no answer that will do in {_TRIES} tries")

    async def _answer(self, ask: Ask) -> Answer:
        """Wait for an answer, or for the operator to interrupt from elsewhere."""
        answering = asyncio.ensure_future(self._driver.answer(ask))
        called = asyncio.ensure_future(self._called.wait())
        try:
            await asyncio.wait({answering, called}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                self.check()
            return await answering
        finally:
            for task in (answering, called):
                task.cancel()
            await asyncio.gather(answering, called, return_exceptions=True)


def _will_not_do(ask: Ask, answer: Answer) -> str:
    """Say why an answer will not do; empty where it does."""
    if answer.choice not in (*ask.choices, "abort"):
        return f"{answer.choice} is no answer here: {', '.join(ask.choices)}"
    if answer.choice in {"confirm", "override"} and ask.typed and answer.typed != ask.typed:
        return f"type {ask.typed} exactly"
    if answer.choice in ANSWERS_NEEDING_REASON and not answer.reason.strip():
        return f"{answer.choice} needs a reason"
    return ""
