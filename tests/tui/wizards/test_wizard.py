"""The wizard under the App: from a finding to a run's end, by keys, against an engine that goes by a script."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from runbooks.events import Answer
from runbooks.plan import Plan
from tests.probes.worlds import AT, healthy
from tests.tui.scripted import Shown, shown
from tests.tui.wizards.plans import broken
from tests.tui.wizards.scripted import Repairs, Told, story
from tui.repairs import Leftover, PastRun
from tui.screens.findings import FindingsScreen
from tui.screens.overview import OverviewScreen
from tui.screens.runbooks import RunbooksScreen
from tui.screens.runs import ReportScreen, RunsScreen
from tui.screens.text import JournalScreen
from tui.wizards.leaving import LeavingScreen
from tui.wizards.review import ReviewScreen
from tui.wizards.run import RunScreen

SIZES = [(80, 24), (160, 50)]
PAST = (
    PastRun(
        "0101-000001-aaaa", "k3s-rolling-restart", "Restart", "test", "paused", AT - 90, AT - 60, ("samwise",), 1, 3
    ),
    PastRun("0101-000000-bbbb", "k3s-rolling-restart", "Restart", "test", "completed", AT - 900, AT - 800, (), 3, 3),
)


@pytest.fixture(autouse=True)
def _keys_answer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a question be answered as soon as it is there, but where that is what is tested."""
    monkeypatch.setattr(RunScreen, "DWELL", 0.0)


@asynccontextmanager
async def opened(
    repairs: Repairs | None = None, *, size: tuple[int, int] = (80, 24), pauses: Sequence[asyncio.Event] = ()
) -> AsyncIterator[tuple[Shown, Repairs]]:
    """Show the broken cluster, with something that repairs it."""

    def script(plan: Plan) -> list[Told]:
        return list(story(plan, AT, *pauses))

    made = repairs or Repairs(script)
    async with shown(broken(), width=size[0], height=size[1], repairs=made) as app:
        yield app, made


def keys(text: str) -> list[str]:
    return [{"-": "minus", ".": "full_stop", " ": "space"}.get(char, char) for char in text]


async def to_plan(app: Shown) -> None:
    """Go from the finding to the plan, as a newcomer would."""
    assert "▸ Runbooks ▸" in await app.press("w")
    await app.press("enter")
    assert isinstance(app.app.screen, ReviewScreen)


async def to_run(app: Shown) -> None:
    """Begin the run on its plan."""
    await to_plan(app)
    await app.press("y", *keys("test"), "enter")
    assert isinstance(app.app.screen, RunScreen)
    await app.until("restart k3s on samwise")


@pytest.mark.parametrize("size", SIZES)
async def test_a_finding_is_repaired_by_keys_alone(size: tuple[int, int]) -> None:
    """From the finding under the cursor: w, enter, y, the context's name, then each node's name; nothing else."""
    async with opened(size=size) as (app, repairs):
        await to_run(app)
        for node in ("samwise", "theoden", "boromir"):
            text = await app.until(f"then type {node}")
            assert f"$ ssh {node} 'sudo systemctl restart k3s'" in text
            await app.press("y", *keys(node), "enter")
        text = await app.until("The run is completed.")
        assert "Every step was done and verified" in text
        (engine,) = repairs.begun
        assert engine.answers == [
            Answer("confirm", "test"),
            *(Answer("confirm", node) for node in ("samwise", "theoden", "boromir")),
        ]
        await app.press("v")
        assert isinstance(app.app.screen, ReportScreen)
        await app.until("Everything that happened.")


@pytest.mark.parametrize("size", SIZES)
async def test_a_runbook_is_chosen_by_what_it_fixes_here(size: tuple[int, int]) -> None:
    """From a finding the runbooks that fix it come first; from a node those for it; :runbooks lists them all."""
    async with opened(size=size) as (app, _):
        text = await app.press("w")
        assert "→ fixes it" in text
        assert "vxlan-link-missing samwise" in text
        await app.press("escape", "1", "down", "down")
        text = await app.press("w")
        assert "→ fixes it" in text
        assert "peer-neighbor-missing samwise" in text
        await app.press("escape", "2", "down")
        assert "▸ Runbooks ▸ samwise" in await app.press("w")
        await app.press("escape", "colon", *keys("runbooks"), "enter")
        assert isinstance(app.app.screen, RunbooksScreen)


async def test_a_symptom_leads_to_what_repairs_its_cause() -> None:
    """A finding that no runbook fixes by itself leads to those that fix what explains it."""
    async with opened() as (app, _):
        await app.press("down")
        assert "vxlan-port-not-listening" in app.text()
        text = await app.press("w")
        assert "→ fixes its cause" in text


