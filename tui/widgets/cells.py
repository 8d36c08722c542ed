"""Cells of a table: what they say at a moment, how that fits, and how it sorts."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from tui.format import Glyphs, Span, cut, natural, width


class Ticking(NamedTuple):
    """A cell whose text follows the clock: an age since ``at``, seconds since the epoch."""

    at: float | None
    show: Callable[[float | None, float], Span]
    """Makes the span of ``at`` and now; a function of a module, so that equal rows stay equal."""


Cell = Span | Ticking | tuple[Span, ...]


class Row(NamedTuple):
    """One row: a key that stays the same while its cells change, and a cell for each column."""

    key: str
    cells: tuple[Cell, ...]


def spans_of(cell: Cell, now: float) -> tuple[Span, ...]:
    """Say what a cell says at ``now``, seconds since the epoch."""
    if isinstance(cell, Span):
        return (cell,)
    return (cell.show(cell.at, now),) if isinstance(cell, Ticking) else cell


def fit_spans(spans: Sequence[Span], cells: int, glyphs: Glyphs, *, right: bool = False) -> tuple[Span, ...]:
    """Make spans take exactly ``cells``: what is cut leaves a mark, wherever the cut falls.

    The blank that fills up has the tone of plain text, so that it joins what stands beside it.
    """
    taken: list[Span] = []
    room = cells
    for place, (text, tone) in enumerate(spans):
        is_followed = any(span.text for span in spans[place + 1 :])
        short = cut(text, room, glyphs)
        if is_followed and width(short) == room:
            short = cut(short + " ", room, glyphs)  # what follows has no room, and that must show too
        taken.append(Span(short, tone))
        room -= width(short)
        if room <= 0:
            break
    blank = Span(" " * room)
    return (blank, *taken) if right else (*taken, blank)


fit_cell: Final = lru_cache(maxsize=4096)(fit_spans)
"""The same for the cells of tables: a thousand rows say the same few hundred things, again and again."""


def sort_value(cell: Cell) -> tuple[Any, ...]:
    """Order ages from young to old with the unknown last, and texts by their numbers."""
    if isinstance(cell, Ticking):
        return (0, -cell.at) if cell.at is not None else (1, 0)
    text = cell.text if isinstance(cell, Span) else " ".join(span.text for span in cell)
    return (2, *natural(text))
