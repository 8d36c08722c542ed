"""The verdict of a glance: readiness, the peer table and Flux conditions decide how bad it is."""

from collections.abc import Collection, Iterator
from enum import IntEnum

import msgspec

from probes.model.peers import MISSING, OK, UNKNOWN, Peer
from probes.model.snapshot import KUBE, NODE, Snapshot
from probes.model.summary.flux import FluxSummary, summarize_flux
from probes.model.summary.nodes import NodeSummary, summarize_nodes
from probes.model.summary.pulls import PullFailure, summarize_pulls


class Verdict(IntEnum):
    """How bad it is; the value is the exit status of ``underlay status``."""

    HEALTHY = 0
    WARNING = 1
    CRITICAL = 2
    UNASSESSED = 3
    """Nothing could be assessed at all."""


class Problem(msgspec.Struct, frozen=True):
    """Something that is not as it should be."""

    severity: Verdict
    subject: str
    summary: str
    """One sentence."""


class Glance(msgspec.Struct, frozen=True, eq=False):
    """A snapshot summed up and judged."""

    verdict: Verdict
    problems: tuple[Problem, ...]
    """Worst first."""
    nodes: tuple[NodeSummary, ...]
    peers: tuple[Peer, ...]
    """Every peer entry that is not as it should be, unknown ones included."""
    flux: tuple[FluxSummary, ...]
    pulls: tuple[PullFailure, ...]


def glance(snapshot: Snapshot, only: Collection[str] = ()) -> Glance:
    """Sum up and judge one snapshot; ``only``: of no other nodes than these."""
    summed = summarize_nodes(snapshot, only)
    nodes = tuple(row for row, _ in summed)
    peers = tuple(peer for _, table in summed for peer in table if peer.status != OK)
    flux = summarize_flux(snapshot)
    pulls = summarize_pulls(snapshot)
    problems = [
        *_source_problems(snapshot),
        *(problem for row in nodes for problem in _node_problems(snapshot, row)),
        *_peer_problems(nodes, peers),
        *(problem for row in flux if (problem := _flux_problem(row))),
        *(_pull_problem(row) for row in pulls),
    ]
    problems.sort(key=lambda problem: -problem.severity)
    verdict = max((problem.severity for problem in problems), default=Verdict.HEALTHY)
    if not snapshot.networks and snapshot.resource("nodes").status != "ok":
        verdict = Verdict.UNASSESSED
    return Glance(verdict, tuple(problems), nodes, peers, flux, pulls)


def _source_problems(snapshot: Snapshot) -> Iterator[Problem]:
    """Name what did not answer: never green, for what is behind it is not known."""
    for name, state in sorted(snapshot.sources.items()):
        if state.status in {"ok", "absent"}:
            continue
        reason = state.reason or "no answer yet"
        if name.startswith(NODE):
            yield Problem(Verdict.WARNING, name.removeprefix(NODE), f"the node did not answer: {reason}")
        elif name == f"{KUBE}nodes":
            yield Problem(Verdict.CRITICAL, "API", f"the API does not tell its nodes: {reason}")
        else:
            yield Problem(Verdict.WARNING, "API", f"{name.removeprefix(KUBE)} are not known: {reason}")


def _node_problems(snapshot: Snapshot, row: NodeSummary) -> Iterator[Problem]:
    node = snapshot.nodes.get(row.name)
    if node is not None and row.ready != "True":
        condition = node.condition("Ready")
        why = f": {condition.reason}: {condition.message}" if condition else ": it has no Ready condition"
        yield Problem(Verdict.CRITICAL, row.name, f"the node is not Ready ({row.ready}){why}")
    if row.overlay_state in {"missing", "down"}:
        said = "does not exist" if row.overlay_state == "missing" else "is down"
        yield Problem(Verdict.CRITICAL, row.name, f"{row.overlay} {said}: no pod there reaches another node's pods")
    elif row.overlay_state == "ok" and row.port_open is False:
        yield Problem(Verdict.CRITICAL, row.name, "the VXLAN port has no socket: no overlay packet is received")
    voter = node.condition("EtcdIsVoter") if node else None
    if voter is not None and voter.status == "False":
        yield Problem(Verdict.WARNING, row.name, f"not a voter of etcd: {voter.reason}")
    if row.unit is not None and row.unit.active_state not in {"active", ""}:
        state = f"{row.unit.active_state} ({row.unit.sub_state})"
        yield Problem(Verdict.CRITICAL, row.name, f"unit {row.unit.name} is {state}")


def _peer_problems(nodes: tuple[NodeSummary, ...], peers: tuple[Peer, ...]) -> Iterator[Problem]:
    """One problem a node, for its peers; a node without its device has said so already."""
    absent = {row.name for row in nodes if row.overlay_state in {"missing", "down"}}
    by_node: dict[str, list[Peer]] = {}
    for peer in peers:
        if peer.status != UNKNOWN and peer.node not in absent:
            by_node.setdefault(peer.node, []).append(peer)
    for name, broken in by_node.items():
        said = "; ".join(describe_peer(peer) for peer in broken[:3])
        more = f"; and {len(broken) - 3} more" if len(broken) > 3 else ""  # noqa: PLR2004 - as many as are spelled out
        yield Problem(Verdict.CRITICAL, name, f"peers incomplete: {said}{more}")


def describe_peer(peer: Peer) -> str:
    """Say in one phrase what is wrong with a peer: ``to samwise: FDB missing, expected …``."""
    said = []
    for leg, state in peer.legs:
        if state.status == MISSING:
            said.append(f"{leg} missing (expected {state.expected})")
        elif state.status not in {"ok", "not-needed"}:
            found = f", found {state.found}" if state.found else ""
            said.append(f"{leg} {state.status} (expected {state.expected}{found})")
    return f"to {peer.peer}: {', '.join(said)}"


def _flux_problem(row: FluxSummary) -> Problem | None:
    ref = row.object.ref
    if row.ready == "True" or row.object.suspended:
        return None
    subject = f"{ref.kind} {ref.namespace}/{ref.name}"
    return Problem(Verdict.WARNING, subject, f"not ready ({row.ready}): {row.reason}: {row.message}")


def _pull_problem(row: PullFailure) -> Problem:
    where = f" on {row.node}" if row.node else ""
    return Problem(Verdict.WARNING, row.registry, f"{row.image} cannot be pulled{where}: {row.message}")
