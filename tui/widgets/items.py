"""Items: rows of a list with what they are of, and whether they are faults."""

from typing import NamedTuple

from probes.model.flux import ObjectRef
from tui.format import Span
from tui.widgets.cells import Row, Ticking, spans_of


class Item(NamedTuple):
    """One row, the object it is of, and whether something is wrong with it."""

    row: Row
    ref: ObjectRef | None = None
    is_fault: bool = False

    def steady_text(self) -> str:
        """Write the row as text without its ages, for filters: what a filter finds does not change by the second."""
        said = []
        for cell in self.row.cells:  # of a thousand rows, between the first letter of a filter and what it leaves
            if isinstance(cell, Span):
                said.append(cell.text.strip())
            elif not isinstance(cell, Ticking):
                said.append("".join([span.text for span in cell]).strip())
        return "  ".join(filter(None, said))

    def text(self, now: float) -> str:
        """Write the row as text, for the clipboard."""
        cells = ("".join(span.text for span in spans_of(cell, now)).strip() for cell in self.row.cells)
        return "  ".join(cell for cell in cells if cell)


class Listing(NamedTuple):
    """What a pane shows: items, what is said where there are none, how bad it is and what to bear in mind."""

    items: tuple[Item, ...] = ()
    nothing: Span = Span("")
    badge: Span = Span("")
    """The worst of it in a symbol and a number, for the bar of panes."""
    note: str = ""
    """What to bear in mind of all items, such as that they are old; empty where nothing is."""
