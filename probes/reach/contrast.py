"""What paths say when they are held against each other: overlay against underlay, there against back. Pure.

A conclusion names what would refute it: one contrast is a strong hint, never a proof.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from probes.model.reach import Result

VXLAN: Final = 50
"""Bytes that VXLAN adds to a packet: inner Ethernet 14, VXLAN 8, UDP 8, outer IPv4 20 (RFC 7348)."""
_DELIVERED: Final = frozenset({"ok", "told", "silent"})
"""Outcomes in which at least small packets came back."""


Pairs = Mapping[tuple[str, str], Result]
"""Paths by the names of the two nodes."""


class Conclusion(msgspec.Struct, frozen=True):
    """What several paths together point to."""

    code: str
    """``pmtu-blackhole`` | ``vxlan-fragments-dropped`` | ``overlay-dead`` | ``underlay-smaller-than-overlay``."""
    severity: str
    """``critical`` | ``warning``."""
    paths: tuple[tuple[str, str], ...]
    """(from, to) of the paths that show it."""
    text: str
    refutes: str


def conclude(paths: Sequence[Result]) -> list[Conclusion]:
    """Hold paths against each other."""
    underlay = {(each.vantage, each.target): each for each in paths if each.kind == "node"}
    overlay = {_nodes(each): each for each in paths if each.kind == "pod" and each.target.startswith("pod@")}
    found = [*_overlay(overlay, underlay), *_blackholes(paths, overlay, underlay)]
    return sorted(found, key=lambda each: each.severity)


def _nodes(path: Result) -> tuple[str, str]:
    return path.vantage.removeprefix("pod@"), path.target.removeprefix("pod@")


def _overlay(overlay: Pairs, underlay: Pairs) -> Iterable[Conclusion]:
    dead, cut, tight = [], [], []
    for nodes, path in overlay.items():
        below = _below(nodes, underlay)
        if below is None:
            continue
        mtu = _mtu(path)
        if path.outcome in {"inconclusive", "unreachable"} and not _mtu(path):
            dead.append(path)
        elif path.outcome == "silent" and not _follows(path, nodes, underlay) and mtu <= below - VXLAN:
            # What comes back fills the underlay exactly; one byte more and the outer packet is cut into fragments.
            cut.append(path)
        elif path.outcome == "ok" and mtu > below - VXLAN:
            tight.append(path)
    if dead:
        yield Conclusion(
            "overlay-dead",
            "critical",
            _ends(dead),
            "between these nodes pods get no packet of any size across, while the nodes reach each other: flannel's "
            "UDP port is dropped on the way, or a node lacks the state of its peer",
            "refuted if the pods' own NetworkPolicy drops ping, or if another pod of the same node answers",
        )
    if cut:
        yield Conclusion(
            "vxlan-fragments-dropped",
            "critical",
            _ends(cut),
            "between these nodes VXLAN packets get through whole and never in fragments: the underlay carries less "
            "than flannel's device believes, and something on the way drops IP fragments",
            "refuted if the receiving node's IpReasmOKs grows while large packets are lost",
        )
    if tight:
        yield Conclusion(
            "underlay-smaller-than-overlay",
            "warning",
            _ends(tight),
            "large packets between these pods cross an underlay that is too small for them whole: they travel as "
            "fragments, slowly, and die where anything drops fragments",
            "refuted if the sending and forwarding nodes' IpFragCreates stay as they are during a transfer",
        )


def _blackholes(paths: Sequence[Result], overlay: Pairs, underlay: Pairs) -> Iterable[Conclusion]:
    explained = set()
    for nodes, path in overlay.items():
        below = _below(nodes, underlay)
        cut = below is not None and _mtu(path) <= below - VXLAN
        if cut or _follows(path, nodes, underlay):
            explained.add(id(path))
    silent = [each for each in paths if each.outcome == "silent" and id(each) not in explained]
    if silent:
        yield Conclusion(
            "pmtu-blackhole",
            "critical",
            _ends(silent),
            "large packets vanish here without a word while small ones pass: connections open and then stall as soon "
            "as full-size segments flow (TLS certificates, image layers, git packs)",
            "refuted if a connection with a small segment size (TCP_MAXSEG 1200) stalls just the same",
        )


def _both(nodes: tuple[str, str], underlay: Pairs) -> list[Result]:
    """Give the underlay's paths there and back: an echo between pods needs both to carry its outer packets."""
    return [underlay[each] for each in (nodes, nodes[::-1]) if each in underlay]


def _below(nodes: tuple[str, str], underlay: Pairs) -> int | None:
    """Tell what the underlay carries whole in both directions; None where it carries nothing or was not searched."""
    both = _both(nodes, underlay)
    delivered = bool(both) and all(each.outcome in _DELIVERED for each in both)
    return min(_mtu(each) for each in both) if delivered else None


def _follows(path: Result, nodes: tuple[str, str], underlay: Pairs) -> bool:
    """Whether the underlay loses the same packets without a word: then the overlay only shows it once more."""
    limits = [_mtu(each) for each in _both(nodes, underlay) if each.outcome == "silent"]
    return bool(limits) and _mtu(path) <= min(limits) - VXLAN


def _mtu(path: Result) -> int:
    return (path.sizes.mtu if path.sizes else None) or 0


def _ends(paths: Iterable[Result]) -> tuple[tuple[str, str], ...]:
    return tuple((path.vantage, path.target) for path in paths)
