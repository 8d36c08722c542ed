"""Span line: a fixed number of lines of spans, of which only what differs is sent to the terminal."""

from collections.abc import Sequence

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.format import UNICODE, Glyphs, Span
from tui.widgets.cells import fit_spans
from tui.widgets.lines import RETRY, is_congested, make_strip
from tui.widgets.narrow import differences
from tui.widgets.tones import Tones


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
        self._shown: dict[int, Strip] = {}
        self._tones: Tones | None = None
        self._is_waiting = False

    @property
    def lines(self) -> tuple[tuple[Span, ...], ...]:
        """What the lines say."""
        return self._lines

    def set_lines(self, lines: Sequence[Sequence[Span]]) -> None:
        """Say something else; another number of lines takes another height."""
        made = tuple(tuple(line) for line in lines)
        if made == self._lines:
            return
        is_taller = len(made) != len(self._lines)
        self._lines = made
        if is_taller:
            self._shown.clear()
            self.refresh(layout=True)
        else:
            self._repaint()

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002
        """Take a line of the screen for each line."""
        return len(self._lines)

    def render_line(self, y: int) -> Strip:
        """Draw one line."""
        strip = self._shown[y] = self._draw(y)
        return strip

    def _draw(self, y: int) -> Strip:
        if self._tones is None:
            self._tones = Tones(self.app.theme_variables, self.rich_style)
        ground = self._tones.style(self._ground)
        if y >= len(self._lines):
            return Strip.blank(self.size.width, ground)
        fitted = fit_spans(self._lines[y], self.size.width, self.glyphs)
        styles = [(text, self._tones.style(tone if tone != "text" else self._ground)) for text, tone in fitted]
        return make_strip(styles, ground, self.size.width)

    def _repaint(self) -> None:
        if not self.is_attached or self._is_waiting or not self.size.width:
            return
        if is_congested(self.app):
            self._is_waiting = True
            self.set_timer(RETRY, self._retry)
            return
        regions = []
        for y in range(len(self._lines)):
            shown, strip = self._shown.get(y), self._draw(y)
            if shown is None or shown.cell_length != strip.cell_length:
                regions.append(Region(0, y, self.size.width, 1))
            else:
                regions.extend(Region(start, y, end - start, 1) for start, end in differences(shown, strip))
        if regions:
            self.refresh(*regions)

    def _retry(self) -> None:
        self._is_waiting = False
        self._repaint()

    def notify_style_update(self) -> None:
        """Forget the colours of another theme."""
        super().notify_style_update()
        self._tones = None
        self._shown.clear()

    def on_resize(self) -> None:
        """Forget what was drawn for another width."""
        self._shown.clear()
