"""Who sends to whom: every pair of places of a kind, or an even sample of them. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from probes.model.reach import Result
from probes.vantage import Vantage

PAIRS: Final = 1000
"""Directions that are tried at the most; beyond that a sample is, and is called so."""


class Target(msgspec.Struct, frozen=True):
    """Where a path leads."""

    name: str
    address: str
    """An address, or a name that each vantage resolves itself."""
    node: str = ""
    """Where it is a place of the cluster, its node."""


Plan = Mapping[Vantage, Sequence[Target]]
Report = Callable[[Result], None]


def pairs(vantages: Sequence[Vantage], *, most: int = PAIRS) -> tuple[dict[Vantage, list[Target]], int]:
    """Pair places of one kind: node to node, pod to pod, and everybody else to every node.

    Gives the plan and how many directions there are altogether; where these are more than ``most``, the plan is an even
    sample in which every place sends and is sent to equally often.
    """
    nodes = [each for each in vantages if each.kind == "node"]
    pods = [each for each in vantages if each.kind == "pod"]
    others = [each for each in vantages if each.kind in {"operator", "host"}]
    plan: dict[Vantage, list[Target]] = {each: [] for each in vantages}
    chosen = list(_turns(nodes, pods, others))
    for sender, receiver in chosen[:most]:
        plan[sender].append(Target(receiver.name, receiver.address, receiver.node))
    return {sender: targets for sender, targets in plan.items() if targets}, len(chosen)


def _turns(
    nodes: Sequence[Vantage], pods: Sequence[Vantage], others: Sequence[Vantage]
) -> Iterator[tuple[Vantage, Vantage]]:
    """Yield pairs so that any beginning of them is an even sample: everybody's next neighbour, then the one after."""
    for step in range(1, max(len(nodes) + 1, len(pods))):
        for group in (nodes, pods):
            for number, sender in enumerate(group):
                receiver = group[(number + step) % len(group)]
                if step < len(group) and receiver.address:
                    yield sender, receiver
        for sender in others:
            if step <= len(nodes) and nodes[step - 1].address:
                yield sender, nodes[step - 1]
