"""The matrix: headers that stay, cells that are never silently unknown, and a cursor on a pair."""

from textual.app import App, ComposeResult
from textual.geometry import Region

import themes
from tui.format import ASCII, Span, aged, status
from tui.widgets.cells import Cell, Ticking
from tui.widgets.matrix import Matrix

NAMES = [f"node-{i}" for i in range(12)]


def mesh(bad: tuple[str, str] | None = None) -> dict[str, dict[str, Cell]]:
    cells: dict[str, dict[str, Cell]] = {
        source: {other: status("ok", text="1450") for other in NAMES if other != source} for source in NAMES
    }
    if bad:
        cells[bad[0]][bad[1]] = status("critical", text="silent")
    return cells


class Spy(Matrix):
    """A matrix that notes what it asks to be painted."""

    regions: list[Region]

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> "Spy":
        self.__dict__.setdefault("regions", []).extend(regions)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)


class MatrixApp(App[None]):
    """One matrix."""

    def __init__(self) -> None:
        super().__init__()
        for theme in themes.load().values():
            self.register_theme(theme)
        self.theme = themes.DEFAULT
        self.matrix = Spy("from \\ to")
        self.heard: list[tuple[str, str, str]] = []

    def compose(self) -> ComposeResult:
        yield self.matrix

    def on_matrix_cell_highlighted(self, event: Matrix.CellHighlighted) -> None:
        self.heard.append(("highlighted", event.source, event.destination))

    def on_matrix_cell_selected(self, event: Matrix.CellSelected) -> None:
        self.heard.append(("selected", event.source, event.destination))


def screen(app: App[None]) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


async def test_shows_the_mesh() -> None:
    """Every pair is there: itself as none, one without an answer as unknown, the others as given."""
    app = MatrixApp()
    async with app.run_test(size=(60, 8)) as pilot:
        cells = mesh(("node-1", "node-0"))
        del cells["node-0"]["node-2"]
        app.matrix.set_cells(NAMES[:3], NAMES[:3], cells)
        await pilot.pause()
        text = [line.split() for line in screen(app)]
        assert text[0] == ["from", "\\", "to", "node-0", "node-1", "node-2"]
        assert text[1] == ["node-0", "·", "✔", "1450", "?"]
        assert text[2] == ["node-1", "✖", "silent", "·", "✔", "1450"]


async def test_both_ways() -> None:
    """The cursor takes the view along; what is out of sight left and right is counted; labels stay."""
    app = MatrixApp()
    async with app.run_test(size=(50, 6)) as pilot:
        app.matrix.set_cells(NAMES, NAMES, mesh())
        await pilot.pause()
        assert screen(app)[0].endswith("8>")
        await pilot.press(*["right"] * 6, "G")
        await pilot.pause()
        text = screen(app)
        assert text[0].split()[0] == "<3"
        assert text[0].endswith("5>")
        assert text[-1].startswith("node-11")
        assert app.matrix.cursor_pair == ("node-11", "node-6")
        await pilot.press(*["right"] * 9, "left", *["left"] * 20, "up", "enter")
        await pilot.pause()
        assert screen(app)[0].startswith("from \\ to")
        assert app.heard[-1] == ("selected", "node-10", "node-0")


async def test_cursor_stays_on_its_pair() -> None:
    """Nodes that come and go leave the cursor on its pair; where the pair has gone it is somewhere that exists."""
    app = MatrixApp()
    async with app.run_test(size=(50, 6)) as pilot:
        app.matrix.set_cells(NAMES, NAMES, mesh())
        await pilot.press("right", "right", "down")
        app.matrix.set_cells(["new", *NAMES], ["new", *NAMES], mesh())
        assert app.matrix.cursor_pair == ("node-1", "node-2")
        app.matrix.set_cells(NAMES[:1], NAMES[:1], mesh())
        assert app.matrix.cursor_pair == ("node-0", "node-0")
        app.matrix.set_cells([], [], {})
        await pilot.press("right", "down", "enter")
        assert app.matrix.cursor_pair is None


async def test_one_cell_changes() -> None:
    """A pair that changes costs its own line only; the same again costs nothing."""
    app = MatrixApp()
    async with app.run_test(size=(60, 16)) as pilot:
        app.matrix.set_cells(NAMES[:5], NAMES[:5], mesh(("node-0", "node-1")))
        await pilot.pause()
        app.matrix.regions.clear()
        app.matrix.set_cells(NAMES[:5], NAMES[:5], mesh(("node-0", "node-1")))
        assert app.matrix.regions == []
        cells = mesh(("node-0", "node-1"))
        cells["node-3"]["node-0"] = status("critical", text="silent")
        app.matrix.set_cells(NAMES[:5], NAMES[:5], cells)
        assert [region.y for region in app.matrix.regions] == [4]


async def test_mouse_and_clock() -> None:
    """A click goes to its cell, a second one opens it; ages tick."""
    app = MatrixApp()
    async with app.run_test(size=(60, 8)) as pilot:
        ages: dict[str, dict[str, Cell]] = {"a": {"b": Ticking(100.0, aged), "a": Span("[/x]\x1b[2J")}}
        app.matrix.glyphs = ASCII
        app.matrix.set_cells(["a", "b"], ["a", "b"], ages, 105.0)
        await pilot.pause()
        assert "5s" in screen(app)[1]
        assert "[/x]" in screen(app)[1]
        assert "\x1b" not in "".join(screen(app))
        app.matrix.tick(107.0)
        await pilot.pause()
        assert "7s" in screen(app)[1]
        x = screen(app)[1].index("7s")
        await pilot.click(app.matrix, offset=(x, 2))
        await pilot.click(app.matrix, offset=(x, 2))
        await pilot.pause()
        assert app.heard[-2:] == [("highlighted", "b", "b"), ("selected", "b", "b")]
