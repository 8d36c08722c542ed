"""The timeline: what changed when, newest first."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from probes.model.changes import Change
from tui.format import UNICODE, Glyphs, Span, aged
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column

COLUMNS: Final = (
    Column("age", "AGO", 4, 6, right=True),
    Column("subject", "SUBJECT", 8, 40),
    Column("what", "WHAT", 8, 28),
    Column("change", "BEFORE, AFTER", 20, 200, grow=True),
)
_MOST: Final = 1000


def ago(at: float | None, now: float) -> Span:
    """Say how long ago something was."""
    return aged(at, now)


def change_rows(changes: Sequence[Change], glyphs: Glyphs = UNICODE, *, subject: str = "") -> tuple[Row, ...]:
    """List changes, oldest first as they are kept, newest first as they are read; of one subject or of all.

    A row's key stays the same while newer ones come.
    """
    wanted = (change for change in reversed(changes) if subject in {"", change.subject})
    return tuple(_row(change, glyphs) for change in islice(wanted, _MOST))


def _row(change: Change, glyphs: Glyphs) -> Row:
    key = f"{change.at:.3f} {change.subject} {change.what} {change.before} {change.after}"
    return Row(
        key,
        (Ticking(change.at, ago), Span(change.subject), Span(change.what), change_spans(change, glyphs)),
    )


def change_spans(change: Change, glyphs: Glyphs = UNICODE) -> tuple[Span, ...]:
    """Say what a change was: ``1450 → 1400``, ``gone, was …``, ``new …``."""
    if change.before and change.after:
        return (Span(change.before, "muted"), Span(f" {glyphs.arrow} ", "accent"), Span(change.after))
    if change.before:
        return (Span("gone ", "warning"), Span(change.before, "muted"))
    return (Span("new ", "accent"), Span(change.after))
