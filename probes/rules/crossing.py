"""crossing: what probes between the cluster's own places show: overlay held against underlay, there against back.

State can look right while packets die, so these judge packets that were sent; what state explains is folded beneath it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.finding import Evidence, Finding, Severity

OVERLAY: Final = ObjectRef("Cluster", "", "overlay")
VXLAN: Final = 50
"""Bytes that VXLAN adds to a packet: inner Ethernet 14, VXLAN 8, UDP 8, outer IPv4 20 (RFC 7348)."""
_DELIVERED: Final = frozenset({"ok", "told", "silent", "lossy", "large-lost"})
"""Outcomes in which at least small packets came back."""
_DEAD: Final = frozenset({"inconclusive", "unreachable"})
_LOST: Final = frozenset({"silent", "large-lost"})

Pairs = Mapping[tuple[str, str], Result]
"""Results by the names of the two nodes."""


def evidence_of(results: Iterable[Result]) -> tuple[Evidence, ...]:
    """Quote results as what was sent from where to where, and what came of it."""
    shown = list(results)[:MOST_EVIDENCE]
    return tuple(
        Evidence(f"underlay probe {each.probe} {each.target}", _excerpt(each), each.vantage, each.at) for each in shown
    )


def _excerpt(each: Result) -> str:
    return f"{each.said}; {each.reason}" if each.reason else each.said


def above(lost: Iterable[Result]) -> str:
    """Say from which size on packets are lost, where one was searched for: `` above 1400 bytes``; else nothing."""
    sizes = [each.sizes.mtu for each in lost if each.probe == "pmtu" and each.sizes is not None and each.sizes.mtu]
    return f" above {min(sizes)} bytes" if sizes else ""


def judge_crossing(probed: Sequence[Result], cut_off: Iterable[str], snapshot: Snapshot) -> Iterator[Finding]:
    """Judge probes between nodes and between pods; ``cut_off``: nodes whose own state breaks the overlay."""
    for kinds in ({"pmtu"}, {"mesh", "ping"}):
        own = [each for each in probed if each.probe in kinds and each.peer and each.peer != each.node]
        underlay = {(each.node, each.peer): each for each in own if each.kind == "node"}
        overlay = {(each.node, each.peer): each for each in own if each.kind == "pod" and not _is_hop(each)}
        found = list(_judge(overlay, underlay, set(cut_off), snapshot))
        yield from found
        if found:
            return  # the other kind would only say it again, less exactly


def _is_hop(each: Result) -> bool:
    return each.target.startswith("source-controller")


def _judge(overlay: Pairs, underlay: Pairs, cut_off: set[str], snapshot: Snapshot) -> Iterator[Finding]:
    sorted_out: dict[str, list[Result]] = {}
    for nodes, each in overlay.items():
        sorted_out.setdefault(_case(each, nodes, underlay), []).append(each)
    yield from _dead(sorted_out.get("dead", ()), cut_off, snapshot)
    if cut := sorted_out.get("cut"):
        yield _fragments(cut)
    if tight := sorted_out.get("tight"):
        yield _tight(tight)
    if silent := [each for each in underlay.values() if each.outcome in _LOST]:
        yield _underlay_hole(silent)
    if holes := sorted_out.get("hole"):
        yield _overlay_hole(holes)


def _case(each: Result, nodes: tuple[str, str], underlay: Pairs) -> str:
    """Tell what a result between pods shows beside those between their nodes; empty: nothing of its own."""
    below, mtu = _below(nodes, underlay), _mtu(each)
    if each.outcome in _LOST:
        if not underlay:
            return "hole"
        if below is None or _follows(each, nodes, underlay):
            return ""
        return "cut" if mtu <= below - VXLAN else "hole"
    if below is None:
        return ""
    if each.outcome in _DEAD and not mtu:
        return "dead"
    return "tight" if each.outcome == "ok" and each.probe == "pmtu" and mtu > below - VXLAN else ""


def _about(results: Sequence[Result]) -> tuple[str, ...]:
    names = dict.fromkeys(name for each in results for name in (each.node, each.peer) if name)
    return tuple(names)[:MOST_EVIDENCE]


def _between(results: Sequence[Result]) -> str:
    return listed(list(dict.fromkeys(f"{each.node} to {each.peer}" for each in results)))


def _dead(dead: Sequence[Result], cut_off: set[str], snapshot: Snapshot) -> Iterator[Finding]:
    """Part what a node's own state explains from what dies though every state is right."""
    known = [each for each in dead if {each.node, each.peer} & cut_off]
    unknown = [each for each in dead if not {each.node, each.peer} & cut_off]
    if known:
        yield Finding(
            "overlay-dead",
            Severity.CRITICAL,
            OVERLAY,
            f"pods get no packet of any size across, {_between(known)}, while the nodes reach each other",
            evidence_of(known),
            "another pod of the same node answers, or the pod's NetworkPolicy drops ping",
            about=_about(known),
        )
    wrong = {name: _wrong_checksums(snapshot, name) for each in unknown for name in (each.node, each.peer)}
    suspects = sorted(name for name, count in wrong.items() if count)
    if unknown and suspects:
        counted = tuple(Evidence("nstat -as UdpInCsumErrors", str(wrong[name]), name) for name in suspects)
        yield Finding(
            "checksum-offload-suspected",
            Severity.CRITICAL,
            OVERLAY,
            f"pods get no packet across, {_between(unknown)}, though every state is right, and {listed(suspects)} "
            "drops UDP packets for their checksum: an offload on the senders' side",
            (*evidence_of(unknown), *counted)[:MOST_EVIDENCE],
            "UdpInCsumErrors stays as it is while the probe runs, or ethtool -K flannel.1 tx-checksum-ip-generic off "
            "changes nothing",
            about=_about(unknown),
        )
    elif unknown:
        yield Finding(
            "vxlan-port-dropped",
            Severity.CRITICAL,
            OVERLAY,
            f"pods get no packet of any size across, {_between(unknown)}, though flannel's state is right on both "
            "nodes and the nodes reach each other: something on the way drops flannel's UDP port",
            evidence_of(unknown),
            "tcpdump on the receiving node shows packets to the port coming in, or another pod there answers",
            about=_about(unknown),
        )


