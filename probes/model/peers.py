"""The overlay as it should be against the overlay as each node's kernel has it.

Who should exist is told by the API (Node annotations and podCIDRs), what exists by each node's routes, neighbours and
FDB; neither alone can see a broken peer. The triple per peer is flannel's own (flannel pkg/backend/vxlan/
vxlan_network.go, handleSubnetEvents): a route to the peer's podCIDR through its subnet address, a permanent neighbour
entry from that address to the peer's VTEP MAC, and an FDB entry from that MAC to the peer's public IP.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, TypeVar

import msgspec

from probes.model.kube import Node
from probes.model.network import FdbEntry, Neighbor, NodeNetwork, Route

T = TypeVar("T")

OK: Final = "ok"
MISSING: Final = "missing"
WRONG: Final = "wrong"
UNKNOWN: Final = "unknown"
NOT_NEEDED: Final = "not-needed"


PEERED: Final = frozenset({"vxlan", "host-gw"})
"""Backends that keep something for each peer."""


class Leg(msgspec.Struct, frozen=True):
    """One third of a peer's triple: a route, a neighbour or an FDB entry."""

    status: str
    """``ok`` | ``missing`` | ``wrong`` | ``unknown`` | ``not-needed``."""
    expected: str = ""
    found: str = ""


class Peer(msgspec.Struct, frozen=True):
    """What one node's kernel has for reaching the pods of another, in one address family."""

    node: str
    peer: str
    family: str
    """``inet`` or ``inet6``."""
    route: Leg
    neighbor: Leg
    fdb: Leg

    @property
    def legs(self) -> tuple[tuple[str, Leg], ...]:
        """The three legs with their names, in the order in which a packet meets them."""
        return (("route", self.route), ("neighbour", self.neighbor), ("FDB", self.fdb))

    @property
    def status(self) -> str:
        """``ok``, else the worst of its legs; a leg that could not be assessed leaves the peer ``unknown``."""
        found = {leg.status for _, leg in self.legs}
        for status in (MISSING, WRONG, UNKNOWN):
            if status in found:
                return status
        return OK


def overlay_device(node: Node, family: str = "inet") -> str:
    """Name flannel's VXLAN device of a node: ``flannel.VNI``, or ``flannel-v6.VNI``."""
    vni = node.flannel.vni or 1
    return f"flannel.{vni}" if family == "inet" else f"flannel-v6.{vni}"


def public_ip(node: Node, family: str = "inet") -> str:
    """Tell the address that peers send a node's overlay packets to; empty where flannel has published none."""
    published = node.flannel
    if family == "inet":
        return published.public_ip_overwrite or published.public_ip
    return published.public_ipv6_overwrite or published.public_ipv6


class Expected(msgspec.Struct, frozen=True):
    """A podCIDR of a node as every other node of its backend should have it."""

    node: str
    backend: str
    cidr: str
    gateway: str
    """The podCIDR's own address, which the peer's VXLAN device holds."""
    family: str
    mac: str
    host: str
    """Where its overlay packets are to be sent."""


class Overlay(msgspec.Struct, frozen=True):
    """Who should be in the overlay, as the API tells it; equal as long as no peer has to be programmed anew."""

    expected: tuple[Expected, ...] = ()
    published: bool = False
    """Whether flannel has published anything of any node: where it has not, another CNI may run."""


def overlay_of(nodes: Mapping[str, Node]) -> Overlay:
    """Tell who should be in the overlay: every podCIDR of every node whose backend keeps per-peer state."""
    expected = tuple(
        _expected(node, cidr)
        for _, node in sorted(nodes.items())
        if node.flannel.backend_type in PEERED
        for cidr in node.pod_cidrs
    )
    return Overlay(expected, any(node.flannel.backend_type for node in nodes.values()))


