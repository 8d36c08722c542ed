"""Who is where: names and addresses of a testbed, all of them from documentation and private ranges."""

from dataclasses import dataclass
from ipaddress import IPv6Network

LAN = "192.0.2"
LAN_V6 = "2001:db8:0:1"
OUTSIDE = "198.51.100"
PODS = "10.42.0.0/16"
PODS_V6 = "fd00:10:42::/48"
SERVICES = "10.43.0.0/16"
OPERATOR_ADDRESS = f"{LAN}.2"
ROUTER_ADDRESS = f"{LAN}.1"
ROUTER_ADDRESS_V6 = f"{LAN_V6}::1"
WORLD_ROUTER_ADDRESS = f"{OUTSIDE}.1"
WORLD_ADDRESS = f"{OUTSIDE}.10"
WORLD_NAMES = ("git.outside.test", "web.outside.test", "registry.outside.test", "ns.outside.test")
NAMES = ("boromir", "samwise", "theoden", "faramir", "meriadoc")
LEAST_NODES, MOST_NODES = 2, len(NAMES)
MTU = 1500


@dataclass(frozen=True)
class Node:
    """One node: its name, its place in the address plan (0 is the server)."""

    name: str
    index: int

    @property
    def role(self) -> str:
        """server for the first, agent for the others."""
        return "server" if self.index == 0 else "agent"

    @property
    def unit(self) -> str:
        """The systemd unit that k3s's install.sh makes for the role."""
        return "k3s" if self.role == "server" else "k3s-agent"

    @property
    def address(self) -> str:
        """Address on the LAN."""
        return f"{LAN}.{11 + self.index}"

    @property
    def address_v6(self) -> str:
        """Address on the LAN, where the testbed is dual-stack."""
        return f"{LAN_V6}::{11 + self.index}"

    @property
    def pod_cidr_v6(self) -> str:
        """The node's share of the IPv6 pod network, where there is one."""
        return str(IPv6Network(f"fd00:10:42:{self.index}::/64"))

    @property
    def pod_cidr(self) -> str:
        """The node's share of the pod network."""
        return f"10.42.{self.index}.0/24"

    @property
    def labels(self) -> dict[str, str]:
        """Role labels as k3s sets them; agents have none."""
        if self.role == "agent":
            return {}
        return {f"node-role.kubernetes.io/{each}": "true" for each in ("control-plane", "etcd", "master")}


def nodes(count: int) -> tuple[Node, ...]:
    """Give the first `count` nodes."""
    return tuple(Node(name, index) for index, name in enumerate(NAMES[:count]))
