"""A run is shown as it stands: what is not known is never green, and what was sent is shown as it was sent."""

from collections.abc import Sequence

import msgspec
import pytest

from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from runbooks.events import (
    Ask,
    ConditionState,
    GateSeen,
    LockHeld,
    LockLost,
    Outcome,
    RunEnded,
    State,
    StepActing,
    StepBegun,
    StepEnded,
    StepHappened,
    StepOutput,
)
from tests.probes.worlds import healthy
from tests.tui.views.said import NOW, said, tones, widest
from tests.tui.wizards.plans import broken, planned
from tests.tui.wizards.scripted import gate_seen
from tui.format import ASCII, UNICODE
from tui.wizards import running
from tui.wizards.progress import Progress, begun, fold

PLAN = planned()
STEP = PLAN.steps[0]
SENT = (
    StepBegun(NOW - 20, STEP.id, 1),
    StepActing(NOW - 19, STEP.id, ("ssh samwise 'sudo systemd-run systemctl restart k3s'",)),
)


def run(*events: object) -> Progress:
    made = begun(PLAN, (), NOW - 30)
    for event in events:
        made = fold(made, event)  # type: ignore[arg-type]
    return made


def shown(progress: Progress, cells: int = 100) -> str:
    return said(running.run_blocks(progress, UNICODE), cells)


def test_before_it_is_sent_a_step_says_all_that_one_should_know() -> None:
    """Its turn shows the command, why, effect, risk and the gate; nothing in it is green yet."""
    progress = run(SENT[0])
    text = shown(progress)
    for words in ("$ ssh samwise 'sudo systemctl restart k3s'", "why", "effect", "risk", "clears", "gate"):
        assert words in text
    assert not tones(running.run_blocks(progress, UNICODE), "✔")


def test_what_was_sent_is_shown_as_it_was_sent() -> None:
    """The exact line is the engine's; until it was seen to have happened, nobody can tell, and that is not green."""
    progress = run(*SENT)
    assert "$ ssh samwise 'sudo systemd-run systemctl restart k3s'" in shown(progress)
    assert "? nobody can tell yet whether it happened" in shown(progress)
    assert not tones(running.run_blocks(progress, UNICODE), "✔")
    assert "✔ under a new InvocationID" in shown(run(*SENT, StepHappened(NOW - 5, STEP.id, "under a new InvocationID")))


@pytest.mark.parametrize(
    ("state", "sign", "tone"),
    [("held", "✔", "ok"), ("excused", "▲", "warning"), ("waiting", "…", "muted"), ("unknown", "?", "unknown")],
)
def test_only_a_condition_that_holds_is_green(state: State, sign: str, tone: str) -> None:
    """What was as bad before is a warning, what is waited for is muted, what nobody can tell is unknown."""
    seen = GateSeen(NOW - 1, STEP.id, (ConditionState("the API answers", state, "as seen"),), NOW + 60)
    blocks = running.run_blocks(run(*SENT, StepHappened(NOW - 5, STEP.id, "yes"), seen), UNICODE)
    line = next(line for line in said(blocks).splitlines() if "the API answers" in line)
    assert line.strip().startswith(f"{sign} the API answers")
    assert tones(blocks, sign) >= {tone}
    assert ("ok" in tones(blocks, sign)) == (state == "held")


def test_the_gate_counts_down_to_its_end_and_through_its_soak() -> None:
    """Until it holds, what is left of its time is shown; then how long it must stay so."""
    happened = (*SENT, StepHappened(NOW - 5, STEP.id, "yes"))
    assert "3 of 12 hold, for the rest there is 9m59s" in shown(run(*happened, gate_seen(STEP, NOW - 1, 3)))
    held = gate_seen(STEP, NOW - 1, 12, soak=NOW + 12)
    assert "12 of 12 hold, to stay so for another 12s" in shown(run(*happened, held))