def same_overlay(new: Mapping[str, Node], old: Mapping[str, Node], moved: Iterable[str]) -> bool:
    """Tell whether nodes make the overlay that others made; conditions and heartbeats do not count.

    ``moved``: the names of those that changed, came or went.
    """
    pairs = ((new.get(name), old.get(name)) for name in moved)
    return all(
        node is not None and was is not None and (node.flannel, node.pod_cidrs) == (was.flannel, was.pod_cidrs)
        for node, was in pairs
    )


def _expected(node: Node, cidr: str) -> Expected:
    family = "inet6" if ":" in cidr else "inet"
    mac = node.flannel.vtep_mac if family == "inet" else node.flannel.vtep_mac_v6
    host = public_ip(node, family)
    return Expected(node.name, node.flannel.backend_type, cidr, cidr.partition("/")[0], family, mac.lower(), host)


class PeerTable(msgspec.Struct, frozen=True):
    """What a node has for all of its peers: counted, and spelled out where it is not as it should be."""

    expected: int = 0
    ok: int = 0
    unknown: int = 0
    broken: tuple[Peer, ...] = ()
    """Those that are not ``ok``; of a node that was never asked they are only counted, as unknown."""


def peer_table(node: Node | None, overlay: Overlay, network: NodeNetwork | None) -> PeerTable:
    """Hold a node's tables against its expected peers; empty where its backend keeps no per-peer state.

    Peers with another backend are left out: flannel itself ignores them.
    """
    if node is None or node.flannel.backend_type not in PEERED:
        return PeerTable()
    backend = node.flannel.backend_type
    peers = [e for e in overlay.expected if e.node != node.name and e.backend == backend]
    if network is None:
        return PeerTable(len(peers), 0, len(peers))
    tables = _Tables(network)
    devices = {family: overlay_device(node, family) for family in ("inet", "inet6")}
    broken = []
    for expected in peers:
        if tables.plainly_whole(expected, devices[expected.family]):
            continue
        peer = _peer(node, expected, tables)
        if peer.status != OK:
            broken.append(peer)
    unknown = sum(peer.status == UNKNOWN for peer in broken)
    return PeerTable(len(peers), len(peers) - len(broken), unknown, tuple(broken))


class _Tables:
    """A node's routes, neighbours and FDB, indexed for lookup by destination."""

    def __init__(self, network: NodeNetwork) -> None:
        self._network = network
        self.direct_routing = network.net_conf is not None and network.net_conf.direct_routing
        self._route = _sole(network.routes, _DST)
        self._neighbor = _sole(network.neighbors, _DST)
        self._fdb = _sole(network.fdb, _mac)

    @cached_property
    def routes(self) -> dict[str, list[Route]] | None:
        """By destination; None where they were not observed."""
        return _index(self._network.routes, _DST)

    @cached_property
    def neighbors(self) -> dict[str, list[Neighbor]] | None:
        """By destination; None where they were not observed."""
        return _index(self._network.neighbors, _DST)

    @cached_property
    def fdb(self) -> dict[str, list[FdbEntry]] | None:
        """By MAC; None where it was not observed."""
        return _index(self._network.fdb, _mac)

    def plainly_whole(self, expected: Expected, device: str) -> bool:
        """Tell in three look-ups whether the triple is there as flannel programs it: so it is for almost every peer."""
        route = self._route.get(expected.cidr)
        if route is None or route.gateway != expected.gateway or route.dev != device or route.kind:
            return False
        entry = self._neighbor.get(expected.gateway)
        if entry is None or entry.dev != device or entry.lladdr != expected.mac or "PERMANENT" not in entry.state:
            return False
        forward = self._fdb.get(expected.mac)
        if forward is None or forward.dst != expected.host or forward.dev != device:
            return False
        return bool(expected.mac and expected.host)


_DST: Final[Callable[[Any], str]] = attrgetter("dst")


def _mac(entry: FdbEntry) -> str:
    return entry.mac.lower()


