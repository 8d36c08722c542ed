"""The panes of probes: targets by the places that they are probed from, and paths between places."""

from collections.abc import Container, Sequence
from typing import ClassVar, Final

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.model.reach import Result
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, status
from tui.probed import Probed
from tui.probing import Wanted
from tui.screens.overview_panes import FRAME, OverviewPane
from tui.screens.probes_host import ProbingScreen
from tui.views import probes, probes_paths
from tui.views.findings import Since
from tui.views.probes_wanted import PATHS, TARGETS, between, from_node, probe_ref, to_node, urls
from tui.widgets.filter import Filter
from tui.widgets.heat import HeatMatrix, ReadMatrix
from tui.widgets.lines import Lines
from tui.widgets.listpane import ListPane
from tui.widgets.matrix import Matrix

_STEP: Final = 15.0
"""Seconds between two looks at how old results are, which is said in minutes."""
_CELL: Final = (12, 24)
"""Cells of one vantage, at the least and at the most."""
_LABEL: Final = 30


class ProbesPane(OverviewPane):
    """A pane with one matrix of what probes came to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "probe_all", "Probe all", id="probes.all", tooltip="All of this list; asks first"),
    ]

    def __init__(self, number: int, matrix: Matrix, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(number, glyphs=glyphs, id=id)
        self.matrix = matrix
        self.results = Probed()
        self._diagnosis: Diagnosis | None = None
        self._now = 0.0
        self._told: tuple[object, ...] = ()

    @property
    def lines(self) -> Lines:
        """What takes the keys."""
        return self.matrix

    def compose(self) -> ComposeResult:
        """Hold the matrix."""
        yield self.matrix

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:  # noqa: ARG002 - as every pane
        """Show the results over what is known of the cluster, if either is another."""
        self._diagnosis, self._now = diagnosis, now
        self._show()

    def tell(self, probed: Probed, now: float) -> None:
        """Show what probes came to."""
        self.results, self._now = probed, now
        self._show()

    def tick(self, now: float) -> None:
        """Let ages say what is true now."""
        if self.results.latest and now - self._now >= _STEP:
            self._now, self._told = now, ()
            self._show()

    def _show(self) -> None:
        diagnosis = self._diagnosis
        if diagnosis is None:
            return
        told = (self.results, diagnosis.flux, diagnosis.pulls, tuple(diagnosis.views))
        if len(told) == len(self._told) and told[0] is self._told[0] and told[1:] == self._told[1:]:
            return
        self._told = told
        self.draw(diagnosis)

    def draw(self, diagnosis: Diagnosis) -> None:
        """Draw the matrix anew."""
        raise NotImplementedError

    def wanted_of(self, rows: Sequence[str], faults: Container[str], diagnosis: Diagnosis) -> list[str]:
        """Leave out rows that are not wanted; where none is left, say why."""
        wanted = [row for row in rows if self.filter.wants(row, is_fault=row in faults)]
        left_out = status("none", self.glyphs, self.filter.nothing) if rows else None
        self.matrix.placeholder = left_out or probes.nothing(diagnosis, self.glyphs)
        return wanted

    def all_wanted(self, diagnosis: Diagnosis) -> Wanted | None:
        """Tell what is to be probed for the whole of the list."""
        raise NotImplementedError

    def action_probe_all(self) -> None:
        """Say what a probe of the whole list would send, and ask."""
        screen = self.screen
        if isinstance(screen, ProbingScreen) and self._diagnosis is not None:
            screen.ask_probe(self.all_wanted(self._diagnosis))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to probe only where something sends probes."""
        if action == "probe_all":
            return isinstance(self.screen, ProbingScreen) and self.screen.app.probing is not None
        return super().check_action(action, parameters)

    def set_filter(self, wanted: Filter) -> None:
        """Leave out rows that are not wanted."""
        super().set_filter(wanted)
        self._told = ()
        self._show()

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.matrix.count()) + 1 + FRAME

    def on_matrix_cell_highlighted(self, event: Matrix.CellHighlighted) -> None:
        """Tell that something else is under the cursor."""
        event.stop()
        self.post_message(ListPane.Moved())

    def on_matrix_cell_selected(self, event: Matrix.CellSelected) -> None:
        """Tell which cell was opened."""
        event.stop()
        ref = self.place()
        if ref is not None:
            self.post_message(ListPane.Opened(ref, ref.name))

    def place(self) -> ObjectRef | None:
        """Name the cell under the cursor."""
        raise NotImplementedError

    def look_at(self, row: str, column: str) -> bool:
        """Put the cursor on a cell; false where there is none such yet."""
        return self.matrix.move_to_pair(row, column)


