"""The verdict of a glance."""

import msgspec
import pytest

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition
from probes.model.network import Unit
from probes.model.observation import Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import Advice, diagnose
from probes.rules.finding import Severity, Verdict
from tests.probes.worlds import AT, healthy, with_network, with_node


def _flux(snapshot: Snapshot, **fields: object) -> Snapshot:
    ref = ObjectRef("GitRepository", "flux-system", "flux-system")
    item = msgspec.structs.replace(FluxObject(ref, generation=1, observed_generation=1), **fields)
    return fold(
        snapshot, [Observed("kube/flux/GitRepository", AT, Listed({"GitRepository/flux-system/flux-system": item}))]
    )


def test_a_healthy_cluster_is_healthy() -> None:
    """Nothing is cried about on a cluster that is as flannel makes it."""
    judged = diagnose(healthy())
    assert (judged.verdict, judged.findings, judged.broken_peers) == (Verdict.HEALTHY, (), ())


def test_nothing_observed_is_not_healthy() -> None:
    """Unknown is never green: with no node and no API answer the verdict says that nothing was assessed."""
    failed = [Failed("kube/nodes", AT, "connection refused", "unreachable")]
    assert diagnose(Snapshot()).verdict is Verdict.UNASSESSED
    assert diagnose(fold(Snapshot(), failed)).verdict is Verdict.UNASSESSED


def test_nodes_of_which_only_the_api_told_are_assessed_while_it_does() -> None:
    """With Nodes and no answer of theirs something is known; once the API fails as well, nothing is."""
    told = fold(Snapshot(), [Observed("kube/nodes", AT, Listed(dict(healthy().nodes)))])
    assert diagnose(told).verdict is not Verdict.UNASSESSED
    assert diagnose(fold(told, [Failed("kube/nodes", AT, "refused", "unreachable")])).verdict is Verdict.UNASSESSED
    assert diagnose(fold(Snapshot(), [Observed("kube/nodes", AT, Listed({}))])).verdict is Verdict.UNASSESSED
    failed = fold(healthy(), [Failed("kube/nodes", AT, "refused", "unreachable")])
    assert diagnose(failed).verdict is Verdict.CRITICAL


def test_a_finding_names_the_runbooks_that_the_catalog_has_for_it() -> None:
    """By its code; one without a runbook names none."""
    judged = diagnose(with_network(healthy(), "samwise", fdb=()), advice=Advice(runbooks={"peer-fdb-missing": ("x",)}))
    (problem,) = judged.findings
    assert (problem.runbooks, [each.runbooks for each in problem.symptoms]) == (("x",), [()])


def test_findings_are_counted_with_their_symptoms() -> None:
    """Of each severity, however deep they are folded."""
    judged = diagnose(with_network(healthy(), "samwise", fdb=()))
    assert [judged.count(severity) for severity in Severity] == [0, 1, 1]


def test_a_node_that_does_not_answer_is_a_warning() -> None:
    """A node whose facts are missing keeps the verdict from healthy, and names itself."""
    world = fold(healthy(), [Failed("node/theoden", AT, "no route to host", "unreachable")])
    judged = diagnose(world)
    assert judged.verdict is Verdict.WARNING
    assert [p.subject.name for p in judged.findings] == ["theoden"]


def test_a_missing_device_is_one_critical_problem_not_one_a_peer() -> None:
    """A node without flannel.1 says so once; its missing triples and what follows from them are folded beneath."""
    net = healthy().networks["samwise"]
    assert net.links is not None
    gone = tuple(link for link in net.links if link.ifname != "flannel.1")
    judged = diagnose(with_network(healthy(), "samwise", links=gone, routes=(), neighbors=(), fdb=(), udp=()))
    assert judged.verdict is Verdict.CRITICAL
    (problem,) = judged.findings
    assert (problem.code, problem.subject.name) == ("vxlan-link-missing", "samwise")
    assert "flannel.1 does not exist: no pod there reaches another node's pods" in problem.summary
    assert {s.code for s in problem.symptoms} == {
        "vxlan-port-not-listening",
        "vxlan-peerless",
        "peer-unreachable",
        "k3s-keeps-no-device",
    }


def test_an_incomplete_peer_is_critical_and_says_why() -> None:
    """A missing FDB entry names node, peer, leg and what was expected."""
    judged = diagnose(with_network(healthy(), "samwise", fdb=()))
    assert judged.verdict is Verdict.CRITICAL
    (problem,) = judged.findings
    assert problem.subject.name == "samwise"
    assert "no FDB entry for boromir and theoden" in problem.summary
    assert "to boromir: expected 12:c6:65:89:b4:00 dst 192.0.2.11; found none" in [e.excerpt for e in problem.evidence]


@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_a_node_that_is_not_ready_is_critical(status: str) -> None:
    """Both ways of not being Ready count."""
    judged = diagnose(with_node(healthy(), "theoden", conditions=(Condition("Ready", status, "KubeletNotReady"),)))
    assert judged.verdict is Verdict.CRITICAL


