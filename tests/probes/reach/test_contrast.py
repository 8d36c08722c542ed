"""Paths held against each other: each contrast points to one thing, and a clean cluster to nothing."""

import pytest

from probes.model.reach import Result, Sizes
from probes.reach.contrast import conclude
from probes.reach.pairs import pairs
from probes.reach.pmtu import PathMtu
from probes.transports.local import LocalTransport
from probes.vantage import Kind, Vantage

OK_1500, OK_1450 = PathMtu("ok", 1500), PathMtu("ok", 1450)


def path(vantage: str, target: str, found: PathMtu) -> Result:
    kind = "pod" if vantage.startswith("pod@") else "node"
    return Result("pmtu", vantage, kind, target, found.outcome, "unknown", "", 0.0, sizes=Sizes(found.mtu))


def cluster(there: PathMtu, back: PathMtu, pods: PathMtu, pods_back: PathMtu | None = None) -> list[Result]:
    return [
        path("a", "b", there),
        path("b", "a", back),
        path("pod@a", "pod@b", pods),
        path("pod@b", "pod@a", pods_back or pods),
    ]


@pytest.mark.parametrize(
    ("paths", "codes"),
    [
        (cluster(OK_1500, OK_1500, OK_1450), []),
        (cluster(OK_1500, OK_1500, PathMtu("inconclusive")), ["overlay-dead"]),
        (cluster(OK_1500, OK_1500, PathMtu("unreachable")), ["overlay-dead"]),
        (cluster(OK_1500, OK_1500, PathMtu("unassessed")), []),
        (cluster(PathMtu("inconclusive"), PathMtu("inconclusive"), PathMtu("inconclusive")), []),
        (cluster(PathMtu("told", 1400), OK_1500, OK_1450), ["underlay-smaller-than-overlay"]),
        (cluster(PathMtu("told", 1400), OK_1500, PathMtu("silent", 1350)), ["vxlan-fragments-dropped"]),
        (cluster(PathMtu("silent", 1404), OK_1500, PathMtu("silent", 1354)), ["pmtu-blackhole"]),
        (cluster(OK_1500, OK_1500, PathMtu("silent", 1400)), ["vxlan-fragments-dropped"]),  # the way back may cut
        ([path("a", "web", PathMtu("silent", 1400))], ["pmtu-blackhole"]),
        ([path("pod@a", "web", PathMtu("silent", 1400))], ["pmtu-blackhole"]),
        ([path("pod@a", "pod@b", PathMtu("silent", 1300))], ["pmtu-blackhole"]),
        ([], []),
    ],
)
def test_contrasts(paths: list[Result], codes: list[str]) -> None:
    """What the overlay loses is explained by the underlay where that loses it too, else by fragments."""
    found = conclude(paths)
    assert [each.code for each in found] == codes
    assert all(each.refutes for each in found)


def vantage(kind: Kind, number: int) -> Vantage:
    return Vantage(kind, f"{kind}{number}", LocalTransport(), address=f"10.0.0.{number}")


def test_every_pair_once() -> None:
    """Nodes to nodes, pods to pods, the operator to every node; nobody to itself."""
    nodes, pods = [vantage("node", n) for n in range(3)], [vantage("pod", n) for n in range(5)]
    plan, total = pairs([*nodes, *pods, vantage("operator", 0)])
    made = [(sender.name, target.name) for sender, targets in plan.items() for target in targets]
    assert len(made) == len(set(made)) == total == 3 * 2 + 5 * 4 + 3
    assert all(sender != target for sender, target in made)


def test_a_sample_is_even() -> None:
    """Of too many directions everybody sends and is sent to equally often, and the whole number is told."""
    plan, total = pairs([vantage("node", n) for n in range(100)], most=300)
    assert total == 9900
    assert {len(targets) for targets in plan.values()} == {3}
    received = [target.name for targets in plan.values() for target in targets]
    assert {received.count(name) for name in received} == {3}
