"""Which columns fit, and how spans fit into a cell."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.format import ASCII, UNICODE, Span
from tui.widgets.cells import Cell, Ticking, fit_spans, sort_value
from tui.widgets.columns import GAP, Column, lay_out

NODE = Column("node", "NODE", least=8, most=30)
ROLE = Column("role", "ROLE", least=6, priority=2)
PODS = Column("pods", "PODS", least=4, priority=3, right=True)
WHY = Column("why", "WHY", least=10, priority=1, grow=True)
ALL = (NODE, ROLE, PODS, WHY)


def test_everything_fits() -> None:
    """With room enough every column is as wide as its widest text, and the growing one takes the rest."""
    layout = lay_out(ALL, (12, 6, 4, 9), 80)
    assert [(placed.place, placed.width) for placed in layout.shown] == [(0, 12), (1, 6), (2, 4), (3, 55)]
    assert layout.hidden == 0


def test_narrow_drops_by_priority() -> None:
    """The columns of the highest number go first, the others keep their order, and what has gone is counted."""
    assert [placed.place for placed in lay_out(ALL, (12, 6, 4, 40), 30).shown] == [0, 1, 3]
    layout = lay_out(ALL, (12, 6, 4, 40), 20)
    assert [placed.place for placed in layout.shown] == [0, 3]
    assert layout.hidden == 2
    assert [placed.place for placed in lay_out(ALL, (12, 6, 4, 40), 5).shown] == [0]


def test_the_indispensable_grow_first() -> None:
    """A column that is never left out is whole before one that may be left out gets more than its least."""
    seen = Column("seen", "SEEN", least=4, right=True)
    layout = lay_out((WHY, seen), (40, 6), 24)
    assert [placed.width for placed in layout.shown] == [17, 6]


columns = st.builds(
    Column,
    id=st.text(max_size=3),
    title=st.text(max_size=3),
    least=st.integers(1, 20),
    most=st.integers(1, 50),
    priority=st.integers(0, 3),
    grow=st.booleans(),
)


@given(st.lists(st.tuples(columns, st.integers(0, 60)), max_size=12), st.integers(0, 200))
def test_layout_never_overflows(given: list[tuple[Column, int]], cells: int) -> None:
    """What is shown fits unless the columns that are never left out alone do not."""
    layout = lay_out([column for column, _ in given], [need for _, need in given], cells)
    used = sum(placed.width for placed in layout.shown) + GAP * max(0, len(layout.shown) - 1)
    assert layout.hidden + len(layout.shown) == len(given)
    assert used <= cells or all(given[placed.place][0].priority == 0 for placed in layout.shown)
    assert all(placed.width > 0 for placed in layout.shown)


spans = st.lists(st.builds(Span, text=st.text(max_size=10)), max_size=4)


@given(spans, st.integers(0, 20), st.booleans())
def test_fit_spans_is_exact(given: list[Span], cells: int, right: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Spans take exactly the cells of their column."""
    assert sum(cell_len(span.text) for span in fit_spans(given, cells, UNICODE, right=right)) == cells


def test_fit_spans_marks_the_cut() -> None:
    """A cut shows wherever it falls, also just between two spans."""
    pair = (Span("✔", "ok"), Span(" 84 ms"))
    assert "".join(span.text for span in fit_spans(pair, 7, UNICODE)) == "✔ 84 ms"
    assert "".join(span.text for span in fit_spans(pair, 5, UNICODE)) == "✔ 84…"
    assert "".join(span.text for span in fit_spans((Span("ab"), Span("cd")), 2, ASCII)) == "a~"
    assert [span.tone for span in fit_spans(pair, 9, UNICODE)] == ["ok", "text", "text"]
    assert fit_spans((Span("7"),), 3, UNICODE, right=True)[0].text == "  "


def test_sort_values() -> None:
    """Young ages come before old ones, the unknown last; texts by their numbers."""

    def show(_at: float | None, _now: float) -> Span:
        return Span("")

    ages = [Ticking(5, show), Ticking(None, show), Ticking(9, show)]
    assert [cell.at for cell in sorted(ages, key=sort_value)] == [9, 5, None]
    texts: list[Cell] = [Span("n10"), (Span("n"), Span("9")), Span("n2")]
    assert sorted(texts, key=sort_value)[0] == Span("n2")