def test_a_stopped_unit_is_critical() -> None:
    """k3s that does not run is critical even while the kernel's state still stands."""
    unit = Unit("k3s-agent", "loaded", "failed", "failed")
    assert diagnose(with_network(healthy(), "theoden", unit=unit)).verdict is Verdict.CRITICAL


def test_a_learner_is_a_warning_and_a_voter_is_fine() -> None:
    """EtcdIsVoter is good when True: the opposite of a pressure condition."""
    ready = Condition("Ready", "True")
    voter = with_node(healthy(), "boromir", conditions=(ready, Condition("EtcdIsVoter", "True")))
    learner = with_node(healthy(), "boromir", conditions=(ready, Condition("EtcdIsVoter", "False", "MemberIsLearner")))
    assert diagnose(voter).verdict is Verdict.HEALTHY
    assert diagnose(learner).verdict is Verdict.WARNING


FLUX: dict[str, tuple[dict[str, object], Verdict]] = {
    "ready": ({"conditions": (Condition("Ready", "True"),)}, Verdict.HEALTHY),
    "failed": ({"conditions": (Condition("Ready", "False", "GitOperationFailed", "i/o timeout"),)}, Verdict.WARNING),
    "ready beside a failing fetch": (
        {"conditions": (Condition("Ready", "True"), Condition("FetchFailed", "True", "GitOperationFailed"))},
        Verdict.WARNING,
    ),
    "never reconciled": ({"conditions": ()}, Verdict.WARNING),
    "ready for an older generation": (
        {"conditions": (Condition("Ready", "True"),), "generation": 2},
        Verdict.WARNING,
    ),
    "suspended, with an old failure": (
        {"conditions": (Condition("Ready", "False", "GitOperationFailed"),), "suspended": True},
        Verdict.HEALTHY,
    ),
    "static": ({"conditions": (), "static": True}, Verdict.HEALTHY),
}


@pytest.mark.parametrize("case", FLUX)
def test_flux_conditions(case: str) -> None:
    """Ready alone is not believed: a failing fetch or an older generation behind it counts."""
    fields, expected = FLUX[case]
    assert diagnose(_flux(healthy(), **fields)).verdict is expected


def test_a_restricted_resource_is_a_warning_and_an_absent_one_is_not() -> None:
    """What we may not see may be broken; what is not installed cannot be."""
    absent = fold(healthy(), [Failed("kube/flux/Bucket", AT, "not installed", "absent")])
    restricted = fold(healthy(), [Failed("kube/pods", AT, "may not list pods", "restricted")])
    assert diagnose(absent).verdict is Verdict.HEALTHY
    assert diagnose(restricted).verdict is Verdict.WARNING


def test_only_the_nodes_asked_for_are_summed_up() -> None:
    """--nodes narrows the rows; the others still count as peers."""
    judged = diagnose(healthy(), only=("samwise",))
    assert [(row.name, row.peers_ok, row.peers_expected) for row in judged.nodes] == [("samwise", 2, 2)]


def test_an_unchanged_node_keeps_its_view() -> None:
    """A diagnosis after a change elsewhere judges only what changed, and comes to the same as one from nothing."""
    before = diagnose(healthy())
    changed = with_network(before.snapshot, "samwise", fdb=())
    after = diagnose(changed, before)
    assert after.views["boromir"] is before.views["boromir"]
    assert after.views["samwise"] is not before.views["samwise"]
    assert after.findings == diagnose(changed).findings


def test_a_new_peer_judges_every_node_again() -> None:
    """A node whose VTEP MAC changed is a wrong peer on all the others, whose own facts did not change."""
    before = diagnose(healthy())
    flannel = msgspec.structs.replace(before.snapshot.nodes["theoden"].flannel, vtep_mac="12:c6:65:89:b4:63")
    after = diagnose(with_node(before.snapshot, "theoden", flannel=flannel), before)
    (cause,) = after.findings
    assert (cause.code, cause.subject.name) == ("vxlan-mac-differs", "theoden")
    stale = {finding.subject.name for finding in cause.symptoms if finding.code == "peer-mac-stale"}
    assert stale == {"boromir", "samwise"}


@pytest.mark.parametrize("fact", ["links", "routes", "neighbors", "fdb", "udp", "unit", "subnet_env"])
def test_a_node_without_what_the_verdict_rests_on_is_not_healthy(fact: str) -> None:
    """Unknown is never green: a node that answers, but not about this, is a warning that names the fact."""
    judged = diagnose(with_network(healthy(), "samwise", **{fact: None}, unassessed={fact: "no such command"}))
    assert judged.verdict is Verdict.WARNING
    assert [(f.code, f.subject.name) for f in judged.findings] == [("node-unassessed", "samwise")]
    assert fact in judged.findings[0].summary


def test_a_minor_fact_that_is_lacking_is_only_unassessed() -> None:
    """Without root there is no net-conf; the overlay is known all the same."""
    world = with_network(healthy(), "samwise", unassessed={"net_conf": "needs root", "pod_netns": "needs root"})
    judged = diagnose(world)
    assert judged.verdict is Verdict.HEALTHY
    assert {gap.what for gap in judged.gaps} == {"net_conf", "pod_netns"}
