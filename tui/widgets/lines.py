"""Lines: a scrolled list of lines under a fixed header, which repaints as few cells as it can.

A line is refreshed only where it differs from what is on the screen, and no frame is added while earlier ones still
wait for a slow terminal: then the newest state is painted once, later.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.format import UNICODE, Glyphs, Span, cut
from tui.widgets.narrow import NarrowApp, differences
from tui.widgets.tones import Tones

RETRY: Final = 0.1
"""Seconds until a frame that was held back is tried again."""
_WAITING_FRAMES: Final = 1


def is_congested(app: App[Any]) -> bool:
    """Tell whether the terminal is behind: frames wait in the queue of Textual's writer thread.

    The queue holds 30; a full one would block the event loop and with it every watch. It is private, so whatever is
    missing counts as no queue at all.
    """
    writer = getattr(getattr(app, "_driver", None), "_writer_thread", None)
    waiting: Callable[[], int] | None = getattr(getattr(writer, "_queue", None), "qsize", None)
    return waiting is not None and waiting() > _WAITING_FRAMES


_KEYS: Final[list[BindingType]] = [
    Binding("down,j", "move(1)", "Down", show=False, id="lines.down"),
    Binding("up,k", "move(-1)", "Up", show=False, id="lines.up"),
    Binding("pagedown", "page(1)", "Page down", show=False, id="lines.page-down"),
    Binding("pageup", "page(-1)", "Page up", show=False, id="lines.page-up"),
    Binding("g,home", "first", "First", show=False, id="lines.first"),
    Binding("G,end", "last", "Last", show=False, id="lines.last"),
    Binding("enter", "select", "Open", show=False, id="lines.open"),
]


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
        self._on_screen: dict[int, Strip] = {}
        self._dirty: set[int] = set()
        self._is_waiting = False

    def draw(self, index: int) -> Strip:
        """Draw the line of an index that exists, as wide as the widget."""
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
            self._tones = Tones(self.app.theme_variables, self.rich_style)
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

    def render_line(self, y: int) -> Strip:
        """Draw a line of the screen."""
        strip = self._on_screen[y] = self._line(y)
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
        return Strip.blank(self.cells, style)

    def strip(self, parts: Iterable[tuple[str, Style]], ground: Style) -> Strip:
        """Make a strip as wide as the widget of texts that hold no control characters any more."""
        return make_strip(parts, ground, self.cells)

    def repaint(self, indexes: Iterable[int] | None = None) -> None:
        """Bring lines to the screen as soon as it can take them: those of some indexes, or everything."""
        if indexes is None:
            self._dirty.update(range(self.size.height))
        else:
            top = self.top - self.HEADER
            self._dirty.update(index - top for index in indexes if self.top <= index < self.top + self.page)
        self._flush()

    def _flush(self) -> None:
        if not self._dirty or not self.is_attached or self._is_waiting:
            return
        if is_congested(self.app):
            self._is_waiting = True
            self.set_timer(RETRY, self._retry)
            return
        height = self.size.height
        regions = [region for y in self._dirty if y < height for region in self._changed(y)]
        self._dirty.clear()
        if regions:
            self.refresh(*regions)

    def _retry(self) -> None:
        self._is_waiting = False
        self._flush()

    def _changed(self, y: int) -> list[Region]:
        """Find where a line differs from what is on the screen."""
        shown, strip = self._on_screen.get(y), self._line(y)
        if shown is strip:
            return []
        if shown is None or shown.cell_length != strip.cell_length:
            return [Region(0, y, self.cells, 1)]
        ranges = differences(shown, strip)
        if ranges and not isinstance(self.app, NarrowApp):
            ranges = [(0, ranges[-1][1])]
        return [Region(start, y, end - start, 1) for start, end in ranges]

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
        self.forget_strips()

    def on_resize(self, _event: Resize) -> None:
        """Lay out for another size."""
        self._on_screen.clear()
        self.forget_strips()
        self.resize_to(self.count())
        self.show_cursor()
        self.refresh()

    def on_focus(self) -> None:
        """Show whose keys these are."""
        self.repaint((self.cursor,))

    def on_blur(self) -> None:
        """Show that the keys are another's now."""
        self.repaint((self.cursor,))

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


def make_strip(parts: Iterable[tuple[str, Style]], ground: Style, cells: int) -> Strip:
    """Join texts of equal style into as few segments as there can be: each costs some 40 bytes on the wire."""
    joined: list[tuple[str, Style]] = []
    for text, style in parts:
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + text, style)
        elif text:
            joined.append((text, style))
    strip = Strip([Segment(text, style) for text, style in joined])
    return strip.adjust_cell_length(cells, ground).simplify()