def test_what_ticks_is_a_part_of_its_line() -> None:
    """A countdown follows the clock without the document being made again."""
    progress = run(*SENT, StepHappened(NOW - 5, STEP.id, "yes"), gate_seen(STEP, NOW - 1, 12, soak=NOW + 12))
    lines = [line for block in running.run_blocks(progress, UNICODE) for line in block.lines(100, UNICODE)]
    ticking = [line for line in lines if line.is_ticking]
    assert [line.text(NOW + 2, UNICODE).strip()[-3:] for line in ticking] == ["21s", "10s"]


def test_time_that_is_up_turns_what_lacks_red() -> None:
    """Where the gate did not hold in time, what does not hold is critical, and it says so."""
    seen = gate_seen(STEP, NOW - 1, 3)
    ask = Ask("gate", STEP.id, "Wait on?", ("wait", "override", "pause", "abort"), "samwise", ("no",))
    progress = run(*SENT, StepHappened(NOW - 5, STEP.id, "yes"), seen)
    late = msgspec.structs.replace(progress, ask=ask)
    assert "3 of 12 hold, and time is up" in shown(late)
    assert tones(running.run_blocks(late, UNICODE), "✖") == {"critical"}


OUTCOMES: Sequence[tuple[Outcome, str, str]] = [
    ("done", "✔", "done"),
    ("already", "✔", "was so already"),
    ("not-needed", "·", "not needed"),
    ("skipped", "▲", "skipped"),
    ("overridden", "▲", "gone on with although its gate did not hold"),
    ("failed", "✖", "failed"),
]


@pytest.mark.parametrize(("outcome", "sign", "words"), OUTCOMES)
def test_a_step_behind_says_how_it_ended(outcome: Outcome, sign: str, words: str) -> None:
    """Its sign, its words and, where it is not as it was meant, the reason."""
    second = StepBegun(NOW - 1, PLAN.steps[1].id, 2)
    text = shown(run(*SENT, StepEnded(NOW - 2, STEP.id, outcome, "the disk is full"), second))
    line = text.splitlines()[0]
    assert line.strip().startswith(f"{sign}")
    assert words in line
    assert "17s" in line
    assert ("the disk is full" in text) == (outcome in {"skipped", "overridden", "failed"})


def test_output_shows_its_last_lines_and_all_of_it_on_demand() -> None:
    """Eight lines stand beneath the step, with how many came before; unfolded, every line does."""
    lines = [StepOutput(NOW - 9, STEP.id, f"line {i}") for i in range(30)]
    progress = run(*SENT, *lines)
    assert "… 22 lines before, o shows them" in shown(progress)
    assert "line 21" not in shown(progress)
    assert "line 0" in said(running.run_blocks(progress, UNICODE, unfolded=True))


def test_a_long_run_shows_the_steps_around_the_current_one() -> None:
    """Of thousands of steps those nearby are listed, the others counted."""
    steps = tuple(msgspec.structs.replace(STEP, id=f"{i:04}") for i in range(3000))
    progress = begun(msgspec.structs.replace(PLAN, steps=steps), (), NOW)
    progress = fold(progress, StepBegun(NOW, "1500", 1501))
    text = said(running.run_blocks(progress, UNICODE))
    assert "1440 steps before these are in the report" in text
    assert "1439 more steps after these" in text
    assert len(text.splitlines()) < 200


def test_the_line_of_state_says_place_time_and_lock() -> None:
    """Step, node, elapsed time, who holds the lock and for how long: in one line of 80 cells."""
    held = LockHeld(NOW - 2, f"{PLAN.run} frodo@bag-end", NOW + 58)
    progress = run(held, *SENT)
    line = "".join(span.text for span in running.state_line(progress, NOW, UNICODE))
    assert line[:80].startswith(" step 1 of 3   node 1 of 3   30s   lock of frodo@bag-end, 58s left")
    run_out = "".join(span.text for span in running.state_line(progress, NOW + 60, UNICODE))
    assert "◷ the lock of frodo@bag-end has run out" in run_out
    lost = running.state_line(fold(progress, LockLost(NOW, "the API is away")), NOW, UNICODE)
    assert ("✖ lock lost: the API is away", "critical") in [tuple(span) for span in lost]


