"""Garbage: what stays of a cluster is left alone once, and again only when there is much more of it."""

import gc
from collections.abc import Iterator

import pytest

from probes.model.snapshot import Snapshot
from tests.bench.world import World
from tui.garbage import Garbage


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the collector as it was."""
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_what_came_is_left_alone_once() -> None:
    """A heartbeat brings nothing new, a quarter more does, and less never."""
    garbage = Garbage()
    small, large = World(3, 30, 10).snapshot, World(3, 60, 10).snapshot
    assert not garbage.has_grown(Snapshot())
    assert [garbage.has_grown(each) for each in (small, small, large, large, small)] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_what_is_left_alone_is_not_looked_through() -> None:
    """After that, what a whole look goes through is what came since."""
    kept = [[number] for number in range(50_000)]
    before = len(gc.get_objects())
    Garbage().settle()
    assert len(gc.get_objects()) < before - len(kept)