async def test_a_runbook_that_would_not_help_says_why() -> None:
    """Where nothing that it fixes is found, it says so, and its plan is still a key away."""
    repairs = Repairs(lambda plan: list(story(plan)))
    async with shown(healthy(), repairs=repairs) as app:
        app.app.go("runbooks")
        text = await app.until("would not help")
        assert "nothing that it fixes is found now" in text


async def test_nothing_can_be_done_in_read_only_mode_but_look() -> None:
    """Locked, every way to a run asks for the context's name; a wrong one begins nothing and unlocks nothing."""
    async with opened(Repairs(lambda plan: list(story(plan)), runs=PAST)) as (app, repairs):
        await to_plan(app)
        assert "READ-ONLY" in app.text()
        for typed in ("", "tes", "Test", "test2", "samwise"):
            await app.press("y", *keys(typed), "enter")
            assert "✖ that is not test" in app.text()
            await app.press("escape")
        assert app.app.begin(app.app.screen._draft.plan, "test") != ""  # type: ignore[attr-defined]
        app.app.resume_run("0101-000001-aaaa")
        app.app.go("runs")
        await app.until("paused")
        for key in ("r", "a"):
            await app.press(key, *keys("nonsense"), "enter")
            assert "That is not test." in app.text()
            await app.press("escape")
        await app.press("colon", *keys("write nonsense"), "enter")
        assert not app.app.unlocked
        assert "READ-ONLY" in app.text()
        assert not repairs.begun
        assert not repairs.resumed


async def test_the_header_says_whether_writing_is_unlocked() -> None:
    """:write with the context's name changes sign and tone at once; :readonly takes it back."""
    async with opened() as (app, _):
        assert app.app.command("write") == "Type :write test to unlock writing to it."
        await app.press("colon", *keys("write test"), "enter")
        assert "UNLOCKED" in app.lines()[0]
        assert "READ-ONLY" not in app.lines()[0]
        assert [span.tone for span in app.app.signs()] == ["unlocked"]
        await app.press("colon", *keys("readonly"), "enter")
        assert "READ-ONLY" in app.lines()[0]
        assert [span.tone for span in app.app.signs()] == ["accent"]


async def test_writing_stays_unlocked_while_a_run_is_under_way() -> None:
    """A run that may be writing is not hidden behind READ-ONLY: it is paused or given up first."""
    async with opened() as (app, _):
        await to_run(app)
        assert "pause it or give it up first" in app.app.command("readonly")
        assert app.app.unlocked


async def test_parameters_are_held_to_what_is_asked_for_as_they_are_typed() -> None:
    """What is wrong stands below while it is typed; what is right makes the plan anew."""
    async with opened(size=(160, 50)) as (app, _):
        await to_plan(app)
        await app.press("e", "enter")
        assert "✖" not in "\n".join(app.lines()[-4:])
        text = await app.press(*keys(",gollum"))
        assert "✖ nodes: the cluster has no node gollum; it has boromir, samwise, theoden" in text
        await app.press("enter")
        assert "✖ nodes: the cluster has no node gollum" in app.text()
        await app.press("ctrl+u", *keys("samwise"), "enter")
        text = await app.settled()
        assert "samwise   given" in text
        assert "1 step on 1 node" in text
        assert "ssh theoden" not in text


