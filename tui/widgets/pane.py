"""Pane: a framed part of a screen that can be filtered, sorted, zoomed and asked what is under its cursor."""

from typing import ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.geometry import Region
from textual.message import Message
from textual.messages import Update
from textual.strip import Strip

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, cut, width
from tui.probing import Wanted
from tui.widgets.filter import Filter
from tui.widgets.lines import make_strip
from tui.widgets.tones import tones_of


class Pane(Vertical):
    """A framed part of a screen; its subclasses hold one list each and say what it is of."""

    DEFAULT_CSS = """
    Pane { border: blank; background: $background; height: auto; padding: 0; }
    Pane.-bare { border: none; }
    """

    NAME: ClassVar[str] = ""
    """What it is called, in its frame and in the bar of panes."""

    class Noted(Message):
        """There is something else to bear in mind of it."""

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.number = number
        self.glyphs = glyphs
        self.filter = Filter()
        self.note = ""
        self._has_keys = False
        self._frame: list[Strip] = []
        """The frame as it was drawn, line by line; empty: it is to be drawn anew."""

    def compose(self) -> ComposeResult:
        """Hold nothing; subclasses do."""
        yield from ()

    def subject(self) -> ObjectRef | None:
        """Tell what is under the cursor."""
        return None

    def to_probe(self, diagnosis: Diagnosis) -> Wanted | None:  # noqa: ARG002 - as some panes need it
        """Tell what is to be probed for what is under the cursor, where that is more than its subject says."""
        return None

    def line(self) -> str:
        """Give the text of the row under the cursor, for copying."""
        return ""

    def code(self) -> str:
        """Name the finding under the cursor; empty where there is none."""
        return ""

    def set_filter(self, wanted: Filter) -> None:
        """Leave out what is not wanted."""
        self.filter = wanted

    def renew(self) -> None:
        """Be as if just made: nothing is left out, the cursor is on the first line."""
        if self.filter.says:
            self.set_filter(Filter())

    def sort(self, column: str) -> None:
        """Order by a column, the other way round where it is in that order already."""

    def say(self, note: str) -> None:
        """Write into the lower edge of the frame what is left out, or why what is shown may not be true."""
        if note != self.note:
            self.note = note
            self._draw_anew()
            self.post_message(self.Noted())

    def tick(self, now: float) -> None:
        """Let what follows the clock say what is true now."""

    # The frame is drawn here: one of Textual's that follows the focus styles and draws all that is in it anew.

    def follow_focus(self) -> None:
        """Show whose keys these are, in the frame in which the focus moves: its events come too late for that."""
        if self.has_focus_within != self._has_keys:
            self._has_keys = not self._has_keys
            self._draw_anew()
            self.screen.post_message(Update(self))  # Textual would tell the screen when the pane has nothing else to do
            self.keys_came()

    def keys_came(self) -> None:
        """Hear that the keys are this pane's now, or another's."""

    def on_resize(self) -> None:
        """Draw a frame of another size."""
        self._draw_anew()

    def notify_style_update(self) -> None:
        """Forget the colours of another theme."""
        super().notify_style_update()
        self._frame = []

    def _draw_anew(self) -> None:
        self._frame = []
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give lines of the frame, which are blank where the list is."""
        if len(self._frame) != self.region.height or self._frame[0].cell_length != self.region.width:
            self._frame = self._drawn_frame(*self.region.size)
        strips = self._frame[crop.y : crop.bottom]
        if (crop.x, crop.width) != (0, self.region.width):
            strips = [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def _drawn_frame(self, cells: int, lines: int) -> list[Strip]:
        tones = tones_of(self)
        ground = tones.style("text")
        if self.has_class("-bare") or cells < _NARROWEST or lines < 2:  # noqa: PLR2004 - two edges
            return [Strip.blank(cells, ground)] * lines
        line = tones.variable("border" if self._has_keys else "border-blurred")
        word = tones.style("accent" if self._has_keys else "muted")
        pen = _ASCII if self.glyphs is not UNICODE else _ROUND
        title = f" {self.number} {self.NAME} " if self.number else f" {self.NAME} " if self.NAME else ""
        title = cut(title, cells - 4, self.glyphs)
        note = cut(f" {self.note} ", cells - 4, self.glyphs) if self.note else ""
        top = pen.rule * (cells - 3 - width(title)) + pen.top_right
        bottom = pen.bottom_left + pen.rule * (cells - 3 - width(note))
        middle = [(pen.side, line), (" " * (cells - 2), ground), (pen.side, line)]
        return [
            make_strip([(pen.top_left + pen.rule, line), (title, word), (top, line)], ground, cells),
            *[make_strip(middle, ground, cells)] * (lines - 2),
            make_strip([(bottom, line), (note, word), (pen.rule + pen.bottom_right, line)], ground, cells),
        ]


class _Edges(NamedTuple):
    """What a frame is drawn with."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str
    rule: str
    side: str


_ROUND: Final = _Edges("╭", "╮", "╰", "╯", "─", "│")
_ASCII: Final = _Edges("+", "+", "+", "+", "-", "|")
_NARROWEST: Final = 6
"""Cells that a frame with anything in it takes."""
