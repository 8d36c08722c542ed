"""The table: what it paints, what it leaves alone, and where its cursor is."""

import os
import pty
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.geometry import Region
from textual.pilot import Pilot

import themes
from tui.format import ASCII, UNICODE, Glyphs, Span, aged, mtu, status
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.table import Table

COLUMNS = (
    Column("node", "NODE", least=8, most=20),
    Column("role", "ROLE", least=6, priority=2),
    Column("ready", "READY", least=5),
    Column("mtu", "FLANNEL.1", least=12),
    Column("why", "MESSAGE", least=10, priority=1, grow=True),
    Column("seen", "SEEN", least=5, right=True),
)
NOW = 1000.0


def row(i: int, *, found: int = 1450, at: float | None = NOW, why: str = "fine", glyphs: Glyphs = UNICODE) -> Row:
    cells = (Span(f"node-{i}"), Span("agent"), status("ok", glyphs), mtu(found, 1450, glyphs), Span(why, "muted"))
    return Row(f"n{i}", (*cells, Ticking(at, aged)))


class Spy(Table):
    """A table that notes what it asks to be painted."""

    def __init__(self, *, can_mark: bool = False, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(COLUMNS, can_mark=can_mark, glyphs=glyphs)
        self.regions: list[Region] = []

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> "Spy":
        if hasattr(self, "regions"):
            self.regions.extend(regions or [self.size.region])
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class TableApp(App[None]):
    """One table."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        for theme in themes.load().values():
            self.register_theme(theme)
        self.theme = themes.DEFAULT
        self.table = table
        self.heard: list[tuple[str, str]] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_table_row_highlighted(self, event: Table.RowHighlighted) -> None:
        self.heard.append(("highlighted", event.key))

    def on_table_row_selected(self, event: Table.RowSelected) -> None:
        self.heard.append(("selected", event.key))

    def on_table_marks_changed(self, event: Table.MarksChanged) -> None:
        self.heard.append(("marks", ",".join(sorted(event.table.marked))))


def screen(app: App[None]) -> list[str]:
    """Read the screen as text."""
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def shown(pilot: Pilot[None], rows: Iterable[Row]) -> Spy:
    """Give the table its rows and wait for the screen."""
    table = pilot.app.query_one(Spy)
    table.set_rows(rows, NOW)
    await pilot.pause()
    table.regions.clear()
    return table


async def test_shows_rows() -> None:
    """Titles stand above their cells, ages to the right, and the first row is under the cursor."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(1, at=NOW - 192), row(2, found=1400)])
        text = screen(app)
        assert text[0].split() == ["NODE", "ROLE", "READY", "FLANNEL.1", "MESSAGE", "SEEN"]
        assert text[1].split() == ["node-1", "agent", "✔", "1450", "fine", "3m12s"]
        assert "✖ 1400≠1450" in text[2]
        assert text[1].index("✔") == text[0].index("READY")
        assert len(text[1]) == len(text[0]) == 79
        assert table.cursor_key == "n1"


async def test_one_change_paints_one_row() -> None:
    """A changed cell costs its row, and nothing else."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(i) for i in range(100)])
        table.set_rows([row(i, found=1400 if i == 3 else 1450) for i in range(100)])
        assert [(region.y, region.height) for region in table.regions] == [(4, 1)]
        await pilot.pause()
        assert "✖ 1400≠1450" in screen(app)[4]


async def test_nothing_new_paints_nothing() -> None:
    """Equal rows, and rows that changed out of sight, leave the terminal alone."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        rows = [row(i) for i in range(100)]
        table = await shown(pilot, rows)
        first = table.rows[0]
        table.set_rows([row(i) for i in range(100)])
        table.set_rows([row(i, found=1400 if i == 90 else 1450) for i in range(100)])
        assert table.regions == []
        assert table.rows[0] is first


async def test_tick_paints_what_the_clock_changed() -> None:
    """A second on, only visible rows whose age reads differently are painted."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(1, at=NOW - 5), row(2, at=NOW - 90_000_000), row(3, at=None)])
        table.tick(NOW + 1)
        assert [region.y for region in table.regions] == [1]
        await pilot.pause()
        assert [line.split()[-1] for line in screen(app)[1:4]] == ["6s", "2y", "?"]
        table.regions.clear()
        table.tick(NOW + 1.5)
        assert table.regions == []


async def test_keys_move_the_cursor() -> None:
    """J, k, g, G, arrows and pages move, enter opens, and each is told."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 11)) as pilot:
        table = await shown(pilot, [row(i) for i in range(100)])
        for key, expected in (
            ("j", 1),
            ("down", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("G", 99),
            ("j", 99),
            ("pageup", 89),
            ("g", 0),
            ("pagedown", 10),
            ("end", 99),
            ("home", 0),
        ):
            await pilot.press(key)
            assert (table.cursor, table.cursor in table.in_view()) == (expected, True), key
        await pilot.press("j", "enter")
        await pilot.pause()
        assert app.heard[-2:] == [("highlighted", "n1"), ("selected", "n1")]


async def test_scroll_is_at_once() -> None:
    """The last row is on the screen in the frame after the key: nothing is animated."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(i) for i in range(5000)])
        await pilot.press("G")
        assert table.scroll_offset.y == 5000 - 9
        await pilot.pause()
        assert screen(app)[9].startswith("node-4999")
        table.set_rows([row(i) for i in range(3)])
        await pilot.pause()
        assert table.cursor_key == "n2"
        assert screen(app)[1].startswith("node-0")


async def test_cursor_stays_on_its_key() -> None:
    """Rows that come, go and move leave the cursor on its row, at its height; a row that goes hands it on."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(i) for i in range(50)])
        assert table.move_to_key("n20")
        await pilot.pause()
        height = table.cursor - table.top
        table.set_rows([row(i) for i in range(100, 120)] + [row(i) for i in range(50)])
        await pilot.pause()
        assert table.cursor_key == "n20"
        assert table.cursor - table.top == height
        table.set_rows([row(i) for i in range(50) if i != 20])
        await pilot.pause()
        assert table.cursor_key != "n20"
        assert app.heard[-1] == ("highlighted", str(table.cursor_key))
        table.set_rows([])
        await pilot.pause()
        assert not table.rows
        await pilot.press("enter", "j", "space", "G")
        table.set_rows([row(7)])
        await pilot.pause()
        assert table.cursor_key == "n7"
        assert not table.move_to_key("n1")


async def test_sort() -> None:
    """Names sort by their numbers, ages from young to old, with a mark beside the title; None is as given."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(10, at=NOW - 9), row(9, at=None), row(1, at=NOW - 90)])
        table.move_to_key("n9")
        for column, reverse, expected in (
            ("node", False, ["n1", "n9", "n10"]),
            ("node", True, ["n10", "n9", "n1"]),
            ("seen", False, ["n10", "n1", "n9"]),
            (None, False, ["n10", "n9", "n1"]),
        ):
            table.sort_by(column, reverse=reverse)
            assert [each.key for each in table.rows] == expected
            assert table.cursor_key == "n9"
        table.sort_by("node", reverse=True)
        await pilot.pause()
        assert screen(app)[0].startswith("NODE↓")
        with pytest.raises(KeyError):
            table.sort_by("nothing")


async def test_narrow_says_what_is_hidden() -> None:
    """Columns without room are left out by priority and counted in the header."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(1, why="a very long story that does not fit anywhere at all")])
        assert "…" not in screen(app)[0]
        assert "…" in screen(app)[1]
        await pilot.resize_terminal(45, 6)
        await pilot.pause()
        text = screen(app)
        assert text[0].endswith(" +1…")
        assert "agent" not in text[1]
        assert "1s" in text[1] or "0s" in text[1]
        await pilot.resize_terminal(3, 2)
        await pilot.pause()
        assert all(len(line) <= 3 for line in screen(app))
        assert table.cursor_key == "n1"


async def test_auto_height_follows_the_rows() -> None:
    """Where its height is automatic the table is as high as its rows and header."""
    app = TableApp(Spy())
    app.table.styles.height = "auto"
    async with app.run_test(size=(80, 20)) as pilot:
        table = await shown(pilot, [row(i) for i in range(3)])
        assert table.size.height == 4
        await shown(pilot, [row(i) for i in range(7)])
        assert table.size.height == 8
        assert screen(app)[7].startswith("node-6")


async def test_placeholder() -> None:
    """An empty table says why it is empty, and stops saying it when rows come."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = app.query_one(Spy)
        table.placeholder = Span("not allowed to list nodes", "restricted")
        await pilot.pause()
        assert screen(app)[1] == " not allowed to list nodes"
        await shown(pilot, [row(1)])
        assert "not allowed" not in "".join(screen(app))


async def test_marks() -> None:
    """Space marks and goes on; a row that goes takes its mark with it."""
    app = TableApp(Spy(can_mark=True, glyphs=ASCII))
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(i, glyphs=ASCII) for i in range(4)])
        await pilot.press("space", "space")
        await pilot.pause()
        assert table.marked == {"n0", "n1"}
        assert table.cursor_key == "n2"
        text = screen(app)
        assert [line[0] for line in text[1:5]] == ["*", "*", " ", " "]
        assert "".join(text).isascii()
        table.set_rows([row(i, glyphs=ASCII) for i in range(1, 4)])
        await pilot.pause()
        assert table.marked == {"n1"}
        assert app.heard.count(("marks", "n1")) == 1


async def test_mouse() -> None:
    """A click puts the cursor on a row, a second one opens it, and one beside the rows does nothing."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(i) for i in range(4)])
        await pilot.click(table, offset=(5, 3))
        await pilot.click(table, offset=(5, 3))
        await pilot.click(table, offset=(5, 0))
        await pilot.click(table, offset=(5, 8))
        await pilot.pause()
        assert app.heard[-2:] == [("highlighted", "n2"), ("selected", "n2")]


async def test_theme_gives_the_colours() -> None:
    """A status has its tone's colour in every theme, also on the cursor's row, and changes with the theme."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        await shown(pilot, [row(1), row(2, found=1400)])
        for name in ("underlay-dark", "underlay-light", "underlay-16"):
            app.theme = name
            await pilot.pause()
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            segment = next(segment for segment in strips[2] if "≠" in segment.text)
            expected = themes.load()[name].variables["tone-critical"]
            style = segment.style
            assert style is not None
            assert style.color is not None
            if expected.startswith("#"):
                assert style.color.get_truecolor().hex == expected
                assert strips[1]._segments[0].style != strips[2]._segments[0].style
            else:
                assert style.color.number == 9


HOSTILE = (
    "\x1b[2J\x1b[31m",
    "\x1b]52;c;aGFja2Vk\x07",
    "\x9b31m",
    "\x1bP+q544e\x1b\\",
    "[@click=app.bell]x[/]",
    "[/nope]",
    "\u202eexe.gpj",
    "a\r\nb\tc\x00d",
    "\ud800",
)


async def test_hostile_strings_are_text() -> None:
    """Markup is shown as it is written and no control character gets into a cell."""
    app = TableApp(Spy())
    async with app.run_test(size=(100, 14)) as pilot:
        await shown(pilot, [Row(text, (Span(text),) * 5 + (Span("x"),)) for text in HOSTILE])
        text = screen(app)
        assert "[/nope]" in text[6]
        assert [line for line in text if not line.encode().decode().isprintable()] == []
        await pilot.press("enter")
        await pilot.pause()
        assert app.heard[-1] == ("selected", HOSTILE[0])


def test_hostile_strings_at_a_real_terminal() -> None:
    """What a pseudo terminal receives holds none of the hostile sequences."""
    code = (
        "import test_table as t\n"
        "class A(t.TableApp):\n"
        "    def on_mount(self):\n"
        "        self.table.set_rows([t.Row(s, (t.Span(s),) * 6) for s in t.HOSTILE], 0.0)\n"
        "        self.set_timer(0.3, self.exit)\n"
        "A(t.Spy()).run()\n"
    )
    root = Path(__file__).parents[3]
    pid, terminal = pty.fork()
    if not pid:  # pragma: no cover - the other process
        path = os.pathsep.join((str(root), str(Path(__file__).parent)))
        os.execvpe(  # noqa: S606 - our own interpreter
            sys.executable,
            [sys.executable, "-c", code],
            {**os.environ, "PYTHONPATH": path, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "30"},
        )
    received = b""
    while len(received) < 1_000_000:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux says EIO where the other end is gone
            break
        if not chunk:
            break
        received += chunk
    os.close(terminal)
    assert os.waitpid(pid, 0)[1] == 0
    text = received.decode("utf-8")
    assert "␛[2J" in text
    for bad in ("\x1b[2J\x1b[31m", "\x1b]52", "\x9b", "\x1bP+q", "\u202e", "b\tc", "\x00"):
        assert bad not in text


async def test_an_age_does_not_outgrow_its_column() -> None:
    """Room is kept for the longest that an age will become: it is never cut as it ticks."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(1, at=NOW - 1)])
        for seconds in (59, 599, 3599, 28_799, 86_400 * 700):
            table.tick(NOW - 1 + seconds)
            await pilot.pause()
            said = screen(app)[1].split()[-1]
            assert said == aged(0.0, float(seconds)).text


async def test_rows_that_are_gone_are_forgotten() -> None:
    """A list that never holds the same rows for long remembers no more of them than it shows, twice, and some."""
    app = TableApp(Spy())
    async with app.run_test(size=(80, 10)) as pilot:
        table = await shown(pilot, [row(i) for i in range(50)])
        for first in range(0, 5000, 50):
            table.set_rows([row(i) for i in range(first, first + 50)], of=60)
        assert len(table._measured) <= 2 * 60 + 100
