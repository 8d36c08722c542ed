"""What is found about CoreDNS, the Flux controllers, and lookups that nobody answers."""

import msgspec
import pytest

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition, Container, Pod
from probes.model.network import Resolvers
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.dns import judge_lookups
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.places import Places, places_of
from probes.rules.resolvers import K3S
from probes.rules.workloads import is_ready, judge_workloads
from tests.probes.worlds import AT, healthy, with_network, with_node

NOW = 10_000.0


def _pod(app: str, node: str = "samwise", *, ready: bool = True, age: float = 9000.0, **changes: object) -> Pod:
    namespace = "kube-system" if app == "kube-dns" else "flux-system"
    waiting = "" if ready else "CrashLoopBackOff"
    made = Pod(
        namespace,
        f"{app}-{node or 'nowhere'}",
        node=node,
        phase="Running" if ready else "Pending",
        created_at=NOW - age,
        app=app,
        containers=(Container("main", "ghcr.io/x/y:1", ready=ready, waiting_reason=waiting),),
    )
    return msgspec.structs.replace(made, **changes)


def _places(*pods: Pod) -> Places:
    return places_of({f"{pod.namespace}/{pod.name}": pod for pod in pods})


def _found(*pods: Pod) -> list[tuple[str, str, Severity]]:
    return [(one.code, one.subject.name, one.severity) for one in judge_workloads(_places(*pods), NOW, AT)]


def test_ready_pods_are_no_news() -> None:
    """Nothing is found where all is ready, nor where there are no such pods at all."""
    assert _found() == []
    assert _found(_pod("kube-dns"), _pod("source-controller"), _pod("wiki", ready=False)) == []


def test_coredns_without_a_ready_pod_is_critical() -> None:
    """No name of the cluster is answered; with another one that is ready some are."""
    assert _found(_pod("kube-dns", ready=False)) == [("coredns-not-ready", "coredns", Severity.CRITICAL)]
    some = _found(_pod("kube-dns", ready=False), _pod("kube-dns", "theoden"))
    assert some == [("coredns-not-ready", "coredns", Severity.WARNING)]


@pytest.mark.parametrize("app", ["source-controller", "kustomize-controller", "helm-controller"])
def test_a_flux_controller_that_is_not_ready_is_a_warning(app: str) -> None:
    """What it looks after stays as it is."""
    assert _found(_pod(app, ready=False)) == [("flux-controller-not-ready", app, Severity.WARNING)]


def test_a_new_pod_is_given_its_time() -> None:
    """Up to two minutes after it was made a pod that is not ready is a note; one whose age is not known is not."""
    assert _found(_pod("kube-dns", ready=False, age=120.0))[0][2] is Severity.NOTE
    assert _found(_pod("kube-dns", ready=False, age=121.0))[0][2] is Severity.CRITICAL
    assert _found(_pod("kube-dns", ready=False, created_at=None))[0][2] is Severity.CRITICAL


def test_a_pod_that_leaves_or_is_done_is_not_waited_for() -> None:
    """A rolling restart has pods that are deleted, a Job ones that are done."""
    assert _found(_pod("kube-dns", ready=False, deleting=True)) == []
    assert _found(_pod("kube-dns", ready=False, phase="Failed")) == []


def test_what_a_pod_waits_for_is_said() -> None:
    """The sentence has the place and the reason."""
    (finding,) = judge_workloads(_places(_pod("source-controller", "", ready=False)), NOW, AT)
    assert finding.summary == (
        "source-controller is not ready, on no node yet: main waits: CrashLoopBackOff; "
        "what it looks after stays as it is"
    )
    (finding,) = judge_workloads(_places(_pod("kube-dns", phase="Pending", containers=())), NOW, AT)
    assert finding.summary == (
        "coredns is not ready on samwise: phase Pending, 0 restarts; no name of the cluster is answered"
    )
    assert finding.about == ("samwise",)


def test_a_pod_without_containers_told_is_taken_at_its_phase() -> None:
    """Unknown containers do not make a running pod unready."""
    assert is_ready(_pod("kube-dns", containers=()))
    assert not is_ready(_pod("kube-dns", phase="Pending", containers=()))


_SAID = "dial tcp: lookup github.com on 10.43.0.10:53: read udp 10.42.1.14:5->10.43.0.10:53: i/o timeout"


def _complaint(code: str = "flux-source-dns", said: str = _SAID) -> Finding:
    return Finding(code, Severity.WARNING, ObjectRef("GitRepository", "ns", "a"), "", (Evidence("x", said, "API", AT),))


