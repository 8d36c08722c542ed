"""dns: whether the pods that answer names can be reached, and from where."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from probes.model.flux import ObjectRef
from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.failures import failure_of
from probes.rules.finding import Evidence, Finding, NodeView, Severity
from probes.rules.peering import CUTTING
from probes.rules.places import Places

COREDNS: Final = ObjectRef("Deployment", "kube-system", "coredns")
_CUT: Final = CUTTING | {"vxlan-peerless"}


def judge_coredns(views: Mapping[str, NodeView], places: Places, at: float | None) -> Iterator[Finding]:
    """Judge whether CoreDNS is behind a node that no other node reaches."""
    hosts = sorted(set(places.coredns))
    cut = [host for host in hosts if host in views and _is_cut(views[host])]
    if not cut or len(cut) == len(views):
        return
    others = [name for name in views if name not in cut]
    whole = [host for host in hosts if host not in cut]
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


_LOOKUPS: Final = frozenset({"flux-source-dns", "secret-store-dns"})
"""What is found where a pod's lookup was not answered; a node's own, as for images, is another matter."""
_KNOWN: Final = frozenset({"coredns-unreachable", "coredns-not-ready"})


def judge_lookups(found: Iterable[Finding], places: Places, at: float | None) -> Iterator[Finding]:
    """Name the cluster's DNS where pods complain of it and nothing that was found explains why.

    ``found``: all other findings. The address after "on" in "lookup NAME on ADDRESS:53" is whom Go asked.
    """
    quotes: dict[str, list[Evidence]] = {}
    askers: dict[str, set[str]] = {}
    for finding in found:
        if finding.code in _KNOWN and finding.severity is not Severity.NOTE:
            return
        if finding.code in _LOOKUPS:
            for quote in finding.evidence:
                failure = failure_of(quote.excerpt)
                if failure is not None and failure.kind == "dns" and failure.resolver:
                    quotes.setdefault(failure.resolver, []).append(quote)
                    askers.setdefault(failure.resolver, set()).update(places.keepers(finding.subject))
    for resolver, seen in quotes.items():
        yield _unanswered(resolver, seen, askers[resolver], places, at)


def _unanswered(resolver: str, seen: list[Evidence], askers: set[str], places: Places, at: float | None) -> Finding:
    hosts = sorted(set(places.coredns))
    where = f"CoreDNS runs on {listed(hosts)}" if hosts else "where CoreDNS runs is not known"
    told = Evidence("kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide", where, "API", at)
    return Finding(
        "cluster-dns-unanswered",
        Severity.WARNING,
        COREDNS,
        f"{resolver} does not answer pods' lookups: {where}",
        (*seen[: MOST_EVIDENCE - 1], told),
        "nslookup kubernetes.default from a pod on the controller's node is answered, ten times out of ten",
        detail="The last attempts may be a quarter of an hour old. Compare CoreDNS's pod address with the service "
        "address from the same pod: the one answered and the other not is kube-proxy or checksum offload on "
        "flannel.1, neither is the way.",
        about=(*hosts[:MOST_EVIDENCE], *sorted(askers.difference(hosts))[:MOST_EVIDENCE]),
    )
