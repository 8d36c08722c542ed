"""Narrow updates: the screen ends up the same and fewer bytes bring it there."""

import io
import re

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate
from textual.app import ComposeResult
from textual.strip import Strip

from tui.format import Span, aged
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.narrow import NarrowApp, NarrowUpdate, differences
from tui.widgets.table import Table

WIDTH = 60
CONSOLE = Console(file=io.StringIO(), color_system="truecolor", force_terminal=True, legacy_windows=False)
TOKEN = re.compile(r"\x1b\[(\d+);(\d+)H|\x1b\[([\d;]*)m|(.)", re.DOTALL)


def play(screen: dict[tuple[int, int], tuple[str, str]], sequences: str) -> None:
    """Do what a terminal does with moves, styles and text; half of a wide character written over is blank."""
    x = y = 0
    style = ""
    for row, column, sgr, char in TOKEN.findall(sequences):
        if row:
            x, y = int(column) - 1, int(row) - 1
        elif not char:
            style = "" if sgr in {"", "0"} else sgr
        else:
            cells = cell_len(char)
            for half in range(cells):
                if screen.get((x + half, y), ("", ""))[0].endswith("<"):
                    screen[x + half - 1, y] = (" ", "?")
                if screen.get((x + half + 1, y), ("", ""))[0].endswith("<"):
                    screen[x + half + 1, y] = (" ", "?")
            screen[x, y] = (char, style)
            if cells == 2:
                screen[x + 1, y] = (char + "<", style)
            x += cells


styles = st.sampled_from([Style(color="red"), Style(color="blue", bgcolor="white"), Style(bold=True), Style.null()])
texts = st.text(alphabet="ab 節✔é▁", max_size=12)
lines = st.lists(st.tuples(texts, styles), max_size=12).map(
    lambda parts: Strip([Segment(text, style) for text, style in parts if text]).adjust_cell_length(WIDTH, Style.null())
)


def update(strip: Strip, ranges: list[tuple[int, int]], kind: type[ChopsUpdate] = NarrowUpdate) -> str:
    return kind([{0: strip}], [(0, *each) for each in ranges], [[WIDTH]]).render_segments(CONSOLE)


@given(lines, lines)
def test_the_screen_ends_up_the_same(shown: Strip, strip: Strip) -> None:
    """Sending only the differences of two lines leaves what sending the whole line does, in text and in style."""
    narrow: dict[tuple[int, int], tuple[str, str]] = {}
    whole: dict[tuple[int, int], tuple[str, str]] = {}
    play(narrow, update(shown, [(0, WIDTH)]))
    ranges = differences(shown, strip)
    if ranges:
        play(narrow, update(strip, ranges))
    play(whole, update(strip, [(0, WIDTH)]))
    assert narrow == whole
    assert ranges == sorted(ranges)


def test_equal_lines_do_not_differ() -> None:
    """Nothing is sent where nothing differs, also where segments are cut elsewhere."""
    one = Strip([Segment("ab", Style(bold=True)), Segment("cd", Style(bold=True))])
    assert differences(one, Strip([Segment("abcd", Style(bold=True))])) == []
    assert differences(one, one) == []


def test_far_differences_are_apart() -> None:
    """What lies between two far differences is not sent; near ones are one."""
    blank = Strip([Segment(" " * WIDTH)])
    far = Strip([Segment("x" + " " * (WIDTH - 2) + "y")])
    near = Strip([Segment("x y" + " " * (WIDTH - 3))])
    assert differences(blank, far) == [(0, 1), (WIDTH - 1, WIDTH)]
    assert differences(blank, near) == [(0, 3)]


class Ages(NarrowApp):
    """A table whose ages tick."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[str] = []

    def compose(self) -> ComposeResult:
        yield Table([Column("node", "NODE", grow=True), Column("seen", "SEEN", right=True)])

    def _display(self, screen: object, renderable: object) -> None:
        super()._display(screen, renderable)  # type: ignore[arg-type]
        if isinstance(renderable, ChopsUpdate):
            self.sent.append(
                NarrowUpdate(renderable.chops, renderable.spans, renderable.chop_ends).render_segments(CONSOLE)
            )


async def test_an_age_that_ticks_sends_the_age() -> None:
    """A second's passing brings the age to the terminal, through what NarrowApp overrides, not the name beside it."""
    app = Ages()
    async with app.run_test(size=(80, 10)) as pilot:
        table = app.query_one(Table)
        table.set_rows([Row("n", (Span("node-1"), Ticking(100.0, aged)))], 105.0)
        await pilot.pause()
        app.sent.clear()
        table.tick(106.0)
        await pilot.pause()
        assert len(app.sent) == 1
        assert "6" in app.sent[0]
        assert "node" not in app.sent[0]
        assert len(app.sent[0]) < 80
