"""Matrix: what every source says of every destination, as the overlay mesh and the probes of several vantages."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Protocol

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tui.format import UNICODE, Glyphs, Span, status, width
from tui.widgets.cells import Cell, fit_spans, spans_of
from tui.widgets.columns import GAP
from tui.widgets.lines import Lines

_LEAST: Final = 4
MOST_LABEL: Final = 24
_MOST_CELL: Final = 16


class Line(Protocol):
    """What one source says of destinations, by their names; a dict is one."""

    def get(self, destination: str, /) -> Cell | None:
        """Tell what it says of one; None where it says nothing."""


class Matrix(Lines):
    """A grid of sources by destinations whose headers stay in sight, with a cursor on one cell."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "across(-1)", "Left", show=False, id="matrix.left"),
        Binding("right", "across(1)", "Right", show=False, id="matrix.right"),
    ]

    class CellHighlighted(Message):
        """The cursor is on another cell."""

        def __init__(self, matrix: "Matrix", source: str, destination: str) -> None:
            super().__init__()
            self.matrix = matrix
            self.source = source
            self.destination = destination

        @property
        def control(self) -> "Matrix":
            """The matrix whose cursor moved."""
            return self.matrix

    class CellSelected(CellHighlighted):
        """A cell was opened."""

    def __init__(
        self,
        corner: str = "",
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.corner = corner
        self.now = 0.0
        self.most_label, self.most_cell = MOST_LABEL, _MOST_CELL
        """Cells that a source's name and a cell take at the most."""
        self.column = 0
        """The place of the destination under the cursor."""
        self._first = 0
        self._sources: tuple[str, ...] = ()
        self._destinations: tuple[str, ...] = ()
        self._cells: Mapping[str, Line] = {}
        self._label_width = self._cell_width = _LEAST

    @property
    def cursor_pair(self) -> tuple[str, str] | None:
        """The source and destination under the cursor."""
        if not self._sources or not self._destinations:
            return None
        return self._sources[self.cursor], self._destinations[self.column]

    def set_cells(
        self,
        sources: Sequence[str],
        destinations: Sequence[str],
        cells: Mapping[str, Line],
        now: float | None = None,
        widest: int = 0,
    ) -> None:
        """Show ``cells[source][destination]``; one that is missing is unknown, and the same to the same is none.

        The cursor stays on its pair where both are still there. ``now`` is the moment for ticking cells, seconds
        since the epoch. ``widest``: cells that the longest text takes, where lines are no mappings to be measured.
        """
        pair = self.cursor_pair
        self.now = self.now if now is None else now
        self._sources, self._destinations, self._cells = tuple(sources), tuple(destinations), cells
        self._measure(widest)
        self.resize_to(len(self._sources))
        places = (self._place(self._sources, pair, 0), self._place(self._destinations, pair, 1))
        self.cursor = self._clamp(self.cursor if places[0] is None else places[0], self._sources)
        self.column = self._clamp(self.column if places[1] is None else places[1], self._destinations)
        self.show_cursor()
        self.show_column()
        if self.cursor_pair != pair:
            self.moved()
        self.repaint()

    def tick(self, now: float) -> None:
        """Let cells that follow the clock say what is true now."""
        self.now = now
        self.repaint(self.in_view())

    @staticmethod
    def _place(names: tuple[str, ...], pair: tuple[str, str] | None, side: int) -> int | None:
        return names.index(pair[side]) if pair and pair[side] in names else None

    @staticmethod
    def _clamp(place: int, names: tuple[str, ...]) -> int:
        return max(0, min(place, len(names) - 1))

    def _measure(self, widest: int) -> None:
        labels = max((width(name) for name in (*self._sources, self.corner)), default=0)
        self._label_width = max(_LEAST, min(self.most_label, labels))
        widest = max(widest, *(width(name) for name in self._destinations)) if self._destinations else widest
        for row in self._cells.values():
            for cell in row.values() if isinstance(row, Mapping) else ():
                if widest >= self.most_cell:
                    break
                widest = max(widest, sum(width(span.text) for span in spans_of(cell, self.now)))
        self._cell_width = max(_LEAST, min(self.most_cell, widest))

    @property
    def _fitting(self) -> int:
        """How many destinations are in sight; the last three cells are kept for how many are not."""
        room = self.cells - self._label_width
        every = room // (self._cell_width + GAP)
        if every >= len(self._destinations):
            return len(self._destinations)
        return max(1, (room - 4) // (self._cell_width + GAP))

    @property
    def _columns(self) -> range:
        first = max(0, min(self._first, len(self._destinations) - self._fitting))
        return range(first, min(len(self._destinations), first + self._fitting))

    def count(self) -> int:
        """Count the sources."""
        return len(self._sources)

    def forget_strips(self) -> None:
        """Nothing is kept: a screen of cells is drawn in a millisecond or two."""

    def _cell(self, source: str, destination: str) -> tuple[Span, ...]:
        line = self._cells.get(source)
        cell = line.get(destination) if line is not None else None
        if cell is not None:
            return spans_of(cell, self.now)
        return (status("none" if source == destination else "unknown", self.glyphs),)

    def cell_style(self, tone: str, *, selected: bool) -> Style:
        """Give the style of a tone in a cell."""
        return self.tones.style(tone, selected=selected)

    def move_to_pair(self, source: str, destination: str) -> bool:
        """Put the cursor on a pair; false where there is none of these names. An empty name is any."""
        row = self._sources.index(source) if source in self._sources else None if source else self.cursor
        column = self._destinations.index(destination) if destination in self._destinations else None
        column = self.column if column is None and not destination else column
        if row is None or column is None:
            return False
        self.column = column
        self.show_column()
        self.move_to(row, quiet=True)
        self.moved()
        self.repaint()
        return True

    def draw(self, index: int) -> Strip:
        """Draw what one source says."""
        source = self._sources[index]
        ground = self.tones.style("text")
        is_here = index == self.cursor and self.has_focus
        label = fit_spans((Span(source, "accent" if is_here else "header"),), self._label_width, self.glyphs)
        parts = [(text, self.tones.style(tone)) for text, tone in label]
        for place in self._columns:
            parts.append((" " * GAP, ground))
            spans = fit_spans(self._cell(source, self._destinations[place]), self._cell_width, self.glyphs)
            is_cursor = is_here and place == self.column
            parts.extend((text, self.cell_style(tone, selected=is_cursor)) for text, tone in spans)
        return self.strip(parts, ground)

    def draw_header(self) -> Strip:
        """Draw the destinations in sight, and how many there are to the left and right of them."""
        columns = self._columns
        style = self.tones.style("header")
        corner = f"<{columns.start}" if columns.start else self.corner
        labels = [*fit_spans((Span(corner, "accent" if columns.start else "header"),), self._label_width, self.glyphs)]
        for place in columns:
            tone = "accent" if place == self.column and self.has_focus else "header"
            labels.append(Span(" " * GAP, "header"))
            labels += fit_spans((Span(self._destinations[place], tone),), self._cell_width, self.glyphs)
        after = len(self._destinations) - columns.stop
        if after:
            labels.append(Span(f" {after}>", "accent"))
        return self.strip([(text, self.tones.style(tone)) for text, tone in labels], style)

    def show_column(self) -> None:
        """Scroll sideways just as far as needed for the cursor's column to be seen."""
        columns = self._columns
        self._first = columns.start
        if self.column < columns.start:
            self._first = self.column
        elif self.column >= columns.stop:
            self._first = self.column - self._fitting + 1

    def action_across(self, columns: int) -> None:
        """Move the cursor sideways."""
        before, self.column = self.column, self._clamp(self.column + columns, self._destinations)
        self.show_column()
        if before != self.column:
            self.moved()
        self.repaint()

    def clicked(self, index: int, x: int) -> None:
        """Put the cursor on the cell that was clicked; a second click opens it."""
        place = self._columns.start + max(0, x - self._label_width - GAP) // (self._cell_width + GAP)
        column = self.column if x < self._label_width else min(place, self._columns.stop - 1)
        if (index, column) == (self.cursor, self.column):
            self.selected()
            return
        self.column = column
        self.move_to(index, quiet=True)
        self.moved()
        self.repaint()

    def moved(self) -> None:
        """Tell which pair the cursor is on."""
        if pair := self.cursor_pair:
            self.post_message(self.CellHighlighted(self, *pair))

    def selected(self) -> None:
        """Tell which pair was opened."""
        if pair := self.cursor_pair:
            self.post_message(self.CellSelected(self, *pair))
