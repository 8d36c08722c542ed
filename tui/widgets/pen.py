"""Pen: draws a table's row in two steps, so that a tick of the clock draws only the cells that follow it."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rich.style import Style
from textual.strip import Strip

from tui.format import Glyphs, width
from tui.widgets.cells import Row, Ticking, fit_cell, spans_of
from tui.widgets.columns import GAP, Column
from tui.widgets.lines import make_strip

_Parts = list[tuple[str, Style]]


class Pen(NamedTuple):
    """How rows are drawn: which columns, each how many cells wide, in which styles, and how wide the whole is."""

    columns: Sequence[Column]
    shown: Sequence[tuple[int, int]]
    """Places of the columns that have room, and their cells."""
    style: Callable[[str], Style]
    """Gives the style of a tone."""
    glyphs: Glyphs
    cells: int

    def steady(self, row: Row, mark: str = "") -> tuple[Strip, ...]:
        """Draw what stays as it is, in pieces: before, between and behind the cells that follow the clock."""
        ground = self.style("text")
        pieces: list[_Parts] = [[(mark, self.style("accent"))] if mark else []]
        left = self.cells
        for place, (i, cells) in enumerate(self.shown):
            if place:
                pieces[-1].append((" " * GAP, ground))
            if isinstance(row.cells[i], Ticking):
                pieces.append([])
                left -= cells
            else:
                pieces[-1] += self._cell(row, i, cells, 0.0)
        *others, last = pieces
        strips = [make_strip(parts, ground, _cells(parts)) for parts in others]
        left -= sum(strip.cell_length for strip in strips)
        return (*strips, make_strip(last, ground, max(left, _cells(last))))

    def whole(self, row: Row, steady: Sequence[Strip], now: float) -> Strip:
        """Put a row together: what follows the clock is drawn as it is ``now``, in seconds since the epoch."""
        pieces = [steady[0]]
        ticking = [(i, cells) for i, cells in self.shown if isinstance(row.cells[i], Ticking)]
        for (i, cells), behind in zip(ticking, steady[1:], strict=True):
            pieces += [make_strip(self._cell(row, i, cells, now), self.style("text"), cells), behind]
        strip = Strip.join(pieces) if ticking else steady[0]
        return strip.crop(0, self.cells)

    def _cell(self, row: Row, i: int, cells: int, now: float) -> _Parts:
        fitted = fit_cell(spans_of(row.cells[i], now), cells, self.glyphs, right=self.columns[i].right)
        return [(text, self.style(tone)) for text, tone in fitted]


def _cells(parts: _Parts) -> int:
    return sum(width(text) for text, _ in parts)
