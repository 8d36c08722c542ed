"""Plain text grids: what fits, what is cut, what is shown without colour or Unicode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.cli.grid import Cell, Paper, age, cells, cut, grid, wrap


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (-3, "0s"),
        (8.9, "8s"),
        (192, "3m12s"),
        (1234, "20m"),
        (7500, "2h05m"),
        (90_000, "25h"),
        (3_542_400, "41d"),
    ],
)
def test_ages_are_short(seconds: float | None, text: str) -> None:
    """An age is as exact as an operator needs it and never longer than six cells; no age is a dash, not a zero."""
    assert age(seconds) == text


@given(st.text(), st.integers(2, 40))
def test_a_cut_text_fits_and_says_so(text: str, width: int) -> None:
    """Nothing is cut without a mark, and what is cut fits, wide characters included."""
    made = cut(text, width)
    assert cells(made) <= max(width, 0) or made == text
    if made != text:
        assert made.endswith("…")


@given(st.text(alphabet=st.characters(blacklist_categories=("Cs", "Cc", "Mn", "Me"))), st.integers(4, 40))
def test_wrapping_loses_nothing(text: str, width: int) -> None:
    """Wrapped text has every character that is no space, in lines that fit."""
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cells(line) <= width for line in lines)


def test_a_grid_too_wide_is_cut_in_its_flexible_column() -> None:
    """A long message gives way with a mark; the other columns stay whole."""
    rows = [(Cell("samwise"), Cell("x" * 200)), (Cell("boromir"), Cell("short"))]
    lines = grid(Paper(40), ("NODE", "MESSAGE"), rows, flexible=1)
    assert all(cells(line) <= 40 for line in lines)
    assert lines[1].startswith("samwise")
    assert lines[1].endswith("…")


def test_no_colour_means_no_escape() -> None:
    """On plain paper nothing but the text itself is written."""
    assert "\x1b" not in "".join(grid(Paper(80), ("A",), [(Cell("x", "critical"),)]))
    assert "\x1b[1;31m" in "".join(grid(Paper(80, colour=True), ("A",), [(Cell("x", "critical"),)]))


def test_ascii_paper_has_words_for_symbols() -> None:
    """Without Unicode a status is still told, and nothing beyond ASCII is written."""
    paper = Paper(80, unicode=False)
    assert [paper.symbol(token) for token in ("ok", "warning", "critical", "unknown")] == ["ok", "!", "X", "?"]
    assert "".join(grid(paper, ("A",), [(Cell("1450 ×12 …é"),)])).isascii()
