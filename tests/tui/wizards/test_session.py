"""A session hands an engine the operator's answers, and only those that will do."""

import asyncio

import pytest

from runbooks.events import Answer, Ask, RunEnded
from tests.tui.wizards.plans import planned
from tests.tui.wizards.scripted import Scripted, Told, question, story
from tui.wizards.progress import Progress
from tui.wizards.session import Session

PLAN = planned()
STEP = PLAN.steps[0]


class Watched:
    """A session over a script, its worker and what it told."""

    def __init__(self, *told: Told) -> None:
        self.engine = Scripted(PLAN, told)
        self.told: list[Progress] = []
        self.session = Session(self.engine, lambda: 1_000.0, self.told.append)
        self.worker = asyncio.ensure_future(self.session.follow())

    async def asked(self) -> Ask:
        async with asyncio.timeout(5):
            while self.session.progress.ask is None:  # noqa: ASYNC110 - its engine takes the rounds that it needs
                await asyncio.sleep(0)
        assert self.session.progress.ask
        return self.session.progress.ask

    async def ended(self) -> RunEnded:
        async with asyncio.timeout(5):
            await self.worker
        assert self.session.progress.ended
        return self.session.progress.ended


DONE = RunEnded(2_000.0, "completed", "Done.")


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Answer("confirm"), "that is not samwise"),
        (Answer("confirm", typed="samwis"), "that is not samwise"),
        (Answer("confirm", typed="Samwise"), "that is not samwise"),
        (Answer("skip"), "a reason is needed: it goes into the journal"),
        (Answer("skip", reason="  "), "a reason is needed: it goes into the journal"),
        (Answer("wait"), "wait is no answer here"),
        (Answer("confirm", typed="samwise"), ""),
        (Answer("skip", reason="it is broken"), ""),
    ],
)
async def test_only_what_will_do_is_handed_on(answer: Answer, wrong: str) -> None:
    """What must be typed is typed exactly, a reason is given where one is needed; nothing else is handed on."""
    watched = Watched(question(STEP), DONE)
    await watched.asked()
    assert watched.session.give(answer) == wrong
    if wrong:
        assert not watched.engine.answers
        watched.session.interrupt("abort")
    await asyncio.wait([watched.worker], timeout=5)
    assert watched.session.progress.ask is None


async def test_one_question_takes_one_answer() -> None:
    """A second answer to the same question is none."""
    watched = Watched(question(STEP), DONE)
    await watched.asked()
    assert not watched.session.give(Answer("confirm", typed="samwise"))
    assert watched.session.give(Answer("confirm", typed="samwise")) == "nothing is asked now"
    await watched.ended()
    assert len(watched.engine.answers) == 1


async def test_what_was_typed_on_the_plan_begins_the_run() -> None:
    """The context that was typed under the plan's own consents answers the first question, and no other."""
    start, *_ = (told for told in story(PLAN) if isinstance(told, Ask))
    watched = Watched(start, question(STEP), DONE)
    watched.session.consent(PLAN.context)
    assert (await watched.asked()).about == "step"
    assert watched.engine.answers == [Answer("confirm", PLAN.context)]
    watched.worker.cancel()


async def test_what_the_plan_did_not_say_is_asked() -> None:
    """A question that says more than the plan showed is the operator's, whatever was typed before."""
    start = Ask("start", "", "Begin?", ("confirm", "abort"), PLAN.context, (*PLAN.consents, "kured cannot be asked"))
    watched = Watched(start, DONE)
    watched.session.consent(PLAN.context)
    assert (await watched.asked()).says[-1] == "kured cannot be asked"
    assert not watched.engine.answers
    watched.worker.cancel()


@pytest.mark.parametrize("how", ["pause", "abort"])
async def test_a_run_is_interrupted_at_a_question_and_between(how: str) -> None:
    """At a question the answer says so; between questions the engine is told."""
    watched = Watched(question(STEP), DONE)
    await watched.asked()
    watched.session.interrupt(how)  # type: ignore[arg-type]
    assert (await watched.ended()).end == {"pause": "paused", "abort": "aborted"}[how]
    assert watched.engine.answers == [Answer(how)]  # type: ignore[arg-type]
    between = Watched(asyncio.Event(), DONE)
    await asyncio.sleep(0)
    between.session.interrupt(how)  # type: ignore[arg-type]
    assert between.session.progress.stopping == how
    assert (await between.ended()).end == {"pause": "paused", "abort": "aborted"}[how]
    assert between.engine.interrupted == [how]


async def test_an_engine_that_ends_without_a_word_is_told() -> None:
    """A run whose engine failed or fell silent is not shown as if it went on."""
    watched = Watched()
    await asyncio.wait([watched.worker], timeout=5)
    assert watched.session.progress.is_live
    watched.session.broke("ValueError: no")
    assert watched.session.progress.ended
    assert "ValueError: no" in watched.session.progress.ended.text
