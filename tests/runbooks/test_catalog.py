"""The catalog: what each runbook does in which case is held against files; codes, pages and incidents meet."""

import re
from functools import cache
from pathlib import Path

import pytest

import lab.incident
from probes.rules.codes import RANK
from probes.rules.manual import pages
from runbooks.actions import Annotate, Drain, Patch, ReconcileFlux, RestartUnit, Run, WriteFile
from runbooks.conditions import KINDS
from runbooks.parameters import PlanError, read_value
from runbooks.plan import Plan, plan
from runbooks.runbook import Runbook
from runbooks.schema import parse
from runbooks.shelf import catalog
from tests.runbooks.golden import CASES, FOLDER, healthy, made, source_failing, text_of
from tests.runbooks.worlds import diagnosis

ROOT = Path(__file__).parents[2]
BOOKS = catalog().runbooks
ONLY_PROBES_TELL = {"egress-mtu-blackhole", "egress-loss"}
"""Codes that incidents name and that are no rule's over what is observed: only packets that are sent show them."""


@cache
def planned(name: str) -> Plan:
    return made(CASES[name])


@pytest.mark.parametrize("name", CASES)
def test_a_plan_is_just_that(name: str) -> None:
    """The exact commands, files, conditions and promises of each runbook, in its worlds and the demo's incidents."""
    assert text_of(planned(name)) == (FOLDER / f"{name}.txt").read_text()


def test_every_runbook_has_a_case_and_every_file_one() -> None:
    """No runbook is untried, no file is left over."""
    assert {case.runbook for case in CASES.values()} == set(BOOKS)
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(CASES)


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_codes_are_those_of_the_rules(book: Runbook) -> None:
    """What a runbook fixes, leaves and clears is a finding with a page, and what it fixes it clears or explains."""
    clears = {code for group in book.groups for step in group.steps for code in step.clears}
    for code in (*book.fixes, *book.leaves, *clears):
        assert code in RANK
        assert code in pages()
    assert book.fixes
    assert set(book.fixes) <= clears | set(book.leaves)
    assert not clears & set(book.leaves)


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_a_runbook_says_what_it_is(book: Runbook) -> None:
    """Title, what for, what to expect, each parameter's meaning, and every step's name; docs/runbooks.md has it."""
    assert book.about
    assert book.expect
    assert all(each.about for each in book.parameters)
    assert all(step.name != step.do for group in book.groups for step in group.steps)
    assert f"### {book.name}" in (ROOT / "docs/runbooks.md").read_text()


@pytest.mark.parametrize("name", [name for name in lab.incident.names() if name != "healthy"])
def test_every_incident_of_the_demo_can_be_mended(name: str) -> None:
    """What an incident is to show is a finding or what probes show, and some runbook fixes one of them."""
    expects = set(lab.incident.load(name).expects)
    assert expects <= set(RANK) | ONLY_PROBES_TELL
    assert [book.name for book in BOOKS.values() if expects & set(book.fixes)]


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_defaults_are_values_of_their_type(book: Runbook) -> None:
    """A default that its own type refuses would make no plan."""
    for each in book.parameters:
        if each.default is not None:
            read_value(each, each.default, diagnosis())
        for value in each.by_finding.values():
            assert value in each.choices


def test_a_source_controller_that_cannot_fetch_is_left_running() -> None:
    """Nothing in the catalog restarts it; pods are evicted from its node only once every source is fetched."""
    for name in CASES:
        text = (FOLDER / f"{name}.txt").read_text()
        assert not re.search(r"\$ .*(rollout restart|delete pod|scale).*source-controller", text), name
        assert "k3s-killall" not in text, name
    for book in BOOKS.values():
        for step in (step for group in book.groups for step in group.steps):
            if step.do == "drain":
                assert [each.kind for each in step.before] == ["sources-safe"], book.name
            if step.do == "patch":
                assert step.fields["target"]["kind"] in {"Deployment", "Secret", "${object.kind}"}
    poke = planned("flux-poke")
    assert not [s for s in poke.steps if not isinstance(s.action, ReconcileFlux) and s.writes]


