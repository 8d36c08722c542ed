"""The panes of the overview: nodes, the overlay, Flux and what changed."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from probes.model.peers import OK
from probes.model.summary.flux import FluxSummary
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, status, width
from tui.probing import Wanted
from tui.views import flux, nodes, overlay, timeline
from tui.views.findings import Since
from tui.views.probes_wanted import between
from tui.widgets.columns import Column
from tui.widgets.filter import Filter
from tui.widgets.lines import Lines
from tui.widgets.listpane import ListPane
from tui.widgets.matrix import Matrix
from tui.widgets.pane import Pane

FRAME: Final = 2
"""Lines, or cells, of a pane's two edges."""


class OverviewPane(Pane):
    """A pane that shows a part of the diagnosis."""

    badge: Span = Span("")
    """How bad it is, in a symbol and a number."""

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:
        """Show its part of a diagnosis."""
        raise NotImplementedError

    def wants(self) -> int:
        """Tell how many lines it would take to show everything, frame included."""
        raise NotImplementedError

    @property
    def lines(self) -> Lines:
        """What takes the keys."""
        raise NotImplementedError


class NodesPane(ListPane, OverviewPane):
    """Every node's packet path, a line each."""

    NAME = "Nodes"
    COLUMNS = nodes.COLUMNS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("N", "sort('node')", "Sort by name", show=False, id="sort.name"),
        Binding("R", "sort('role')", "Sort by role", show=False, id="sort.role"),
        Binding("U", "sort('uplink')", "Sort by uplink", show=False, id="sort.uplink"),
        Binding("M", "sort('overlay')", "Sort by MTU", show=False, id="sort.mtu"),
        Binding("P", "sort('peers')", "Sort by peers", show=False, id="sort.peers"),
        Binding("V", "sort('version')", "Sort by version", show=False, id="sort.version"),
        Binding("A", "sort('seen')", "Sort by age", show=False, id="sort.age"),
    ]

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(number, glyphs=glyphs, id="nodes")
        self._rows = nodes.NodeRows(glyphs)

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:  # noqa: ARG002 - as every pane
        """Show the nodes."""
        listing = self._rows.listing(diagnosis, now)
        self.badge = listing.badge
        self.set_listing(listing, now)

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 1 + FRAME


class FluxPane(ListPane, OverviewPane):
    """Sources, with those they feed beneath."""

    NAME = "Flux"
    COLUMNS = flux.COLUMNS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("N", "sort('object')", "Sort by name", show=False, id="sort.name"),
        Binding("R", "sort('revision')", "Sort by revision", show=False, id="sort.revision"),
        Binding("A", "sort('artifact')", "Sort by age", show=False, id="sort.age"),
        Binding("T", "sort('tried')", "Sort by last try", show=False, id="sort.tried"),
    ]

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(number, glyphs=glyphs, id="flux")
        self._shown: tuple[FluxSummary, ...] | None = None

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:  # noqa: ARG002 - as every pane
        """Show the tree, if it is another one."""
        if diagnosis.flux is self._shown and diagnosis.snapshot.resource("flux").status == OK:
            return
        self._shown = diagnosis.flux if diagnosis.snapshot.resource("flux").status == OK else None
        listing = flux.flux(diagnosis, now, self.glyphs)
        self.badge = listing.badge
        self.set_listing(listing, now)

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 1 + FRAME


class ChangesPane(ListPane, OverviewPane):
    """What changed since underlay was opened, the newest first."""

    NAME = "Changes"
    COLUMNS = (
        Column("age", "AGO", least=4, most=6, right=True),
        Column("subject", "SUBJECT", least=7, most=40),
        Column("what", "WHAT", least=10, most=28),
        Column("change", "CHANGE", least=8, most=200, grow=True),
    )

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(number, glyphs=glyphs, id="changes")
        self._newest: tuple[Change, ...] | None = None

    def tell(self, changes: Sequence[Change], now: float) -> None:
        """Show what changed, oldest first as it is kept."""
        newest = (changes[-1],) if changes else ()
        if newest == self._newest:
            return
        self._newest = newest
        listing = timeline.timeline(changes, self.glyphs)
        self.badge = listing.badge
        self.set_listing(listing, now)

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 1 + FRAME


