"""Causes: which finding explains which, declared; roots come first, and what they explain is folded beneath them.

An edge says where a cause of the one must be for it to explain the other: on the same node, on the nodes that a name
lookup crosses, and so on. What no edge connects stays apart: a missing device does not explain an expired deploy key.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from probes.model.flux import FluxObject, ObjectRef
from probes.model.secrets import SecretObject
from probes.model.summary.pulls import WAITING, registry_of
from probes.rules.codes import FAMILIES, RANK
from probes.rules.dns import COREDNS
from probes.rules.facts import OVERLAY, node_ref
from probes.rules.finding import Finding
from probes.rules.images import EGRESS
from probes.rules.outside import is_outside
from probes.rules.peering import CUTTING
from probes.rules.places import Places, controller_of
from probes.rules.workloads import deployment_of


class Scene(msgspec.Struct, frozen=True):
    """What tells where a cause of a finding may be."""

    places: Places = Places()
    flux: Mapping[str, FluxObject] = {}
    servers: tuple[str, ...] = ()
    """The nodes with an API server."""
    secrets: Mapping[str, SecretObject] = {}
    api: tuple[str, ...] = ()
    """The nodes that the API's address may lead to."""
    half_changed: frozenset[str] = frozenset()
    """The nodes on which an MTU was changed in some places and not in others."""


Where = Callable[[Finding, Scene], Iterable[ObjectRef]]


class Edge(msgspec.Struct, frozen=True):
    """A finding of ``cause`` explains one of ``effect`` if its subject is where ``where`` says."""

    cause: str
    effect: str
    where: Where


