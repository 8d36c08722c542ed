"""Progress is what the events of a run come to."""

from runbooks.events import GateSeen, LockHeld, LockLost, RunEnded, StepActing, StepBegun, StepEnded, StepOutput
from tests.tui.wizards.plans import planned
from tests.tui.wizards.scripted import gate_seen, story
from tui.wizards.progress import MOST_OUTPUT, Progress, begun, fold

PLAN = planned()
FIRST, SECOND, _ = PLAN.steps


def folded(*events: object) -> Progress:
    made = begun(PLAN, (), 1_000.0)
    for event in events:
        made = fold(made, event)  # type: ignore[arg-type]
    return made


def test_a_step_goes_from_its_turn_to_its_end() -> None:
    """A step begins, is sent, is seen to have happened, has a gate and ends; the current one is the last begun."""
    progress = begun(PLAN, (), 1_000.0)
    phases = []
    for told in story(PLAN):
        if isinstance(told, StepBegun | StepActing | GateSeen | StepEnded):
            progress = fold(progress, told)
            phases.append(progress.step(FIRST.id).phase)
    assert phases[:2] == ["begun", "acting"]
    assert phases[-1] == "behind"
    assert progress.behind == 3
    assert progress.place == 2
    assert progress.planned is PLAN.steps[2]


def test_what_ended_a_run_before_is_not_so_when_it_goes_on() -> None:
    """A run that is gone on with is live, holds no lock yet, and knows what is behind it."""
    past = (
        LockHeld(1.0, "r frodo@bag-end", 61.0),
        StepBegun(2.0, FIRST.id, 1),
        StepEnded(3.0, FIRST.id, "done"),
        RunEnded(4.0, "paused", "It rests."),
    )
    progress = begun(PLAN, past, 100.0)
    assert progress.is_live
    assert progress.lock is None
    assert progress.step(FIRST.id).outcome == "done"
    assert progress.began_at == 100.0


def test_a_step_that_failed_is_begun_anew() -> None:
    """Its outcome is forgotten when it is its turn again."""
    progress = folded(StepBegun(2.0, FIRST.id, 1), StepEnded(3.0, FIRST.id, "failed"), StepBegun(9.0, FIRST.id, 1))
    assert progress.step(FIRST.id).outcome is None
    assert progress.step(FIRST.id).phase == "begun"


def test_output_is_bounded_and_harmless() -> None:
    """Of a step's output the last lines are kept, the others counted; escape sequences are made visible."""
    lines = [StepOutput(2.0, FIRST.id, f"line {i}\x1b[2J") for i in range(MOST_OUTPUT + 7)]
    step = folded(*lines).step(FIRST.id)
    assert len(step.output) == MOST_OUTPUT
    assert step.unseen == 7
    assert step.output[-1] == f"line {MOST_OUTPUT + 6}␛[2J"


def test_what_is_said_of_no_step_is_kept_until_the_lock_is_held() -> None:
    """Why the lock is waited for is a note; once it is held, the note is none any more."""
    waiting = folded(StepOutput(1.0, "", "sam@bag-end holds the lock"))
    assert waiting.notes == ("sam@bag-end holds the lock",)
    assert "" not in waiting.steps
    assert not fold(waiting, LockHeld(2.0, "r frodo", 62.0)).notes


def test_a_lost_lock_is_known_until_it_is_held_again() -> None:
    """LockLost says why; LockHeld takes it back."""
    lost = folded(LockHeld(1.0, "r frodo", 61.0), LockLost(30.0, "the API is away"))
    assert lost.lost == "the API is away"
    assert not fold(lost, LockHeld(31.0, "r frodo", 91.0)).lost


def test_conditions_to_begin_are_not_those_to_end() -> None:
    """A GateSeen before the step is kept apart from the one after it."""
    gate = gate_seen(FIRST, 5.0, 2)
    progress = folded(StepBegun(2.0, FIRST.id, 1), GateSeen(3.0, FIRST.id, (), 33.0, before=True), gate)
    assert progress.step(FIRST.id).before is not None
    assert progress.step(FIRST.id).gate is gate


def test_a_run_that_ended_asks_nothing() -> None:
    """The end takes the question with it."""
    assert folded(RunEnded(4.0, "aborted", "Given up.")).ask is None
    assert not folded(RunEnded(4.0, "completed", "")).can_go_on
    assert folded(RunEnded(4.0, "paused", "")).can_go_on