def test_what_a_secret_holds_is_in_no_plan() -> None:
    """The only Secret that is written gets a public host key, and registries.yaml is never read."""
    for name, case in CASES.items():
        for step in planned(name).steps if not case.incident else ():
            if isinstance(step.action, Patch) and step.action.target.kind == "Secret":
                assert list(step.action.patch) == ["stringData"], name
                assert list(step.action.patch["stringData"]) == ["known_hosts"], name
    for step in planned("mirror").steps:
        assert "auth" not in str(step.by_hand) + step.diff


def test_the_device_is_deleted_only_where_flannel_would_stumble() -> None:
    """Not for one that is missing, down or peerless."""
    for name, case in CASES.items():
        if case.runbook == "restore-vxlan" and not case.incident:
            deleted = [s for s in planned(name).steps if isinstance(s.action, Run)]
            assert bool(deleted) == ("mac" in name), name


def test_an_mtu_is_lowered_above_first_and_raised_below_first() -> None:
    """On all nodes the device gets smaller before any uplink does, and larger only after every uplink did."""
    order = [
        (step.action.ifname, bool(step.when)) for step in planned("mtu-lowered").steps if hasattr(step.action, "ifname")
    ]
    assert order == [("flannel.1", True)] * 3 + [("eth0", False)] * 3 + [("flannel.1", False)] * 3


def test_nixos_is_shown_and_not_written() -> None:
    """A host whose /etc is built from its configuration gets a diff to paste and no file below /etc."""
    for name in ("mtu-shown-only", "restore-other-mac-nixos", "offload-off"):
        shown = planned(name)
        nixos = {"mtu-shown-only": "boromir", "restore-other-mac-nixos": "theoden", "offload-off": "theoden"}[name]
        assert not [s for s in shown.steps if isinstance(s.action, WriteFile) and s.node == nixos]
        assert [s for s in shown.steps if nixos in getattr(s.action, "text", "")]


def test_a_remedy_that_needs_more_is_not_planned_without() -> None:
    """Another URL, or a host key, has to be given."""
    for remedy, wanted in (("url", "url"), ("mirror", "url"), ("host-key", "host-key")):
        seen = diagnosis(source_failing("context deadline exceeded")())
        with pytest.raises(PlanError, match=f"give --set {wanted}="):
            plan(BOOKS["flux-source-stuck"], {"remedy": remedy}, seen, run="r", now=0)


@pytest.mark.parametrize(
    "value",
    ["https://m/\\ne reboot", "https://m/';reboot", 'https://m/"', "https://m/ x", "https://m/\nx", "file:///x"],
)
def test_a_mirror_stays_a_url(value: str) -> None:
    """What goes into a file by sed has neither quotes nor backslashes nor line ends."""
    with pytest.raises(PlanError):
        plan(BOOKS["registry-mirror"], {"mirror": value}, diagnosis(healthy()), run="r", now=0)


def test_runbooks_of_the_catalog_are_read_as_users_would_write_them() -> None:
    """Each file by itself, with no help from the others."""
    for path in sorted((ROOT / "runbooks/catalog").glob("*.yaml")):
        assert parse(path.read_text(), path.name).name == path.stem


def test_nothing_that_writes_goes_unseen() -> None:
    """Every step that disrupts has a gate that can fail; one that asks a controller waits for its answer."""
    for book in BOOKS.values():
        for step in (step for group in book.groups for step in group.steps):
            if step.do in {RestartUnit.__struct_config__.tag, Drain.__struct_config__.tag, "run", "set-link-mtu"}:
                assert step.gate is not None
                assert [each for each in step.gate.conditions if each.kind != "api"]
            if step.do in {ReconcileFlux.__struct_config__.tag, Annotate.__struct_config__.tag}:
                assert step.gate is not None
                assert step.gate.conditions[0].absolute
                assert KINDS[step.gate.conditions[0].kind]