def _here(effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    return (effect.subject,)


def _there(effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    """Name the other nodes that the effect is about."""
    return map(node_ref, effect.about)


def _overlay(_effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    return (OVERLAY,)


def _half_changed(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the overlay, for a node on which an MTU was changed in some places and not in others."""
    return (OVERLAY,) if effect.subject.name in scene.half_changed else ()


def _shared_way(effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    """Name the way out, if what the effect quotes complains of the way to a host outside."""
    return (EGRESS,) if any(is_outside(quote.excerpt) for quote in effect.evidence) else ()


def _api(_effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the node that the API's address leads to, where it is one."""
    return map(node_ref, scene.api) if len(scene.api) == 1 else ()


def _way_out(effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    """Name the way out, shared or of a node that the effect is about."""
    return (EGRESS, effect.subject, *map(node_ref, effect.about))


def _etcd(_effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    return (ObjectRef("Cluster", "", "etcd"),)


def _coredns(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name CoreDNS, if a lookup from where the effect's controller runs has to leave its node."""
    return (COREDNS,) if set(scene.places.coredns) - set(scene.places.keepers(effect.subject)) else ()


def _resolver_path(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the two ends of the way to CoreDNS, if it is known and leaves the node."""
    own = set(scene.places.keepers(effect.subject))
    far = set(scene.places.coredns) - own
    return map(node_ref, sorted(far | own)) if far and own else ()


def _ends(effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    """Name the nodes that the effect is about, if it is about a way between them."""
    return map(node_ref, effect.about) if len(effect.about) > 1 else ()


def _artifact_path(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the two ends of an artifact's way, if they are on different nodes."""
    giver = set(scene.places.controller("source-controller"))
    taken = set(scene.places.keepers(effect.subject))
    return map(node_ref, sorted(giver | taken)) if giver and giver != taken else ()


_WEBHOOK: Final = re.compile(r"https?://[a-z0-9-]+\.([a-z0-9-]+)\.svc[.:/]")


def _webhook_path(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the nodes of a webhook's pods and of the API servers, if a call has to leave its node."""
    said = " ".join(quote.excerpt for quote in effect.evidence)
    if (found := _WEBHOOK.search(said)) is None:
        return ()
    pods, servers = scene.places.namespaces.get(found.group(1), frozenset()), set(scene.servers)
    one_node = len(servers) == 1 and pods == servers
    return map(node_ref, sorted(pods | servers)) if pods and not one_node else ()


def _upstream(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name what a Flux object takes its artifact from, and what it depends on."""
    ref = effect.subject
    item = scene.flux.get(f"{ref.kind}/{ref.namespace}/{ref.name}")
    return () if item is None else (*filter(None, (item.source,)), *item.depends_on)


def _store(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the store that a secret is read from; a finding about several secrets has it for its subject."""
    ref = effect.subject
    item = scene.secrets.get(f"{ref.kind}/{ref.namespace}/{ref.name}")
    store = item.store if item else None
    return (store or ref,)


def _names(_effect: Finding, _scene: Scene) -> Iterable[ObjectRef]:
    return (COREDNS,)


def _name_hosts(_effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the nodes whose resolvers CoreDNS passes on to."""
    return map(node_ref, sorted(set(scene.places.coredns)))


def _controller(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name the controller that looks after a Flux object, and the one that has its artifact."""
    giver = effect.code in {"flux-artifact-unreachable", "flux-source-no-artifact"}
    wanted = "source-controller" if giver else controller_of(effect.subject)
    return {deployment_of(pod) for pod in scene.places.watched if pod.app == wanted}


def _images(effect: Finding, scene: Scene) -> Iterable[ObjectRef]:
    """Name what a failed pull may be found about, for the pods of a Deployment that wait for their images."""
    found: list[ObjectRef] = []
    for pod in scene.places.watched:
        if deployment_of(pod) == effect.subject:
            for container in pod.containers:
                if container.waiting_reason in WAITING:
                    image = container.image
                    found += (ObjectRef("Image", "", image), ObjectRef("Registry", "", registry_of(image)))
                    found += (node_ref(pod.node), EGRESS)
    return found


def _edges(causes: Iterable[str], effects: Iterable[str], where: Where) -> list[Edge]:
    effects = tuple(effects)
    return [Edge(cause, effect, where) for cause in causes for effect in effects]


_DEVICE: Final = ("vxlan-link-missing", "vxlan-link-down")
_CUT: Final = (*sorted(CUTTING, key=RANK.__getitem__), "vxlan-peerless")
_LEGS: Final = (
    *("peer-missing", "peer-route-missing", "peer-route-wrong", "peer-neighbor-missing", "peer-mac-stale"),
    *("peer-fdb-missing", "peer-fdb-wrong"),
)
_STARTED_BY_K3S: Final = (*_DEVICE, "vxlan-port-not-listening", "vxlan-peerless", "subnet-env-missing")
_FLUX_FAILURES: Final = tuple(code for code in RANK if code.startswith("flux-"))
_NODE_DEAD: Final = (
    *("unit-not-active", "node-not-ready", "node-lease-stale", "pod-cidr-missing", "subnet-env-missing"),
    "subnet-env-foreign",
)
_PULLS: Final = tuple(code for code in RANK if code.startswith("image-"))
_BY_CONTROLLER: Final = (
    *("flux-never-handled", "flux-generation-behind", "flux-progressing", "flux-request-unhandled"),
    *("flux-consumer-behind", "flux-artifact-unreachable", "flux-source-no-artifact"),
)
_ON_THE_WAY: Final = (
    *("flux-source-dns", "flux-connect-timeout", "flux-tls-stall", "flux-fetch-stalled", "flux-fetch-timeout"),
    *("flux-artifact-unreachable", "image-pull-timeout", "image-pull-broken-off", "secret-store-timeout"),
)
"""What packets that are dropped on a node may do to those that run there."""
_MTUS: Final = (
    "flannel-mtu-mismatch",
    "overlay-exceeds-underlay",
    "subnet-env-edited",
    "pod-mtu-mixed",
    "pod-mtu-stale",
)
_FRAGMENTED: Final = ("overlay-fragmented",)
_CROSSING: Final = tuple(code for code in RANK if code in FAMILIES["crossing"])
_WAY_OUT: Final = ("egress-mtu-blackhole", "egress-loss", "http2-broken")
_TRANSFERS: Final = (
    *("flux-tls-stall", "flux-fetch-stalled", "flux-fetch-timeout", "flux-connect-timeout"),
    *("image-pull-timeout", "image-pull-broken-off", "secret-store-timeout", "flux-oci-pull", "flux-chart-pull"),
)
"""What a bad way out does to those that fetch from outside."""
_OUTSIDE: Final = (
    *("image-pull-timeout", "image-pull-broken-off", "image-pull-unreachable", "secret-store-timeout"),
    *("flux-connect-timeout", "flux-no-route", "flux-tls-stall", "flux-fetch-stalled", "flux-fetch-timeout"),
    *("secret-store-unreachable", "secret-degraded", "secret-outage"),
)
"""What the way to hosts outside may do."""
_STORES: Final = tuple(code for code in RANK if code.startswith("secret-store-") and code != "secret-store-unproven")
_BY_SOURCE: Final = ("flux-source-no-artifact", "flux-dependency-not-ready", "flux-stale")

EDGES: Final[tuple[Edge, ...]] = (
    *_edges(("unit-not-active",), ("node-not-ready", "node-lease-stale", "subnet-env-missing", *_DEVICE), _here),
    *_edges(("node-not-ready", "node-lease-stale"), ("node-unreachable",), _here),
    *_edges(("unit-starting",), ("node-not-ready", *_STARTED_BY_K3S), _here),
    *_edges(("unit-not-active", "node-not-ready", "etcd-not-voter"), ("etcd-quorum",), _there),
    *_edges(("etcd-quorum",), ("api-unreachable",), _etcd),
    *_edges(("unit-not-active", "unit-starting", "unit-flapping", "node-unreachable"), ("api-unreachable",), _api),
    *_edges(("pod-cidr-missing",), ("flannel-annotation-missing", "subnet-env-missing", *_DEVICE), _here),
    *_edges(_DEVICE, ("k3s-keeps-no-device",), _here),
    *_edges(("unit-not-active", "unit-starting", "vxlan-underlay-down"), ("k3s-version-changed",), _here),
    *_edges((*_DEVICE, "vxlan-peerless", "subnet-env-missing", *_LEGS), ("k3s-version-changed",), _here),
    *_edges(("vxlan-underlay-down", *_DEVICE), ("vxlan-port-not-listening", "vxlan-peerless", *_LEGS), _here),
    *_edges(("vxlan-underlay-down",), _DEVICE, _here),
    *_edges(("vxlan-port-wrong",), ("vxlan-port-not-listening",), _here),
    *_edges(("vxlan-local-gone",), ("public-ip-stale", "vxlan-underlay-wrong"), _here),
    *_edges((*_CUT, *_LEGS), ("peer-unreachable", "peer-one-way"), _here),
    *_edges(("vxlan-mac-differs",), ("peer-mac-stale",), _there),
    *_edges(("public-ip-stale",), ("peer-fdb-wrong",), _there),
    *_edges(("overlay-leftover-device",), ("peer-route-wrong",), _here),
    *_edges(_CUT, ("coredns-unreachable",), _there),
    *_edges(("coredns-unreachable",), ("flux-source-dns",), _coredns),
    *_edges((*_CUT, *_LEGS), ("flux-source-dns", "secret-store-dns"), _resolver_path),
    *_edges((*_CUT, *_LEGS), ("cluster-dns-unanswered",), _ends),
    *_edges((*_CUT, *_LEGS), ("flux-artifact-unreachable",), _artifact_path),
    *_edges((*_CUT, *_LEGS), ("flux-webhook-timeout",), _webhook_path),
    *_edges(
        ("flannel-mtu-mismatch",),
        ("overlay-exceeds-underlay", "subnet-env-mtu-differs", "subnet-env-edited", "pod-mtu-mixed", "pod-mtu-stale"),
        _here,
    ),
    *_edges(("overlay-exceeds-underlay",), ("fragments-lost",), _here),
    *_edges(("subnet-env-edited",), ("subnet-env-mtu-differs", "pod-mtu-mixed", "pod-mtu-stale"), _here),
    *_edges(("subnet-env-mtu-differs",), ("pod-mtu-mixed", "pod-mtu-stale"), _here),
    *_edges(
        ("mtu-half-changed",),
        (
            *("flannel-mtu-mismatch", "overlay-exceeds-underlay", "subnet-env-mtu-differs", "subnet-env-edited"),
            *("pod-mtu-mixed", "pod-mtu-stale", "subnet-env-stale-copy", "fragments-lost"),
        ),
        _half_changed,
    ),
    *_edges(("mtu-half-changed",), ("uplink-mtu-differs", "flannel-mtu-differs", "host-gw-possible"), _overlay),
    *_edges(("flannel-mtu-mismatch",), ("flannel-mtu-differs",), _there),
    *_edges(("uplink-mtu-differs",), ("flannel-mtu-differs",), _overlay),
    *_edges(("flannel-mtu-mismatch", "overlay-exceeds-underlay"), ("flux-artifact-unreachable",), _artifact_path),
    *_edges(("coredns-unreachable", "coredns-not-ready"), ("cluster-dns-unanswered", "secret-store-dns"), _names),
    *_edges(("coredns-not-ready", "cluster-dns-unanswered"), ("flux-source-dns", "secret-store-dns"), _names),
    *_edges(("resolver-fallback", "resolver-loopback"), ("flux-source-no-such-host", "coredns-not-ready"), _name_hosts),
    *_edges(_NODE_DEAD, ("coredns-not-ready", "flux-controller-not-ready"), _there),
    *_edges(_PULLS, ("flux-controller-not-ready", "coredns-not-ready"), _images),
    *_edges(("flux-controller-not-ready",), _BY_CONTROLLER, _controller),
    *_edges(
        (*_CUT, *_LEGS, *_MTUS),
        ("overlay-dead", "overlay-mtu-blackhole", "vxlan-fragments-dropped", *_FRAGMENTED),
        _there,
    ),
    *_edges(_CROSSING, ("flux-artifact-unreachable", "coredns-unreachable", "cluster-dns-unanswered"), _overlay),
    *_edges(_CROSSING, ("flux-source-dns", "flux-webhook-timeout", "fragments-lost"), _overlay),
    *_edges(("egress-mtu-blackhole",), ("mss-clamp-missing", "mss-clamp-useless"), _here),
    *_edges(
        ("egress-mtu-blackhole", "egress-loss"),
        ("egress-worse-than-host", "http2-broken", "registry-blob-slow"),
        _way_out,
    ),
    *_edges(_WAY_OUT, (*_TRANSFERS, "mtu-headroom", "outside-failing"), _way_out),
    *_edges(("conntrack-full",), _ON_THE_WAY, _there),
    *_edges(_FLUX_FAILURES, _BY_SOURCE, _upstream),
    *_edges(_STORES, ("secret-outage", "secret-degraded", "secret-not-ready"), _store),
    *_edges(("outside-failing",), _OUTSIDE, _shared_way),
)
"""Every relation there is; an earlier one is preferred."""

_BY_EFFECT: Final[Mapping[str, tuple[Edge, ...]]] = {
    code: tuple(edge for edge in EDGES if edge.effect == code) for code in {edge.effect for edge in EDGES}
}
_DEEPEST: Final = 20


def fold_causes(findings: Sequence[Finding], scene: Scene) -> tuple[Finding, ...]:
    """Put every finding beneath the one that explains it; what nothing explains is a root. None is lost.

    The roots come the worst first, then the deeper layer first.
    """
    index: dict[tuple[str, ObjectRef], int] = {}
    for number, finding in enumerate(findings):
        index.setdefault((finding.code, finding.subject), number)
    parents: dict[int, int] = {}
    for number, finding in enumerate(findings):
        for cause in _causes(finding, index, scene):
            if not _above(parents, number, cause):
                parents[number] = cause
                break
    children: dict[int, list[int]] = {}
    for number, parent in parents.items():
        children.setdefault(parent, []).append(number)
    roots = [_tree(findings, children, number) for number in range(len(findings)) if number not in parents]
    return tuple(sorted(roots, key=_order))


def _causes(finding: Finding, index: Mapping[tuple[str, ObjectRef], int], scene: Scene) -> Iterable[int]:
    places: dict[Where, tuple[ObjectRef, ...]] = {}
    for edge in _BY_EFFECT.get(finding.code, ()):
        if edge.where not in places:
            places[edge.where] = tuple(edge.where(finding, scene))
        for subject in places[edge.where]:
            if (number := index.get((edge.cause, subject))) is not None:
                yield number


def _above(parents: Mapping[int, int], number: int, cause: int) -> bool:
    """Tell whether ``number`` is already among what explains ``cause``, or that chain is too long to follow."""
    for _ in range(_DEEPEST):
        if cause == number:
            return True
        if cause not in parents:
            return False
        cause = parents[cause]
    return True


def _tree(findings: Sequence[Finding], children: Mapping[int, list[int]], number: int) -> Finding:
    mine = children.get(number)
    if mine is None:
        return findings[number]
    symptoms = sorted((_tree(findings, children, child) for child in mine), key=_order)
    return msgspec.structs.replace(findings[number], symptoms=tuple(symptoms))


def _order(finding: Finding) -> tuple[int, int, ObjectRef]:
    return -finding.worst, RANK.get(finding.code, len(RANK)), finding.subject
