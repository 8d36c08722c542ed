"""The network stack of one node, as far as flannel, the CNI and an operator touch it."""

import hashlib
from collections.abc import Callable
from ipaddress import IPv4Interface

from lab import iproute
from lab.entries import Address, FdbEntry, Link, Neighbor, Route

FOREVER = 4294967295
VXLAN_OVERHEAD = 50
"""Inner Ethernet 14, VXLAN 8, UDP 8, outer IPv4 20."""
MIN_MTU = 68
MAX_MTU = 65535


class KernelError(Exception):
    """The kernel refused; the message is what iproute2 prints."""


def mac_of(*names: str) -> str:
    """Make a locally administered MAC that is always the same for the same names."""
    digest = bytearray(hashlib.sha256("/".join(names).encode()).digest()[:6])
    digest[0] = (digest[0] & 0xFC) | 0x02
    return digest.hex(":")


class Kernel:
    """Links, routes, neighbours and FDB of one node, with what Linux does to them when a link changes.

    ``emit`` is told each change as (stream, line): what ``ip -o monitor`` or ``bridge monitor fdb`` would print.
    """

    def __init__(self, emit: Callable[[str, str], None]) -> None:
        self.emit = emit
        self.links: dict[str, Link] = {}
        self.routes: dict[tuple[str, str], Route] = {}
        self.neighbors: dict[tuple[str, str], Neighbor] = {}
        self.fdb: dict[tuple[str, str], FdbEntry] = {}
        self._ifindex = 0

    def link(self, ifname: str) -> Link:
        """Look up a link; KernelError as iproute2 words it."""
        try:
            return self.links[ifname]
        except KeyError:
            raise KernelError(f'Cannot find device "{ifname}"') from None

    def add(self, link: Link) -> Link:
        """Register a new link under the next interface index."""
        if link.ifname in self.links:
            raise KernelError("RTNETLINK answers: File exists")
        self._ifindex += 1
        link.ifindex = self._ifindex
        self.links[link.ifname] = link
        if link.master:
            self._follow_ports(link.master)
        self._tell_link(link)
        return link

    def add_address(self, ifname: str, address: Address) -> None:
        """Give a link an address and, unless it is a host address, the kernel's route to its prefix."""
        link = self.link(ifname)
        link.addresses.append(address)
        self.emit("address", iproute.address_line(link, address))
        if link.up:
            self._add_prefix_route(link, address)

    def set_mtu(self, ifname: str, mtu: int) -> None:
        """Change an MTU: a VXLAN device cannot exceed its underlay less 50, nor does it ever follow it."""
        link = self.link(ifname)
        if mtu < MIN_MTU:
            raise KernelError("Error: mtu less than device minimum.")
        if mtu > MAX_MTU:
            raise KernelError("Error: mtu greater than device maximum.")
        if link.vxlan is not None:
            lower = self.links.get(link.vxlan.underlay)
            if lower is not None and mtu > lower.mtu - VXLAN_OVERHEAD:
                raise KernelError("RTNETLINK answers: Invalid argument")
        link.mtu = mtu
        link.pinned_mtu = link.kind == "bridge"
        if link.master:
            self._follow_ports(link.master)
        self._tell_link(link)

    def set_up(self, ifname: str) -> None:
        """Bring a link up: only the prefix routes of its own addresses come back."""
        link = self.link(ifname)
        if link.up:
            return
        link.up = True
        self._tell_link(link)
        for address in link.addresses:
            self._add_prefix_route(link, address)

    def set_down(self, ifname: str) -> None:
        """Take a link down: its routes and neighbours are gone, permanent ones too; FDB and addresses stay."""
        link = self.link(ifname)
        if not link.up:
            return
        link.up = False
        self._tell_link(link)
        self._flush(ifname)

    def delete(self, ifname: str) -> None:
        """Delete a link with all that hangs on it, VXLAN devices above it included."""
        link = self.link(ifname)
        if link.kind in {"", "loopback"}:
            raise KernelError("RTNETLINK answers: Operation not supported")
        self._remove(link)

    def _remove(self, link: Link) -> None:
        for upper in [u for u in self.links.values() if u.vxlan is not None and u.vxlan.underlay == link.ifname]:
            self._remove(upper)
        for key in [k for k in self.fdb if k[0] == link.ifname]:
            self._tell_fdb(self.fdb.pop(key), "Deleted ")
        self._flush(link.ifname)
        for address in link.addresses:
            self.emit("address", "Deleted " + iproute.address_line(link, address))
        del self.links[link.ifname]
        link.up = False
        self.emit("link", "Deleted " + iproute.link_line(link))
        for port in [p for p in self.links.values() if p.master == link.ifname]:
            port.master = ""
        if link.master in self.links:
            self._follow_ports(link.master)

    def put_route(self, route: Route) -> None:
        """Add or replace a route; it needs a device that is up."""
        if not self.link(route.dev).up:
            raise KernelError("Error: Device for nexthop is not up.")
        self.routes[(route.dst, route.dev)] = route
        self.emit("route", iproute.route_line(route))

    def put_neighbor(self, neighbor: Neighbor) -> None:
        """Add or replace a neighbour."""
        self.link(neighbor.dev)
        self.neighbors[(neighbor.dev, neighbor.dst)] = neighbor
        self.emit("neigh", iproute.neighbor_line(neighbor))

    def put_fdb(self, entry: FdbEntry) -> None:
        """Add or replace a forwarding entry."""
        self.link(entry.dev)
        self.fdb[(entry.dev, entry.mac)] = entry
        self._tell_fdb(entry)

    def drop_route(self, dst: str, dev: str) -> None:
        """Delete a route, as ``ip route del`` does."""
        route = self.routes.pop((dst, dev), None)
        if route is None:
            raise KernelError("RTNETLINK answers: No such process")
        self.emit("route", "Deleted " + iproute.route_line(route))

    def drop_neighbor(self, dst: str, dev: str) -> None:
        """Delete a neighbour, as ``ip neigh del`` does."""
        neighbor = self.neighbors.pop((dev, dst), None)
        if neighbor is None:
            raise KernelError("RTNETLINK answers: No such file or directory")
        self.emit("neigh", "Deleted " + iproute.neighbor_line(neighbor))

    def drop_fdb(self, mac: str, dev: str) -> None:
        """Delete a forwarding entry, as ``bridge fdb del`` does."""
        entry = self.fdb.pop((dev, mac), None)
        if entry is None:
            raise KernelError("RTNETLINK answers: No such file or directory")
        self._tell_fdb(entry, "Deleted ")

    def route_to(self, destination: str) -> Route | None:
        """Find the route for an address: the longest prefix over a device that is up."""
        host = IPv4Interface(destination).ip
        best: tuple[int, Route] | None = None
        for route in self.routes.values():
            network = IPv4Interface("0.0.0.0/0" if route.dst == "default" else route.dst).network
            if host in network and (best is None or network.prefixlen > best[0]):
                best = (network.prefixlen, route)
        return best[1] if best else None

    def vxlan_ports(self) -> list[int]:
        """UDP ports on which the kernel listens for VXLAN: those of devices that are up."""
        return sorted({link.vxlan.port for link in self.links.values() if link.vxlan is not None and link.up})

    def _add_prefix_route(self, link: Link, address: Address) -> None:
        if address.family == "inet" and address.prefixlen < 32 and link.kind != "loopback":  # noqa: PLR2004 - /32
            self.put_route(
                Route(address.network, link.ifname, protocol="kernel", scope="link", prefsrc=address.local),
            )

    def _follow_ports(self, bridge: str) -> None:
        """Give a bridge the least MTU of its ports unless its own was set."""
        master = self.links.get(bridge)
        ports = [link.mtu for link in self.links.values() if link.master == bridge]
        if master is None or master.pinned_mtu or not ports or master.mtu == min(ports):
            return
        master.mtu = min(ports)
        self._tell_link(master)

    def _flush(self, ifname: str) -> None:
        for key in [k for k in self.neighbors if k[0] == ifname]:
            self.emit("neigh", "Deleted " + iproute.neighbor_line(self.neighbors.pop(key)))
        # Linux tells nobody of the IPv4 routes that go with their device.
        for route_key in [k for k, route in self.routes.items() if route.dev == ifname]:
            del self.routes[route_key]

    def _tell_link(self, link: Link) -> None:
        self.emit("link", iproute.link_line(link))

    def _tell_fdb(self, entry: FdbEntry, verb: str = "") -> None:
        """``ip monitor neigh`` shows a VXLAN device's entries as well, as neighbours without ARP."""
        self.emit("fdb", verb + iproute.fdb_line(entry))
        self.emit("neigh", f"{verb}{entry.dst} dev {entry.dev} lladdr {entry.mac} NOARP PERMANENT ")
