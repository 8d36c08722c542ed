"""Narrow updates: only the cells that differ from what the terminal shows are sent to it, and only when it keeps up.

Textual 8.2 sends a dirty region from the left edge of its widget, each piece of it with its whole style, and all of the
screen whenever something is laid out anew. On a slow line that is seconds. Here a frame is held against what was sent
before, as curses does it; while earlier frames still wait for the terminal nothing is added, and then the newest state
is sent once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple, cast

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.strip import Strip
from textual.timer import Timer

RETRY: Final = 0.05
"""Seconds until a frame that was held back is tried again."""
_WAITING_WRITES: Final = 2
"""Writes that may wait: a frame is up to three of them, its own and those that keep it from being shown in part."""
_WORTH_A_MOVE: Final = 8
"""Equal cells between two differences that are cheaper to send again than to move over."""

Cell = tuple[str, Style | None, int]
"""What one cell of a line shows, in which style, and which half of a wide character it is."""
Line = Sequence[Segment]


class Run(NamedTuple):
    """Texts that stand beside one another, and where the first begins, in cells from the left."""

    x: int
    texts: tuple[tuple[str, Style | None], ...]


class Painting:
    """What a terminal shows, what it should show, and the sequences that lead from one to the other."""

    def __init__(self) -> None:
        self._size = Size(0, 0)
        self._wanted: list[Line] = []
        self._shown: list[Line | None] = []
        self._differing: set[int] = set()

    def forget(self) -> None:
        """Count on nothing that the terminal shows: it was resized, or something else wrote on it."""
        self._shown = [None] * len(self._wanted)
        self._differing = set(range(len(self._wanted)))

    def take(self, update: LayoutUpdate | ChopsUpdate) -> None:
        """Note what the screen should show from now on; a layout is of all of it and tells its size."""
        if isinstance(update, LayoutUpdate):
            if update.region.size != self._size:
                self._size = update.region.size
                self._wanted = [[] for _ in range(self._size.height)]
                self.forget()
            for y, strips in enumerate(update.strips, update.region.y):
                self._want(y, [segment for strip in strips for segment in strip])
            return
        for y in {y for y, _, _ in update.spans}:
            if y < len(self._wanted):
                self._want(y, list(self._merged(y, update.chops[y].items(), update.chop_ends[y])))

    def _merged(self, y: int, chops: Iterable[tuple[int, Strip | None]], ends: Sequence[int]) -> Iterator[Segment]:
        """Put a line together of what was rendered of it and, elsewhere, what it showed."""
        for (x, strip), end in zip(chops, ends, strict=False):
            yield from Strip(self._wanted[y]).crop(x, end) if strip is None else strip

    def _want(self, y: int, line: Line) -> None:
        if y < len(self._wanted) and line != self._wanted[y]:
            self._wanted[y] = line
            self._differing.add(y)

    def flush(self, colors: ColorSystem) -> str:
        """Give the sequences that make the terminal show what it should; empty where it does."""
        pen, said = _Pen(colors), list[str]()
        for y in sorted(self._differing):
            for x, texts in differences(self._shown[y], self._wanted[y]):
                said.append(f"\x1b[{y + 1};{x + 1}H")
                said += [pen.write(text, style) for text, style in texts]
            self._shown[y] = self._wanted[y]
        self._differing.clear()
        return "".join(said) + pen.lift()


class _Pen:
    """Writes texts in styles and says only how each style differs from the one before."""

    def __init__(self, colors: ColorSystem) -> None:
        self._colors = colors
        self._now = _PLAIN

    def write(self, text: str, style: Style | None) -> str:
        """Give a text with what makes it look so."""
        wanted = _look(style, self._colors)
        return self._change(wanted) + text

    def lift(self) -> str:
        """Give what leaves the terminal in no style."""
        return self._change(_PLAIN)

    def _change(self, wanted: "_Look") -> str:
        now, self._now = self._now, wanted
        if wanted == now:
            return ""
        if wanted == _PLAIN:
            return "\x1b[m"
        codes = [] if wanted.attributes == now.attributes else ["0", wanted.attributes]
        if codes:
            now = _PLAIN
        codes += [new for new, old in zip(wanted[1:], now[1:], strict=True) if new != old]
        return f"\x1b[{';'.join(code for code in codes if code)}m"


class _Look(NamedTuple):
    """The parameters of a style, as SGR sequences have them."""

    attributes: str
    foreground: str
    background: str


_PLAIN: Final = _Look("", "39", "49")


@lru_cache(maxsize=1024)
def _look(style: Style | None, colors: ColorSystem) -> _Look:
    if style is None:
        return _PLAIN
    ground = [
        ";".join(color.downgrade(colors).get_ansi_codes(foreground=is_front)) if color is not None else default
        for color, is_front, default in ((style.color, True, "39"), (style.bgcolor, False, "49"))
    ]
    return _Look(Strip.render_ansi(style.without_color, colors), *ground)


def differences(shown: Line | None, wanted: Line) -> list[Run]:
    """Find what of a line must be written where ``shown`` is on the screen; None is what nobody knows.

    Differences that are nearer to one another than a move of the cursor is worth are one.
    """
    if shown is None:
        return [Run(0, tuple((text, style) for text, style, _ in wanted))]
    old, new = list(shown), list(wanted)
    start = first = 0
    least = min(len(old), len(new))
    while first < least and old[first] == new[first]:
        start += new[first].cell_length
        first += 1
    last = 0
    while last < least - first and old[-1 - last] == new[-1 - last]:
        last += 1
    old, new = old[first : len(old) - last], new[first : len(new) - last]
    before, after = list(_expand(old)), list(_expand(new))
    cells = sum(segment.cell_length for segment in new)
    if not len(before) == len(after) == cells:  # combining characters that Rich counts otherwise in their company
        return [Run(start, tuple((text, style) for text, style, _ in new))] if new else []
    ranges: list[tuple[int, int]] = []
    for x, (one, other) in enumerate(zip(before, after, strict=True)):
        if one != other:
            if ranges and x - ranges[-1][1] < _WORTH_A_MOVE:
                ranges[-1] = (ranges[-1][0], x + 1)
            else:
                ranges.append((x, x + 1))
    return [Run(start + x, tuple(_joined(after[x:end]))) for x, end in ranges]


def _expand(segments: Line) -> Iterator[Cell]:
    """List cells, none of a wide character without its other half."""
    for text, style, _ in segments:
        if text.isascii():
            for char in text:
                yield char, style, 0
            continue
        cell = ""
        for char in text:
            cells = cell_len(char)
            if not cells:  # combines with the character before
                cell += char
                continue
            for half in range(cell_len(cell)):
                yield cell, style, half
            cell = char
        for half in range(cell_len(cell)):
            yield cell, style, half


def _joined(cells: Iterable[Cell]) -> Iterator[tuple[str, Style | None]]:
    """Join the texts of cells of one style."""
    text, style = "", None
    for char, own, half in cells:
        if half:
            continue
        if text and own != style:
            yield text, style
            text = ""
        text, style = text + char, own
    if text:
        yield text, style


class _Sequences(CompositorUpdate):
    """An update that is terminal sequences already."""

    def __init__(self, sequences: str) -> None:
        self._sequences = sequences

    def render_segments(self, console: Console) -> str:  # noqa: ARG002 - the signature is Textual's
        """Give the sequences."""
        return self._sequences


def is_congested(app: App[Any]) -> bool:
    """Tell whether the terminal is behind: what was written waits in the queue of Textual's writer thread.

    The queue holds 30; a full one would block the event loop and with it every watch. It is private, so whatever is
    missing counts as no queue at all.
    """
    writer = getattr(getattr(app, "_driver", None), "_writer_thread", None)
    waiting: Callable[[], int] | None = getattr(getattr(writer, "_queue", None), "qsize", None)
    return waiting is not None and waiting() > _WAITING_WRITES


class NarrowApp(App[Any]):
    """An App whose updates are narrow. What it overrides is private to Textual 8; a test holds that it is reached."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+l", "redraw", "Redraw", show=False, id="redraw", tooltip="Where something wrote on the screen"),
    ]

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self._painting = Painting()
        self._late: Timer | None = None

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if self.is_headless or not isinstance(renderable, LayoutUpdate | ChopsUpdate):
            super()._display(screen, renderable)
            return
        self._painting.take(renderable)
        self.send(screen)

    def send(self, screen: Screen[Any]) -> None:
        """Send what differs, or as soon as the terminal has taken what it was sent before."""
        if self._batch_count or not self._running or self._closed:
            return
        if is_congested(self):
            if self._late is None:
                self._late = self.set_timer(RETRY, self._send_late)
            return
        colors = COLOR_SYSTEMS.get(self.console.color_system or "", ColorSystem.TRUECOLOR)
        if sequences := self._painting.flush(colors):
            super()._display(screen, cast("Any", _Sequences(sequences)))  # as Textual passes its own

    def _send_late(self) -> None:
        self._late = None
        if self.screen_stack:
            self.send(self.screen)

    async def on_event(self, event: events.Event) -> None:
        """Count on nothing that a terminal of another size shows."""
        if isinstance(event, events.Resize):
            self._painting.forget()
        await super().on_event(event)

    def action_redraw(self) -> None:
        """Draw the whole screen again."""
        self._painting.forget()
        self.screen.refresh()