class TargetsPane(ProbesPane):
    """What is worth probing, by the places that it is probed from."""

    NAME = "Probes"

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(number, ReadMatrix("target", glyphs=glyphs), glyphs=glyphs, id="probes")
        self.matrix.most_label, self.matrix.most_cell = _LABEL, _CELL[1]
        self.targets = probes.Targets()

    def draw(self, diagnosis: Diagnosis) -> None:
        """Draw the matrix anew."""
        self.targets = found = probes.targets(self.results, diagnosis, self._now, self.glyphs)
        self.badge = found.badge
        room = self._room()
        for row in found.rows.values():
            row.room = room
        wanted = self.wanted_of(found.labels, found.faults, diagnosis)
        self.matrix.set_cells(wanted, found.vantages, found.rows, widest=room)
        self.say("  ".join(part for part in (self.filter.says, found.note) if part))

    def _room(self) -> int:
        """Share out the width among the vantages."""
        labels = max((len(label) for label in self.targets.labels), default=0)
        left = self.size.width - FRAME - min(_LABEL, labels)
        every = left // max(1, len(self.targets.vantages)) - 1
        return max(_CELL[0], min(_CELL[1], every))

    def on_resize(self) -> None:
        """Use the room there is."""
        super().on_resize()
        self._told = ()
        self._show()

    @property
    def spot(self) -> tuple[probes.Spot, str] | None:
        """What the cursor's row is of, and the vantage of its column."""
        pair = self.matrix.cursor_pair
        spot = self.targets.spots.get(pair[0]) if pair else None
        return (spot, pair[1]) if spot is not None and pair else None

    def subject(self) -> ObjectRef | None:
        """Tell which node is probed from."""
        found = self.spot
        node = found[1].removeprefix("pod@") if found else ""
        return node_ref(node) if self._diagnosis and node in self._diagnosis.views else None

    def to_probe(self, diagnosis: Diagnosis) -> Wanted | None:
        """Probe the row's target from everywhere; of paths, those from the column's node."""
        found = self.spot
        if found is None:
            return None
        spot, vantage = found
        node = vantage.removeprefix("pod@")
        if not spot.target:
            made = from_node(diagnosis, node) if node in diagnosis.views else self.all_paths(diagnosis)
            return msgspec.structs.replace(made, kinds=(spot.probe,), shown=self.place()) if made else None
        target = spot.asked if spot.probe == "dns" else spot.target
        return Wanted((spot.probe,), targets=(target,), shown=self.place())

    def all_paths(self, diagnosis: Diagnosis) -> Wanted | None:
        """Probe every path."""
        return Wanted(PATHS) if len(diagnosis.views) > 1 else None

    def all_wanted(self, diagnosis: Diagnosis) -> Wanted | None:
        """Probe every path and ask for everything that is worth it."""
        targets = urls(diagnosis)
        kinds = (*(PATHS if len(diagnosis.views) > 1 else ()), *(("http",) if targets else ()))
        return Wanted(kinds, targets=targets, shown=probe_ref(TARGETS)) if kinds else None

    def place(self) -> ObjectRef | None:
        """Name the cell under the cursor by its target and vantage."""
        pair = self.matrix.cursor_pair
        return probe_ref(TARGETS, *pair) if pair else None

    def look_at(self, row: str, column: str) -> bool:
        """Put the cursor on a cell by its label or by its target."""
        labels = [label for label, spot in self.targets.spots.items() if row in {label, spot.target}]
        return super().look_at(labels[0] if labels else row, column)

    def line(self) -> str:
        """Say what the cell under the cursor says."""
        pair = self.matrix.cursor_pair
        if pair is None:
            return ""
        said = "".join(span.text for span in self.targets.rows[pair[0]].get(pair[1])).strip()
        return f"{pair[0]} from {pair[1]}: {said}"


