"""Table: the one widget for every live list, whatever its length."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tui.format import UNICODE, Glyphs, Span, cut, fit, width
from tui.widgets.cells import Cell, Row, Ticking, sort_value, spans_of
from tui.widgets.columns import GAP, Column, Layout, lay_out
from tui.widgets.lines import Lines, Parts
from tui.widgets.pen import Pen


class _Drawn(NamedTuple):
    """A strip and what it was drawn of."""

    row: Row
    ticks: tuple[Span, ...]
    look: tuple[bool, bool]
    steady: tuple[Parts, ...]
    """What stands before, between and behind the cells that follow the clock."""
    strip: Strip


def longest(at: float | None, now: float) -> float:
    """Tell the moment, ``now`` or later, at which an age takes most cells: ``9m59s``, then ``7h59m``."""
    return now if at is None else next((at + end for end in _LONGEST if now <= at + end), now)


_LONGEST: Final = (599.0, 28_799.0)
_MAX_DRAWN: Final = 128
"""Lines kept as they were drawn: more than any terminal shows at once."""
_SPARE: Final = 100
"""Rows that are remembered beside twice those that there are."""


class Table(Lines):
    """Rows by key under named columns; sorts, marks, follows its cursor's key and ticks ages."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space", "mark", "Mark", show=False, id="table.mark")]

    class RowHighlighted(Message):
        """The cursor is on another row."""

        def __init__(self, table: "Table", key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> "Table":
            """The table whose cursor moved."""
            return self.table

        def can_replace(self, message: Message) -> bool:
            """Only the last of a burst counts."""
            return isinstance(message, Table.RowHighlighted) and message.table is self.table

    class RowSelected(RowHighlighted):
        """A row was opened."""

        def can_replace(self, message: Message) -> bool:  # noqa: ARG002 - the signature is Textual's
            """Every opening counts."""
            return False

    class MarksChanged(Message):
        """Other rows are marked."""

        def __init__(self, table: "Table") -> None:
            super().__init__()
            self.table = table

        @property
        def control(self) -> "Table":
            """The table whose marks changed."""
            return self.table

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        sort_keys: Mapping[str, Callable[[Cell], Any]] | None = None,
        can_mark: bool = False,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.columns = tuple(columns)
        self.marked: frozenset[str] = frozenset()
        self.can_mark = can_mark
        self.now = 0.0
        self.sorted_by: tuple[str, bool] | None = None
        """A column's id and whether its order is reversed; None is the order in which rows were given."""
        self._sort_keys = dict(sort_keys or {})
        self._given: list[Row] = []
        self._measured: dict[str, Row] = {}
        """Rows whose widths were noted, by key; those that a filter leaves out come back."""
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}
        self._widest = [width(column.title) for column in self.columns]
        self._layout: Layout | None = None
        self._drawn: dict[str, _Drawn] = {}

    @property
    def rows(self) -> Sequence[Row]:
        """The rows in the order in which they are shown."""
        return self._rows

    @property
    def cursor_key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._rows[self.cursor].key if self._rows else None

    def set_rows(self, rows: Iterable[Row], now: float | None = None, *, of: int = 0) -> None:
        """Show these rows: only visible ones that differ are painted, and the cursor stays on its key.

        Of several rows with one key the last counts. ``now`` is the moment for ticking cells, seconds since the epoch.
        ``of``: how many rows there are, with those that a filter leaves out and that will come back.
        """
        self.now = self.now if now is None else now
        given: dict[str, Row] = {}
        is_wider = False
        for row in rows:
            old = self._measured.get(row.key)
            if old is None or (old is not row and old != row):
                is_wider |= self._measure(row)
                self._measured[row.key] = old = row
            given[row.key] = old
        self._given = list(given.values())
        if len(self._measured) > 2 * max(of, len(given)) + _SPARE:
            self._measured = given
        if self.marked - given.keys():
            self.marked &= given.keys()
            self.post_message(self.MarksChanged(self))
        if is_wider:
            self.forget_strips()
        self._arrange()

    def sort_by(self, column: str | None, *, reverse: bool = False) -> None:
        """Order rows by a column, or as they were given; KeyError where there is no such column."""
        if column is not None and column not in {each.id for each in self.columns}:
            raise KeyError(column)
        self.sorted_by = None if column is None else (column, reverse)
        self._arrange()

    def move_to_key(self, key: str) -> bool:
        """Put the cursor on a row; false where there is none of that key."""
        place = self._places.get(key)
        if place is not None:
            self.move_to(place)
        return place is not None

    def tick(self, now: float) -> None:
        """Let the visible cells that follow the clock say what is true now."""
        self.now = now
        self.repaint(
            index for index in self.in_view() if any(isinstance(cell, Ticking) for cell in self._rows[index].cells)
        )

    def _measure(self, row: Row) -> bool:
        """Note a row's widths; tells whether a column may have to become wider."""
        is_wider = False
        for i, (cell, column) in enumerate(zip(row.cells, self.columns, strict=True)):
            widest = self._widest[i]
            if widest < column.most and not (isinstance(cell, Span) and 2 * len(cell.text) <= widest):
                moment = longest(cell.at, self.now) if isinstance(cell, Ticking) else self.now
                cells = sum(width(span.text) for span in spans_of(cell, moment))
                if cells > widest:
                    self._widest[i] = cells
                    is_wider = True
        return is_wider

    def _arrange(self) -> None:
        """Put rows in order and the cursor back on its key, at the same height of the screen if it can be."""
        key, height = self.cursor_key, self.cursor - self.top
        self._rows = self._sorted()
        self._places = {row.key: place for place, row in enumerate(self._rows)}
        self.resize_to(len(self._rows))
        place = self._places.get(key, self.cursor) if key is not None else 0
        if place != self.cursor and key in self._places:
            self._scroll_lines(max(0, place - height))
        self.move_to(place, quiet=True)
        if self.cursor_key != key:
            self.moved()
        self.repaint()

    def _sorted(self) -> list[Row]:
        if self.sorted_by is None:
            return self._given
        column, is_reversed = self.sorted_by
        i = next(i for i, each in enumerate(self.columns) if each.id == column)
        value: Callable[[Cell], Any] = self._sort_keys.get(column, sort_value)
        return sorted(self._given, key=lambda row: value(row.cells[i]), reverse=is_reversed)

    def count(self) -> int:
        """Count the rows."""
        return len(self._rows)

    def forget_strips(self) -> None:
        """Drop what was drawn."""
        self._drawn.clear()
        self._layout = None

    @property
    def layout_now(self) -> Layout:
        """Which columns are shown at this width, and how wide."""
        if self._layout is None:
            self._layout = lay_out(self.columns, self._widest, self.cells - self._mark_cells)
        return self._layout

    @property
    def _mark_cells(self) -> int:
        return 1 if self.can_mark else 0

    def draw(self, index: int) -> Strip:
        """Draw a row, or take what was drawn of it."""
        row = self._rows[index]
        look = (index == self.cursor and self.has_focus, row.key in self.marked)
        ticks = tuple(cell.show(cell.at, self.now) for cell in row.cells if isinstance(cell, Ticking))
        drawn = self._drawn.get(row.key)
        if drawn is None or drawn.row is not row or drawn.look != look or drawn.ticks != ticks:
            if len(self._drawn) >= _MAX_DRAWN:
                self._drawn.clear()
            pen = self._pen(is_cursor=look[0])
            if drawn is not None and drawn.row is row and drawn.look == look:
                steady = drawn.steady
            else:
                steady = pen.steady(row, (self.glyphs.mark if look[1] else " ") if self.can_mark else "")
            strip = pen.whole(row, steady, self.now)
            drawn = self._drawn[row.key] = _Drawn(row, ticks, look, steady, strip)
        return drawn.strip

    def _pen(self, *, is_cursor: bool) -> Pen:
        """Tell how a row is drawn now."""
        style = partial(self.tones.style, selected=is_cursor)
        return Pen(self.columns, self.layout_now.shown, style, self.glyphs, self.size.width)

    def draw_header(self) -> Strip:
        """Draw the titles, the mark of the sort, and how many columns have no room."""
        style = self.tones.style("header")
        layout = self.layout_now
        parts = [(" " * self._mark_cells, style)]
        for place, (i, cells) in enumerate(layout.shown):
            column = self.columns[i]
            title = column.title
            if self.sorted_by and self.sorted_by[0] == column.id:
                arrow = self.glyphs.descending if self.sorted_by[1] else self.glyphs.ascending
                title = cut(title, cells - width(arrow), self.glyphs) + arrow
            parts.append((" " * GAP if place else "", style))
            parts.append((fit(title, cells, self.glyphs, right=column.right), style))
        strip = self.strip(parts, style)
        if not layout.hidden:
            return strip
        mark = f" +{layout.hidden}{self.glyphs.ellipsis}"
        room = max(0, self.cells - width(mark))
        tail = self.strip([(mark, self.tones.style("accent"))], style)
        return Strip.join([strip.crop(0, room), tail]).crop(0, self.size.width)

    def moved(self) -> None:
        """Tell which row the cursor is on."""
        if self._rows:
            self.post_message(self.RowHighlighted(self, self._rows[self.cursor].key))

    def selected(self) -> None:
        """Tell which row was opened."""
        self.post_message(self.RowSelected(self, self._rows[self.cursor].key))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or unmark it, and go on to the next."""
        if self.can_mark and self._rows:
            self.marked ^= {self._rows[self.cursor].key}
            self.post_message(self.MarksChanged(self))
            self.move_to(self.cursor + 1)
            self.repaint(self.in_view())
