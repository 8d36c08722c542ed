"""Who reaches whom at which size: a pure function over the world."""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Literal

from lab.entries import Route
from lab.flannel import DEVICE
from lab.kernel import VXLAN_OVERHEAD
from lab.machine import BRIDGE, Machine, PodNetns
from lab.world import Path, World

SLOW_LOSS = 0.05
"""From this share of lost packets on, a bulk transfer does not end in time."""


@dataclass(frozen=True)
class Endpoint:
    """A node, or with ``pod`` (``NAMESPACE/NAME``) a pod on it."""

    node: str
    pod: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of a packet that must not be fragmented, as its sender sees it.

    ``told``: somebody said that at most ``mtu`` bytes pass; ``by`` is its address, empty for the sender's own kernel.
    ``silent``: nothing came. ``unreachable``: the sender's own kernel knows no way.
    """

    outcome: Literal["ok", "told", "silent", "unreachable"]
    mtu: int | None = None
    by: str = ""
    counts: tuple[tuple[str, str], ...] = ()
    """(node, counter) that the packet advanced; the counter is nstat's name or ``IFNAME/tx_dropped``."""
    hops: tuple[str, ...] = ()


OK = Verdict("ok")
SILENT = Verdict("silent")


def address_of(world: World, end: Endpoint) -> str:
    """Look up the IP address of an endpoint; KeyError when there is no such node or pod."""
    machine = world.nodes[end.node]
    return _pod(machine, end.pod).ip if end.pod else machine.shape.address


def exchange(world: World, origin: Endpoint, target: str, size: int) -> Verdict:
    """Send a packet of ``size`` bytes (IP header included) to an address and the same size back, as ping does."""
    there = send(world, origin, target, size)
    if there.outcome != "ok":
        return there
    node, pod = world.locate(target)
    if not node:
        return there
    back = send(world, Endpoint(node, pod), _source_address(world, origin, target), size)
    if back.outcome == "ok":
        return there
    return Verdict("silent", counts=there.counts + back.counts, hops=there.hops)


def send(world: World, origin: Endpoint, target: str, size: int) -> Verdict:
    """Send one packet with DF set to an address."""
    machine = world.nodes[origin.node]
    if origin.pod:
        pod = _pod(machine, origin.pod)
        if size > pod.mtu:
            return Verdict("told", pod.mtu)
        bridge = machine.kernel.links.get(BRIDGE)
        if bridge is None or not bridge.up:
            return SILENT
    if world.locate(target)[0] == machine.name:
        return _deliver(machine, target, size)
    route = machine.kernel.route_to(target)
    if route is None:
        return Verdict("unreachable")
    teller = _gateway_address(machine) if origin.pod else ""
    link = machine.kernel.links[route.dev]
    if size > link.mtu:
        return Verdict("told", link.mtu, teller)
    hops = (teller,) if teller else ()
    if route.dev == DEVICE:
        verdict = _overlay(world, machine, route, target, size)
    else:
        verdict = _underlay(world, machine, target, size)
    return replace(verdict, hops=hops + verdict.hops)


def loss(world: World, origin: Endpoint, target: str) -> float:
    """Tell which share of packets is lost at random on the way to an address and back."""
    machine = world.nodes[origin.node]
    node, _ = world.locate(target)
    peer = world.nodes.get(node)
    if peer is machine:
        return 0.0
    paths = _between(world, machine, peer) if peer is not None else outside_paths(world, machine.name, target)
    kept = 1.0
    for path in paths:
        kept *= 1.0 - path.loss
    return 1.0 - kept


def bulk(world: World, origin: Endpoint, host: str) -> bool:
    """Whether a long transfer from an outside host ends: full-size segments must pass, and few may be lost.

    Flux's clients take HTTP/2 where it is offered, so its streams must not be cancelled either.
    """
    machine = world.nodes[origin.node]
    size = min(_pod(machine, origin.pod).mtu if origin.pod else machine.uplink.mtu, machine.uplink.mtu)
    for path in outside_paths(world, origin.node, host):
        # With ICMP let through both ends learn the smaller size.
        if path.blocked or path.cancels or path.loss >= SLOW_LOSS or (size > path.mtu and not path.icmp):
            return False
    return True


def outside_paths(world: World, node: str, host: str) -> list[Path]:
    """List the limited stretches between a node and an outside host."""
    return [p for p in world.paths if p.origin in {node, "nodes"} and p.to in {host, "internet"}]


def resolves(world: World, origin: Endpoint) -> bool:
    """Whether a pod's DNS queries are answered: one CoreDNS pod must be reachable both ways."""
    for machine in world.nodes.values():
        for pod in machine.overlay.pods:
            if pod.pod.startswith("coredns-") and exchange(world, origin, pod.ip, 128).outcome == "ok":
                return True
    return False


