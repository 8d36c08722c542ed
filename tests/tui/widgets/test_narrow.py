"""Narrow updates: the screen ends up the same, fewer bytes bring it there, and a slow terminal is waited for."""

import re
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App, ComposeResult
from textual.geometry import Region, Size
from textual.strip import Strip

from tui.format import Span, aged
from tui.widgets import narrow
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.narrow import NarrowApp, Painting
from tui.widgets.table import Table

WIDTH = 60
TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|(.)", re.DOTALL)
Look = tuple[frozenset[str], str, str]
PLAIN: Look = (frozenset(), "39", "49")


def styled(look: Look, sgr: str) -> Look:
    """Do what a terminal does with the parameters of a style."""
    attributes, front, back = look
    codes = [code or "0" for code in sgr.split(";")]
    while codes:
        code = codes.pop(0)
        if code == "0":
            attributes, front, back = PLAIN
        elif code in {"38", "48"}:
            taken, codes = codes[:4], codes[4:]
            front, back = (";".join(taken), back) if code == "38" else (front, ";".join(taken))
        elif code[0] in "39" and len(code) == 2:
            front = code
        elif code[0] == "4" and len(code) == 2:
            back = code
        else:
            attributes |= {code}
    return attributes, front, back


class Glass:
    """A terminal: what each of its cells shows and in which style."""

    def __init__(self) -> None:
        self.cells: dict[tuple[int, int], tuple[str, Look]] = {}
        self.look = PLAIN

    def play(self, sequences: str) -> "Glass":
        """Do what a terminal does; half of a wide character written over is blank."""
        x = y = 0
        for row, column, sgr, char in TOKEN.findall(sequences):
            if row:
                x, y = int(column) - 1, int(row) - 1
            elif not char:
                self.look = styled(self.look, sgr)
            else:
                x = self._put(x, y, char)
        return self

    def _put(self, x: int, y: int, char: str) -> int:
        screen, cells = self.cells, cell_len(char)
        for half in range(cells):
            if screen.get((x + half, y), ("", PLAIN))[0].endswith("<"):
                screen[x + half - 1, y] = (" ?", PLAIN)
            if screen.get((x + half + 1, y), ("", PLAIN))[0].endswith("<"):
                screen[x + half + 1, y] = (" ?", PLAIN)
        screen[x, y] = (char, self.look)
        if cells == 2:
            screen[x + 1, y] = (char + "<", self.look)
        return x + cells


styles = st.sampled_from(
    [
        Style(color="red"),
        Style(color="#102030", bgcolor="white", bold=True),
        Style(bold=True, italic=True),
        Style(bgcolor="#ff0000"),
        Style.null(),
        None,
    ]
)
texts = st.text(alphabet="ab 節✔é▁", max_size=12)
lines = st.lists(st.tuples(texts, styles), max_size=12).map(
    lambda parts: Strip([Segment(text, style) for text, style in parts if text]).adjust_cell_length(WIDTH, Style.null())
)


def layout(strips: Iterable[Strip]) -> LayoutUpdate:
    made = [[strip] for strip in strips]
    return LayoutUpdate(list(made), Region(0, 0, WIDTH, len(made)))


def sent(painting: Painting, update: LayoutUpdate | ChopsUpdate) -> str:
    painting.take(update)
    return painting.flush(ColorSystem.TRUECOLOR)


@given(lines, lines)
def test_the_screen_ends_up_the_same(one: Strip, other: Strip) -> None:
    """Sending only what differs of two frames leaves what sending the whole second one does, in text and in style."""
    painting, whole = Painting(), Painting()
    before, after = [one, other, one], [other, other, one]
    glass = Glass().play(sent(painting, layout(before))).play(sent(painting, layout(after)))
    assert glass.cells == Glass().play(sent(whole, layout(after))).cells
    assert glass.look == PLAIN
    assert sent(painting, layout(after)) == ""


@given(lines, lines, st.integers(1, WIDTH - 1))
def test_a_part_of_a_line_is_laid_over_what_was_there(before: Strip, after: Strip, cut: int) -> None:
    """Of a line rendered only in part the rest stays as it is, and no wide character is left as a half."""
    painting, whole = Painting(), Painting()
    glass = Glass().play(sent(painting, layout([before])))
    left, right = after.crop(0, cut), before.crop(cut, WIDTH)
    update = ChopsUpdate([{0: left, cut: None}], [(0, 0, cut)], [[cut, WIDTH]])
    glass.play(sent(painting, update))
    assert glass.cells == Glass().play(sent(whole, layout([Strip.join([left, right])]))).cells


