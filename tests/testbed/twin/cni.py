"""Pod networks as the flannel CNI plugin and its bridge delegate make them (containernetworking/plugins)."""

import hashlib
import ipaddress
import threading
import uuid
from pathlib import Path

from . import kernel
from .settings import SUBNET_ENV

BRIDGE = "cni0"
ALLOCATED = Path("/var/lib/cni/networks/cbr0")


class SandboxError(Exception):
    """A pod network that cannot be made, in the words of the kubelet's event."""


def subnet_env() -> dict[str, str]:
    """Content of subnet.env; SandboxError in the plugin's words where it is missing."""
    try:
        lines = SUBNET_ENV.read_text().split()
    except FileNotFoundError:
        raise SandboxError(
            'plugin type="flannel" failed (add): '
            f"loadFlannelSubnetEnv failed: open {SUBNET_ENV}: no such file or directory"
        ) from None
    return dict(line.split("=", 1) for line in lines)


def allocate(subnet: ipaddress.IPv4Network) -> str:
    """Reserve the lowest free address above the bridge's, as a file named by it (host-local)."""
    ALLOCATED.mkdir(parents=True, exist_ok=True)
    for address in list(subnet.hosts())[1:]:
        try:
            (ALLOCATED / str(address)).touch(exist_ok=False)
        except FileExistsError:
            continue
        return str(address)
    raise SandboxError(f"no IP addresses available in range set: {subnet}")


def ensure_bridge(mtu: int, *addresses: str) -> None:
    """Make cni0 at its first pod; its MTU is set then and never again (bridge.go)."""
    if kernel.link(BRIDGE) is None:
        kernel.ip("link", "add", BRIDGE, "mtu", str(mtu), "type", "bridge")
        for address in addresses:
            kernel.ip("addr", "add", address, "dev", BRIDGE, *(("nodad",) if kernel.is_v6(address) else ()))
    kernel.ip("link", "set", BRIDGE, "up")


def attach() -> tuple[str, str]:
    """Make one pod network namespace with eth0 in cni0; gives its name and its address."""
    env = subnet_env()
    gateway = ipaddress.ip_interface(env["FLANNEL_SUBNET"])
    network = ipaddress.IPv4Network(str(gateway.network))
    mtu = int(env["FLANNEL_MTU"])
    own_v6 = env.get("FLANNEL_IPV6_SUBNET")
    ensure_bridge(mtu, str(gateway), *filter(None, [own_v6]))
    address = allocate(network)
    name = f"cni-{uuid.uuid4()}"
    kernel.ip("netns", "add", name)
    try:
        plug(name, f"{address}/{network.prefixlen}", str(gateway.ip), env["FLANNEL_NETWORK"], mtu)
        if own_v6:
            add_ipv6(name, own_v6, env["FLANNEL_IPV6_NETWORK"], address)
    except kernel.CommandError as error:
        detach(name, address)
        raise SandboxError(str(error)) from error
    return name, address


def plug(name: str, address: str, gateway: str, network: str, mtu: int) -> None:
    """One veth: eth0 with address and routes inside, a port of cni0 outside."""
    port = "veth" + hashlib.sha256(name.encode()).hexdigest()[:8]
    kernel.ip(
        *("link", "add", "eth0", "mtu", str(mtu), "netns", name, "type", "veth"),
        *("peer", "name", port, "mtu", str(mtu)),
    )
    kernel.ip("link", "set", port, "master", BRIDGE, "up")
    kernel.ip("link", "set", port, "type", "bridge_slave", "hairpin", "on")
    inside = (
        "link set lo up\nlink set eth0 up\n"
        f"addr add {address} dev eth0\n"
        f"route add default via {gateway}\n"
        f"route add {network} via {gateway} dev eth0\n"
    )
    kernel.run(("ip", "-n", name, "-batch", "-"), text=inside)


def ipv6_of(subnet: str, address: str) -> str:
    """Give the IPv6 address that goes with a pod's IPv4 one: it is as manieth in its own subnet."""
    return str(ipaddress.ip_interface(subnet).network[int(ipaddress.ip_address(address)) & 0xFF])


def add_ipv6(name: str, own: str, network: str, address: str) -> None:
    """Give a pod's eth0 its IPv6 address and routes; ``own``: cni0's address and the node's subnet."""
    gateway = ipaddress.ip_interface(own)
    inside = (
        f"addr add {ipv6_of(own, address)}/{gateway.network.prefixlen} dev eth0 nodad\n"
        f"route add default via {gateway.ip} dev eth0\n"
        f"route add {network} via {gateway.ip} dev eth0\n"
    )
    kernel.run(("ip", "-n", name, "-batch", "-"), text=inside)


def detach(name: str, address: str) -> None:
    """Take a pod's network away: its processes, namespace and address."""
    for pid in kernel.run(("ip", "netns", "pids", name), check=False).split():
        kernel.run(("kill", "-9", pid), check=False)
    kernel.ip("netns", "del", name, check=False)
    (ALLOCATED / address).unlink(missing_ok=True)


def exists(name: str) -> bool:
    """Whether the namespace is still there: after a restart of the unit it is, after a reboot not."""
    return Path("/run/netns", name).exists()


def pause_before_retry() -> None:
    """Wait a second, as between two attempts at a sandbox."""
    threading.Event().wait(1.0)
