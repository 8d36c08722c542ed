"""Pane: a framed part of a screen that can be filtered, sorted, zoomed and asked what is under its cursor."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message

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

    NAME: ClassVar[str] = ""
    """What it is called, in its frame and in the bar of panes."""

    class Noted(Message):
        """There is something else to bear in mind of it."""

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes="" if glyphs is UNICODE else "-ascii")
        self.number = number
        self.glyphs = glyphs
        self.filter = Filter()
        self.note = ""
        self.border_title = Content(f"{number} {self.NAME}" if number else self.NAME)

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

    def say(self, note: str) -> None:
        """Write into the lower edge of the frame what is left out, or why what is shown may not be true."""
        if note != self.note:
            self.note = note
            self.border_subtitle = Content(note)
            self.post_message(self.Noted())

    def tick(self, now: float) -> None:
        """Let what follows the clock say what is true now."""
