"""Every world of cases/worlds: all that is told of it, word by word, at once and bit by bit."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.model.kube import Lease
from probes.model.snapshot import NODE, Snapshot
from probes.rules.codes import RANK
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis, Severity
from tests.probes.rules.overlays import flat
from tests.probes.rules.told import Case, cases, told
from tests.probes.worlds import AT, NAMES, healthy, with_node

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.case}")
def test_all_that_is_told_of_a_world(case: Case) -> None:
    """Severity, code, subject and words of each finding, beneath its cause, and nothing else."""
    assert told(case) == case.told


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.case}")
def test_every_finding_can_be_checked(case: Case) -> None:
    """Each has evidence with a command or object, an excerpt and a vantage, and says what would refute it."""
    for finding in flat(diagnose(case.world).findings):
        assert finding.code in RANK
        assert finding.refutes, finding.code
        assert finding.evidence or finding.code == "peer-unreachable", finding.code
        assert all(quote.source and quote.excerpt and quote.vantage for quote in finding.evidence), finding.code


def _comparable(diagnosis: Diagnosis) -> object:
    views = [(name, view.summary, view.peers, view.findings) for name, view in diagnosis.views.items()]
    told = diagnosis.findings, diagnosis.verdict, diagnosis.gaps
    amiss = {name: view.findings for name, view in diagnosis.index.amiss.items()}
    index = {**msgspec.structs.asdict(diagnosis.index), "amiss": amiss}
    return told, diagnosis.pulls, diagnosis.flux, diagnosis.places, index, views


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda number: f"{CASES[number].family}: {CASES[number].case}"
)
def test_what_is_judged_bit_by_bit_is_as_if_judged_at_once(number: int) -> None:
    """A diagnosis that builds on another is the same: after health, after the case before, and back to health."""
    well, world = healthy(), CASES[number].world
    at_once = _comparable(diagnose(world))
    from_health = diagnose(world, diagnose(well))
    assert _comparable(from_health) == at_once
    assert _comparable(diagnose(world, diagnose(CASES[number - 1].world))) == at_once
    assert diagnose(well, from_health).findings == ()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.case}")
def test_the_order_in_which_things_arrived_does_not_matter(case: Case) -> None:
    """Nodes, objects and Events in reverse: the same findings with the same evidence in the same order."""
    fields = msgspec.structs.asdict(case.world)
    reverse = {name: dict(reversed(value.items())) for name, value in fields.items() if isinstance(value, dict)}
    turned = msgspec.structs.replace(case.world, **reverse)
    assert diagnose(turned).findings == diagnose(case.world).findings


WORLDS = [healthy(), *(case.world for case in CASES)]
FIELDS = ("nodes", "networks", "pods", "flux", "secrets", "leases", "pull_events", "secret_events", "probed")


def _worlds(field: str) -> st.SearchStrategy[Snapshot]:
    """Choose among the worlds that are not as health is in one field, and health."""
    usual = getattr(WORLDS[0], field)
    return st.sampled_from([WORLDS[0], *(world for world in WORLDS if getattr(world, field) != usual)])


_STEPS = st.lists(
    st.one_of(*(st.tuples(st.just(field), _worlds(field), st.sampled_from(NAMES)) for field in FIELDS)), max_size=8
)


def _taken(world: Snapshot, other: Snapshot, field: str, name: str) -> Snapshot:
    """Let a world become like another in one field, of nodes in what concerns one of them; time goes on."""
    now: dict[str, object] = {"at": world.at + 70}
    given = getattr(other, field)
    if field in {"nodes", "networks"}:
        rest = {key: value for key, value in getattr(world, field).items() if key != name}
        given = {**rest, name: given[name]} if name in given else rest
        now["sources"] = {**world.sources, f"{NODE}{name}": other.source(f"{NODE}{name}")}
    if field == "leases":
        given = {**given, name: Lease(name, world.at, 40)}
    return msgspec.structs.replace(world, **{field: given}, **now)


@pytest.mark.parametrize("number", range(1, len(CASES)))
def test_one_field_that_changes_alone_is_judged_as_if_judged_at_once(number: int) -> None:
    """From one case to the next in pods, objects or Events only, all else the same objects as before."""
    one, other = CASES[number - 1].world, CASES[number].world
    for field in ("pods", "flux", "secrets", "pull_events", "secret_events", "probed"):
        after = msgspec.structs.replace(one, **{field: getattr(other, field)})
        assert _comparable(diagnose(after, diagnose(one))) == _comparable(diagnose(after)), field


def test_time_alone_ends_a_grace() -> None:
    """What a new node lacks is a note until it has had its time, though nothing about it is told anew."""
    world = with_node(healthy(), "theoden", pod_cidrs=(), created_at=AT - 100)
    young = diagnose(world)
    later = diagnose(msgspec.structs.replace(world, at=AT + 30), young)
    assert [(f.code, f.severity) for f in young.findings] == [("pod-cidr-missing", Severity.NOTE)]
    assert [(f.code, f.severity) for f in later.findings] == [("pod-cidr-missing", Severity.WARNING)]


def test_an_agent_that_becomes_a_server_goes_before_the_others() -> None:
    """Servers come first, then names, at whatever time a node came to be one."""
    before = diagnose(healthy())
    after = diagnose(with_node(before.snapshot, "theoden", node_args=("server",)), before)
    assert [*before.views] == ["boromir", "samwise", "theoden"]
    assert [*after.views] == ["boromir", "theoden", "samwise"]


@settings(max_examples=60)
@given(_STEPS)
def test_a_chain_of_changes_is_judged_as_if_judged_at_once(steps: list[tuple[str, Snapshot, str]]) -> None:
    """Whatever nodes, pods and objects change, come and go one after the other: nothing old is left, nothing lacks."""
    world = healthy()
    judged = diagnose(world)
    for field, other, name in steps:
        world = _taken(world, other, field, name)
        judged = diagnose(world, judged)
        assert _comparable(judged) == _comparable(diagnose(world))
