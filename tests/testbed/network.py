"""The network namespaces of a testbed and the wires between them; none leads to the machine's own."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import topology
from tests.testbed.commands import make_folder, remove_if_empty, run

PREFIX = "ul-"
ETC = Path("/etc/netns")


@dataclass(frozen=True)
class Fabric:
    """All namespaces of one testbed: lan (a switch), operator, router, world and one for each node."""

    ident: str
    nodes: tuple[topology.Node, ...]
    dual_stack: bool = False
    """Whether router and nodes have IPv6 addresses as well."""

    def netns(self, place: str) -> str:
        """Name of the namespace of a place: a node's name, operator, router, world or lan."""
        return f"{PREFIX}{self.ident}-{place}"

    @property
    def places(self) -> list[str]:
        """All places."""
        return ["lan", "operator", "router", "world", *(node.name for node in self.nodes)]

    def build(self) -> None:
        """Make namespaces, switch, wires, addresses and routes."""
        for place in self.places:
            run(("ip", "netns", "add", self.netns(place)))
            self._batch(place, ["link set lo up"])
        self._batch("lan", ["link add lan type bridge", "link set lan up"])
        hosts = {"router": topology.ROUTER_ADDRESS, "operator": topology.OPERATOR_ADDRESS}
        hosts |= {node.name: node.address for node in self.nodes}
        for place, address in hosts.items():
            self._wire(place)
            self._batch(place, [f"addr add {address}/24 dev eth0", "link set eth0 up"])
            if place != "router":
                self._batch(place, [f"route add default via {topology.ROUTER_ADDRESS}"])
        if self.dual_stack:
            self._add_ipv6()
        self._build_world()
        for place in ("router", *(node.name for node in self.nodes)):
            run(("ip", "netns", "exec", self.netns(place), "sysctl", "-qw", "net.ipv4.ip_forward=1"))
        self._write_names()

    def _add_ipv6(self) -> None:
        # nodad: an address is there for VXLAN to be bound to at once, not after a second of asking who else has it.
        self._batch("router", [f"addr add {topology.ROUTER_ADDRESS_V6}/64 dev eth0 nodad"])
        for node in self.nodes:
            run(("ip", "netns", "exec", self.netns(node.name), "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"))
            route = f"route add default via {topology.ROUTER_ADDRESS_V6} dev eth0"
            self._batch(node.name, [f"addr add {node.address_v6}/64 dev eth0 nodad", route])

    def _wire(self, place: str) -> None:
        run(wire(self.netns(place), "eth0", self.netns("lan"), port(place)))
        self._batch("lan", [f"link set {port(place)} master lan", f"link set {port(place)} up"])

    def _build_world(self) -> None:
        run(wire(self.netns("router"), "eth1", self.netns("world"), "eth0"))
        self._batch("router", [f"addr add {topology.WORLD_ROUTER_ADDRESS}/24 dev eth1", "link set eth1 up"])
        self._batch(
            "world",
            [
                f"addr add {topology.WORLD_ADDRESS}/24 dev eth0",
                "link set eth0 up",
                f"route add default via {topology.WORLD_ROUTER_ADDRESS}",
            ],
        )

    def _write_names(self) -> None:
        # `ip netns exec` lays these over /etc: the operator resolves the testbed's names, never the machine's.
        folder = ETC / self.netns("operator")
        make_folder(folder)
        (folder / "resolv.conf").write_text(f"nameserver {topology.WORLD_ADDRESS}\noptions timeout:1\n")
        lines = ["127.0.0.1 localhost", *(f"{node.address} {node.name}" for node in self.nodes)]
        (folder / "hosts").write_text("\n".join(lines) + "\n")

    def _batch(self, place: str, lines: Sequence[str]) -> None:
        run(("ip", "-n", self.netns(place), "-batch", "-"), text="\n".join(lines) + "\n")

    def inside(self, place: str, argv: Sequence[str]) -> list[str]:
        """Give the command that runs `argv` in the namespace of a place."""
        return ["ip", "netns", "exec", self.netns(place), *argv]


def port(place: str) -> str:
    """Name the switch's port (a link of the place `lan`) that a place is plugged into."""
    return f"to-{place}"


def wire(netns: str, ifname: str, peer_netns: str, peer: str) -> tuple[str, ...]:
    """Give the command that makes a veth pair between two namespaces."""
    near = ("ip", "link", "add", ifname, "netns", netns, "type", "veth")
    return (*near, "peer", "name", peer, "netns", peer_netns)


def namespaces(ident: str | None = None) -> list[str]:
    """Namespaces of one testbed, or of all, that exist on this machine."""
    prefix = PREFIX if ident is None else f"{PREFIX}{ident}-"
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.glob(f"{prefix}*")) if folder.is_dir() else []


def remove(ident: str) -> None:
    """Remove the namespaces of a testbed, with all wires and addresses in them."""
    for name in namespaces(ident):
        subprocess.run(["ip", "netns", "del", name], capture_output=True, timeout=30, check=True)
    for folder in ETC.glob(f"{PREFIX}{ident}-*") if ETC.is_dir() else ():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    remove_if_empty(ETC)
