"""A plan is shown whole: every command, what it clears and what not, what is agreed to and what must be seen."""

import msgspec
import pytest

from runbooks.actions import Patch, Target, WriteFile
from runbooks.facts import Found
from runbooks.plan import Plan, PlannedStep
from tests.probes.worlds import AT
from tests.tui.views.said import said, tones, widest
from tests.tui.wizards.plans import judged, planned, rolling
from tui.format import ASCII, UNICODE
from tui.wizards import planned as view
from tui.wizards.drafting import Draft, begin_with, differs

RUNBOOK = rolling()


def shown(plan: Plan, cells: int = 80) -> str:
    return said(view.review(RUNBOOK, plan, "", (), "test", UNICODE), cells)


def with_step(**changes: object) -> Plan:
    plan = planned()
    step = msgspec.structs.replace(plan.steps[0], **changes)
    return msgspec.structs.replace(plan, steps=(step,))


@pytest.mark.parametrize("cells", [40, 80, 160])
def test_everything_of_a_plan_is_in_it(cells: int) -> None:
    """Commands, reasons, risks, gates, consents, what is cleared and what is not: nothing is cut at any width."""
    plan = planned()
    text = " ".join(shown(plan, cells).split())
    for step in plan.steps:
        assert all(command in text.replace("│ ", "") for command in step.by_hand)
        assert f"on {step.node}" in text
    for words in (plan.steps[0].why, plan.steps[0].risk, plan.steps[0].effect, plan.expect, *plan.consents):
        assert " ".join(words.split()) in text
    assert all(cleared in text for cleared in plan.clears)
    dense = text.replace(" ", "")
    assert all(f"{left.finding}: {left.reason}".replace(" ", "") in dense for left in plan.leaves)
    assert text.count("does not clear") == len([left for left in plan.leaves if not left.cause])
    assert "k3s is active on samwise under a new InvocationID" in text
    assert "within 10m all of these hold, and stay so for 30s" in text
    assert widest(view.review(RUNBOOK, plan, "", (), "test", UNICODE), cells) <= cells


def test_a_step_that_differs_in_its_node_only_is_told_by_what_is_its_own() -> None:
    """The second restart shows its command and its node, and refers to the first for the rest."""
    text = shown(planned())
    assert text.count("flannel writes subnet.env and programs its peers only when k3s") == 1
    assert text.count("as      step 1: why, risk and gate are the same") == 2
    assert "$ ssh theoden 'sudo systemctl restart k3s'" in text
    other = with_step(why="Because theoden.")
    both = msgspec.structs.replace(other, steps=(*planned().steps[1:], *other.steps))
    assert "as      step" in shown(both)
    assert "Because theoden." in shown(both)


def test_a_file_is_shown_as_it_will_be() -> None:
    """Its path and mode, and its content line by line, blanks at their beginning kept."""
    action = WriteFile(
        "samwise", "/etc/rancher/k3s/registries.yaml", "mirrors:\n  docker.io:\n    endpoint: []\n", "0600"
    )
    text = shown(with_step(action=action, by_hand=action.by_hand))
    assert "writes  /etc/rancher/k3s/registries.yaml  mode 0600" in text
    assert "│     endpoint: []" in text


def test_what_is_hostile_in_a_plan_stays_text() -> None:
    """Escape sequences in a patch never reach the terminal, and markup in it is no markup."""
    action = Patch(Target("GitRepository", "x", "flux-system"), {"spec": {"url": "[red]\x1b[2Jx"}})
    text = shown(with_step(action=action, by_hand=action.by_hand, why="[@click=app.bell]\x1b]2;evil\x07"))
    assert "\x1b" not in text
    assert "[@click=app.bell]" in text


def test_baseline_says_what_is_bad_now_first_and_what_is_not_known_yet() -> None:
    """What must not get worse is listed with how it stands now; what is probed later is unknown."""
    plan = planned()
    blocks = view.review(RUNBOOK, plan, "", (), "test", UNICODE)
    lines = said(blocks, 160).partition("Now")[2].splitlines()[1:]
    signs = [line.split()[0] for line in lines if line.strip()]
    assert signs == sorted(signs, key=lambda sign: sign == "✔")
    probed = [line for line in lines if "is probed when the run begins" in line]
    assert len(probed) == 6
    assert all(line.strip().startswith("?") for line in probed)
    assert "unknown" in tones(blocks, "?", 160)