async def test_the_plan_can_be_copied_and_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """c hands the whole plan to the clipboard, its commands uncut; ctrl-s writes it to a file."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with opened() as (app, _):
        await to_plan(app)
        await app.press("c")
        assert "ssh boromir 'sudo systemctl restart k3s'\n" in app.app.clipboard
        await app.press("ctrl+s")
        await app.until("saved as")


async def test_a_cluster_that_changes_under_the_plan_is_read_again() -> None:
    """What is begun is what was shown: a plan that differs by the time its name is typed begins nothing."""
    async with opened(size=(160, 50)) as (app, repairs):
        await to_plan(app)
        await app.press("y")
        await app.tell(healthy())
        await app.press(*keys("test"), "enter")
        await app.until("the cluster changed meanwhile")
        assert not repairs.begun
        assert not app.app.unlocked


async def test_why_what_a_plan_goes_by_could_not_be_read_is_said() -> None:
    """A plan is made without it, and says that something was not read."""
    repairs = Repairs(lambda plan: list(story(plan)))
    repairs.failure = "samwise does not answer"
    async with opened(repairs, size=(160, 50)) as (app, _):
        await to_plan(app)
        await app.until("? not read: samwise does not answer")


async def test_a_gate_turns_green_one_by_one_and_then_soaks() -> None:
    """What holds is counted and green; the others are not; then the soak counts down."""
    first, second = asyncio.Event(), asyncio.Event()
    async with opened(pauses=(first, second)) as (app, _):
        await to_run(app)
        await app.press("y", *keys("samwise"), "enter")
        text = await app.until("3 of 12 hold")
        assert text.count("✔ ") - text.count("✔ a new") == 3
        assert "▸ run 1/3" in app.lines()[0]
        first.set()
        text = await app.until("12 of 12 hold, to stay so for another")
        assert "✔ no critical finding is new" in text
        second.set()
        await app.until("then type theoden")
        assert "✔   1 restart k3s  on samwise" in await app.press("g")


async def test_a_step_is_skipped_with_a_reason_only() -> None:
    """s asks why; nothing typed is no reason, and nothing is skipped."""
    async with opened() as (app, repairs):
        await to_run(app)
        await app.press("s", "enter")
        assert "a reason is needed" in app.text()
        await app.press(*keys("it is off"), "enter")
        await app.until("skipped")
        assert repairs.begun[0].answers[-1] == Answer("skip", reason="it is off")


async def test_a_key_pressed_twice_answers_one_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question is up for a moment before a key answers it: what was meant for the last one is not taken."""
    monkeypatch.setattr(RunScreen, "DWELL", 30.0)
    async with opened() as (app, _):
        await to_run(app)
        await app.press("y")
        assert "type samwise to confirm" not in app.text()
        monkeypatch.setattr(RunScreen, "DWELL", 0.0)
        await app.press("y")
        assert "type samwise to confirm" in app.text()


async def test_a_run_is_paused_and_gone_on_with() -> None:
    """p lets it rest; r goes on from there, and what is behind is not asked again."""
    async with opened() as (app, repairs):
        await to_run(app)
        await app.press("y", *keys("samwise"), "enter")
        await app.until("then type theoden")
        await app.press("p")
        text = await app.until("The run rests.")
        assert "What was sent has happened" in text
        await app.press("r")
        await app.until("then type theoden")
        assert len(repairs.resumed) == 1
        assert "✔   1 restart k3s  on samwise" in await app.press("k")


@pytest.mark.parametrize("where", ["at a question", "within a gate"])
async def test_a_run_is_given_up_by_typing_so_and_says_what_is_so_now(where: str) -> None:
    """a says what has changed until now and wants abort typed; then the run ends with what is safe."""
    held = asyncio.Event()
    async with opened(pauses=(held,)) as (app, repairs):
        await to_run(app)
        if where == "within a gate":
            await app.press("y", *keys("samwise"), "enter")
            await app.until("3 of 12 hold")
        text = await app.press("a")
        now = "restart k3s on samwise was sent" if where == "within a gate" else "nothing has been changed"
        assert f"Give the run up? Now: {now}" in text
        await app.press("enter")
        assert "type abort to give it up, or press esc" in app.text()
        assert repairs.begun[0].interrupted == []
        await app.press(*keys("abort"), "enter")
        text = await app.until("The run was given up.")
        assert "nothing else was touched" in text


async def test_leaving_a_run_asks_and_neither_ends_nor_forgets_it() -> None:
    """esc asks; enter looks around while it goes on, the header shows it everywhere, and w comes back to it."""
    async with opened() as (app, _):
        await to_run(app)
        await app.press("escape")
        assert "A run is under way" in app.text()
        assert "nothing has been changed" in app.text()
        await app.press("escape")
        assert "A run is under way" not in app.text()
        await app.press("q", "enter")
        await app.until(lambda: isinstance(app.app.screen, RunbooksScreen))
        assert "run 1/3 asks" in app.lines()[0]
        await app.press("q")
        assert isinstance(app.app.screen, OverviewScreen)
        await app.press("w")
        assert isinstance(app.app.screen, RunScreen)
        assert app.app.is_running_repair
        await app.press("colon", *keys("findings"), "enter")
        assert isinstance(app.app.screen, FindingsScreen)
        assert "run 1/3 asks" in app.lines()[0]
        await app.press("colon", *keys("run"), "enter")
        assert isinstance(app.app.screen, RunScreen)


@pytest.mark.parametrize("way", [("ctrl+c",), ("colon", "q", "enter")])
async def test_underlay_does_not_end_under_a_run(way: Sequence[str]) -> None:
    """ctrl-c and :q ask first; p lets the run rest, and only then underlay ends."""
    async with opened() as (app, repairs):
        await to_run(app)
        await app.press(*way)
        assert isinstance(app.app.screen, LeavingScreen)
        assert app.app._exit is False
        await app.press("escape")
        assert app.app.is_running_repair
        await app.press(*way)
        await app.pilot.press("p")
        await app.until(lambda: bool(app.app._exit))
        assert repairs.begun[0].answers[-1] == Answer("pause")


