"""Columns of a table, and which of them fit into how many cells."""

from collections.abc import Sequence
from typing import Final, NamedTuple

GAP: Final = 1
"""Cells between two columns."""


class Column(NamedTuple):
    """One column: how wide it may be and how readily it is left out."""

    id: str
    title: str
    least: int = 4
    """Cells below which it is left out rather than squeezed."""
    most: int = 40
    """Cells it takes at most, unless it grows."""
    right: bool = False
    """Aligned to the right."""
    priority: int = 0
    """The columns of the highest number are left out first; 0 never."""
    grow: bool = False
    """Takes what is left over."""


class Placed(NamedTuple):
    """A column that is shown."""

    place: int
    """Its place in a row's cells."""
    width: int


class Layout(NamedTuple):
    """Which columns are shown, left to right, and how many are not."""

    shown: tuple[Placed, ...]
    hidden: int


def lay_out(columns: Sequence[Column], widest: Sequence[int], cells: int) -> Layout:
    """Share out ``cells`` among columns: ``widest`` is what each would need to show its widest text whole.

    Columns are left out by priority, then from the right, until the rest fit at their least width. Then each gets
    what it needs, those that are never left out first, and what is left over goes to the columns that grow.
    """
    shown = list(range(len(columns)))
    natural = [max(column.least, min(column.most, need)) for column, need in zip(columns, widest, strict=True)]
    while _least(columns, natural, shown) > cells:
        droppable = [i for i in shown if columns[i].priority > 0]
        if not droppable:
            break
        shown.remove(max(droppable, key=lambda i: (columns[i].priority, i)))
    widths = {i: min(natural[i], columns[i].least) for i in shown}
    left = cells - sum(widths.values()) - GAP * max(0, len(shown) - 1)
    for i in sorted(shown, key=lambda i: (columns[i].priority, i)):
        more = max(0, min(left, natural[i] - widths[i]))
        widths[i] += more
        left -= more
    growing = [i for i in shown if columns[i].grow]
    for place, i in enumerate(growing):
        more = max(0, left) // (len(growing) - place)
        widths[i] += more
        left -= more
    return Layout(tuple(Placed(i, widths[i]) for i in shown), len(columns) - len(shown))


def _least(columns: Sequence[Column], natural: Sequence[int], shown: Sequence[int]) -> int:
    return sum(min(natural[i], columns[i].least) for i in shown) + GAP * max(0, len(shown) - 1)
