"""The catalog on the testbed: each runbook takes its fault from found to cleared, by the engine and by hand alike.

Its own testbed, which is healthy in the beginning and after each test. Takes about a minute.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.testbed import mending
from tests.testbed.cluster import Testbed
from tests.testbed.faults.fault import faults
from tests.testbed.faults.judge import everything, key
from tests.testbed.faults.matrix import Matrix
from tests.testbed.fixtures import require_testbed

pytestmark = pytest.mark.testbed

FAULTS = faults()
LIKE = {"soak": "1s", "patience": "2m"}
CLEARED_WITHIN = 45.0
"""Seconds: what lacks on a node that has just started is told for 30 of them, mildly."""
How = Callable[[Testbed, str, Mapping[str, str], Path], None]


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """Bring up a testbed of its own, healthy, and somebody who breaks it; UNDERLAY_TESTBED names one that is up."""
    require_testbed()
    if ident := os.environ.get("UNDERLAY_TESTBED"):
        with Matrix(Testbed.find(ident)) as made:
            yield made
        return
    bed = Testbed(f"c{os.getpid()}", lease_seconds=2.0)
    bed.up(owner=os.getpid())
    try:
        with Matrix(bed) as made:
            yield made
    finally:
        bed.down()


def by_engine(bed: Testbed, runbook: str, given: Mapping[str, str], journals: Path) -> None:
    """Take the run, and read its journal afterwards: each step confirmed, seen to have happened, nothing left."""
    records = mending.take(bed, runbook, given, journals)
    assert records[0]["record"] == "opened"
    plan, events = records[0]["plan"], [each["event"] for each in records if each["record"] == "told"]
    assert events[-1]["event"] == "run-ended"
    assert (events[-1]["end"], events[-1]["left"]) == ("completed", []), events[-1]
    ended = {each["step"]: each["outcome"] for each in events if each["event"] == "step-ended"}
    assert list(ended) == [step["id"] for step in plan["steps"]]
    assert set(ended.values()) <= {"done", "already", "not-needed"}, ended


def by_hand(bed: Testbed, runbook: str, given: Mapping[str, str], _journals: Path) -> None:
    """Type the plan's lines; a person looks at CoreDNS before restarting it, and finds it well."""
    plan = mending.plan_of(bed, runbook, given)
    assert mending.type_in(bed, plan, skip=("restart CoreDNS",))


@contextmanager
def broken(matrix: Matrix, name: str) -> Iterator[set[str]]:
    """Inject a fault, and see that it is found; gives its codes. Its nodes are healthy again afterwards."""
    fault = FAULTS[name]
    matrix._hands.take(fault.inject)
    try:
        wanted = {each.code for each in fault.expect}
        seen = matrix._wait(lambda told: wanted <= {each["code"] for each in everything(told)}, 15.0)
        assert wanted <= {each["code"] for each in everything(seen)}
        yield wanted
    except BaseException:
        matrix.heal([fault])
        raise
    matrix._hands._touched.clear()
    matrix.objects.restore()


def is_well(matrix: Matrix) -> None:
    """See that nothing is told any more but what is told of the healthy testbed."""
    told = matrix._wait(lambda seen: {key(each) for each in everything(seen)} <= matrix.usual, CLEARED_WITHIN)
    assert sorted(str(key(each)) for each in everything(told) if key(each) not in matrix.usual) == []


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("vxlan/device-missing", by_engine),
        ("vxlan/mac-of-the-device-changed", by_engine),
        ("vxlan/device-down-and-up", by_hand),
        ("vxlan/wrong-address", by_hand),
        ("peers/unknown-to-one-node", by_hand),
    ],
)
def test_restore_vxlan(matrix: Matrix, fault: str, how: How, tmp_path: Path) -> None:
    """A device that is missing, peerless, or with another MAC or address, and deleted peers: found, and cleared."""
    with broken(matrix, fault):
        how(matrix.bed, "restore-vxlan", LIKE, tmp_path)
        is_well(matrix)


@pytest.mark.parametrize("how", [by_engine, by_hand])
def test_checksum_offload(matrix: Matrix, how: How, tmp_path: Path) -> None:
    """flannel's device computes its checksums itself, and does again when it is made anew."""
    how(matrix.bed, "checksum-offload", {"nodes": "samwise,theoden", "soak": "1s"}, tmp_path)
    for node in ("samwise", "theoden"):
        shown = matrix.ground.run(node, ["ethtool", "-k", "flannel.1"])
        assert "tx-checksum-ip-generic: off" in shown
        rule = matrix.ground.path(node, "/etc/udev/rules.d/90-flannel.rules")
        assert 'RUN+="/usr/sbin/ethtool -K flannel.1 tx-checksum-ip-generic off"' in rule.read_text()
        rule.unlink()
        matrix.ground.run(node, ["ethtool", "-K", "flannel.1", "tx-checksum-ip-generic", "on"])
    is_well(matrix)
