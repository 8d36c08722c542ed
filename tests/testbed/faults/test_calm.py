"""Nothing is said of clusters that have nothing, whatever their size and backend, and while k3s restarts."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.testbed.cluster import Testbed
from tests.testbed.faults.calm import heal, switch_to_host_gw, watch_quiet, watch_restarts
from tests.testbed.faults.fault import DUAL_STACK, faults
from tests.testbed.faults.judge import line, total
from tests.testbed.faults.matrix import Matrix
from tests.testbed.fixtures import require_testbed

pytestmark = pytest.mark.testbed


@contextmanager
def _healthy(name: str, nodes: int, *, dual_stack: bool = False) -> Iterator[Testbed]:
    require_testbed()
    bed = Testbed(f"{name}{os.getpid()}", nodes=nodes, lease_seconds=2.0, dual_stack=dual_stack)
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


def test_dual_stack_is_calm_and_what_breaks_of_its_ipv6_half_is_told(request: pytest.FixtureRequest) -> None:
    """A cluster with both families has no finding but advice; a fault of one family alone is told first, by its cause.

    The kernel gives flannel's IPv6 device 20 bytes less than flannel asks for: that is as it should be.
    """
    with _healthy("d", 3, dual_stack=True) as bed, Matrix(bed) as matrix:
        assert matrix.worst_usual == ()
        assert [node["spec"]["podCIDRs"][1:] for node in _nodes(bed)] == [[node.pod_cidr_v6] for node in bed.nodes]
        complaints = [said for fault in faults(DUAL_STACK).values() for said in matrix.prove(fault).complaints]
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            print("", *map(line, matrix.outcomes), total(matrix.outcomes), sep="\n")
        assert complaints == []


def _nodes(bed: Testbed) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(bed.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    return listed


def test_host_gw_is_judged_by_its_own_rules() -> None:
    """A host-gw cluster has no VXLAN device, port, neighbour or FDB entry, and lacks none; restarts change nothing."""
    with _healthy("h", 3) as bed:
        switch_to_host_gw(bed)
        assert bed.run_on("samwise", ("ip", "link", "show", "flannel.1"), check=False).returncode != 0
        for watch in (watch_quiet(bed), watch_restarts(bed)):
            assert list(watch.alarms.values()) == []
            assert watch.diagnoses > 3
