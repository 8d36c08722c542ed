"""Lines: a scrolled list of lines under a fixed header, which draws as few of them as it can."""

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.format import UNICODE, Glyphs, Span, cut, width
from tui.widgets.tones import Tones, tones_of

_KEYS: Final[list[BindingType]] = [
    Binding("down,j", "move(1)", "Down", show=False, id="lines.down"),
    Binding("up,k", "move(-1)", "Up", show=False, id="lines.up"),
    Binding("pagedown", "page(1)", "Page down", show=False, id="lines.page-down"),
    Binding("pageup", "page(-1)", "Page up", show=False, id="lines.page-up"),
    Binding("g,home", "first", "First", show=False, id="lines.first"),
    Binding("G,end", "last", "Last", show=False, id="lines.last"),
    Binding("enter", "select", "Open", show=False, id="lines.open"),
]


Part = tuple[str, Style]
"""A text that holds no control characters any more, and its style."""
Parts = list[Part]


class Lines(ScrollView, can_focus=True):
    """A list of lines with a cursor; what a line shows is told by its subclass in ``draw`` and ``draw_header``."""

    DEFAULT_CSS = """
    Lines {
        background: $background;
        color: $foreground;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-size: 0 1;
        scrollbar-gutter: stable;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = _KEYS

    HEADER: ClassVar[int] = 1
    """Lines that do not scroll."""

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.glyphs = glyphs
        self.cursor = 0
        self._placeholder: Span | None = None
        self._tones: Tones | None = None
        self._drawn_lines: dict[int, Strip] = {}
        """What each line of the widget shows; whatever changes it says so to ``repaint``."""

    def draw(self, index: int) -> Strip:
        """Draw the line of an index that exists: ``cells`` of it, and blank where the scrollbar may stand."""
        raise NotImplementedError

    def draw_header(self) -> Strip:
        """Draw the line that does not scroll."""
        raise NotImplementedError

    def count(self) -> int:
        """Count the lines."""
        raise NotImplementedError

    def forget_strips(self) -> None:
        """Drop what was drawn: colours or widths are others now."""
        raise NotImplementedError

    def moved(self) -> None:
        """Hear that the cursor is on another line."""

    def selected(self) -> None:
        """Hear that the line under the cursor was opened."""

    @property
    def tones(self) -> Tones:
        """The styles of the active theme on this widget's background."""
        if self._tones is None:
            self._tones = tones_of(self)
        return self._tones

    @property
    def placeholder(self) -> Span | None:
        """What is said where there are no lines: loading, empty, restricted and failed must not look the same."""
        return self._placeholder

    @placeholder.setter
    def placeholder(self, span: Span | None) -> None:
        self._placeholder = span
        self.repaint()

    @property
    def cells(self) -> int:
        """How many cells wide a line is; the scrollbar's is kept free, so that it does not shift columns."""
        return self.scrollable_content_region.width

    @property
    def page(self) -> int:
        """How many lines fit under the header."""
        return max(1, self.size.height - self.HEADER)

    @property
    def top(self) -> int:
        """The index of the first line under the header."""
        return int(self.scroll_offset.y)

    def in_view(self) -> range:
        """Tell the indexes of the lines on the screen."""
        return range(self.top, min(self.count(), self.top + self.page))

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give lines as they were drawn; Textual's own way would style, filter and copy each of them anew."""
        strips = [self._drawn_line(y) for y in range(crop.y, crop.bottom)]
        if (crop.x, crop.width) != (0, self.size.width):
            strips = [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """Give one line as it was drawn."""
        return self._drawn_line(y)

    def _drawn_line(self, y: int) -> Strip:
        strip = self._drawn_lines.get(y)
        if strip is None:
            strip = self._drawn_lines[y] = self._line(y)
        return strip

    def _line(self, y: int) -> Strip:
        if y < self.HEADER:
            return self.draw_header()
        index = y - self.HEADER + self.top
        if index < self.count():
            return self.draw(index)
        style = self.tones.style("text")
        if self._placeholder and not self.count() and y == self.HEADER:
            said = cut(" " + self._placeholder.text, self.cells, self.glyphs)
            return self.strip([(said, self.tones.style(self._placeholder.tone))], style)
        return Strip.blank(self.size.width, style)

    def strip(self, parts: Iterable[Part], ground: Style) -> Strip:
        """Make a strip as wide as the widget of texts that hold no control characters any more."""
        return make_strip(parts, ground, self.size.width)

    def repaint(self, indexes: Iterable[int] | None = None) -> None:
        """Draw lines anew, those of some indexes or all: the screen is told of those that came out differently."""
        if not self.is_attached:
            return
        height, top = self.size.height, self.top - self.HEADER
        lines = range(height) if indexes is None else (index - top for index in {*indexes} & {*self.in_view()})
        changed = [y for y in lines if self._redraw(y)]
        if changed:
            self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def _redraw(self, y: int) -> bool:
        before, strip = self._drawn_lines.get(y), self._line(y)
        self._drawn_lines[y] = strip
        return before is not strip and before != strip

    def resize_to(self, count: int) -> None:
        """Tell Textual how many lines there are to scroll through."""
        size = Size(self.cells, count + self.HEADER)
        if size == self.virtual_size:
            return
        if self.styles.is_auto_height or not self.size.height:
            self.virtual_size = size
            return
        # Setting it the usual way lays out the whole screen anew, 29 KB for one more row below what is seen.
        self.set_reactive(Lines.virtual_size, size)
        self._scroll_update(size)

    def move_to(self, index: int, *, quiet: bool = False) -> None:
        """Put the cursor on a line and that line on the screen."""
        before, self.cursor = self.cursor, max(0, min(index, self.count() - 1))
        self.show_cursor()
        self.repaint((before, self.cursor))
        if before != self.cursor and not quiet:
            self.moved()

    def show_cursor(self) -> None:
        """Scroll just as far as needed for the cursor's line to be seen."""
        if self.cursor < self.top:
            self._scroll_lines(self.cursor)
        elif self.cursor >= self.top + self.page:
            self._scroll_lines(self.cursor - self.page + 1)

    def _scroll_lines(self, top: int) -> None:
        if self.size.height:
            self.scroll_to(y=top, animate=False, force=True)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Repaint by lines in place of the whole region."""
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = new_value
        if round(old_value) != round(new_value):
            self.repaint()

    def notify_style_update(self) -> None:
        """Forget the colours of another theme."""
        super().notify_style_update()
        self._tones = None
        self._drawn_lines.clear()
        self.forget_strips()

    def on_resize(self, _event: Resize) -> None:
        """Lay out for another size."""
        self._drawn_lines.clear()
        self.forget_strips()
        self.resize_to(self.count())
        self.show_cursor()
        self.refresh()

    def watch_has_focus(self, _has_focus: bool) -> None:  # noqa: FBT001 - the signature is Textual's
        """Leave the styles: whose keys these are is drawn, and styling would draw every line anew."""

    def on_focus(self) -> None:
        """Show whose keys these are."""
        self.repaint()

    def on_blur(self) -> None:
        """Show that the keys are another's now."""
        self.repaint()

    def on_click(self, event: Click) -> None:
        """Put the cursor where the click was; a second click opens."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y < self.HEADER:
            return
        index = offset.y - self.HEADER + self.top
        if index < self.count():
            self.clicked(index, offset.x)

    def clicked(self, index: int, _x: int) -> None:
        """Hear of a click on a line, ``x`` cells from the left."""
        if index == self.cursor:
            self.selected()
        else:
            self.move_to(index)

    def action_move(self, lines: int) -> None:
        """Move the cursor."""
        self.move_to(self.cursor + lines)

    def action_page(self, pages: int) -> None:
        """Move the cursor and what is seen by whole pages."""
        self._scroll_lines(self.top + pages * self.page)
        self.move_to(self.cursor + pages * self.page)

    def action_first(self) -> None:
        """Go to the first line."""
        self.move_to(0)

    def action_last(self) -> None:
        """Go to the last line."""
        self.move_to(self.count() - 1)

    def action_select(self) -> None:
        """Open the line under the cursor."""
        if self.count():
            self.selected()


def joined(parts: Iterable[Part]) -> Parts:
    """Join texts of one style: as few parts as there can be. Equal styles of one Tones are the same object."""
    found: list[Part] = []
    last: Style | None = None
    for text, style in parts:
        if style is last:
            found[-1] = (found[-1][0] + text, style)
        elif text:
            found.append((text, style))
            last = style
    return found


def make_strip(parts: Iterable[Part], ground: Style, cells: int) -> Strip:
    """Make a strip of texts, in as few segments as there can be, as wide as is wanted."""
    found = joined(parts)
    used = sum(width(text) for text, _ in found)
    if used < cells:
        found = joined([*found, (" " * (cells - used), ground)])
    strip = Strip([Segment(text, style) for text, style in found], max(used, cells))
    return strip if used <= cells else strip.crop(0, cells)
