"""Every screen of every demo incident as text, held against what is kept in ``tests/tui/snapshots``.

A change that is meant is taken over by ``UNDERLAY_SNAPSHOTS=write`` in the environment, and read in the diff.
"""

import asyncio
import difflib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab
from probes.model.snapshot import Snapshot
from probes.rules.facts import node_ref
from screenshots.export import Shot, observe, take

FOLDER = Path(__file__).parent / "snapshots"
SCREENS = ("", "node", "mesh", "flux", "findings", "events")
SIZES = ((80, 24), (120, 40))


@pytest.fixture(name="snapshots", scope="module")
def _snapshots() -> dict[str, Snapshot]:
    return {incident: asyncio.run(observe(incident)) for incident in lab.incidents()}


@pytest.fixture(autouse=True)
def _one_timezone() -> Iterator[None]:
    """Tell the operator's own time, which is in the header, the same everywhere."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


async def _pictures(incident: str, size: tuple[int, int], snapshot: Snapshot) -> str:
    """Write the screens of an incident beneath one another."""
    told = []
    node = node_ref(next(iter(snapshot.nodes)))
    for screen in SCREENS:
        shot = Shot(screen or "overview", incident, screen, node if screen == "node" else None, size)
        told.append(f"== {shot.name}\n{(await take(shot, snapshot)).text}")
    return "".join(told)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("incident", tuple(lab.incidents()))
async def test_screens_are_as_they_were(snapshots: dict[str, Snapshot], incident: str, size: tuple[int, int]) -> None:
    """A screen says, at the same place, what it said; the difference is told line by line."""
    told = await _pictures(incident, size, snapshots[incident])
    file = FOLDER / f"{incident}-{size[0]}x{size[1]}.txt"
    if os.environ.get("UNDERLAY_SNAPSHOTS") == "write":
        file.write_text(told, encoding="utf-8")
    kept = file.read_text(encoding="utf-8")
    lines = difflib.unified_diff(kept.splitlines(), told.splitlines(), "kept", "now", lineterm="", n=1)
    assert told == kept, "\n".join(lines)
