"""Runs there were: each with how it ended and what it left, those that can be gone on with first. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from probes.model.flux import ObjectRef
from tui.format import Glyphs, Span, age, status
from tui.repairs import OPEN, Leftover, PastRun, RunState
from tui.widgets.blocks import Block, Bullet, Field, Fields, Heading, Paragraph
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

COLUMNS: Final = (
    Column("state", "STATE", least=11, most=14),
    Column("run", "RUN", least=16, most=20),
    Column("runbook", "RUNBOOK", least=12, most=26),
    Column("steps", "STEPS", least=5, most=9, right=True),
    Column("began", "BEGAN", least=6, most=8, right=True),
    Column("nodes", "NODES", least=8, most=60, grow=True, priority=2),
    Column("context", "CONTEXT", least=8, most=20, priority=1),
)
KIND: Final = "Run"
"""Of the ObjectRef that stands for a run."""
_STATES: Final[dict[RunState, str]] = {
    "running": "loading",
    "paused": "warning",
    "interrupted": "warning",
    "completed": "ok",
    "failed": "critical",
    "aborted": "none",
    "refused": "none",
}


def ago(at: float | None, now: float) -> Span:
    """Say how long ago."""
    return Span("?", "unknown") if at is None else Span(age(now - at), "muted")


def state_span(run: PastRun, glyphs: Glyphs) -> Span:
    """Show how a run stands."""
    return status(_STATES.get(run.state, "unknown"), glyphs, run.state)


def run_listing(runs: Sequence[PastRun], glyphs: Glyphs) -> Listing:
    """List runs, those that can be gone on with first."""
    ordered = sorted(runs, key=lambda run: (run.state not in OPEN, -run.started_at))
    items = tuple(Item(_row(run, glyphs), ObjectRef(KIND, "", run.run), run.state in OPEN) for run in ordered)
    return Listing(items, status("none", glyphs, "there were no runs on this machine"))


def _row(run: PastRun, glyphs: Glyphs) -> Row:
    cells = (
        state_span(run, glyphs),
        Span(run.run),
        Span(run.runbook),
        Span(f"{run.behind}/{run.steps}"),
        Ticking(run.started_at, ago),
        Span(", ".join(run.nodes) or glyphs.none, "muted"),
        Span(run.context, "muted"),
    )
    return Row(run.run, cells)


_NO_RUN: Final = (
    "w on what is to be repaired begins a run. Each is kept here with what it did; one that was cut short goes on from "
    "where it rests."
)


def run_blocks(run: PastRun | None, left: Sequence[Leftover], context: str, glyphs: Glyphs) -> Iterator[Block]:
    """Say what runs left in the cluster, then how one of them stands."""
    if left:
        yield Heading("Left by earlier runs")
        for each in left:
            yield Bullet(status("warning", glyphs), each.text)
    if run is None:
        yield Paragraph(_NO_RUN, "muted")
        return
    yield Heading(run.title)
    fields = [
        Field("state", state_span(run, glyphs)),
        Field("steps", Span(f"{run.behind} of {run.steps} are behind it")),
        Field("last word", Ticking(run.seen_at, ago)),
    ]
    yield Fields(tuple(fields))
    if run.text:
        yield Paragraph(run.text)
    for behind in run.left:
        yield Bullet(status("warning", glyphs), f"left behind: {behind}")
    if run.context != context:
        yield Bullet(
            status("restricted", glyphs), f"it is of another context, {run.context}: open underlay on that one"
        )
    elif run.state in OPEN and run.state != "running":
        yield Paragraph("r goes on with it from where it rests; a gives it up.", "accent")
