"""Blocks and the document that holds them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App, ComposeResult

from tui.format import ASCII, UNICODE, Span, age
from tui.widgets.blocks import (
    Block,
    Bullet,
    Field,
    Fields,
    Flow,
    Grid,
    Heading,
    Paragraph,
    sections,
    wrap,
)
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.document import Document
from tui.widgets.packet_path import Hop, PacketPath
from tui.widgets.verbatim import Verbatim

COLUMNS = (Column("a", "NAME", 4, 30), Column("b", "VALUE", 4, 30, priority=1), Column("c", "MORE", 4, 99, grow=True))
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=60)


def ago(at: float | None, now: float) -> Span:
    return Span("never" if at is None else f"{age(now - at)} ago")


@given(text=TEXT, cells=st.integers(2, 50))
def test_wrap_loses_nothing(text: str, cells: int) -> None:
    """Wrapped, every character but the blanks at the breaks is still there, and no line is too long."""
    lines = wrap(text, cells, UNICODE)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(cell_len(line) <= cells for line in lines)


@given(text=TEXT, cells=st.integers(24, 80), seconds=st.floats(0, 1e9))
def test_no_block_runs_over(text: str, cells: int, seconds: float) -> None:
    """Whatever they are told, blocks stay within the width; on less than 24 cells the widget cuts, with a mark."""
    ticking = Ticking(0.0, ago)
    blocks: tuple[Block, ...] = (
        Heading(text, Span(text)),
        Paragraph(text),
        Bullet(Span("✖", "critical"), text),
        Fields((Field(text[:20], Span(text)), Field("age", ticking), Field("b", (Span("x", "ok"), Span(text))))),
        Flow((Span(text), ticking, Span("end"))),
        Grid(COLUMNS, (Row("1", (Span(text), ticking, Span(text))),)),
        PacketPath(
            (Hop(text[:9], "ok", "1500"), Hop("b", "critical", "1", "2", text[:30], (Span(text), ticking), "-50"))
        ),
        Verbatim(text, wraps=True),
    )
    for glyphs in (UNICODE, ASCII):
        for block in blocks:
            for line in block.lines(cells, glyphs):
                shown = "".join(span.text for span in line.spans(seconds, glyphs))
                assert cell_len(shown) <= cells, (type(block), shown)


def test_sections_have_digits() -> None:
    """The first nine sections have a digit, further ones none."""
    made = sections((Heading(f"s{i}"), ()) for i in range(11))
    keys = [block.key for block in made if isinstance(block, Heading)]
    assert keys == [*"123456789", "", ""]


def test_a_grid_counts_what_it_leaves_out() -> None:
    """Columns and rows that are left out are counted."""
    rows = tuple(Row(str(i), (Span("x" * 20), Span("y" * 20), Span("z" * 20))) for i in range(5))
    text = "\n".join(line.text(0, UNICODE) for line in Grid(COLUMNS, rows, most=3).lines(12, UNICODE))
    assert "and 2 more" in text
    assert "+1…" in text


class Holder(App[None]):
    def __init__(self, blocks: tuple[Block, ...]) -> None:
        super().__init__()
        self.blocks = blocks
        self.heard: list[str] = []

    def compose(self) -> ComposeResult:
        yield Document()

    def on_mount(self) -> None:
        self.query_one(Document).set_blocks(self.blocks, 100.0)
        self.query_one(Document).focus()

    def on_document_line_selected(self, event: Document.LineSelected) -> None:
        self.heard.append(event.key)


def _blocks(count: int = 40) -> tuple[Block, ...]:
    rows = tuple(Row(f"row {i}", (Span(f"name-{i}"), Span("v"), Ticking(90.0, ago))) for i in range(count))
    return sections([(Heading("First"), (Grid(COLUMNS, rows),)), (Heading("Second"), (Paragraph("the end"),))])


async def test_the_cursor_stays_on_what_it_was_on() -> None:
    """Lines that come before the cursor push it down, it does not slip to another line."""
    app = Holder(_blocks())
    async with app.run_test(size=(60, 12)) as pilot:
        document = app.query_one(Document)
        await pilot.press(*["down"] * 6)
        before = document.cursor_key
        document.set_blocks((Paragraph("news"), Paragraph("more news"), *_blocks()))
        await pilot.pause()
        assert document.cursor_key == before
        await pilot.resize_terminal(30, 8)
        await pilot.pause()
        assert document.cursor_key == before
        await pilot.press("enter")
        assert app.heard == [before]


async def test_search_goes_round() -> None:
    """Matches are counted, gone through in both directions, and begin anew at the end."""
    app = Holder(_blocks())
    async with app.run_test(size=(60, 12)) as pilot:
        document = app.query_one(Document)
        assert document.look_for(re.compile("name-1[0-2]")) == 3
        seen = [document.cursor_key]
        for key in ("n", "n", "n", "N"):
            await pilot.press(key)
            seen.append(document.cursor_key)
        assert seen == ["row 10", "row 11", "row 12", "row 10", "row 12"]
        await pilot.press("2")
        assert document.lines[document.cursor].heading == "Second"


async def test_only_ages_tick() -> None:
    """A tick repaints lines that follow the clock, and no others."""
    app = Holder(_blocks(3))
    async with app.run_test(size=(60, 12)) as pilot:
        document = app.query_one(Document)
        await pilot.pause()
        painted: list[list[int]] = []
        document.repaint = lambda indexes=None: painted.append(list(indexes or ()))  # type: ignore[method-assign]
        document.tick(200.0)
        assert painted == [[i for i, line in enumerate(document.lines) if line.is_ticking]]
        assert len(painted[0]) == 3


@pytest.mark.parametrize("text", ["[red]x[/nope]", "[@click=app.bell]x"])
async def test_markup_stays_text(text: str) -> None:
    """Nothing in a document is read as markup."""
    app = Holder((Paragraph(text), Verbatim(text)))
    async with app.run_test(size=(60, 12)) as pilot:
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        assert "\n".join(strip.text for strip in strips).count(text) == 2
