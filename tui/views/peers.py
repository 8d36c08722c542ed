"""Who has what for reaching whom: both directions between two nodes, leg by leg."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from probes.model.peers import MISSING, NOT_NEEDED, OK, UNKNOWN, Expected, Leg, Overlay, Peer, overlay_device
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, status
from tui.widgets.blocks import Block, Bullet, Grid, Heading, Paragraph
from tui.widgets.cells import Row
from tui.widgets.columns import Column

_STATUS: Final = {OK: "ok", MISSING: "critical", "wrong": "critical", NOT_NEEDED: "none"}
_SEPARATOR: Final = "/"


class Pair(NamedTuple):
    """What one node has for reaching another, in one address family."""

    source: str
    destination: str
    family: str
    peer: Peer | None
    """None: nothing is expected of the two, or nothing is known."""
    why: str = ""
    """Why there is no peer."""

    @property
    def status(self) -> str:
        """``ok`` | ``missing`` | ``wrong`` | ``unknown``, or ``none`` where the two have no overlay in common."""
        if self.peer is not None:
            return self.peer.status
        return "none" if self.why == NO_OVERLAY else UNKNOWN


NO_OVERLAY: Final = "the two share no overlay that keeps entries per peer"


def pair_key(source: str, destination: str) -> str:
    """Make the key of a pair; a node's name has no slash."""
    return f"{source}{_SEPARATOR}{destination}"


def pair_of(key: str) -> tuple[str, str] | None:
    """Read the key of a pair."""
    source, found, destination = key.partition(_SEPARATOR)
    return (source, destination) if found else None


Index = Mapping[str, Sequence[Expected]]
"""What is expected of each node."""


def index_of(overlay: Overlay) -> Index:
    """Index who should be in the overlay by node."""
    index: dict[str, list[Expected]] = {}
    for expected in overlay.expected:
        index.setdefault(expected.node, []).append(expected)
    return index


def pairs(diagnosis: Diagnosis, source: str, destination: str, index: Index | None = None) -> tuple[Pair, ...]:
    """Tell what one node has for another, one pair for each address family, at least one.

    Whoever asks of many pairs makes the ``index`` once.
    """
    snapshot = diagnosis.snapshot
    here = snapshot.nodes.get(source)
    if here is None:
        return (Pair(source, destination, "inet", None, f"the API does not tell of {source}"),)
    backend = here.flannel.backend_type
    expected = (index_of(diagnosis.overlay) if index is None else index).get(destination, ())
    if not expected and destination not in snapshot.nodes:
        return (Pair(source, destination, "inet", None, f"the API does not tell of {destination}"),)
    alike = [e for e in expected if e.backend == backend]
    if not alike:
        return (Pair(source, destination, "inet", None, NO_OVERLAY),)
    view = diagnosis.views.get(source)
    if view is None or source not in snapshot.networks:
        reason = snapshot.source(f"node/{source}").reason or "it has not answered yet"
        return tuple(Pair(source, destination, e.family, None, f"{source} was not read: {reason}") for e in alike)
    broken = {peer.family: peer for peer in view.peers.broken if peer.peer == destination}
    return tuple(
        Pair(source, destination, e.family, broken.get(e.family) or _whole(source, e, overlay_device(here, e.family)))
        for e in alike
    )


def _whole(source: str, expected: Expected, device: str) -> Peer:
    """Spell out a peer that is as it should be, as flannel programs it."""
    if expected.backend == "host-gw":
        route = f"via {expected.host}"
        return Peer(source, expected.node, expected.family, Leg(OK, route, route), Leg(NOT_NEEDED), Leg(NOT_NEEDED))
    route = f"via {expected.gateway} dev {device}"
    neighbor, fdb = f"lladdr {expected.mac} PERMANENT", f"{expected.mac} dst {expected.host}"
    return Peer(
        source,
        expected.node,
        expected.family,
        Leg(OK, route, route),
        Leg(OK, neighbor, neighbor),
        Leg(OK, fdb, fdb),
    )


def leg_span(leg: Leg, glyphs: Glyphs = UNICODE) -> Span:
    """Show one leg: a symbol, and a word where it is not as it should be."""
    word = "" if leg.status in {OK, NOT_NEEDED} else leg.status
    return status(_STATUS.get(leg.status, "unknown"), glyphs, word)


