"""Session: one run that is under way, whichever screen is in front; it folds events and takes answers."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Literal

import msgspec

from probes.model.text import clean
from runbooks.events import ANSWERS_NEEDING_REASON, Answer, Ask, RunEnded
from tui.repairs import Execution
from tui.wizards.progress import Progress, begun, fold


class Session:
    """A run's front end: what it is told becomes progress, what it is asked waits for its operator."""

    def __init__(self, execution: Execution, clock: Callable[[], float], told: Callable[[Progress], None]) -> None:
        """``told`` hears of each new progress; ``clock`` tells seconds since the epoch."""
        self._execution = execution
        self._clock = clock
        self._told = told
        self._waiting: asyncio.Future[Answer] | None = None
        self._given: Answer | None = None
        self._shown: frozenset[str] = frozenset()
        self.progress = begun(execution.plan, execution.past, clock())

    def consent(self, typed: str) -> None:
        """Note that the operator has begun the run on its plan, and what was typed for that."""
        plan = self._execution.plan
        self._given = Answer("confirm", typed)
        self._shown = frozenset((*plan.consents, *plan.warnings))

    async def follow(self) -> None:
        """Carry the run out, until it ended or rests."""
        async with aclosing(self._execution.events(self)) as events:
            async for event in events:
                self._tell(fold(self.progress, event))

    async def answer(self, ask: Ask) -> Answer:
        """Put a question to the operator, unless it is the one that was answered on the plan."""
        given, self._given = self._given, None
        if given is not None and ask.about == "start" and self._is_answered(ask, given):
            return given
        self._waiting = asyncio.get_running_loop().create_future()
        self._tell(msgspec.structs.replace(self.progress, ask=ask, asked_at=self._clock()))
        try:
            return await self._waiting
        finally:
            self._waiting = None
            self._tell(msgspec.structs.replace(self.progress, ask=None))

    def _is_answered(self, ask: Ask, given: Answer) -> bool:
        """Tell whether the plan showed all that is said, and what is to be typed was typed there."""
        return ask.typed in {"", given.typed} and self._shown.issuperset(ask.says)

    def give(self, answer: Answer) -> str:
        """Answer what is asked; returns what is wrong with it, empty where nothing is."""
        ask = self.progress.ask
        if ask is None or self._waiting is None or self._waiting.done():
            return "nothing is asked now"
        if answer.choice not in ask.choices:
            return f"{answer.choice} is no answer here"
        if answer.choice in {"confirm", "override"} and ask.typed and answer.typed != ask.typed:
            return f"that is not {ask.typed}"
        if answer.choice in ANSWERS_NEEDING_REASON and not answer.reason.strip():
            return "a reason is needed: it goes into the journal"
        self._waiting.set_result(answer)
        return ""

    def interrupt(self, how: Literal["pause", "abort"]) -> None:
        """Let the run rest or give it up, whether it asks something or not."""
        ask = self.progress.ask
        if not self.progress.is_live:
            return
        self._tell(msgspec.structs.replace(self.progress, stopping=how))
        if ask is None or how not in ask.choices or self.give(Answer(how)):
            self._execution.interrupt(how)

    def _tell(self, progress: Progress) -> None:
        self.progress = progress
        self._told(progress)

    def broke(self, why: str) -> None:
        """Note that the engine ended without a word: it was a defect, or ``why`` says what."""
        if not self.progress.is_live:
            return
        said = f"underlay itself failed ({clean(why)})" if why else "the engine ended without saying how"
        text = f"{said}; what was done is in the run's journal, and the run can be resumed from :runs"
        self._tell(fold(self.progress, RunEnded(self._clock(), "failed", text)))
