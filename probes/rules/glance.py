"""What a glance judges by besides the overlay and Flux: sources that answer, readiness, k3s and image pulls."""

from collections.abc import Iterator

from probes.rules.facts import NodeFacts
from probes.rules.facts import node_ref as node_ref  # noqa: PLC0414 - part of what this module offers
from probes.rules.finding import Finding, Severity
from probes.rules.peering import describe_peer as describe_peer  # noqa: PLC0414 - likewise
from probes.rules.sources import judge_sources as judge_sources  # noqa: PLC0414 - likewise

_RESTED_ON = ("links", "routes", "neighbors", "fdb", "udp", "unit", "subnet_env")
"""Facts without which a node's overlay is not known to be whole."""
_SPELLED_OUT = 3
"""Peers that a summary names; the rest is counted."""


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