def test_what_has_changed_until_now_is_always_said() -> None:
    """Nothing; what was sent and is not verified; what was verified: by what was seen."""
    assert running.so_now(run(SENT[0])) == ("nothing has been changed",)
    assert running.so_now(run(*SENT)) == ("restart k3s on samwise was sent and is not verified yet",)
    done = running.so_now(run(*SENT, StepEnded(NOW, STEP.id, "done")))
    assert done == ("done and verified: restart k3s on samwise",)
    skipped = running.so_now(run(SENT[0], StepEnded(NOW, STEP.id, "skipped", "later")))
    assert skipped == ("nothing has been changed",)


def answered(snapshot: Snapshot, at: float) -> Snapshot:
    """Let every node have answered at a moment."""
    sources = {name: msgspec.structs.replace(state, at=at) for name, state in snapshot.sources.items()}
    return msgspec.structs.replace(snapshot, sources=sources)


@pytest.mark.parametrize(
    ("snapshot", "sign", "words"),
    [
        (answered(healthy(), NOW), "✔", "not found any more"),
        (answered(broken(), NOW), "✖", "still found"),
        (answered(healthy(), NOW - 60), "?", "has not been asked since"),
    ],
)
def test_what_became_of_what_it_was_for_is_observed(snapshot: Snapshot, sign: str, words: str) -> None:
    """At its end each finding it was for is looked for: gone, still there or, where nobody looked since, unknown."""
    ended = RunEnded(NOW - 5, "completed", "All is done.")
    blocks = running.end_blocks(run(*SENT, StepEnded(NOW - 6, STEP.id, "done"), ended), diagnose(snapshot), UNICODE)
    line = next(line for line in said(blocks).splitlines() if "vxlan-link-missing samwise" in line)
    assert line.strip().startswith(sign)
    assert words in line


@pytest.mark.parametrize("end", ["completed", "failed", "aborted", "paused", "refused"])
def test_an_end_says_what_is_so_now_and_what_is_left(end: str) -> None:
    """Its text and what is left behind; only a completed run is green."""
    ended = RunEnded(NOW, end, "samwise was restarted.", ("samwise is cordoned",))  # type: ignore[arg-type]
    blocks = running.end_blocks(run(*SENT, ended), diagnose(broken()), UNICODE)
    assert "samwise was restarted." in said(blocks)
    assert "▲ left behind: samwise is cordoned" in said(blocks)
    assert ("ok" in tones(blocks, "The run")) == (end == "completed")


def test_a_question_says_what_the_step_does_not() -> None:
    """What stands above, effect and risk, is not said twice; why an answer would not do stands out."""
    says = (f"effect: {STEP.effect}", f"risk: {STEP.risk}", "kured cannot be asked", "✗ type samwise exactly")
    ask = Ask("step", STEP.id, "Do this step?", ("confirm", "skip"), "samwise", says)
    lines = running.ask_lines(msgspec.structs.replace(run(SENT[0]), ask=ask), 100, UNICODE)
    texts = ["".join(span.text for span in line).strip() for line in lines]
    assert texts == ["kured cannot be asked", "✗ type samwise exactly", "restart k3s on samwise: Do this step?"]


@pytest.mark.parametrize("cells", [20, 80, 160])
def test_no_line_is_wider_than_the_screen(cells: int) -> None:
    """Whatever the width, only what holds is cut, by the document; nothing else needs to be."""
    blocks = running.run_blocks(run(*SENT, gate_seen(STEP, NOW - 1, 0, "unknown")), UNICODE)
    lines = [line for block in blocks for line in block.lines(cells, UNICODE)]
    wide = [line.text(NOW, UNICODE) for line in lines if len(line.text(NOW, UNICODE)) > max(cells, 60)]
    assert not wide
    assert widest(blocks, 160) <= 160


def test_ascii_terminals_get_ascii() -> None:
    """No sign of ours needs more than ASCII there."""
    blocks = running.run_blocks(run(*SENT, gate_seen(STEP, NOW - 1, 3, "unknown")), ASCII)
    assert said(blocks, 100, ASCII).isascii()
