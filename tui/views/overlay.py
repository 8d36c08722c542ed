"""The overlay as a mesh: what each node's kernel has for reaching each other node's pods."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from probes.model.peers import MISSING, NOT_NEEDED, OK, UNKNOWN, Peer
from probes.rules.finding import Diagnosis, NodeView
from tui.format import Glyphs, Span, status, width
from tui.views.absence import nothing

_SHORT: Final = {"route": "route", "neighbour": "neigh", "FDB": "fdb"}


class Reach(NamedTuple):
    """What one node has for all the others: the same for most of them, and what holds for the rest.

    A thousand nodes have a million pairs, of which a screen shows a hundred: no cell is made before it is looked up.
    """

    source: str
    usual: Span = Span("")
    own: Mapping[str, Span] = {}
    """For destinations of which this node lacks something."""
    ends: Mapping[str, Span] = {}
    """For destinations that lack something themselves."""

    def get(self, destination: str) -> Span | None:
        """Tell what this node has for another; for itself it needs nothing."""
        if destination == self.source:
            return None
        return self.own.get(destination) or self.ends.get(destination) or self.usual

    def counted(self, nodes: int) -> Iterator[tuple[Span, int]]:
        """List what is said and of how many destinations, of so many nodes."""
        ends = [span for name, span in self.ends.items() if name != self.source and name not in self.own]
        yield from ((span, 1) for span in (*self.own.values(), *ends))
        left = nodes - 1 - len(self.own) - len(ends)
        if left > 0:
            yield self.usual, left


class Mesh(NamedTuple):
    """What every node has for every other."""

    names: tuple[str, ...] = ()
    cells: Mapping[str, Reach] = {}
    widest: int = 0
    """Cells of the longest text in it."""
    broken: frozenset[str] = frozenset()
    """Nodes that lack something for at least one peer."""
    nothing: Span = Span("")
    badge: Span = Span("")

    @property
    def first_broken(self) -> tuple[str, str] | None:
        """The first pair of which one lacks something for the other; none where nothing is known to be missing."""
        source = next((name for name in self.names if name in self.broken), None)
        if source is None:
            return None
        cells = ((name, self.cells[source].get(name)) for name in self.names)
        return next(((source, name) for name, cell in cells if cell is not None and cell.tone == "critical"), None)


def told(diagnosis: Diagnosis) -> tuple[object, ...]:
    """List all that the mesh is drawn of: as long as this is equal, so is the mesh."""
    state = diagnosis.snapshot.resource("nodes")
    rows = ((name, view.peers, view.summary) for name, view in diagnosis.views.items())
    return (
        diagnosis.overlay,
        state.status,
        state.reason,
        [
            (name, peers, row.overlay_state, row.port_open, row.backend, row.source.status, row.source.at is None)
            for name, peers, row in rows
        ],
    )


def mesh(diagnosis: Diagnosis, glyphs: Glyphs) -> Mesh:
    """Draw up the mesh; a cell is ``✔`` only where all that a peer needs was seen to be there."""
    views = diagnosis.views
    names = tuple(views)
    in_overlay = {expected.node for expected in diagnosis.overlay.expected}
    outside = [name for name in names if name not in in_overlay]
    ends = {name: span for name, view in views.items() if (span := _far_end(view, glyphs)) is not None}
    cells: dict[str, Reach] = {}
    broken: set[str] = set()
    said: set[Span] = set()
    count = 0
    for name, view in views.items():
        row = cells[name] = _reach(name, view, views, outside, ends, glyphs)
        for span, times in row.counted(len(names)):
            said.add(span)
            if span.tone == "critical":
                broken.add(name)
                count += times
    unknown = any(span.tone in {"unknown", "muted"} for span in said)
    if count:
        badge = status("critical", glyphs, str(count))
    else:
        badge = status("unknown" if unknown else "ok", glyphs) if len(names) > 1 else status("none", glyphs)
    state = diagnosis.snapshot.resource("nodes")
    widest = max((width(span.text) for span in said), default=0)
    return Mesh(names, cells, widest, frozenset(broken), nothing(state, "nodes", glyphs), badge)


def _reach(
    name: str,
    view: NodeView,
    views: Mapping[str, NodeView],
    outside: Sequence[str],
    ends: Mapping[str, Span],
    glyphs: Glyphs,
) -> Reach:
    """Sum up one node's row; ``outside`` are those of whom the overlay expects nothing."""
    usual = _cell(view, None, glyphs, in_overlay=True)
    own = {other: _cell(view, None, glyphs, in_overlay=False) for other in outside if other != name}
    if usual.tone != "ok":
        return Reach(name, usual, own)
    worst: dict[str, list[Peer]] = {}
    for peer in view.peers.broken:
        if peer.peer in views and peer.peer not in own:
            worst.setdefault(peer.peer, []).append(peer)
    own |= {other: _cell(view, broken, glyphs, in_overlay=True) for other, broken in worst.items()}
    return Reach(name, usual, own, ends)


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