def short(pair: Pair, glyphs: Glyphs = UNICODE) -> tuple[Span, ...]:
    """Show a whole pair in a cell: ``✔``, ``✖ FDB``, ``?``, ``·``."""
    if pair.peer is None:
        return (status("none" if pair.status == "none" else "unknown", glyphs),)
    if pair.status == OK:
        return (status("ok", glyphs),)
    legs = [(name, leg.status) for name, leg in pair.peer.legs if leg.status not in {OK, NOT_NEEDED}]
    if pair.status == UNKNOWN:
        return (status("unknown", glyphs, legs[0][0]),)
    broken = [name for name, state in legs if state != UNKNOWN]
    names = "all 3" if len(broken) == len(pair.peer.legs) else " ".join(broken)
    return (status("critical", glyphs, names),)


def _legs(pair: Pair, glyphs: Glyphs) -> tuple[tuple[Span, ...], ...]:
    if pair.peer is None:
        return tuple((status("none" if pair.status == "none" else "unknown", glyphs),) for _ in range(3))
    return tuple((leg_span(leg, glyphs),) for _, leg in pair.peer.legs)


_PEERS: Final = (
    Column("peer", "PEER", 8, 30),
    Column("route", "ROUTE", 7, 12),
    Column("neighbor", "NEIGH", 7, 12),
    Column("fdb", "FDB", 7, 12),
    Column("back", "PEER HAS FOR IT", 8, 26),
    Column("host", "SENT TO", 8, 40, priority=2, grow=True),
)


def peer_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> tuple[Heading, tuple[Block, ...]]:
    """List a node's peers in both directions, the broken ones first; below it what each of those lacks."""
    index = index_of(diagnosis.overlay)
    others = [other for other in diagnosis.views if other != name]
    troubled = _troubled(diagnosis, name)
    others.sort(key=lambda other: other not in troubled)
    both = [two for other in others[:_MOST_PEERS] for two in _both(diagnosis, name, other, index)]
    both.sort(key=lambda two: (two[0].status in {OK, "none"}) + (two[1].status in {OK, "none"}))
    hosts = {(e.node, e.family): e.host for other in others[:_MOST_PEERS] for e in index.get(other, ())}
    rows = [
        Row(
            pair_key(name, there.destination),
            (
                _name(there),
                *_legs(there, glyphs),
                short(back, glyphs),
                Span(hosts.get((there.destination, there.family), ""), "muted"),
            ),
        )
        for there, back in both
    ]
    wrong = [line for two in both for pair in two for line in _lacking(pair, glyphs)]
    blocks: list[Block] = [Grid(_PEERS, tuple(rows), Span("no other node", "muted"), most=2 * _MOST_PEERS)]
    if len(others) > _MOST_PEERS:
        left = [other for other in others[_MOST_PEERS:] if other in troubled]
        said = f"{len(left)} of them not whole" if left else "all of them whole both ways"
        blocks.append(Paragraph(f"and {len(others) - _MOST_PEERS} more, {said}", "warning" if left else "muted"))
    if wrong:
        blocks += [Paragraph(""), Grid(_LACKING, tuple(wrong), most=_MOST_SPELLED)]
    return Heading("Peers", _count(diagnosis, name, glyphs)), tuple(blocks)


_MOST_PEERS: Final = 200
"""Peers that have a line; those that are not whole come first."""
_MOST_SPELLED: Final = 30


def _troubled(diagnosis: Diagnosis, name: str) -> set[str]:
    """Name the peers with which something is wrong or not known, in either direction."""
    snapshot = diagnosis.snapshot
    found = {peer.peer for peer in diagnosis.views[name].peers.broken}
    for other, view in diagnosis.views.items():
        if (
            other not in snapshot.networks
            or other not in snapshot.nodes
            or any(peer.peer == name for peer in view.peers.broken)
        ):
            found.add(other)
    return found


