"""dns: whether the pods that answer names can be reached, and from where."""

from collections.abc import Iterator, Mapping
from typing import Final

from probes.model.flux import ObjectRef
from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.finding import Evidence, Finding, NodeView, Severity
from probes.rules.peering import CUTTING
from probes.rules.places import Places

COREDNS: Final = ObjectRef("Deployment", "kube-system", "coredns")
_CUT: Final = CUTTING | {"vxlan-peerless"}


def judge_coredns(views: Mapping[str, NodeView], places: Places, at: float | None) -> Iterator[Finding]:
    """Judge whether CoreDNS is behind a node that no other node reaches."""
    hosts = sorted(set(places.coredns))
    cut = [host for host in hosts if host in views and _is_cut(views[host])]
    if not cut or len(views) == 1:
        return
    whole = [host for host in hosts if host not in cut]
    others = [name for name in views if name not in cut]
    only = "its only pod is" if len(places.coredns) == 1 else "all of its pods are"
    if whole:
        said = (
            f"{len(cut)} of {len(hosts)} nodes with CoreDNS are cut off: a part of all lookups from elsewhere times out"
        )
    else:
        said = f"no pod outside {listed(cut)} can look up a name: {only} there, and the overlay to it is down"
    seen = tuple(
        Evidence("kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide", f"CoreDNS on {host}", "API", at)
        for host in hosts[:MOST_EVIDENCE]
    )
    yield Finding(
        "coredns-unreachable",
        Severity.WARNING if whole else Severity.CRITICAL,
        COREDNS,
        said,
        seen,
        "nslookup kubernetes.default from a pod on another node is answered",
        detail=f"Not reached from {listed(others)}. CoreDNS itself is healthy: restarting it changes nothing.",
        about=tuple(cut),
    )


def _is_cut(view: NodeView) -> bool:
    return any(finding.code in _CUT and finding.severity is Severity.CRITICAL for finding in view.findings)
