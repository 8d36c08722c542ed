"""What templates may say: numbers that are added to, facts of objects, and which steps are in a plan at all."""

import msgspec
import pytest

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition as KubeCondition
from probes.model.observation import Listed, Observed
from probes.model.secrets import SecretObject
from probes.model.snapshot import Snapshot, fold
from runbooks.actions import Drain, Note, Patch, SetLinkMtu
from runbooks.facts import Found
from runbooks.parameters import PlanError
from runbooks.plan import Plan, plan
from runbooks.reading import RunbookError
from runbooks.runbook import Runbook
from tests.probes.worlds import AT, with_network
from tests.runbooks.worlds import diagnosis, runbook, running

MTU = "parameters:\n  mtu: {type: int, about: x, default: 1450}\n"
OBJECT = (
    "fixes: [flux-fetch-timeout, flux-source-auth]\n"
    "parameters:\n  object: {type: object, from: found-objects, about: x}\n"
)
SHOP = ObjectRef("GitRepository", "flux-system", "shop")


def failing(message: str = "context deadline exceeded") -> Snapshot:
    """Make a cluster with one Git source that fails to be fetched."""
    said = KubeCondition("Ready", "False", "GitOperationFailed", message, changed_at=AT - 300)
    failed = msgspec.structs.replace(said, type="FetchFailed", status="True")
    shop = FluxObject(SHOP, url="https://git.example.org/shop.git", revision="main@sha1:1", conditions=(said, failed))
    return fold(running(), [Observed("kube/flux/GitRepository", AT, Listed({"GitRepository/flux-system/shop": shop}))])


def made(book: Runbook, snapshot: Snapshot | None = None, found: Found | None = None, **given: str) -> Plan:
    return plan(book, given, diagnosis(snapshot), run="r-1", now=AT, found=found)


def test_a_number_is_added_to_or_taken_from() -> None:
    """What flannel takes off an MTU, a runbook can."""
    book = runbook(
        "  - set-link-mtu: {node: samwise, ifname: flannel.1, mtu: '${mtu - 50}'}\n    why: ${mtu + 1}\n"
        "    gate: {must: [api]}\n",
        MTU,
    )
    step = made(book).steps[0]
    assert isinstance(step.action, SetLinkMtu)
    assert (step.action.mtu, step.why) == (1400, "1451")


def test_what_is_no_number_is_not_added_to() -> None:
    """A text in such a hole is one sentence with the step's line."""
    head = "parameters:\n  word: {type: text, about: x, default: much}\n"
    with pytest.raises(PlanError, match=r"mine\.yaml:6: \$\{word\} is 'much', no number that 50 could be added to"):
        made(runbook("  - note: '${word - 50}'\n", head))


@pytest.mark.parametrize("hole", ["${mtu * 2}", "${MTU}", "${mtu-50}", "${mtu - 50", "${}"])
def test_what_looks_like_a_hole_and_is_none_is_refused(hole: str) -> None:
    """It would otherwise stand in a file or a command as it is written."""
    with pytest.raises(RunbookError, match=r"mine\.yaml:6: "):
        runbook(f"  - note: '{hole}'\n", MTU)


def test_facts_of_an_object() -> None:
    """A Flux object's URL, host and revision; of an External Secret when it was refreshed and what it writes."""
    book = runbook("  - note: '${object.url} ${object.host} ${object.revision} ${object.web}'\n", OBJECT)
    said = made(book, failing()).steps[0].action
    assert isinstance(said, Note)
    assert said.text == (
        "https://git.example.org/shop.git git.example.org main@sha1:1 https://git.example.org/shop.git"
    )
    never = SecretObject(ObjectRef("ExternalSecret", "shop", "db"), target="db")
    snapshot = fold(running(), [Observed("kube/secrets/ExternalSecret", AT, Listed({"ExternalSecret/shop/db": never}))])
    book = runbook("  - note: '${object.refreshed} ${object.target}'\n", OBJECT)
    said = made(book, snapshot, object="ExternalSecret/shop/db").steps[0].action
    assert isinstance(said, Note)
    assert said.text == "never db"
    with pytest.raises(PlanError, match="the url of ExternalSecret/shop/db is not known"):
        made(runbook("  - note: '${object.url}'\n", OBJECT), snapshot, object="ExternalSecret/shop/db")


def test_an_empty_parameter_fills_no_hole() -> None:
    """An optional parameter that was left empty makes no plan where its value is needed."""
    book = runbook("  - note: 'x${url}'\n", "parameters:\n  url: {type: url, about: x, optional: true}\n")
    with pytest.raises(PlanError, match="give --set url="):
        made(book)