def _both(diagnosis: Diagnosis, name: str, other: str, index: Index) -> list[tuple[Pair, Pair]]:
    """Pair the two directions, family by family."""
    back = {pair.family: pair for pair in pairs(diagnosis, other, name, index)}
    rest = next(iter(back.values()))
    return [(there, back.get(there.family, rest)) for there in pairs(diagnosis, name, other, index)]


_LACKING: Final = (
    Column("way", "WAY", 12, 34),
    Column("leg", "LEG", 5, 9),
    Column("expected", "EXPECTED", 20, 60),
    Column("found", "FOUND", 8, 60, grow=True),
)


def _name(pair: Pair) -> Span:
    return Span(pair.destination + (" (IPv6)" if pair.family == "inet6" else ""))


def _count(diagnosis: Diagnosis, name: str, glyphs: Glyphs) -> Span:
    row = diagnosis.views[name].summary
    said = f"{row.peers_ok} of {row.peers_expected} whole"
    if not row.peers_expected:
        return Span("no peers are expected", "muted")
    if row.peers_unknown:
        return status("unknown", glyphs, f"{said}, {row.peers_unknown} unknown")
    return status("ok" if row.peers_ok == row.peers_expected else "critical", glyphs, said)


def _lacking(pair: Pair, glyphs: Glyphs) -> list[Row]:
    """Say what a direction lacks, expected beside found."""
    way = Span(f"{pair.source} {glyphs.arrow} {pair.destination}")
    key = pair_key(pair.source, pair.destination)
    if pair.peer is None:
        if pair.status == "none":
            return []
        return [Row(key, (way, Span("all"), status("unknown", glyphs, pair.why), Span("")))]
    return [
        Row(key, (way, Span(name), Span(leg.expected), _found(leg)))
        for name, leg in pair.peer.legs
        if leg.status not in {OK, NOT_NEEDED}
    ]


_LEGS: Final = (
    Column("leg", "LEG", 9, 9),
    Column("state", "STATE", 6, 12),
    Column("expected", "EXPECTED", 20, 70),
    Column("found", "FOUND", 12, 70, grow=True),
)


def pair_document(diagnosis: Diagnosis, source: str, destination: str, glyphs: Glyphs = UNICODE) -> tuple[Block, ...]:
    """Spell out both directions between two nodes: each leg's expected entry beside the one that is there."""
    if source == destination:
        return (Paragraph(f"{source} reaches its own pods over cni0; the overlay has no part in it.", "muted"),)
    blocks: list[Block] = []
    for one, other in ((source, destination), (destination, source)):
        for pair in pairs(diagnosis, one, other):
            family = " IPv6" if pair.family == "inet6" else ""
            note = (*short(pair, glyphs), Span(f" {pair.status}", "muted"))
            blocks.append(Heading(f"{one} {glyphs.arrow} {other}{family}", note))
            if pair.peer is None:
                blocks.append(Paragraph(pair.why, "muted" if pair.status == "none" else "unknown"))
                continue
            rows = tuple(
                Row(
                    pair_key(one, other) + name,
                    (
                        Span(name),
                        (leg_span(leg, glyphs),),
                        Span(leg.expected or "nothing, by this backend", "text" if leg.expected else "muted"),
                        _found(leg),
                    ),
                )
                for name, leg in pair.peer.legs
            )
            blocks.append(Grid(_LEGS, rows))
            gone = _gone(diagnosis, other)
            if gone and pair.status == OK:
                blocks.append(Bullet(status("critical", glyphs), gone))
    return tuple(blocks)


def _gone(diagnosis: Diagnosis, name: str) -> str:
    """Say why nothing arrives at a node, however whole the entries for it are; empty where nothing is known."""
    view = diagnosis.views.get(name)
    if view is None or view.summary.overlay_state not in {"missing", "down"}:
        return ""
    said = "does not exist" if view.summary.overlay_state == "missing" else "is down"
    return f"the entries are there, but {view.summary.overlay} of {name} {said}: nothing arrives"


def _found(leg: Leg) -> Span:
    if leg.status in {OK, NOT_NEEDED}:
        return Span("as expected" if leg.status == OK else "", "muted")
    if leg.status == UNKNOWN:
        return Span(leg.found or "not known", "unknown")
    return Span(leg.found or "nothing", "critical")
