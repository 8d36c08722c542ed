"""``underlay watch``: what changes, printed as it changes."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from probes.model.changes import Change, changes
from probes.model.snapshot import Snapshot
from tui.cli.arguments import Arguments
from tui.cli.connect import connected, refuse_strangers
from tui.cli.grid import Cell, Paper, paper_for
from tui.cli.output import write
from tui.cli.place import Place

_LINE = msgspec.json.Encoder()


async def run(arguments: Arguments, place: Place) -> int:
    """Print changes until interrupted, or for as long as ``--for`` says."""
    paper = paper_for(sys.stdout)

    async with connected(place, watch=True) as cluster:
        last = cluster.snapshot

        def publish(snapshot: Snapshot) -> None:
            nonlocal last
            if last.nodes is not snapshot.nodes and not last.nodes:
                refuse_strangers(place.nodes, snapshot)
            found = changes(last, snapshot)
            if found:
                lines = map(_json, found) if arguments.output == "json" else _texts(found, paper)
                write("".join(f"{line}\n" for line in lines))
            last = snapshot

        try:
            async with asyncio.timeout(arguments.for_seconds):
                await cluster.follow(publish)
        except TimeoutError:
            return 0
    return 0


def _json(change: Change) -> str:
    return _LINE.encode(change).decode()


def _texts(found: Sequence[Change], paper: Paper) -> Iterator[str]:
    """Write changes, those of the API that come to the same in one line: it goes and comes back with all it serves."""
    alike: dict[tuple[str, str], list[Change]] = {}
    for change in found:
        if change.subject == "API":
            alike.setdefault((change.before, change.after.partition(":")[0]), []).append(change)
    for changes_alike in alike.values():
        first = changes_alike[0]
        names = [change.what.removeprefix("kube/") for change in changes_alike]
        yield _text(msgspec.structs.replace(first, what=", ".join(names)), paper)
    yield from (_text(change, paper) for change in found if change.subject != "API")


def _text(change: Change, paper: Paper) -> str:
    when = datetime.fromtimestamp(change.at, UTC).astimezone().strftime("%H:%M:%S")
    if not change.before:
        said = f"appeared: {change.after}"
    elif not change.after:
        said = f"gone: {change.before}"
    else:
        said = f"{change.before} → {change.after}"
    return f"{when}  {paper.paint(Cell(change.subject, 'title'))}  {paper.text(f'{change.what}  {said}')}"
