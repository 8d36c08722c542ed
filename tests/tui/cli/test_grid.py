"""Plain text grids: what fits, what is cut, what is shown without colour or Unicode."""

from hypothesis import given
from hypothesis import strategies as st

from tui.cli.grid import Cell, Paper, grid, wrap
from tui.format import width


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc", "Mn", "Me"))), st.integers(4, 40))
def test_wrapping_loses_nothing(text: str, room: int) -> None:
    """Wrapped text has every character that is no space, in lines that fit."""
    lines = wrap(text, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(width(line) <= room for line in lines)


def test_a_grid_too_wide_is_cut_in_its_flexible_column() -> None:
    """A long message gives way with a mark; the other columns stay whole."""
    rows = [(Cell("samwise"), Cell("x" * 200)), (Cell("boromir"), Cell("short"))]
    lines = grid(Paper(40), ("NODE", "MESSAGE"), rows, flexible=1)
    assert all(width(line) <= 40 for line in lines)
    assert lines[1].startswith("samwise")
    assert lines[1].endswith("…")


def test_no_colour_means_no_escape() -> None:
    """On plain paper nothing but the text itself is written."""
    assert "\x1b" not in "".join(grid(Paper(80), ("A",), [(Cell("x", "critical"),)]))
    assert "\x1b[1;31m" in "".join(grid(Paper(80, colour=True), ("A",), [(Cell("x", "critical"),)]))


def test_ascii_paper_has_words_for_symbols() -> None:
    """Without Unicode a status is still told, and nothing beyond ASCII is written."""
    paper = Paper(80, unicode=False)
    assert [paper.symbol(token) for token in ("ok", "warning", "critical", "unknown")] == ["ok", "!!", "XX", "??"]
    assert "".join(grid(paper, ("A",), [(Cell("1450 ×12 …é"),)])).isascii()
