"""Span line: a fixed number of lines of spans, of which only those that differ are drawn."""

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.format import UNICODE, Glyphs, Span
from tui.widgets.cells import fit_spans
from tui.widgets.lines import make_strip
from tui.widgets.tones import Tones, tones_of


class SpanLines(Widget):
    """Lines that are replaced as a whole and repainted where they differ; ``ground`` is the tone behind them."""

    DEFAULT_CSS = """
    SpanLines {
        height: auto;
        background: $background;
        color: $foreground;
    }
    """

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        ground: str = "text",
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.glyphs = glyphs
        self._ground = ground
        self._lines: tuple[tuple[Span, ...], ...] = ()
        self._drawn: dict[int, Strip] = {}
        self._tones: Tones | None = None

    @property
    def lines(self) -> tuple[tuple[Span, ...], ...]:
        """What the lines say."""
        return self._lines

    def set_lines(self, lines: Sequence[Sequence[Span]]) -> None:
        """Say something else; another number of lines takes another height."""
        made = tuple(tuple(line) for line in lines)
        if made == self._lines:
            return
        before, self._lines = self._lines, made
        if len(made) != len(before):
            self._drawn.clear()
            self.refresh(layout=True)
            return
        changed = [y for y, (old, new) in enumerate(zip(before, made, strict=True)) if old != new]
        for y in changed:
            self._drawn.pop(y, None)
        self.refresh(*(Region(0, y, self.size.width, 1) for y in changed))

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002
        """Take a line of the screen for each line."""
        return len(self._lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Give lines as they were drawn."""
        strips = [self.render_line(y) for y in range(crop.y, crop.bottom)]
        if (crop.x, crop.width) != (0, self.size.width):
            strips = [strip.crop(crop.x, crop.right) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """Draw one line, or take what was drawn of it."""
        strip = self._drawn.get(y)
        if strip is None:
            strip = self._drawn[y] = self._draw(y)
        return strip

    def _draw(self, y: int) -> Strip:
        if self._tones is None:
            self._tones = tones_of(self)
        ground = self._tones.style(self._ground)
        if y >= len(self._lines):
            return Strip.blank(self.size.width, ground)
        fitted = fit_spans(self._lines[y], self.size.width, self.glyphs)
        styles = [(text, self._tones.style(tone if tone != "text" else self._ground)) for text, tone in fitted]
        return make_strip(styles, ground, self.size.width)

    def watch_has_focus(self, _has_focus: bool) -> None:  # noqa: FBT001 - the signature is Textual's
        """Leave the styles: they are the same with the keys and without."""

    def notify_style_update(self) -> None:
        """Forget the colours of another theme."""
        super().notify_style_update()
        self._tones = None
        self._drawn.clear()

    def on_resize(self) -> None:
        """Forget what was drawn for another width."""
        self._drawn.clear()
