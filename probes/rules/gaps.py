"""Gaps that no verdict may rest on: a node that answered, but not about its overlay."""

from collections.abc import Iterator

from probes.rules.facts import NodeFacts
from probes.rules.finding import Finding, Severity

_RESTED_ON = ("links", "routes", "neighbors", "fdb", "udp", "unit", "subnet_env")
"""Facts without which a node's overlay is not known to be whole."""


def judge_gaps(facts: NodeFacts) -> Iterator[Finding]:
    """Name a node that answered without what a verdict about its overlay rests on."""
    network = facts.network
    if network is None:
        return
    lacking = [fact for fact in _RESTED_ON if fact in network.unassessed and getattr(network, fact) is None]
    if lacking:
        seen = (facts.seen(fact, network.unassessed[fact]) for fact in lacking)
        summary = f"{', '.join(lacking)} could not be assessed: nobody knows whether its overlay is whole"
        refutes = "the commands of the evidence answer on the node"
        yield facts.finding("node-unassessed", Severity.WARNING, summary, *seen, refutes=refutes)
