"""The fault matrix: every way to break a real cluster that underlay knows, each told by its root cause, first."""

import os
from collections.abc import Iterator

import pytest

from probes.rules.codes import RANK
from tests.testbed.cluster import Testbed
from tests.testbed.faults.calm import watch_restarts
from tests.testbed.faults.fault import Fault, faults, pairs
from tests.testbed.faults.judge import Outcome, line, total
from tests.testbed.faults.matrix import Matrix
from tests.testbed.fixtures import require_testbed

FAULTS = faults()
PAIRS = pairs(FAULTS)


def test_the_matrix_is_broad_and_speaks_in_codes_that_exist() -> None:
    """There are at least 40 faults, and every code that one of them names is a rule's."""
    assert len(FAULTS) >= 40
    for fault in FAULTS.values():
        named = [each.code for each in fault.expect] + [*fault.follows, *fault.folded, *fault.absent]
        assert [code for code in named if code not in RANK] == [], fault.name


@pytest.fixture(scope="module")
def matrix(request: pytest.FixtureRequest) -> Iterator[Matrix]:
    """Bring up a testbed of its own, healthy; print the table of what came of its faults in the end."""
    require_testbed()
    bed = Testbed(f"f{os.getpid()}", lease_seconds=2.0)
    bed.up(owner=os.getpid())
    try:
        with Matrix(bed) as matrix:
            yield matrix
            capture = request.config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                print("", *map(line, matrix.outcomes), total(matrix.outcomes), sep="\n")
    finally:
        bed.down()


def _is_told(matrix: Matrix, *wanted: Fault) -> None:
    outcome: Outcome = matrix.prove(*wanted)
    assert outcome.good, "; ".join(outcome.complaints)


@pytest.mark.testbed
def test_a_healthy_cluster_of_three_nodes_has_no_finding(matrix: Matrix) -> None:
    """Nothing but advice is said of a cluster that has nothing."""
    assert matrix.worst_usual == ()


@pytest.mark.testbed
@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if not fault.late])
def test_its_root_cause_is_told_first(matrix: Matrix, name: str) -> None:
    """The fault's root cause is the first finding, nothing untrue is said, and nothing is left when it is put right."""
    _is_told(matrix, FAULTS[name])


@pytest.mark.testbed
@pytest.mark.parametrize("both", PAIRS, ids=lambda both: f"{both[0].name}+{both[1].name}")
def test_two_at_once_are_both_told(matrix: Matrix, both: tuple[Fault, Fault]) -> None:
    """Of two faults at once neither hides the other: both are root causes."""
    _is_told(matrix, *both)


@pytest.mark.testbed
@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.late])
def test_its_root_cause_is_told_first_while_units_restart(matrix: Matrix, name: str) -> None:
    """Likewise of faults that restart k3s; they come last, for a node that has just started is judged leniently."""
    _is_told(matrix, FAULTS[name])


@pytest.mark.testbed
def test_a_rolling_restart_raises_no_alarm(matrix: Matrix) -> None:
    """While k3s is restarted on each node in turn, nothing worse than a note is said, not for a moment."""
    watch = watch_restarts(matrix.bed)
    assert list(watch.alarms.values()) == []
