"""What a glance judges by besides the overlay and Flux: sources that answer, readiness, k3s and image pulls."""

from collections.abc import Iterator
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.snapshot import KUBE, NODE, Snapshot
from probes.model.summary.nodes import NodeSummary
from probes.rules.facts import node_ref as node_ref  # noqa: PLC0414 - part of what this module offers
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.peering import describe_peer as describe_peer  # noqa: PLC0414 - likewise

_RESTED_ON = ("links", "routes", "neighbors", "fdb", "udp", "unit", "subnet_env")
"""Facts without which a node's overlay is not known to be whole."""
_SPELLED_OUT = 3
"""Peers that a summary names; the rest is counted."""


def judge_sources(snapshot: Snapshot) -> Iterator[Finding]:
    """Name what did not answer: never green, for what is behind it is not known; an API that is away is one finding."""
    away = _judge_api(snapshot)
    if away is not None:
        yield away
    for name, state in sorted(snapshot.sources.items()):
        if state.status in {"ok", "absent", "loading"}:
            continue
        if away is not None and name.startswith(KUBE) and state.status in _AWAY:
            continue
        seen = (Evidence(name, state.reason, "operator", state.since),)
        if name.startswith(NODE):
            subject = node_ref(name.removeprefix(NODE))
            summary = f"the node did not answer: {state.reason}"
            yield Finding("node-unreachable", Severity.WARNING, subject, summary, seen)
        else:
            summary = f"{name.removeprefix(KUBE).replace('_', ' ')} cannot be read: {state.reason}"
            yield Finding("resource-unread", Severity.WARNING, _API, summary, seen)


_API: Final = ObjectRef("API", "", "API")
_AWAY: Final = frozenset({"unreachable", "timeout"})


def _judge_api(snapshot: Snapshot) -> Finding | None:
    """Tell whether the API is away altogether; to be refused its nodes is not that."""
    nodes = snapshot.source(f"{KUBE}nodes")
    if nodes.status not in _AWAY:
        return None
    lost = sum(state.status in _AWAY for name, state in snapshot.sources.items() if name.startswith(KUBE))
    seen = (Evidence(f"{KUBE}nodes", nodes.reason, "operator", nodes.since),)
    summary = f"the API does not answer, so nothing new is known of {lost} of its resources: {nodes.reason}"
    return Finding("api-unreachable", Severity.CRITICAL, _API, summary, seen)


def judge_node(snapshot: Snapshot, row: NodeSummary) -> Iterator[Finding]:
    """Judge one node by what the API and the node itself say of it."""
    yield from _judge_conditions(snapshot, row)
    yield from _judge_gaps(snapshot, row)
    if row.unit is not None and row.unit.active_state not in {"active", ""}:
        state = f"{row.unit.active_state} ({row.unit.sub_state})"
        seen = Evidence(
            f"systemctl show {row.unit.name}", f"ActiveState={row.unit.active_state}", row.name, row.seen_at
        )
        summary = f"unit {row.unit.name} is {state}"
        yield Finding("unit-not-active", Severity.CRITICAL, node_ref(row.name), summary, (seen,))


def _judge_gaps(snapshot: Snapshot, row: NodeSummary) -> Iterator[Finding]:
    """Name a node that answered without what a verdict about its overlay rests on."""
    network = snapshot.networks.get(row.name)
    lacking = [fact for fact in _RESTED_ON if fact in network.unassessed] if network is not None else []
    lacking = [fact for fact in lacking if getattr(network, fact) is None]
    if lacking and network is not None:
        seen = tuple(Evidence(fact, network.unassessed[fact], row.name, row.seen_at) for fact in lacking)
        summary = f"{', '.join(lacking)} could not be assessed: nobody knows whether its overlay is whole"
        yield Finding("node-unassessed", Severity.WARNING, node_ref(row.name), summary, seen)


def _judge_conditions(snapshot: Snapshot, row: NodeSummary) -> Iterator[Finding]:
    node = snapshot.nodes.get(row.name)
    if node is None:
        return
    at = snapshot.source(f"{KUBE}nodes").at
    if row.ready != "True":
        condition = node.condition("Ready")
        why = f": {condition.reason}: {condition.message}" if condition else ": it has no Ready condition"
        seen = Evidence(f"Node/{row.name}", f"Ready={row.ready}{why}", "API", at)
        summary = f"the node is not Ready ({row.ready}){why}"
        yield Finding("node-not-ready", Severity.CRITICAL, node_ref(row.name), summary, (seen,))
    voter = node.condition("EtcdIsVoter")
    if voter is not None and voter.status == "False":
        seen = Evidence(f"Node/{row.name}", f"EtcdIsVoter=False: {voter.reason}: {voter.message}", "API", at)
        summary = f"not a voter of etcd: {voter.reason}"
        yield Finding("etcd-not-voter", Severity.WARNING, node_ref(row.name), summary, (seen,))