def test_ascii_terminals_get_ascii() -> None:
    """No sign of ours needs more than ASCII there."""
    assert said(view.review(RUNBOOK, planned(), "", (), "test", ASCII), 80, ASCII).isascii()


def test_the_text_that_is_copied_has_its_commands_uncut() -> None:
    """Every command stands in one line of its own, everything else behind a #: it can be pasted into a shell."""
    plan = planned()
    commands = [line for line in view.text(plan).splitlines() if line and not line.startswith("#")]
    assert commands == [command for step in plan.steps for command in step.by_hand]
    assert f"# clears: {plan.clears[0]}" in view.text(plan)


def draft(**given: str) -> Draft:
    made = Draft(RUNBOOK, given, run="0101-001640-beef", now=AT)
    made.make(judged(), Found())
    return made


def test_defaults_come_from_the_diagnosis_and_are_told_so() -> None:
    """What nobody gave is what the diagnosis or the runbook says, with where it is from beside it."""
    entered = {each.parameter.name: each for each in draft().entered}
    assert entered["nodes"].text == "boromir,samwise,theoden"
    assert entered["nodes"].source == "from the diagnosis"
    assert (entered["soak"].text, entered["soak"].source) == ("30s", "default")
    assert draft(soak="1m").entered[1].source == "given"


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("nodes", "samwise,gollum", "nodes: the cluster has no node gollum; it has boromir, samwise, theoden"),
        ("nodes", "../etc", "nodes: '../etc' is no node's name"),
        ("soak", "soon", "soak: 'soon' is no time, such as 30s or 5m"),
        ("soak", "90000s", "soak: '90000s' is out of range: up to 3600 is asked for"),
        ("soak", "1m", ""),
        ("soak", "", ""),
        ("nodes", " samwise ", ""),
    ],
)
def test_what_is_given_is_held_against_what_is_asked_for(name: str, text: str, wrong: str) -> None:
    """One clear sentence says what is wrong; nothing given is the default."""
    assert draft().complaint(name, text, judged()) == wrong


def test_a_plan_that_cannot_be_made_says_why() -> None:
    """With a value that will not do there is no plan, and the sentence stands in its place."""
    made = draft(nodes="gollum")
    assert "no node gollum" in made.wrong
    text = said(view.review(RUNBOOK, made.plan, made.wrong, made.entered, "test", UNICODE))
    assert "✖ nodes: the cluster has no node gollum" in text
    made.give("nodes", "samwise")
    made.make(judged(), Found())
    assert made.plan is not None
    assert made.plan.nodes == ("samwise",)


def test_where_it_was_chosen_is_what_it_begins_with() -> None:
    """A runbook that was chosen for a node takes that node where it asks for those that were found."""
    from probes.rules.facts import node_ref  # noqa: PLC0415 - used once

    found = msgspec.structs.replace(RUNBOOK.parameters[0], source="found-nodes")
    narrow = msgspec.structs.replace(RUNBOOK, parameters=(found, *RUNBOOK.parameters[1:]))
    assert begin_with(narrow, node_ref("samwise"), judged()) == {"nodes": "samwise"}
    assert begin_with(narrow, node_ref("theoden"), judged()) == {}
    assert begin_with(RUNBOOK, node_ref("samwise"), judged()) == {}
    single = msgspec.structs.replace(narrow, parameters=(msgspec.structs.replace(found, type="node", name="node"),))
    assert begin_with(single, node_ref("theoden"), judged()) == {"node": "theoden"}


def test_plans_differ_in_what_they_do() -> None:
    """The moment a plan was made is no difference; a step, a consent or what is cleared is one."""
    plan = planned()
    assert not differs(plan, msgspec.structs.replace(plan, made_at=AT + 9))
    assert differs(plan, planned(nodes="samwise"))
    assert differs(plan, None)
    assert not differs(None, None)


def test_a_step_without_commands_says_what_it_is() -> None:
    """A note is its text, and a probe changes nothing."""
    from runbooks.actions import Note, Probe, Wait  # noqa: PLC0415 - used once

    def alone(action: Note | Probe | Wait) -> str:
        step = PlannedStep("01", "it", action, "", "", "", "", action.by_hand)
        return shown(msgspec.structs.replace(planned(), steps=(step,)))

    assert "All is well." in alone(Note("All is well."))
    assert "waits 1m30s" in alone(Wait(90.0))
    assert "looks anew, and changes nothing" in alone(Probe())
