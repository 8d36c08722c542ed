"""Questions are asked until they are answered as they must be, and an interruption is heard at any time."""

import asyncio
import time
from pathlib import Path

import pytest

from runbooks.desk import Desk, Stopped
from runbooks.events import Answer, Ask, ConditionState, GateSeen
from runbooks.journal import Answered, Journal, Told, read
from tests.probes.worlds import AT
from tests.runbooks.test_plan import made

ASK = Ask("step", "01", "Do it?", ("confirm", "skip", "pause", "abort"), typed="samwise")


class Script:
    """A front end that answers by a list."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked: list[Ask] = []

    async def answer(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        if not self.answers:
            await asyncio.Event().wait()
        return self.answers.pop(0)


def desk(folder: Path, driver: Script) -> tuple[Desk, Journal]:
    journal = Journal.create(folder, made(given={"nodes": "samwise"}), who="me", at=AT)
    return Desk(driver, journal, time.time), journal


async def test_what_must_be_typed_is_typed_exactly(tmp_path: Path) -> None:
    """Nothing, another name, a name with a space: asked again with the reason; then it is noted, once."""
    driver = Script(*(Answer("confirm", typed=text) for text in ("", "samwise ", "theoden", "samwise")))
    made_desk, journal = desk(tmp_path, driver)
    assert (await made_desk.ask(ASK)).typed == "samwise"
    assert len(driver.asked) == 4
    assert driver.asked[-1].says == ("✗ type samwise exactly",)
    journal.close()
    assert [r.answer.typed for r in read(journal.path) if isinstance(r, Answered)] == ["samwise"]


async def test_a_skip_needs_a_reason_and_a_choice_must_be_offered(tmp_path: Path) -> None:
    """Without a reason nothing is skipped; what was not offered is no answer."""
    driver = Script(Answer("skip"), Answer("override", "samwise", "because"), Answer("skip", reason="it is well"))
    made_desk, _ = desk(tmp_path, driver)
    assert (await made_desk.ask(ASK)).reason == "it is well"
    assert [each.says for each in driver.asked[1:]] == [
        ("✗ skip needs a reason",),
        ("✗ override is no answer here: confirm, skip, pause, abort",),
    ]


@pytest.mark.parametrize(("choice", "end"), [("pause", "paused"), ("abort", "aborted")])
async def test_pause_and_abort_stop_the_run(tmp_path: Path, choice: str, end: str) -> None:
    """They are answers to every question, and from then on nothing else is asked."""
    made_desk, _ = desk(tmp_path, Script(Answer(choice)))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Stopped) as stopped:
            await made_desk.ask(ASK)
        assert stopped.value.end == end


async def test_an_interruption_ends_a_question_and_a_rest(tmp_path: Path) -> None:
    """From elsewhere, while a question stands or time passes: at once."""
    made_desk, _ = desk(tmp_path, Script())
    asyncio.get_running_loop().call_later(0.05, made_desk.interrupt, "pause")
    async with asyncio.timeout(5):
        with pytest.raises(Stopped):
            await made_desk.ask(ASK)
        with pytest.raises(Stopped):
            await made_desk.rest(60)


async def test_of_a_gate_only_changes_are_noted(tmp_path: Path) -> None:
    """Every look is told to the front end, and only those that differ go to disk."""
    made_desk, journal = desk(tmp_path, Script())
    for state in ("waiting", "waiting", "held", "held"):
        made_desk.tell(GateSeen(time.time(), "01", (ConditionState("x", state),), 0.0))
    journal.close()
    assert made_desk.events.qsize() == 4
    assert len([r for r in read(journal.path) if isinstance(r, Told)]) == 2
