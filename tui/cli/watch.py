"""``underlay watch``: what changes, printed as it changes."""

import asyncio
import sys
from datetime import UTC, datetime

import msgspec

from probes.model.changes import Change, changes
from probes.model.snapshot import Snapshot
from tui.cli.arguments import Arguments
from tui.cli.connect import connected
from tui.cli.grid import Cell, Paper, paper_for
from tui.cli.place import Place

_LINE = msgspec.json.Encoder()


async def run(arguments: Arguments, place: Place) -> int:
    """Print changes until interrupted, or for as long as ``--for`` says."""
    paper = paper_for(sys.stdout)

    async with connected(place, watch=True) as cluster:
        last = cluster.snapshot

        def publish(snapshot: Snapshot) -> None:
            nonlocal last
            for change in changes(last, snapshot):
                sys.stdout.write((_json(change) if arguments.output == "json" else _text(change, paper)) + "\n")
            sys.stdout.flush()
            last = snapshot

        try:
            async with asyncio.timeout(arguments.for_seconds):
                await cluster.follow(publish)
        except TimeoutError:
            return 0
    return 0


def _json(change: Change) -> str:
    return _LINE.encode(change).decode()


def _text(change: Change, paper: Paper) -> str:
    when = datetime.fromtimestamp(change.at, UTC).astimezone().strftime("%H:%M:%S")
    if not change.before:
        said = f"appeared: {change.after}"
    elif not change.after:
        said = f"gone: {change.before}"
    else:
        said = f"{change.before} → {change.after}"
    return f"{when}  {paper.paint(Cell(change.subject, 'title'))}  {paper.text(f'{change.what}  {said}')}"
