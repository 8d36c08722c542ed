"""What a glance judges by: readiness, the peer table, Flux conditions and image pulls."""

from collections.abc import Iterator

from probes.model.flux import ObjectRef
from probes.model.peers import MISSING, OK, UNKNOWN, Peer, PeerTable
from probes.model.snapshot import KUBE, NODE, Snapshot
from probes.model.summary.flux import FluxSummary
from probes.model.summary.nodes import NodeSummary
from probes.model.summary.pulls import PullFailure
from probes.rules.finding import Evidence, Finding, Severity

_RESTED_ON = ("links", "routes", "neighbors", "fdb", "udp", "unit", "subnet_env")
"""Facts without which a node's overlay is not known to be whole."""
_SPELLED_OUT = 3
"""Peers that a summary names; the rest is counted."""


def judge_sources(snapshot: Snapshot) -> Iterator[Finding]:
    """Name what did not answer: never green, for what is behind it is not known."""
    for name, state in sorted(snapshot.sources.items()):
        if state.status in {"ok", "absent", "loading"}:
            continue
        seen = (Evidence(name, state.reason, "operator", state.since),)
        if name.startswith(NODE):
            subject = node_ref(name.removeprefix(NODE))
            summary = f"the node did not answer: {state.reason}"
            yield Finding("node-unreachable", Severity.WARNING, subject, summary, seen)
        elif name == f"{KUBE}nodes":
            subject = ObjectRef("API", "", "API")
            summary = f"the API does not tell its nodes: {state.reason}"
            yield Finding("api-unreachable", Severity.CRITICAL, subject, summary, seen)
        else:
            subject = ObjectRef("API", "", "API")
            summary = f"{name.removeprefix(KUBE)} are not known: {state.reason}"
            yield Finding("resource-unread", Severity.WARNING, subject, summary, seen)


def node_ref(name: str) -> ObjectRef:
    """Refer to a node."""
    return ObjectRef("Node", "", name)


def judge_node(snapshot: Snapshot, row: NodeSummary, peers: PeerTable) -> Iterator[Finding]:
    """Judge one node by what the API and the node itself say of it."""
    yield from _judge_conditions(snapshot, row)
    yield from _judge_gaps(snapshot, row)
    yield from _judge_overlay(row, peers)
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


def _judge_overlay(row: NodeSummary, peers: PeerTable) -> Iterator[Finding]:
    subject = node_ref(row.name)
    if row.overlay_state in {"missing", "down"}:
        said = "does not exist" if row.overlay_state == "missing" else "is down"
        seen = Evidence(f"ip -d link show {row.overlay}", f"{row.overlay} {said}", row.name, row.seen_at)
        summary = f"{row.overlay} {said}: no pod there reaches another node's pods"
        yield Finding(f"vxlan-link-{row.overlay_state}", Severity.CRITICAL, subject, summary, (seen,))
        return  # its peers are incomplete because of it
    if row.overlay_state == OK and row.port_open is False:
        seen = Evidence("cat /proc/net/udp", "no socket on the VXLAN port", row.name, row.seen_at)
        summary = "the VXLAN port has no socket: no overlay packet is received"
        yield Finding("vxlan-port-closed", Severity.CRITICAL, subject, summary, (seen,))
    broken = [peer for peer in peers.broken if peer.status != UNKNOWN]
    if broken:
        said = "; ".join(describe_peer(peer) for peer in broken[:_SPELLED_OUT])
        more = f"; and {len(broken) - _SPELLED_OUT} more" if len(broken) > _SPELLED_OUT else ""
        seen = Evidence("ip route; ip neigh; bridge fdb", f"{said}{more}", row.name, row.seen_at)
        yield Finding("peer-incomplete", Severity.CRITICAL, subject, f"peers incomplete: {said}{more}", (seen,))


def describe_peer(peer: Peer) -> str:
    """Say in one phrase what is wrong with a peer: ``to samwise: FDB missing (expected …)``."""
    said = []
    for leg, state in peer.legs:
        if state.status == MISSING:
            said.append(f"{leg} missing (expected {state.expected})")
        elif state.status not in {OK, "not-needed"}:
            found = f", found {state.found}" if state.found else ""
            said.append(f"{leg} {state.status} (expected {state.expected}{found})")
    return f"to {peer.peer}: {', '.join(said)}"


def judge_flux(row: FluxSummary) -> Iterator[Finding]:
    """Judge one Flux object by its conditions."""
    if row.ready == "True" or row.object.suspended:
        return
    said = f"{row.reason}: {row.message}"
    seen = Evidence(f"{row.object.ref.kind} conditions", said, "API", row.attempted_at)
    summary = f"not ready ({row.ready}): {said}"
    yield Finding("flux-not-ready", Severity.WARNING, row.object.ref, summary, (seen,))


def judge_pull(row: PullFailure) -> Finding:
    """Name a group of image pulls that fail alike."""
    where = f" on {row.node}" if row.node else ""
    seen = Evidence(", ".join(row.pods), row.message, "API", row.last_at)
    # containerd wraps the cause in a sentence for each step; the last one says what really happened.
    cause = row.message.rpartition('": ')[2]
    summary = f"{row.image} cannot be pulled{where}: {cause}"
    return Finding("image-pull-failing", Severity.WARNING, ObjectRef("Registry", "", row.registry), summary, (seen,))