def _overlay(world: World, machine: Machine, route: Route, target: str, size: int) -> Verdict:
    """Go through the VXLAN device: neighbour, FDB, outer packet, the peer's device and its MAC."""
    kernel = machine.kernel
    neighbor = kernel.neighbors.get((DEVICE, route.gateway))
    if neighbor is None or not neighbor.lladdr:
        return Verdict("unreachable")
    entry = kernel.fdb.get((DEVICE, neighbor.lladdr))
    if entry is None:
        return Verdict("silent", counts=((machine.name, f"{DEVICE}/tx_dropped"),))
    peer = next((m for m in world.nodes.values() if m.shape.address == entry.dst), None)
    if peer is None or not _crosses(world, machine, peer, size + VXLAN_OVERHEAD, df=False):
        return SILENT
    device = peer.flannel
    if device is None or not device.up:
        return Verdict("silent", counts=((machine.name, "IcmpInDestUnreachs"), (peer.name, "UdpNoPorts")))
    if device.address != neighbor.lladdr:
        return Verdict("silent", counts=((peer.name, f"{DEVICE}/rx_packets"),))
    verdict = _deliver(peer, target, size)
    return replace(verdict, hops=(route.gateway, *verdict.hops))


def _underlay(world: World, machine: Machine, target: str, size: int) -> Verdict:
    """Go out of the uplink, to another node or outside."""
    node, pod = world.locate(target)
    if pod or IPv4Address(target) in IPv4Network(machine.shape.cluster_cidr):
        # No route to that pod's node: the packet leaves by the default route, and the gateway knows no pods.
        return Verdict("silent", hops=(machine.shape.gateway,))
    peer = world.nodes.get(node)
    paths = _between(world, machine, peer) if peer is not None else outside_paths(world, machine.name, target)
    for path in paths:
        if path.blocked:
            return SILENT
        if size > path.mtu:
            return Verdict("told", path.mtu, machine.shape.gateway) if path.icmp else SILENT
    if peer is None:
        return Verdict("ok", hops=(machine.shape.gateway, target))
    return Verdict("ok", hops=(target,)) if size <= peer.uplink.mtu and peer.uplink.up else SILENT


def _crosses(world: World, machine: Machine, peer: Machine, size: int, *, df: bool) -> bool:
    """Whether a packet between two nodes arrives; an outer VXLAN packet (not df) may be fragmented on its way."""
    frame = size if df else min(size, machine.uplink.mtu)
    fragmented = size > machine.uplink.mtu
    for path in _between(world, machine, peer):
        fragmented = fragmented or size > path.mtu
        frame = min(frame, path.mtu)
        if path.blocked or (fragmented and (df or not path.fragments)):
            return False
    return machine.uplink.up and peer.uplink.up and frame <= peer.uplink.mtu


def _between(world: World, machine: Machine, peer: Machine) -> list[Path]:
    ends = {machine.name, peer.name}
    return [p for p in world.paths if p.origin in {*ends, "nodes"} and p.to in {*ends, "nodes"}]


def _deliver(machine: Machine, target: str, size: int) -> Verdict:
    """Go the last stretch within a node: to itself, or over cni0 to a pod of its own."""
    pod = next((p for p in machine.overlay.pods if p.ip == target), None)
    if pod is None:
        own = any(a.local == target for link in machine.kernel.links.values() for a in link.addresses)
        return Verdict("ok", hops=(target,)) if own else SILENT
    bridge = machine.kernel.links.get(BRIDGE)
    if bridge is None or not bridge.up:
        return SILENT
    if size > bridge.mtu:
        return Verdict("told", bridge.mtu, _gateway_address(machine))
    veth = machine.kernel.links.get(pod.veth)
    # A bridge drops what its port cannot take.
    return Verdict("ok", hops=(target,)) if veth is not None and veth.up and size <= veth.mtu else SILENT


def _pod(machine: Machine, pod: str) -> PodNetns:
    for netns in machine.overlay.pods:
        if f"{netns.namespace}/{netns.pod}" == pod:
            return netns
    raise KeyError(pod)


def _source_address(world: World, origin: Endpoint, target: str) -> str:
    """Find the address that packets to the target carry: that of the device they leave by."""
    machine = world.nodes[origin.node]
    if origin.pod:
        return _pod(machine, origin.pod).ip
    route = machine.kernel.route_to(target)
    link = machine.kernel.links[route.dev] if route else machine.uplink
    return next((a.local for a in link.addresses if a.family == "inet"), machine.shape.address)


def _gateway_address(machine: Machine) -> str:
    bridge = machine.kernel.links.get(BRIDGE)
    return bridge.addresses[0].local if bridge is not None and bridge.addresses else machine.shape.address
