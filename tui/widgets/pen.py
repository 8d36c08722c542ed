"""Pen: draws a table's row in two steps, so that a tick of the clock draws only the cells that follow it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.style import Style
from textual.strip import Strip

from tui.format import Glyphs
from tui.widgets.cells import Row, Ticking, fit_cell, spans_of
from tui.widgets.columns import GAP, Column
from tui.widgets.lines import Part, Parts, joined, make_strip


class Pen(NamedTuple):
    """How rows are drawn: which columns, each how many cells wide, in which styles, and how wide the whole is."""

    columns: Sequence[Column]
    shown: Sequence[tuple[int, int]]
    """Places of the columns that have room, and their cells."""
    style: Callable[[str], Style]
    """Gives the style of a tone."""
    glyphs: Glyphs
    cells: int

    def steady(self, row: Row, mark: str = "") -> tuple[Parts, ...]:
        """Draw what stays as it is, in pieces: before, between and behind the cells that follow the clock."""
        ground = self.style("text")
        pieces: list[list[Part]] = [[(mark, self.style("accent"))]]
        for place, (i, cells) in enumerate(self.shown):
            if place:
                pieces[-1].append((" " * GAP, ground))
            if isinstance(row.cells[i], Ticking):
                pieces.append([])
            else:
                pieces[-1] += self._cell(row, i, cells, 0.0)
        return tuple(joined(parts) for parts in pieces)

    def whole(self, row: Row, steady: Sequence[Parts], now: float) -> Strip:
        """Put a row together: what follows the clock is drawn as it is ``now``, in seconds since the epoch."""
        parts = [*steady[0]]
        ticking = ((i, cells) for i, cells in self.shown if isinstance(row.cells[i], Ticking))
        for (i, cells), behind in zip(ticking, steady[1:], strict=True):
            parts += self._cell(row, i, cells, now)
            parts += behind
        return make_strip(parts, self.style("text"), self.cells)

    def _cell(self, row: Row, i: int, cells: int, now: float) -> list[Part]:
        fitted = fit_cell(spans_of(row.cells[i], now), cells, self.glyphs, right=self.columns[i].right)
        return [(text, self.style(tone)) for text, tone in fitted]
