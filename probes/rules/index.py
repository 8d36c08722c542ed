"""The index: what rules look up of a large cluster, made anew only for the nodes and sources that changed."""

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from probes.model.snapshot import Moved, Snapshot, SourceState
from probes.rules.finding import Index, NodeView
from probes.rules.resolvers import inherited

V = TypeVar("V")


def index_of(
    snapshot: Snapshot, views: Mapping[str, NodeView], before: Index, moved: Moved, judged: Collection[str]
) -> Index:
    """Bring an index up to date; ``judged``: the nodes whose view is new, or gone."""
    networks, rows = snapshot.networks, {name: views[name].summary for name in judged if name in views}
    partial = {name: networks[name] for name in moved.networks if name in networks and networks[name].unassessed}
    asked = {name: inherited(networks[name]) or None for name in moved.networks if name in networks}
    silent = {name: _silent(snapshot.sources.get(name)) for name in moved.sources}
    amiss = {name: views[name] for name in rows if views[name].findings}
    return Index(
        silent=_renewed(before.silent, moved.sources, silent.get),
        partial=_renewed(before.partial, moved.networks, partial.get),
        resolvers=_renewed(before.resolvers, moved.networks, asked.get),
        amiss=_renewed(before.amiss, judged, amiss.get),
        graces=_renewed(before.graces, judged, {name: views[name].grace_ends for name in rows}.get),
        uplinks=_renewed(before.uplinks, judged, {name: row.uplink_mtu for name, row in rows.items()}.get),
        overlays=_renewed(before.overlays, judged, {name: row.overlay_mtu for name, row in rows.items()}.get),
    )


def _silent(state: SourceState | None) -> SourceState | None:
    return None if state is None or state.status in {"ok", "absent"} else state


def _renewed(old: Mapping[str, V], names: Collection[str], value: Callable[[str], V | None]) -> Mapping[str, V]:
    """Put the values of some names in place of those they had; a name whose value is None goes."""
    found = {name: value(name) for name in names}
    changed = {name: it for name, it in found.items() if it is not None and old.get(name) is not it}
    gone = [name for name, it in found.items() if it is None and name in old]
    if not changed and not gone:
        return old
    renewed = {**old, **changed}
    for name in gone:
        del renewed[name]
    return renewed