def test_lookups_that_nothing_explains_are_one_finding() -> None:
    """The cluster's DNS is named once, with where CoreDNS runs and every complaint."""
    (finding,) = judge_lookups([_complaint(), _complaint("secret-store-dns")], _places(_pod("kube-dns")), AT)
    assert (finding.code, finding.about) == ("cluster-dns-unanswered", ("samwise",))
    assert finding.summary == ("10.43.0.10 does not answer pods' lookups: CoreDNS runs on samwise")
    assert [quote.excerpt for quote in finding.evidence][:2] == [_SAID, _SAID]


@pytest.mark.parametrize("code", ["coredns-unreachable", "coredns-not-ready"])
def test_lookups_that_are_explained_are_none(code: str) -> None:
    """Where CoreDNS is known to be cut off or not ready, nothing is left to wonder at; a note explains nothing."""
    known = _complaint(code, "")
    assert list(judge_lookups([_complaint(), known], Places(), AT)) == []
    note = msgspec.structs.replace(known, severity=Severity.NOTE)
    assert len(list(judge_lookups([_complaint(), note], Places(), AT))) == 1


def test_a_nodes_own_lookup_is_another_matter() -> None:
    """containerd asks the node's resolvers, not CoreDNS; an answer that there is no such name is an answer."""
    assert list(judge_lookups([_complaint("image-pull-dns")], Places(), AT)) == []
    said = "lookup githib.com on 10.43.0.10:53: no such host"
    assert list(judge_lookups([_complaint(said=said)], Places(), AT)) == []
    assert list(judge_lookups([], Places(), AT)) == []


def _world(*pods: Pod, **flux: FluxObject) -> Snapshot:
    keyed = {f"{f.ref.kind}/{f.ref.namespace}/{f.ref.name}": f for f in flux.values()}
    return msgspec.structs.replace(
        healthy(), at=NOW, pods={f"{pod.namespace}/{pod.name}": pod for pod in pods}, flux=keyed
    )


def _source(said: str) -> FluxObject:
    ref = ObjectRef("GitRepository", "flux-system", "a")
    return FluxObject(ref, conditions=(Condition("Ready", "False", "GitOperationFailed", said),))


def _tree(world: Snapshot) -> list[tuple[str, list[str]]]:
    return [(root.code, [symptom.code for symptom in root.symptoms]) for root in diagnose(world).findings]


def test_lookups_fold_beneath_what_explains_them() -> None:
    """CoreDNS that is not ready, else the DNS that does not answer, explains a source that cannot look up its host."""
    source = _source(_SAID)
    assert _tree(_world(_pod("kube-dns", ready=False), a=source)) == [("coredns-not-ready", ["flux-source-dns"])]
    assert _tree(_world(_pod("kube-dns"), a=source)) == [("cluster-dns-unanswered", ["flux-source-dns"])]


def test_an_expired_key_is_nobodys_symptom() -> None:
    """DNS that fails does not explain a refusal."""
    assert _tree(_world(_pod("kube-dns", ready=False), a=_source("authentication required: no"))) == [
        ("coredns-not-ready", []),
        ("flux-source-auth", []),
    ]


def test_a_controller_folds_beneath_its_image_and_its_node() -> None:
    """A controller that cannot run is explained by the image it waits for, and by the node it is on."""
    said = 'Back-off pulling image "ghcr.io/x/y:1": ErrImagePull: net/http: TLS handshake timeout'
    stuck = Container("main", "ghcr.io/x/y:1", waiting_reason="ImagePullBackOff", waiting_message=said)
    assert _tree(_world(_pod("source-controller", ready=False, containers=(stuck,)))) == [
        ("image-pull-timeout", ["flux-controller-not-ready"])
    ]
    world = with_node(
        _world(_pod("source-controller", ready=False)), "samwise", conditions=(Condition("Ready", "Unknown"),)
    )
    assert ("node-not-ready", ["flux-controller-not-ready"]) in _tree(world)


def test_what_a_controller_left_undone_folds_beneath_it() -> None:
    """An object that nobody looks at is explained by a controller that does not run."""
    new = FluxObject(ObjectRef("GitRepository", "flux-system", "a"))
    assert _tree(_world(_pod("source-controller", ready=False), a=new)) == [
        ("flux-controller-not-ready", ["flux-never-handled"])
    ]


def test_a_name_that_is_unknown_folds_beneath_a_fallback() -> None:
    """8.8.8.8 knows no private names; it matters where CoreDNS runs."""
    source = _source("lookup git.lan on 10.43.0.10:53: no such host")
    world = with_network(_world(_pod("kube-dns"), a=source), "samwise", resolvers=(Resolvers(K3S, ("8.8.8.8",)),))
    assert ("resolver-fallback", ["flux-source-no-such-host"]) in _tree(world)
