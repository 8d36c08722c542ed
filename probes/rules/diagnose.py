"""Diagnose: sum up and judge one snapshot, anew only where something changed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from probes.model.network import NodeNetwork
from probes.model.peers import Overlay, overlay_of, peer_table
from probes.model.snapshot import KUBE, NODE, Snapshot
from probes.model.summary.flux import FluxSummary, summarize_flux
from probes.model.summary.gaps import summarize_gaps
from probes.model.summary.nodes import summarize_node
from probes.model.summary.pulls import PullFailure, summarize_pulls
from probes.rules.causes import Scene, fold_causes
from probes.rules.dns import judge_coredns, judge_lookups
from probes.rules.facts import NodeFacts, node_facts
from probes.rules.finding import Diagnosis, Finding, NodeView, Severity, Verdict
from probes.rules.flannel import judge_backends, judge_direct, judge_flannel
from probes.rules.flux import judge_flux
from probes.rules.glance import judge_gaps, judge_sources
from probes.rules.images import judge_pulls
from probes.rules.k3s import judge_k3s, judge_servers
from probes.rules.mtu import judge_cluster_mtu, judge_mtu
from probes.rules.peering import judge_directions, judge_peers
from probes.rules.places import Places, places_of
from probes.rules.resolvers import judge_agreement, judge_resolvers
from probes.rules.secrets import judge_secrets
from probes.rules.vxlan import judge_vxlan
from probes.rules.workloads import judge_workloads

HEADROOM: Final = 100
"""Bytes between pods' packets and the path that are advised unless told otherwise, once large transfers stall."""
STALLS: Final = frozenset({"flux-tls-stall", "flux-fetch-stalled", "flux-fetch-timeout"})
"""What makes an operator ask whether the MTU leaves enough room."""


NODE_RULES: Final[tuple[Callable[[NodeFacts], Iterator[Finding]], ...]] = (
    judge_gaps,
    judge_k3s,
    judge_flannel,
    judge_vxlan,
    judge_peers,
    judge_mtu,
    judge_resolvers,
)
"""What judges one node, each by its facts alone: run again only for a node of which something changed."""


def diagnose(
    snapshot: Snapshot,
    before: Diagnosis | None = None,
    *,
    only: Collection[str] = (),
    headroom: int = HEADROOM,
) -> Diagnosis:
    """Sum up and judge a snapshot.

    ``before``: an earlier diagnosis of the same cluster; a node of which nothing changed since keeps its NodeView.
    ``only``: sum up and judge no other nodes than these; empty: all. ``headroom``: bytes advised, 0 for no advice.
    """
    before = before or Diagnosis(Snapshot())
    same_nodes = snapshot.nodes is before.snapshot.nodes
    overlay = before.overlay if same_nodes else overlay_of(snapshot.nodes)
    if overlay == before.overlay:
        overlay = before.overlay
    views = {name: _view(snapshot, name, before, overlay) for name in _names(snapshot, only)}
    flux = before.flux if snapshot.flux is before.snapshot.flux else summarize_flux(snapshot)
    pulls_same = snapshot.pods is before.snapshot.pods and snapshot.pull_events is before.snapshot.pull_events
    pulls = before.pulls if pulls_same else summarize_pulls(snapshot)
    places = before.places if snapshot.pods is before.snapshot.pods else places_of(snapshot.pods)
    objects = list(_judge_objects(snapshot, flux, pulls, places))
    stalls = any(finding.code in STALLS for finding in objects)
    found = [
        *judge_sources(snapshot),
        *(finding for view in views.values() for finding in view.findings),
        *_judge_cluster(snapshot, views, places, headroom if stalls else 0),
        *objects,
    ]
    found += judge_lookups(found, places, snapshot.source(f"{KUBE}pods").at)
    findings = fold_causes(
        found,
        Scene(
            places,
            snapshot.flux,
            tuple(name for name, view in views.items() if view.summary.role == "server"),
            snapshot.secrets,
        ),
    )
    return Diagnosis(
        snapshot=snapshot,
        verdict=_verdict(snapshot, findings),
        findings=findings,
        gaps=summarize_gaps(snapshot),
        views=dict(sorted(views.items(), key=lambda item: (item[1].summary.role != "server", item[0]))),
        flux=flux,
        pulls=pulls,
        overlay=overlay,
        places=places,
    )


def _judge_cluster(
    snapshot: Snapshot, views: Mapping[str, NodeView], places: Places, headroom: int
) -> Iterator[Finding]:
    """Judge what no node shows by itself."""
    yield from judge_servers(snapshot, views)
    yield from judge_backends(snapshot, views)
    yield from judge_directions(snapshot, views)
    yield from judge_cluster_mtu(views, headroom)
    if any(finding.code == "overlay-exceeds-underlay" for view in views.values() for finding in view.findings):
        yield from judge_direct(snapshot, tuple(view.summary for view in views.values()))
    pods_at = snapshot.source(f"{KUBE}pods").at
    yield from judge_coredns(views, places, pods_at)
    yield from judge_workloads(places, snapshot.at, pods_at)
    yield from judge_agreement(snapshot)


def _judge_objects(
    snapshot: Snapshot, flux: tuple[FluxSummary, ...], pulls: tuple[PullFailure, ...], places: Places
) -> Iterator[Finding]:
    yield from judge_flux(snapshot, flux, places)
    yield from judge_pulls(snapshot, pulls)
    yield from judge_secrets(snapshot, places)


def _names(snapshot: Snapshot, only: Collection[str]) -> set[str]:
    names = {*snapshot.nodes, *snapshot.networks}
    names |= {source.removeprefix(NODE) for source in snapshot.sources if source.startswith(NODE)}
    return names & set(only) if only else names


def _view(snapshot: Snapshot, name: str, before: Diagnosis, overlay: Overlay) -> NodeView:
    """Keep the view of a node of which nothing changed, else make it anew."""
    old = before.views.get(name)
    was = before.snapshot
    source = f"{NODE}{name}"
    if (
        old is not None
        and overlay is before.overlay
        and snapshot.nodes.get(name) is was.nodes.get(name)
        and snapshot.networks.get(name) is was.networks.get(name)
        and snapshot.sources.get(source) is was.sources.get(source)
        and (old.grace_ends is None or snapshot.at < old.grace_ends)
    ):
        return old
    node, network = snapshot.nodes.get(name), snapshot.networks.get(name)
    same = old is not None and overlay is before.overlay and node is was.nodes.get(name)
    if old is not None and same and _same_tables(network, was.networks.get(name)):
        peers = old.peers
    else:
        peers = peer_table(node, overlay, network)
    row = summarize_node(snapshot, name, peers)
    facts = node_facts(snapshot, row, peers)
    found = tuple(finding for rule in NODE_RULES for finding in rule(facts))
    return NodeView(row, peers, found, facts.grace_ends)


def _same_tables(new: NodeNetwork | None, old: NodeNetwork | None) -> bool:
    """Tell whether all that a peer table is made of is as it was; the fold keeps equal facts as the same objects."""
    if new is None or old is None:
        return new is old
    return all(getattr(new, name) is getattr(old, name) for name in ("routes", "neighbors", "fdb", "net_conf"))


def _verdict(snapshot: Snapshot, findings: tuple[Finding, ...]) -> Verdict:
    if not snapshot.networks and (not snapshot.nodes or snapshot.source(f"{KUBE}nodes").status != "ok"):
        return Verdict.UNASSESSED
    worst = max((finding.worst for finding in findings), default=Severity.NOTE)
    return Verdict(int(worst))
