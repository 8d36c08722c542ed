"""Pane: a framed part of a screen that can be filtered, sorted, zoomed and asked what is under its cursor."""

from textual.app import ComposeResult
from textual.containers import Vertical

from probes.model.flux import ObjectRef
from tui.format import UNICODE, Glyphs
from tui.widgets.filter import Filter


class Pane(Vertical):
    """A framed part of a screen; its subclasses hold one list each and say what it is of."""

    DEFAULT_CSS = """
    Pane {
        border: round $border-blurred;
        border-title-color: $tone-muted;
        border-subtitle-color: $tone-muted;
        background: $background;
        height: auto;
        padding: 0;
    }
    Pane:focus-within {
        border: round $border;
        border-title-color: $tone-accent;
        border-title-style: bold;
    }
    Pane.-ascii { border: ascii $border-blurred; }
    Pane.-ascii:focus-within { border: ascii $border; }
    Pane.-bare, Pane.-bare:focus-within { border: none; }
    """

    NAME = ""
    """What it is called, in its frame and in the bar of panes."""

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes="" if glyphs is UNICODE else "-ascii")
        self.number = number
        self.glyphs = glyphs
        self.filter = Filter()
        self.border_title = f"{number} {self.NAME}" if number else self.NAME

    def compose(self) -> ComposeResult:
        """Hold nothing; subclasses do."""
        yield from ()

    def subject(self) -> ObjectRef | None:
        """Tell what is under the cursor."""
        return None

    def line(self) -> str:
        """Give the text of the row under the cursor, for copying."""
        return ""

    def set_filter(self, wanted: Filter) -> None:
        """Leave out what is not wanted."""
        self.filter = wanted

    def sort(self, column: str) -> None:
        """Order by a column, the other way round where it is in that order already."""

    def tick(self, now: float) -> None:
        """Let what follows the clock say what is true now."""