def test_a_choice_goes_by_what_is_found() -> None:
    """By the finding of the very object; what was given is kept; with no such finding the default stands."""
    head = OBJECT + (
        "  how: {type: choice, choices: [poke, secret, wait], default: poke, about: x,\n"
        "        by-finding: {flux-source-auth: secret, flux-fetch-timeout: wait}}\n"
    )
    book = runbook("  - note: '${how}'\n", head)
    assert made(book, failing()).parameters["how"] == "wait"
    assert made(book, failing("authentication required: no")).parameters["how"] == "secret"
    assert made(book, failing(), how="poke").parameters["how"] == "poke"
    assert made(book, failing(), object="GitRepository/flux-system/other").parameters["how"] == "poke"


def test_only_decides_which_steps_a_plan_has() -> None:
    """By a parameter, by a fact of the node's host, and by what is found about the node."""
    steps = (
        "  - for-each: node\n    of: nodes\n    steps:\n"
        "      - only: {'${node.host.network}': [netplan, networkd]}\n        note: a ${node}\n"
        "      - only: {found: [subnet-env-missing]}\n        note: b ${node}\n"
        "      - only: {'${how}': [x], found: [subnet-env-missing]}\n        note: c ${node}\n"
    )
    head = (
        "parameters:\n  nodes: {type: nodes, from: all-nodes, about: x}\n"
        "  how: {type: choice, choices: [x, y], default: y, about: x}\n"
    )
    found = Found({name: {"network": "netplan" if name == "theoden" else "other"} for name in running().nodes})
    broken = with_network(running(), "samwise", subnet_env=None)
    planned = made(runbook(steps, head), broken, found)
    assert [step.action.text for step in planned.steps if isinstance(step.action, Note)] == ["b samwise", "a theoden"]
    planned = made(runbook(steps, head), broken, found, how="x", nodes="samwise")
    assert [step.id for step in planned.steps] == ["01-note", "02-note"]
    with pytest.raises(PlanError, match="mine has nothing to do"):
        made(runbook(steps, head), broken, found, nodes="boromir")
    with pytest.raises(PlanError, match=r"the host\.network of samwise is not known"):
        made(runbook(steps, head), broken, nodes="samwise")


@pytest.mark.parametrize(
    ("only", "said"),
    [("{always: [x]}", "'always' is always the same"), ("{found: [mood]}", "'mood' is no finding"), ("[x]", "mapping")],
)
def test_an_only_that_cannot_decide_is_refused(only: str, said: str) -> None:
    """With its line."""
    with pytest.raises(RunbookError, match=rf"mine\.yaml:4: .*{said}"):
        runbook(f"  - only: {only}\n    note: x\n")


def test_a_file_is_shown_as_a_diff() -> None:
    """Against what is there, where that was read; a file that is not there is all new."""
    head = MTU
    book = runbook(
        '  - write-file: {node: samwise, path: /etc/x.conf, content: "a\\nMTU=${mtu}\\n"}\n    why: x\n', head
    )
    assert made(book).steps[0].diff.splitlines()[1:] == ["@@ -0,0 +1,2 @@", "+a", "+MTU=1450"]
    found = Found(files={"samwise": {"/etc/x.conf": "a\nMTU=1500\n"}})
    shown = made(book, None, found).steps[0].diff.splitlines()
    assert shown == ["--- samwise:/etc/x.conf", "@@ -1,2 +1,2 @@", " a", "-MTU=1500", "+MTU=1450"]


def test_a_merge_patch_takes_facts() -> None:
    """A value within a patch is filled like any other."""
    book = runbook(
        "  - patch:\n      target: {kind: Node, name: x}\n      patch: {spec: {a: '${object.host}'}}\n    why: x\n",
        OBJECT,
    )
    action = made(book, failing()).steps[0].action
    assert isinstance(action, Patch)
    assert action.patch == {"spec": {"a": "git.example.org"}}


def test_pods_of_another_mtu_are_named_one_by_one() -> None:
    """By hand, each is evicted by name, so that budgets are heeded; one without a controller stays."""
    network = running().networks["samwise"]
    netns = network.pod_netns or ()
    assert netns
    book = runbook(
        "  - drain: {node: samwise, keep-mtu: '${mtu}'}\n    why: x\n    gate: {must: [{pods-mtu: {mtu: '${mtu}'}}]}\n",
        MTU,
    )
    step = made(book, mtu="1450").steps[0]
    assert isinstance(step.action, Drain)
    assert step.by_hand == ("# no pod on samwise has another MTU than 1450 now",)