class PathsPane(ProbesPane):
    """Paths between places as a heat map with numbers."""

    KINDS: ClassVar[tuple[str, ...]] = ()
    """Of probe: of two results of one direction the newer one is shown. The first is the list's own."""

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE) -> None:
        slash = "/" if glyphs.ok.isascii() else "╲"
        super().__init__(number, HeatMatrix(f"from {slash} to", glyphs=glyphs), glyphs=glyphs, id=self.KINDS[0])
        self.paths = probes_paths.Paths()

    def draw(self, diagnosis: Diagnosis) -> None:
        """Draw the matrix anew."""
        self.paths = found = probes_paths.paths(self.results, diagnosis, self.KINDS, self._now, self.glyphs)
        self.badge = found.badge
        wanted = self.wanted_of(found.sources, found.faults, diagnosis)
        self.matrix.set_cells(wanted, found.destinations, found.rows, widest=found.widest)
        meaning = "between nodes, between pods" if found.note else ""
        self.say("  ".join(part for part in (self.filter.says, meaning, found.note) if part))

    @property
    def results_here(self) -> list[Result]:
        """The results under the cursor: there, then back."""
        pair = self.matrix.cursor_pair
        if pair is None:
            return []
        there, back = self.paths.pair(*pair), self.paths.pair(pair[1], pair[0])
        return [*there.results, *back.results]

    def subject(self) -> ObjectRef | None:
        """Tell which node is probed from."""
        pair = self.matrix.cursor_pair
        return node_ref(pair[0]) if pair and self._diagnosis and pair[0] in self._diagnosis.views else None

    def to_probe(self, diagnosis: Diagnosis) -> Wanted | None:
        """Probe the direction under the cursor."""
        pair = self.matrix.cursor_pair
        if pair is None:
            return None
        made = between(*pair) if pair[0] in diagnosis.views else to_node(diagnosis, pair[1])
        return msgspec.structs.replace(made, kinds=self.KINDS[-1:], shown=self.place()) if made else None

    def all_wanted(self, diagnosis: Diagnosis) -> Wanted | None:
        """Probe every direction."""
        kind = self.KINDS[0]
        return Wanted((kind,), shown=probe_ref(kind)) if len(diagnosis.views) > 1 else None

    def place(self) -> ObjectRef | None:
        """Name the direction under the cursor."""
        pair = self.matrix.cursor_pair
        return probe_ref(self.KINDS[0], *pair) if pair else None

    def line(self) -> str:
        """Say what is known of the direction under the cursor."""
        pair = self.matrix.cursor_pair
        if pair is None:
            return ""
        said = [f"{each.vantage} to {each.target}: {each.said}" for each in self.paths.pair(*pair).results]
        return "; ".join(said) or f"{pair[0]} to {pair[1]}: not run"

    def look_at(self, row: str, column: str) -> bool:
        """Put the cursor on a direction; where none is named, on the first one from there."""
        others = [name for name in self.paths.destinations if name != row]
        return super().look_at(row, column or next(iter(others), ""))


class PmtuPane(PathsPane):
    """The path MTU of every direction."""

    NAME = "Path MTU"
    KINDS = ("pmtu",)


class MeshPane(PathsPane):
    """How long packets take in every direction, and what is lost of them."""

    NAME = "Mesh"
    KINDS = ("mesh", "ping")