def _wrong_checksums(snapshot: Snapshot, node: str) -> int:
    network = snapshot.networks.get(node)
    return ((network.counters if network is not None else None) or {}).get("UdpInCsumErrors", 0)


def _fragments(cut: Sequence[Result]) -> Finding:
    return Finding(
        "vxlan-fragments-dropped",
        Severity.CRITICAL,
        OVERLAY,
        f"VXLAN packets get through whole and never in fragments, {_between(cut)}: the underlay carries less than "
        "flannel's device believes, and something drops IP fragments",
        evidence_of(cut),
        "the receiving node's IpReasmOKs grows while large packets are lost",
        about=_about(cut),
    )


def _tight(tight: Sequence[Result]) -> Finding:
    return Finding(
        "overlay-fragmented",
        Severity.WARNING,
        OVERLAY,
        f"large packets between pods cross an underlay that is too small for them whole, {_between(tight)}: they "
        "travel as fragments, slowly, and die where anything drops fragments",
        evidence_of(tight),
        "IpFragCreates of the nodes and routers on the way stays as it is during a transfer",
        about=_about(tight),
    )


def _underlay_hole(silent: Sequence[Result]) -> Finding:
    return Finding(
        "underlay-mtu-blackhole",
        Severity.CRITICAL,
        OVERLAY,
        f"packets between nodes vanish{above(silent)} without a word, {_between(silent)}: a port or a switch carries "
        "less than the nodes' devices believe",
        evidence_of(silent),
        "a ping as long as the device takes comes back with DF set (ping -M do)",
        about=_about(silent),
    )


def _overlay_hole(holes: Sequence[Result]) -> Finding:
    return Finding(
        "overlay-mtu-blackhole",
        Severity.CRITICAL,
        OVERLAY,
        f"large packets between pods vanish{above(holes)} without a word, {_between(holes)}: the devices on their way "
        "do not agree on a size",
        evidence_of(holes),
        "a ping as long as the pod's device takes comes back from a pod of the other node",
        about=_about(holes),
    )


def _both(nodes: tuple[str, str], underlay: Pairs) -> list[Result]:
    """Give the underlay's results there and back: an echo between pods needs both to carry its outer packets."""
    return [underlay[each] for each in (nodes, nodes[::-1]) if each in underlay]


def _below(nodes: tuple[str, str], underlay: Pairs) -> int | None:
    """Tell what the underlay carries whole in both directions; None where it carries nothing or was not tried."""
    both = _both(nodes, underlay)
    delivered = bool(both) and all(each.outcome in _DELIVERED for each in both)
    return min(_mtu(each) for each in both) if delivered else None


def _follows(each: Result, nodes: tuple[str, str], underlay: Pairs) -> bool:
    """Whether the underlay loses the same packets without a word: then the overlay only shows it once more."""
    limits = [_mtu(below) for below in _both(nodes, underlay) if below.outcome in _LOST]
    return bool(limits) and _mtu(each) <= max(0, min(limits) - VXLAN)


def _mtu(each: Result) -> int:
    """Tell the largest packet that came back: of a search to the byte, of a ping that of its two sizes."""
    if each.sizes is not None:
        return each.sizes.mtu or 0
    return max((tried.size or 0 for tried in each.attempts if tried.packets and tried.packets[1]), default=0)