async def test_a_lost_terminal_lets_the_run_rest() -> None:
    """Ended from outside, underlay has the run come to rest before it goes."""
    async with opened() as (app, repairs):
        await to_run(app)
        app.app.exit(129)
        await app.until(lambda: bool(app.app._exit))
        assert repairs.begun[0].answers[-1] == Answer("pause")
        assert app.app._return_value == 129


async def test_what_earlier_runs_left_is_shown_at_the_start() -> None:
    """A lock, a cordon or an open run is told once the cluster is seen, and stays in the header until it is gone."""
    left = (Leftover("cordon", "samwise is still cordoned by the run 0101-000001-aaaa", "0101-000001-aaaa"),)
    async with opened(Repairs(lambda plan: list(story(plan)), runs=PAST, left=left)) as (app, repairs):
        await app.until("samwise is still cordoned")
        await app.until("▲ :runs")
        await app.press("colon", *keys("runs"), "enter")
        assert isinstance(app.app.screen, RunsScreen)
        text = await app.until("Left by earlier runs")
        assert "▲ paused" in text
        assert "✔ completed" in text
        repairs._left = ()
        app.app.look_left()
        await app.until(lambda: "▲ :runs" not in app.lines()[0])


async def test_runs_are_listed_read_gone_on_with_and_given_up() -> None:
    """enter reads the report; r and a are there for what rests only, and want the context typed while it is locked."""
    async with opened(Repairs(lambda plan: list(story(plan)), runs=PAST), size=(120, 40)) as (app, repairs):
        await to_run(app)
        await app.press("p")
        await app.until("The run rests.")
        app.app.unlocked = False
        app.app.go("runs")
        await app.until("completed")
        assert "r resume" in app.lines()[-1]
        await app.press("enter")
        await app.until("# Run 0101-000001-aaaa")
        await app.press("escape", "down")
        assert "r resume" not in app.lines()[-1]
        await app.press("up", "r", *keys("test"), "enter")
        await app.until(lambda: repairs.resumed == [("0101-000001-aaaa", "", False)])
        await app.until(lambda: isinstance(app.app.screen, RunScreen))
        app.app.interrupt("pause")
        await app.until("The run rests.")
        app.app.go("runs")
        await app.until("completed")
        await app.press("a", *keys("0101-000001-aaaa"), "enter")
        await app.until("The run was given up.")
        assert repairs.resumed[-1] == ("0101-000001-aaaa", "", True)


async def test_another_runs_lock_is_broken_by_its_name_only() -> None:
    """A refused run offers to take the lock away; the name of the run that holds it is what has to be typed."""
    from runbooks.events import RunEnded, RunStarted  # noqa: PLC0415 - used once

    def refused(plan: Plan) -> list[Told]:
        return [RunStarted(AT, plan.run, False, ""), RunEnded(AT, "refused", "sam@bag-end is at work.")]  # noqa: FBT003

    left = (Leftover("lock", "the lock is held by 0101-000009-cccc sam@bag-end", "0101-000009-cccc"),)
    async with opened(Repairs(refused, left=left)) as (app, repairs):
        await to_plan(app)
        await app.press("y", *keys("test"), "enter")
        await app.until("The run was refused.")
        await app.press("B", *keys("0101-000009-cccd"), "enter")
        assert "that is not 0101-000009-cccc" in app.text()
        await app.press("backspace", "c", "enter")
        await app.until(lambda: len(repairs.resumed) == 1)
        assert repairs.resumed[0][1] == "0101-000009-cccc"


async def test_the_nodes_journal_is_a_key_away_during_a_run() -> None:
    """l opens the journal of the step's node, and the run stays where it was."""
    from tests.tui.screens.opened import Reads  # noqa: PLC0415 - used once

    async with shown(broken(), repairs=Repairs(lambda plan: list(story(plan))), reads=Reads("k3s said")) as app:
        await to_run(app)
        await app.press("l")
        assert isinstance(app.app.screen, JournalScreen)
        await app.until("k3s said")
        await app.press("escape")
        assert isinstance(app.app.screen, RunScreen)


async def test_without_anything_that_repairs_nothing_leads_there() -> None:
    """No key, command or line of help is about repairs where there is nothing that carries them out."""
    async with shown(broken()) as app:
        before = app.text()
        assert await app.press("w") == before
        assert "repair" not in app.lines()[-1]
        for word in ("runbooks", "runs", "report", "run", "write test", "rb"):
            assert "There is no :" in app.app.command(word)
        assert app.app.complete("runb") == ""
        assert "only reads" in app.app.command("readonly")
        assert "repair: the runbooks" not in await app.press("question_mark")
