"""What a kernel holds: links with their addresses, routes, neighbours and forwarding entries."""

from dataclasses import dataclass, field
from ipaddress import ip_interface


@dataclass(slots=True)
class Address:
    """An address of a link."""

    local: str
    prefixlen: int
    family: str = "inet"
    scope: str = "global"

    @property
    def network(self) -> str:
        """The prefix that it makes directly reachable."""
        return str(ip_interface(f"{self.local}/{self.prefixlen}").network)


@dataclass(slots=True)
class Vxlan:
    """The VXLAN attributes of a link; defaults are flannel's (flannel pkg/backend/vxlan/vxlan.go)."""

    vni: int
    local: str
    underlay: str
    port: int = 8472
    learning: bool = False


@dataclass(slots=True)
class Link:
    """A network interface with its counters."""

    ifname: str
    ifindex: int
    mtu: int
    address: str
    kind: str = ""
    up: bool = True
    master: str = ""
    addresses: list[Address] = field(default_factory=list)
    vxlan: Vxlan | None = None
    peer_ifindex: int | None = None
    netnsid: int | None = None
    pinned_mtu: bool = False
    """Of a bridge: somebody set its MTU, so it no longer follows the least of its ports."""
    rx_bytes: int = 0
    rx_packets: int = 0
    tx_bytes: int = 0
    tx_packets: int = 0
    rx_errors: int = 0
    tx_dropped: int = 0

    @property
    def operstate(self) -> str:
        """The state as iproute2 writes it: VXLAN devices and loopback never know theirs."""
        if not self.up:
            return "DOWN"
        return "UNKNOWN" if self.kind in {"vxlan", "loopback", "wireguard"} else "UP"

    @property
    def flags(self) -> list[str]:
        """Interface flags in iproute2's order."""
        base = ["LOOPBACK"] if self.kind == "loopback" else ["BROADCAST", "MULTICAST"]
        return base + (["UP", "LOWER_UP"] if self.up else [])


@dataclass(slots=True)
class Route:
    """A route of the main table."""

    dst: str
    dev: str
    gateway: str = ""
    protocol: str = ""
    scope: str = ""
    prefsrc: str = ""
    metric: int | None = None
    onlink: bool = False


@dataclass(slots=True)
class Neighbor:
    """A neighbour entry."""

    dst: str
    dev: str
    lladdr: str = ""
    state: str = "PERMANENT"


@dataclass(slots=True)
class FdbEntry:
    """A forwarding entry of a VXLAN device."""

    mac: str
    dev: str
    dst: str
    state: str = "permanent"