class _MeshMatrix(Matrix):
    """The mesh; its key for opening stands in the line of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="lines.open", tooltip="The screen of the node it is seen from"),
    ]


class OverlayPane(OverviewPane):
    """What every node has for every other."""

    NAME = "Overlay"

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(number, glyphs=glyphs, id="overlay")
        slash = "/" if glyphs.ok.isascii() else "╲"
        self.matrix = _MeshMatrix(f"from {slash} to", glyphs=glyphs)
        self._mesh = overlay.Mesh()
        self._cells = self._every_cell()
        self._diagnosis: Diagnosis | None = None
        self._told: tuple[object, ...] = ()
        self._is_placed = False
        """Whether the cursor was put on what is broken; that is done once, and never to one that was moved."""

    def compose(self) -> ComposeResult:
        """Hold the matrix."""
        yield self.matrix

    @property
    def lines(self) -> Lines:
        """What takes the keys."""
        return self.matrix

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:  # noqa: ARG002 - as every pane
        """Show the mesh, if it is another one."""
        self._diagnosis = diagnosis
        told = overlay.told(diagnosis)
        if told == self._told:
            return
        self._told = told
        self._mesh = overlay.mesh(diagnosis, self.glyphs)
        self._cells = self._every_cell()
        self.badge = self._mesh.badge
        self._fill()

    def _every_cell(self) -> int:
        names = self._mesh.names
        label = max((width(name) for name in (*names, self.matrix.corner)), default=0)
        every = min(16, max([4, self._mesh.widest, *(width(name) for name in names)]))
        return max(24, min(24, label) + len(names) * (every + 1)) + FRAME

    def _fill(self) -> None:
        wanted = [name for name in self._mesh.names if self.filter.wants(name, is_fault=name in self._mesh.broken)]
        left_out = status("none", self.glyphs, self.filter.nothing) if self._mesh.names else None
        self.matrix.placeholder = left_out or self._mesh.nothing
        self.matrix.set_cells(wanted, self._mesh.names, self._mesh.cells, widest=self._mesh.widest)
        is_untouched = not (self._is_placed or self.matrix.cursor or self.matrix.column)
        if is_untouched and (pair := self._mesh.first_broken):
            self._is_placed = self.matrix.move_to_pair(*pair)
        self.explain()

    def explain(self) -> None:
        """Say below what the pair under the cursor lacks."""
        said = ""
        if self.matrix.cursor_pair and self._diagnosis and self.has_focus_within:
            said = "; ".join(overlay.explain(self._diagnosis, *self.matrix.cursor_pair))
        self.say("  ".join(part for part in (self.filter.says, said) if part))

    def on_matrix_cell_highlighted(self) -> None:
        """Say what is under the cursor."""
        self.explain()
        self.post_message(ListPane.Moved())

    def keys_came(self) -> None:
        """Say what is under the cursor while the keys are here, and no more of it when they are not."""
        self.explain()

    def on_matrix_cell_selected(self, event: Matrix.CellSelected) -> None:
        """Tell which node was opened."""
        event.stop()
        self.post_message(ListPane.Opened(node_ref(event.source), event.source))

    def set_filter(self, wanted: Filter) -> None:
        """Leave out sources that are not wanted."""
        super().set_filter(wanted)
        self._fill()

    def renew(self) -> None:
        """Be as if just made, the cursor on the first pair."""
        super().renew()
        self.matrix.column = 0
        self.matrix.move_to(0, quiet=True)
        self._is_placed = False
        self._fill()

    def subject(self) -> ObjectRef | None:
        """Tell which node the row under the cursor is of."""
        pair = self.matrix.cursor_pair
        return node_ref(pair[0]) if pair else None

    def to_probe(self, diagnosis: Diagnosis) -> Wanted | None:  # noqa: ARG002 - as every pane
        """Probe the direction under the cursor."""
        pair = self.matrix.cursor_pair
        return between(*pair) if pair else None

    def line(self) -> str:
        """Say what the pair under the cursor lacks."""
        pair = self.matrix.cursor_pair
        if pair is None or self._diagnosis is None:
            return ""
        return f"{pair[0]} to {pair[1]}: " + ("; ".join(overlay.explain(self._diagnosis, *pair)) or "complete")

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.matrix.count()) + 1 + FRAME

    def cells(self) -> int:
        """Tell how many cells it would take to show every destination, frame included."""
        return self._cells
