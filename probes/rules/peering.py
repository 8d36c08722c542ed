"""peering: a node's route, neighbour and FDB entry for each peer, and what follows for the other direction.

flannel writes the triple when it hears of a peer, and never looks again (flannel pkg/backend/vxlan/vxlan_network.go,
handleSubnetEvents): what is lost later stays lost until k3s restarts.
"""

from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import Final

from probes.model.peers import MISSING, OK, UNKNOWN, WRONG, Leg, Peer
from probes.model.snapshot import NODE, Snapshot
from probes.rules.facts import MOST_EVIDENCE, SPELLED_OUT, NodeFacts, listed, node_ref
from probes.rules.finding import Evidence, Finding, NodeView, Severity

CUTTING: Final = frozenset(
    {
        "vxlan-link-missing",
        "vxlan-link-down",
        "vxlan-port-not-listening",
        "vxlan-mac-differs",
        "vxlan-vni-wrong",
        "vxlan-port-wrong",
        "public-ip-stale",
        "vxlan-underlay-down",
    }
)
"""What keeps every overlay packet of the others from a node."""
_COMMANDS: Final = {"route": "ip route", "neighbour": "ip neigh", "FDB": "bridge fdb"}


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


def judge_peers(facts: NodeFacts) -> Iterator[Finding]:
    """Judge what one node has for its peers; what could not be assessed is not judged."""
    broken = [peer for peer in facts.peers.broken if peer.status != UNKNOWN]
    if not broken:
        return
    for family in sorted({peer.family for peer in broken}):
        mine = [peer for peer in broken if peer.family == family]
        if _peerless(facts, mine, family):
            yield _name_peerless(facts, mine, family)
        else:
            yield from _judge_legs(facts, mine)


def _peerless(facts: NodeFacts, broken: list[Peer], family: str) -> bool:
    """Tell whether a VXLAN node lacks the routes and neighbours of all of its peers."""
    if family not in facts.devices or len(broken) * len(facts.devices) < facts.peers.expected:
        return False
    return all(peer.route.status == MISSING and peer.neighbor.status == MISSING for peer in broken)


def _state(facts: NodeFacts, device: str) -> str:
    """Say of a device as much as is known of it, as the beginning of a sentence about what it has."""
    if facts.links is None:
        return "has"
    link = facts.links.get(device)
    if link is None:
        return "is not there and has"
    return "is up but has" if link.up else "is down and has"


def _name_peerless(facts: NodeFacts, broken: list[Peer], family: str) -> Finding:
    device = facts.devices[family]
    kept = sum(peer.fdb.status == OK for peer in broken)
    how = "the FDB is whole, as after 'ip link set down; up'" if kept == len(broken) else f"{kept} FDB entries are left"
    return facts.finding(
        "vxlan-peerless",
        facts.once_started(Severity.CRITICAL),
        f"{device} {_state(facts, device)} no route and no neighbour for any of its {len(broken)} peers: pods' packets "
        "for them leave by the default route, un-encapsulated",
        facts.seen(
            f"ip route; ip neigh show dev {device}; bridge fdb show dev {device}", f"0 routes, 0 neighbours; {how}"
        ),
        *(facts.seen("ip route; ip neigh; bridge fdb", describe_peer(peer)) for peer in broken),
        refutes=f"ip route shows one route by {device} for every other node's podCIDR",
        about=tuple(peer.peer for peer in broken[:MOST_EVIDENCE]),
    )


def _judge_legs(facts: NodeFacts, broken: list[Peer]) -> Iterator[Finding]:
    """Group broken peers by what is wrong with them, one finding a kind."""
    groups: dict[str, list[tuple[Peer, tuple[str, ...]]]] = {}
    for peer in broken:
        for kind, legs in _kinds(peer):
            groups.setdefault(kind, []).append((peer, legs))
    for kind, members in groups.items():
        names = [peer.peer for peer, _ in members]
        evidence = tuple(_quote(facts, peer, leg) for peer, legs in members[:MOST_EVIDENCE] for leg in legs)
        yield _name(facts, kind, names, members[0][0], evidence)


