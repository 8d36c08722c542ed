"""The timeline: what changed when, newest first."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from tui.format import UNICODE, Glyphs, Span, aged, status
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

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


@lru_cache(maxsize=2 * _MOST)
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


def timeline(changes: Sequence[Change], glyphs: Glyphs = UNICODE) -> Listing:
    """List the timeline, with what each change was of."""
    recent = islice(reversed(changes), _MOST)
    items = tuple(Item(_row(change, glyphs), subject_of(change)) for change in recent)
    none = status("none", glyphs, "nothing has changed since underlay was opened")
    return Listing(items, none, Span(str(len(items)) if items else glyphs.none, "muted"))


def subject_of(change: Change) -> ObjectRef | None:
    """Tell which object changed: a Flux object is written as its key, a source of facts is none."""
    parts = change.subject.split("/")
    if len(parts) == _KEY_PARTS:
        return ObjectRef(*parts)
    return None if change.subject == "API" else ObjectRef("Node", "", change.subject)


_KEY_PARTS: Final = 3
