"""Views: every node summed up and judged by itself, anew only where something about it changed."""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final

from probes.model.network import NodeNetwork
from probes.model.peers import Overlay, peer_table
from probes.model.snapshot import NODE, Moved, Snapshot
from probes.model.summary.nodes import summarize_node
from probes.rules.counters import judge_counters
from probes.rules.facts import NodeFacts, node_facts
from probes.rules.finding import Diagnosis, Finding, NodeView
from probes.rules.flannel import judge_flannel, judge_published
from probes.rules.gaps import judge_gaps
from probes.rules.k3s import judge_k3s
from probes.rules.mtu import judge_mtu
from probes.rules.peering import judge_peers
from probes.rules.resolvers import judge_resolvers
from probes.rules.vxlan import judge_vxlan

NODE_RULES: Final[tuple[Callable[[NodeFacts], Iterator[Finding]], ...]] = (
    judge_gaps,
    judge_k3s,
    judge_published,
    judge_flannel,
    judge_vxlan,
    judge_peers,
    judge_mtu,
    judge_counters,
    judge_resolvers,
)
"""What judges one node, each by its facts alone."""


def views_of(
    snapshot: Snapshot, before: Diagnosis, moved: Moved, overlay: Overlay, only: Collection[str] = ()
) -> tuple[Mapping[str, NodeView], Collection[str]]:
    """Sum up and judge every node, servers first, then by name; tell as well whose view is new or gone.

    ``before``: an earlier diagnosis; a node of which nothing changed since keeps its view, the same object.
    ``overlay``: who should be a peer. ``only``: no other nodes than these; empty: all.
    """
    old = before.views
    names = old.keys() if _same_names(snapshot, before.snapshot, moved) else _names(snapshot, only)
    if overlay is not before.overlay or names != old.keys():
        views = _ordered({name: _view(snapshot, name, before, overlay) for name in names})
        return views, views.keys() | old.keys()
    changed = _changed(snapshot, before, moved) & names
    if not changed:
        return old, ()
    fresh = {name: _view(snapshot, name, before, overlay) for name in changed}
    views = {**old, **fresh}
    swapped = any(view.summary.role != old[name].summary.role for name, view in fresh.items())
    return _ordered(views) if swapped else views, changed


def _ordered(views: Mapping[str, NodeView]) -> dict[str, NodeView]:
    return dict(sorted(views.items(), key=lambda item: (item[1].summary.role != "server", item[0])))


def _names(snapshot: Snapshot, only: Collection[str]) -> set[str]:
    names = {*snapshot.nodes, *snapshot.networks}
    names |= {source.removeprefix(NODE) for source in snapshot.sources if source.startswith(NODE)}
    return names & set(only) if only else names


def _same_names(new: Snapshot, old: Snapshot, moved: Moved) -> bool:
    """Tell whether the same nodes and sources are known as were."""
    return not any(
        (name in getattr(new, field)) != (name in getattr(old, field))
        for field in ("nodes", "networks", "sources")
        for name in getattr(moved, field)
    )


def _changed(snapshot: Snapshot, before: Diagnosis, moved: Moved) -> set[str]:
    """Tell of which nodes anything changed, or the grace of a start is over."""
    names = {name.removeprefix(NODE) for name in moved.sources}
    names.update(moved.networks, moved.nodes)
    names.update(name for name, ends in before.index.graces.items() if ends <= snapshot.at)
    return names


def _view(snapshot: Snapshot, name: str, before: Diagnosis, overlay: Overlay) -> NodeView:
    old, was = before.views.get(name), before.snapshot
    node, network = snapshot.nodes.get(name), snapshot.networks.get(name)
    same = overlay is before.overlay and node is was.nodes.get(name)
    if old is not None and same and _same_tables(network, was.networks.get(name)):
        peers = old.peers
    else:
        peers = peer_table(node, overlay, network)
    row = summarize_node(snapshot, name, peers)
    facts = node_facts(snapshot, row, peers, published=overlay.published)
    found = tuple(finding for rule in NODE_RULES for finding in rule(facts))
    graces = [at for at in (facts.grace_ends, facts.settled_at) if at is not None]
    return NodeView(row, peers, found, min(graces, default=None))


def _same_tables(new: NodeNetwork | None, old: NodeNetwork | None) -> bool:
    """Tell whether all that a peer table is made of is as it was; the fold keeps equal facts as the same objects."""
    if new is None or old is None:
        return new is old
    return all(getattr(new, name) is getattr(old, name) for name in ("routes", "neighbors", "fdb", "net_conf"))
