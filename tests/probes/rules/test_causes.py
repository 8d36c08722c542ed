"""Causes: what explains what, what does not, and that nothing is lost by folding."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition, Container, Pod
from probes.model.observation import Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.causes import EDGES, Scene, fold_causes
from probes.rules.codes import RANK
from probes.rules.diagnose import diagnose
from probes.rules.facts import node_ref
from probes.rules.finding import Finding, Severity
from probes.rules.places import Places
from tests.probes.rules.overlays import World, both, facts, flat, link, unlink
from tests.probes.worlds import AT, healthy

DNS = "lookup github.com on 10.43.0.10:53: read udp 10.42.2.14:1->10.43.0.10:53: i/o timeout"
KEY = "ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain"
WEBHOOK = (
    'failed calling webhook "v.kyverno.svc": Post "https://kyverno-svc.kyverno.svc:443/x": context deadline exceeded'
)


def _pod(namespace: str, app: str, node: str) -> Pod:
    containers = (Container(app, ready=True),)
    return Pod(namespace, f"{app}-1", node=node, phase="Running", app=app, containers=containers, created_at=0.0)


def placed(coredns: str, source: str, kyverno: str = "") -> World:
    pods = [_pod("kube-system", "kube-dns", coredns), _pod("flux-system", "source-controller", source)]
    pods += [_pod("kyverno", "kyverno", kyverno)] if kyverno else []
    items = {f"{pod.namespace}/{pod.name}": pod for pod in pods}
    return lambda world: fold(world, [Observed("kube/pods", AT, Listed(items))])


def failing(message: str, kind: str = "GitRepository", name: str = "infra") -> World:
    ref = ObjectRef(kind, "flux-system", name)
    conditions = (Condition("Ready", "False", "GitOperationFailed", message, AT - 60),)
    item = FluxObject(ref, generation=1, observed_generation=1, conditions=conditions)
    return lambda world: fold(world, [Observed(f"kube/flux/{kind}", AT, Listed({f"{kind}/flux-system/{name}": item}))])


def roots(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [
        (f.code, f.subject.name)
        for f in diagnose(snapshot).findings
        if f.severity is not Severity.NOTE or f.worst is not Severity.NOTE
    ]


GONE = unlink("boromir", "flannel.1")
CASES: dict[str, tuple[World, list[tuple[str, str]]]] = {
    "the device under CoreDNS explains lookups from elsewhere": (
        both(GONE, placed("boromir", "theoden"), failing(DNS)),
        [("vxlan-link-missing", "boromir")],
    ),
    "and of source-controller's own node, with CoreDNS elsewhere": (
        both(GONE, placed("theoden", "boromir"), failing(DNS)),
        [("vxlan-link-missing", "boromir")],
    ),
    "not a deploy key that has expired": (
        both(GONE, placed("boromir", "theoden"), failing(KEY)),
        [("vxlan-link-missing", "boromir"), ("flux-source-auth", "infra")],
    ),
    "not lookups between two other nodes": (
        both(unlink("samwise", "flannel.1"), placed("boromir", "theoden"), failing(DNS)),
        [("vxlan-link-missing", "samwise"), ("cluster-dns-unanswered", "coredns")],
    ),
    "not a webhook on the API server's own node": (
        both(GONE, placed("theoden", "theoden", "boromir"), failing(WEBHOOK, "Kustomization", "apps")),
        [("vxlan-link-missing", "boromir"), ("flux-webhook-timeout", "apps")],
    ),
    "the device between a webhook and the API server": (
        both(GONE, placed("theoden", "theoden", "theoden"), failing(WEBHOOK, "Kustomization", "apps")),
        [("vxlan-link-missing", "boromir")],
    ),
    "a missing FDB entry between the two": (
        both(facts("theoden", fdb=()), placed("boromir", "theoden"), failing(DNS)),
        [("peer-fdb-missing", "theoden")],
    ),
    "two nodes at once stay two": (
        both(GONE, link("samwise", "flannel.1", address="02:00:00:00:00:99")),
        [("vxlan-link-missing", "boromir"), ("vxlan-mac-differs", "samwise")],
    ),
    "an MTU and a missing device stay two": (
        both(GONE, link("samwise", "eth0", mtu=1450)),
        [("vxlan-link-missing", "boromir"), ("uplink-mtu-differs", "overlay"), ("flannel-mtu-mismatch", "samwise")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_roots(case: str) -> None:
    """The roots, the worst and deepest first, and nothing that one of them explains."""
    world, expected = CASES[case]
    assert roots(world(healthy())) == expected


def test_the_way_from_the_device_to_flux() -> None:
    """The device, then CoreDNS behind it, then the lookup that fails: each beneath its cause."""
    (root,) = diagnose(both(GONE, placed("boromir", "theoden"), failing(DNS))(healthy())).findings
    dns = next(f for f in root.symptoms if f.code == "coredns-unreachable")
    assert [f.code for f in dns.symptoms] == ["flux-source-dns"]


_NODES = [node_ref(name) for name in ("boromir", "samwise", "theoden")]
_FINDINGS = st.builds(
    Finding,
    st.sampled_from(sorted(RANK)),
    st.sampled_from(list(Severity)),
    st.sampled_from([*_NODES, ObjectRef("Cluster", "", "overlay"), ObjectRef("GitRepository", "a", "b")]),
    st.just("said"),
    about=st.lists(st.sampled_from(["boromir", "samwise", "theoden"]), max_size=3).map(tuple),
)
_PLACES = Places(("boromir",), {"source-controller": ("theoden",), "kustomize-controller": ("samwise",)})


@given(st.lists(_FINDINGS, max_size=30))
def test_folding_loses_nothing(findings: list[Finding]) -> None:
    """Whatever is found, every finding is there once, roots are ordered, and no chain is a ring."""
    folded = fold_causes(findings, Scene(_PLACES, {}, ("boromir",)))
    keys = Counter((f.code, f.subject, f.severity) for f in findings)
    assert Counter((f.code, f.subject, f.severity) for f in flat(folded)) == keys
    assert [-f.worst for f in folded] == sorted(-f.worst for f in folded)


def test_no_code_explains_itself_in_two_steps() -> None:
    """The graph of codes has no ring of two: of two codes at most one may be the other's cause."""
    pairs = {(edge.cause, edge.effect) for edge in EDGES if not edge.cause.startswith(("flux-", "secret-"))}
    assert {(a, b) for a, b in pairs if (b, a) in pairs} == set()
