"""The overlay as a mesh: what each node's kernel has for reaching each other node's pods."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from probes.model.peers import MISSING, NOT_NEEDED, OK, UNKNOWN, Peer
from probes.rules.finding import Diagnosis, NodeView
from tui.format import Glyphs, Span, status
from tui.views.absence import nothing

_SHORT: Final = {"route": "route", "neighbour": "neigh", "FDB": "fdb"}


class Mesh(NamedTuple):
    """Cells from every node (rows) to every node (columns)."""

    names: tuple[str, ...] = ()
    cells: Mapping[str, Mapping[str, Span]] = {}
    broken: frozenset[str] = frozenset()
    """Nodes that lack something for at least one peer."""
    nothing: Span = Span("")
    badge: Span = Span("")


def mesh(diagnosis: Diagnosis, glyphs: Glyphs) -> Mesh:
    """Draw up the mesh; a cell is ``✔`` only where all that a peer needs was seen to be there."""
    names = tuple(diagnosis.views)
    cells: dict[str, dict[str, Span]] = {}
    broken: set[str] = set()
    unknown = False
    in_overlay = {expected.node for expected in diagnosis.overlay.expected}
    for name, view in diagnosis.views.items():
        worst: dict[str, list[Peer]] = {}
        for peer in view.peers.broken:
            worst.setdefault(peer.peer, []).append(peer)
        row = cells[name] = {}
        for other in names:
            if other != name:
                row[other] = _cell(view, worst.get(other), glyphs, in_overlay=other in in_overlay)
                if row[other].tone == "ok":
                    row[other] = _far_end(diagnosis.views[other], glyphs) or row[other]
        if any(span.tone == "critical" for span in row.values()):
            broken.add(name)
        unknown |= any(span.tone in {"unknown", "muted"} for span in row.values())
    count = sum(span.tone == "critical" for row in cells.values() for span in row.values())
    if count:
        badge = status("critical", glyphs, str(count))
    else:
        badge = status("unknown" if unknown else "ok", glyphs) if len(names) > 1 else status("none", glyphs)
    state = diagnosis.snapshot.resource("nodes")
    return Mesh(names, cells, frozenset(broken), nothing(state, "nodes", glyphs), badge)


def _cell(view: NodeView, broken: list[Peer] | None, glyphs: Glyphs, *, in_overlay: bool) -> Span:
    row = view.summary
    if not view.peers.expected or not in_overlay:
        return status("none", glyphs) if row.backend not in {"", "vxlan", "host-gw"} else status("unknown", glyphs)
    if row.source.status == "loading":
        return status("loading", glyphs)
    if row.source.at is None:
        return status("unknown", glyphs)
    if row.overlay_state in {"missing", "down"}:
        return status("critical", glyphs, f"link {'gone' if row.overlay_state == MISSING else 'down'}")
    if not broken:
        return status("ok", glyphs)
    worst = min(broken, key=lambda peer: (MISSING, "wrong", UNKNOWN, OK).index(peer.status))
    if worst.status == UNKNOWN:
        return status("unknown", glyphs)
    said = [_SHORT[leg] for leg, state in worst.legs if state.status not in {OK, NOT_NEEDED, UNKNOWN}]
    return status("critical", glyphs, said[0] if len(said) == 1 else f"{said[0]} +{len(said) - 1}")


def _far_end(there: NodeView, glyphs: Glyphs) -> Span | None:
    """Mark a tunnel that is whole on this side and known to end nowhere; what the far side did not tell is no mark."""
    if there.summary.overlay_state in {"missing", "down"}:
        return status("critical", glyphs, f"{'gone' if there.summary.overlay_state == MISSING else 'down'} there")
    return status("critical", glyphs, "8472 there") if there.summary.port_open is False else None


def explain(diagnosis: Diagnosis, source: str, destination: str) -> tuple[str, ...]:
    """Say what one node lacks for another, one sentence a leg."""
    view = diagnosis.views.get(source)
    if view is None:
        return ()
    said = []
    for peer in view.peers.broken:
        if peer.peer == destination:
            for leg, state in peer.legs:
                if state.status not in {OK, NOT_NEEDED}:
                    found = f", found {state.found}" if state.found else ""
                    said.append(f"{leg} {state.status}: expected {state.expected}{found}")
    there = diagnosis.views.get(destination)
    if there is not None and there.summary.overlay_state in {"missing", "down"}:
        said.append(
            f"{there.summary.overlay} of {destination} is {there.summary.overlay_state}: the tunnel ends nowhere"
        )
    return tuple(said)
