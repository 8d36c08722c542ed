"""Who sends to whom: every pair once, or an even sample."""

from probes.reach.pairs import pairs
from probes.transports.local import LocalTransport
from probes.vantage import Kind, Vantage


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