def _kinds(peer: Peer) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Tell in which ways a peer is broken, each with the legs that show it."""
    route, neighbor, fdb = (leg.status for _, leg in peer.legs)
    if route == neighbor == fdb == MISSING:
        yield "all", ("route", "neighbour", "FDB")
        return
    if route in {MISSING, WRONG}:
        yield f"route {route}", ("route",)
    if neighbor == WRONG and _mac(peer.neighbor.expected) != _mac(peer.neighbor.found):
        yield "mac", ("neighbour", "FDB") if fdb == MISSING else ("neighbour",)
        if fdb == MISSING:
            return  # the FDB still holds the MAC that the neighbour entry has
    elif neighbor in {MISSING, WRONG}:
        yield f"neighbour {neighbor}", ("neighbour",)
    if fdb == MISSING:
        yield "FDB missing", ("FDB",)
    elif fdb == WRONG:
        yield ("FDB twice" if peer.fdb.expected in peer.fdb.found.split(", ") else "FDB wrong"), ("FDB",)


def _mac(leg: str) -> str:
    """Take the MAC out of ``lladdr MAC STATE``."""
    return [*leg.split(), "", ""][1].lower()


def _leg(peer: Peer, name: str) -> Leg:
    return dict(peer.legs)[name]


def _quote(facts: NodeFacts, peer: Peer, name: str) -> Evidence:
    leg = _leg(peer, name)
    return facts.seen(_COMMANDS[name], f"to {peer.peer}: expected {leg.expected}; found {leg.found or 'none'}")


_CODES: Final = {
    "all": ("peer-missing", Severity.CRITICAL),
    "route missing": ("peer-route-missing", Severity.CRITICAL),
    "route wrong": ("peer-route-wrong", Severity.CRITICAL),
    "neighbour missing": ("peer-neighbor-missing", Severity.CRITICAL),
    "neighbour wrong": ("peer-neighbor-not-permanent", Severity.WARNING),
    "mac": ("peer-mac-stale", Severity.CRITICAL),
    "FDB missing": ("peer-fdb-missing", Severity.CRITICAL),
    "FDB twice": ("peer-fdb-duplicate", Severity.WARNING),
    "FDB wrong": ("peer-fdb-wrong", Severity.CRITICAL),
}
"""By kind of damage: its code, and how bad it is."""
_LATE: Final = frozenset({"all", "route missing", "neighbour missing", "FDB missing"})
"""What flannel may yet make when it has only just started."""


def _name(facts: NodeFacts, kind: str, names: list[str], first: Peer, evidence: tuple[Evidence, ...]) -> Finding:
    """Put one kind of damage into words."""
    code, severity = _CODES[kind]
    if kind in _LATE:
        severity = facts.once_started(severity)
    said = _said(kind, listed(names), first, facts.devices.get(first.family, ""))
    refutes = "ip route, ip neigh and bridge fdb show what is expected"
    return facts.finding(code, severity, said, *evidence, refutes=refutes, about=tuple(names))


def _said(kind: str, to: str, first: Peer, device: str) -> str:
    """Say what is damaged and what that does; ``device``: the one that packets should leave by, if any."""
    bare = ", un-encapsulated" if device else ""
    old, new = _mac(first.neighbor.found), _mac(first.neighbor.expected)
    return {
        "all": f"no route, neighbour or FDB entry for {to}: flannel here does not know of it",
        "route missing": f"no route to the pods of {to}: packets for them leave by the default route{bare}",
        "route wrong": (
            f"the route to the pods of {to} goes elsewhere: {first.route.found}, expected {first.route.expected}"
        ),
        "neighbour missing": f"no permanent neighbour for {to}: the kernel asks for a MAC that nobody will tell",
        "neighbour wrong": f"the neighbour of {to} is not permanent ({first.neighbor.found}): it goes when it ages",
        "mac": f"packets for {to} go to MAC {old}, published is {new}: they are dropped there without a word",
        "FDB missing": f"no FDB entry for {to}: {device} drops the packets (tx dropped)",
        "FDB twice": f"the FDB has a second destination for {to} ({first.fdb.found}): every packet is sent to both",
        "FDB wrong": f"the FDB sends packets for {to} elsewhere: {first.fdb.found}, expected {first.fdb.expected}",
    }[kind]


def judge_directions(
    snapshot: Snapshot, views: Mapping[str, NodeView], amiss: Mapping[str, NodeView]
) -> Iterator[Finding]:
    """Judge pairs of nodes: who sends in vain to a node that is cut off, and pairs that work one way only.

    ``amiss``: those of the views that have findings.
    """
    first = nsmallest(SPELLED_OUT + 1, snapshot.networks) if amiss else []
    for name, view in amiss.items():
        codes = {finding.code for finding in view.findings if finding.severity is Severity.CRITICAL}
        if codes & CUTTING and view.peers.expected:
            yield _unreachable(name, [other for other in first if other != name][:SPELLED_OUT], view, snapshot)
        elif (lost := _lost(view.findings)) and (heard := _heard(name, lost, views)):
            yield _one_way(name, heard, view)


def _lost(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Tell to which peers a node cannot send although it can to others."""
    return tuple(
        sorted(
            {
                name
                for finding in findings
                if finding.code.startswith("peer-") and finding.severity is Severity.CRITICAL
                for name in finding.about
            }
        )
    )[:MOST_EVIDENCE]


def _heard(name: str, lost: tuple[str, ...], views: Mapping[str, NodeView]) -> tuple[str, ...]:
    """Tell which of those peers have all they need for sending to the node."""
    return tuple(
        other
        for other in lost
        if (view := views.get(other)) is not None
        and view.summary.seen_at is not None
        and not any(peer.peer == name for peer in view.peers.broken)
        and not CUTTING & {finding.code for finding in view.findings}
    )


def _one_way(name: str, heard: tuple[str, ...], view: NodeView) -> Finding:
    seen = Evidence("ip route; ip neigh; bridge fdb", f"whole for {name}", listed(heard), view.summary.seen_at)
    return Finding(
        "peer-one-way",
        Severity.WARNING,
        node_ref(name),
        f"one way only: what {listed(heard)} send{'s' if len(heard) == 1 else ''} arrives, the answers do not go back",
        (seen,),
        "a ping from a pod there to a pod here is answered",
        about=heard,
    )


def _unreachable(name: str, others: list[str], view: NodeView, snapshot: Snapshot) -> Finding:
    """Tell that the others send to a node in vain, with what the counters of some say of it."""
    quoted = []
    for other in others:
        counters = snapshot.networks[other].counters or {}
        if count := counters.get("IcmpInDestUnreachs"):
            said = f"IcmpInDestUnreachs {count} since boot: a closed port answers every packet so"
            quoted.append(Evidence("nstat -as", said, other, snapshot.source(f"{NODE}{other}").at))
    expected = view.peers.expected
    return Finding(
        "peer-unreachable",
        Severity.CRITICAL,
        node_ref(name),
        f"{expected} other node{'s' if expected > 1 else ''} send{'' if expected > 1 else 's'} to its pods in vain, "
        "though the entries there may look whole",
        tuple(quoted),
        "a ping from a pod of another node to a pod here is answered",
        about=tuple(others),
    )
