"""Nothing is said of clusters that have nothing, whatever their size and backend, and while k3s restarts."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.testbed.cluster import Testbed
from tests.testbed.faults.calm import heal, switch_to_host_gw, watch_quiet, watch_restarts
from tests.testbed.fixtures import require_testbed

pytestmark = pytest.mark.testbed


@contextmanager
def _healthy(name: str, nodes: int) -> Iterator[Testbed]:
    require_testbed()
    bed = Testbed(f"{name}{os.getpid()}", nodes=nodes, lease_seconds=2.0)
    bed.up(owner=os.getpid())
    try:
        heal(bed)
        yield bed
    finally:
        bed.down()


def test_two_nodes_are_calm_and_stay_so_while_k3s_restarts() -> None:
    """From the first diagnosis on, through a restart of k3s on each node in turn, nothing is worse than a note."""
    with _healthy("t", 2) as bed:
        watch = watch_restarts(bed)
        assert list(watch.alarms.values()) == []
        assert watch.diagnoses > 4


def test_five_nodes_are_calm_and_stay_so_while_k3s_restarts() -> None:
    """Likewise of five nodes."""
    with _healthy("v", 5) as bed:
        watch = watch_restarts(bed)
        assert list(watch.alarms.values()) == []
        assert watch.diagnoses > 10


def test_host_gw_is_judged_by_its_own_rules() -> None:
    """A host-gw cluster has no VXLAN device, port, neighbour or FDB entry, and lacks none; restarts change nothing."""
    with _healthy("h", 3) as bed:
        switch_to_host_gw(bed)
        assert bed.run_on("samwise", ("ip", "link", "show", "flannel.1"), check=False).returncode != 0
        for watch in (watch_quiet(bed), watch_restarts(bed)):
            assert list(watch.alarms.values()) == []
            assert watch.diagnoses > 3
