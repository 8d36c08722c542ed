"""Sparklines and the history they are drawn of."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tui.format import ASCII, UNICODE, Span
from tui.widgets.sparkline import History, draw


def text(spans: tuple[Span, ...]) -> str:
    return "".join(span.text for span in spans)


def test_levels() -> None:
    """The lowest value has the lowest level, the highest the highest, between given bounds or its own."""
    assert text(draw([0, 1, 2, 3, 4, 5, 6, 7], 8)) == "▁▂▃▄▅▆▇█"
    assert text(draw([0, 1, 2, 3, 4, 5, 6, 7], 8, ASCII)) == ASCII.levels
    assert text(draw([5, 5, 5], 3)) == "▁▁▁"
    assert text(draw([5], 1, least=0, most=5)) == "█"
    assert text(draw([50, -3], 2, least=0, most=5)) == "█▁"
    assert draw([1, 2], 0) == ()


def test_loss_is_a_gap() -> None:
    """A lost value is told by symbol and tone, and what came before the first value is blank."""
    spans = draw([1, None, 2], 5)
    assert spans == (Span("  ", "muted"), Span("▁", "sparkline"), Span("✗", "critical"), Span("█", "sparkline"))
    assert text(draw([None, None], 2, ASCII)) == "xx"


def test_history_is_bounded() -> None:
    """Only so many values are remembered, and what is no number is a loss."""
    history = History(3)
    for value in (1.0, 2.0, math.nan, None, math.inf, 4.0):
        history.add(value)
    assert history.values == (None, None, 4.0)


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=50), st.integers(0, 40))
def test_takes_exactly_its_cells(values: list[float | None], cells: int) -> None:
    """Whatever the values, one symbol a cell comes out."""
    for glyphs in (UNICODE, ASCII):
        assert len(text(draw(values, cells, glyphs))) == cells
