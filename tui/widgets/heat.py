"""Heat: a matrix in which what is not well is a filled field, seen before anything is read."""

from typing import ClassVar, Final

from rich.style import Style
from textual.binding import Binding, BindingType

from tui.widgets.matrix import Matrix

_HOT: Final = frozenset({"warning", "critical"})
_FILLED: Final = Style(reverse=True)


class ReadMatrix(Matrix):
    """A matrix whose cells are opened to be read about; the key stands in the line of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Read", id="lines.open", tooltip="Every try of it, and what it means"),
    ]


class HeatMatrix(ReadMatrix):
    """A matrix in which faults are fields of colour; sign and number say the same without any."""

    def cell_style(self, tone: str, *, selected: bool) -> Style:
        """Give the style of a tone in a cell; under the cursor the cursor's counts."""
        style = super().cell_style(tone, selected=selected)
        return style + _FILLED if tone in _HOT and not selected else style