def _sole(entries: Collection[T] | None, key: Callable[[T], str]) -> dict[str, T]:
    """Find entries by key, those left out that share theirs with another."""
    if entries is None:
        return {}
    sole = dict(zip(map(key, entries), entries, strict=True))
    if len(sole) < len(entries):
        for shared in [each for each, count in Counter(map(key, entries)).items() if count > 1]:
            del sole[shared]
    return sole


def _index(entries: Iterable[T] | None, key: Callable[[T], str]) -> dict[str, list[T]] | None:
    """Group entries by key; ``None`` stays ``None``, for what was not observed is not empty."""
    if entries is None:
        return None
    index: dict[str, list[T]] = {}
    for entry in entries:
        index.setdefault(key(entry), []).append(entry)
    return index


_NOT_NEEDED: Final = Leg(NOT_NEEDED)


def _peer(node: Node, expected: Expected, tables: _Tables) -> Peer:
    device = overlay_device(node, expected.family)
    host, mac = expected.host, expected.mac
    routes = None if tables.routes is None else tables.routes.get(expected.cidr, [])
    direct = node.flannel.backend_type == "host-gw" or (
        tables.direct_routing and any(route.gateway == host and host for route in routes or ())
    )
    if direct:
        route = _route_leg(routes, host, "")
        return Peer(node.name, expected.node, expected.family, route, _NOT_NEEDED, _NOT_NEEDED)
    neighbors = None if tables.neighbors is None else tables.neighbors.get(expected.gateway, [])
    fdb = None if tables.fdb is None else tables.fdb.get(mac, [])
    return Peer(
        node.name,
        expected.node,
        expected.family,
        _route_leg(routes, expected.gateway, device),
        _neighbor_leg(neighbors, mac, device),
        _fdb_leg(fdb, mac, host, device),
    )


def _route_leg(routes: list[Route] | None, gateway: str, device: str) -> Leg:
    expected = f"via {gateway}" + (f" dev {device}" if device else "")
    if not gateway:
        return Leg(UNKNOWN, "the peer publishes no address")
    if routes is None:
        return Leg(UNKNOWN, expected)
    if not routes:
        return Leg(MISSING, expected)
    # The kernel takes the route of the lowest metric; the others are only waiting.
    best = min(routes, key=lambda route: route.metric or 0)
    found = f"{best.kind} via {best.gateway or '-'} dev {best.dev or '-'}".strip()
    right = best.gateway == gateway and device in {"", best.dev} and not best.kind
    return Leg(OK if right else WRONG, expected, found)


def _neighbor_leg(entries: list[Neighbor] | None, mac: str, device: str) -> Leg:
    expected = f"lladdr {mac} PERMANENT"
    if not mac:
        return Leg(UNKNOWN, "the peer publishes no VTEP MAC")
    if entries is None:
        return Leg(UNKNOWN, expected)
    mine = [entry for entry in entries if entry.dev in {"", device}]
    if not mine or not mine[0].lladdr:  # INCOMPLETE and FAILED entries have no address: the kernel is asking in vain
        return Leg(MISSING, expected, " ".join(mine[0].state) if mine else "")
    entry = mine[0]
    right = entry.lladdr.lower() == mac and "PERMANENT" in entry.state
    return Leg(OK if right else WRONG, expected, f"lladdr {entry.lladdr} {' '.join(entry.state)}")


def _fdb_leg(entries: list[FdbEntry] | None, mac: str, host: str, device: str) -> Leg:
    expected = f"{mac} dst {host}"
    if not mac or not host:
        return Leg(UNKNOWN, "the peer publishes no VTEP MAC or no public IP")
    if entries is None:
        return Leg(UNKNOWN, expected)
    mine = [entry for entry in entries if entry.dev in {"", device} and entry.dst]
    if not mine:
        return Leg(MISSING, expected)
    found = ", ".join(f"{entry.mac} dst {entry.dst}" for entry in mine)
    return Leg(OK if all(entry.dst == host for entry in mine) else WRONG, expected, found)