def test_far_differences_are_apart() -> None:
    """What lies between two far differences is not sent; near ones are one, and a style is said once."""
    painting = Painting()
    sent(painting, layout([Strip([Segment(" " * WIDTH)])]))
    far = Strip([Segment("x" + " " * (WIDTH - 2) + "y")])
    assert sent(painting, layout([far])) == f"\x1b[1;1Hx\x1b[1;{WIDTH}Hy"
    near = Strip([Segment("x z" + " " * (WIDTH - 4) + "y")])
    assert sent(painting, layout([near])) == "\x1b[1;3Hz"
    red = [Segment(f"{i} ", Style(color="red")) for i in range(9)]
    one_style = Strip([*red, Segment(" " * (WIDTH - 18))])
    assert sent(painting, layout([one_style])).count("\x1b[31m") == 1


def test_what_is_shown_may_be_forgotten() -> None:
    """A terminal of another size, or one that something else wrote on, gets everything again."""
    painting = Painting()
    line = Strip([Segment("a" * WIDTH)])
    assert sent(painting, layout([line]))
    assert not sent(painting, layout([line]))
    assert sent(painting, layout([line, line])).count("a") == 2 * WIDTH
    painting.forget()
    assert painting.flush(ColorSystem.TRUECOLOR).count("a") == 2 * WIDTH


class Ages(NarrowApp):
    """A table whose ages tick, on a terminal."""

    def compose(self) -> ComposeResult:
        yield Table([Column("node", "NODE", grow=True), Column("seen", "SEEN", right=True)])

    @property
    def is_headless(self) -> bool:
        return False


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the sequences that Textual is given to write."""
    noted: list[str] = []

    def display(app: App[Any], _screen: object, renderable: Any) -> None:
        if renderable is not None:
            noted.append(renderable.render_segments(app.console))

    monkeypatch.setattr(App, "_display", display)
    return noted


async def test_an_age_that_ticks_sends_the_age(written: list[str]) -> None:
    """A second's passing brings the age to the terminal, through what NarrowApp overrides, not the name beside it."""
    app = Ages()
    async with app.run_test(size=(80, 10)) as pilot:
        table = app.query_one(Table)
        table.set_rows([Row("n", (Span("node-1"), Ticking(100.0, aged)))], 105.0)
        await pilot.pause()
        written.clear()
        table.tick(106.0)
        await pilot.pause()
        assert len(written) == 1
        assert "6" in written[0]
        assert "node" not in written[0]
        assert len(written[0]) < 60


async def test_a_frame_that_changes_nothing_sends_nothing(written: list[str]) -> None:
    """A screen drawn again as it is costs no byte; ctrl-l and another size of the terminal send all of it."""
    app = Ages()
    async with app.run_test(size=(80, 10)) as pilot:
        app.query_one(Table).set_rows([Row("n", (Span("node-1"), Ticking(100.0, aged)))], 105.0)
        await pilot.pause()
        written.clear()
        app.screen.refresh(layout=True)
        await pilot.pause()
        assert written == []
        await pilot.press("ctrl+l")
        await pilot.pause()
        assert "node-1" in "".join(written)
        written.clear()
        app.post_message(events.Resize(Size(80, 10), Size(80, 10)))
        await pilot.pause()
        app.screen.refresh()
        await pilot.pause()
        assert "node-1" in "".join(written)


async def test_slow_terminal_gets_the_newest_state_once(written: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """While frames wait nothing is added; afterwards the newest state is sent, not every one between."""
    app = Ages()
    async with app.run_test(size=(80, 10)) as pilot:
        table = app.query_one(Table)
        table.set_rows([Row("n", (Span("node-1"), Ticking(100.0, aged)))], 105.0)
        await pilot.pause()
        written.clear()
        monkeypatch.setattr(narrow, "is_congested", lambda _app: True)
        for now in (106.0, 107.0, 108.0):
            table.tick(now)
            await pilot.pause()
        assert written == []
        monkeypatch.setattr(narrow, "is_congested", lambda _app: False)
        for _ in range(100):
            if written:
                break
            await pilot.pause(0.02)
        assert len(written) == 1
        assert re.sub(r"\x1b\[[\d;]*[mH]", "", written[0]) == "8"


def test_congestion_is_told_by_the_writers_queue() -> None:
    """A driver without a writer thread is never behind; one whose queue holds frames is."""

    class Queue:
        def qsize(self) -> int:
            return 4

    app = App[None]()
    assert not narrow.is_congested(app)
    writer = type("Writer", (), {"_queue": Queue()})()
    app._driver = type("Driver", (), {"_writer_thread": writer})()
    assert narrow.is_congested(app)
