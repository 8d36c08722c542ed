"""A node in one line."""

from typing import Final

import msgspec

from probes.model.kube import Node
from probes.model.network import Link, NodeNetwork, Unit
from probes.model.peers import NOT_NEEDED, OK, UNKNOWN, PeerTable, overlay_device, public_ip
from probes.model.snapshot import NODE, Snapshot, SourceState
from probes.model.uplink import expected_flannel_mtu, uplink

VXLAN_PORT: Final = 8472
"""Linux's default for VXLAN, which flannel keeps (flannel pkg/backend/vxlan/vxlan.go); not IANA's 4789."""


class NodeSummary(msgspec.Struct, frozen=True):
    """A node in one line; ``None`` is what could not be assessed."""

    name: str
    role: str = ""
    """``server`` | ``agent``; empty where the API does not say."""
    ready: str = UNKNOWN
    """``True`` | ``False`` | ``Unknown``."""
    unschedulable: bool = False
    backend: str = ""
    uplink: str = ""
    uplink_mtu: int | None = None
    overlay: str = ""
    """The name of flannel's device here, of IPv6 where pods have no IPv4; empty for a backend without one."""
    overlay_state: str = UNKNOWN
    """``ok`` | ``missing`` | ``down`` | ``unknown`` | ``not-needed``."""
    overlay_mtu: int | None = None
    overlay_mtu_expected: int | None = None
    subnet_env_state: str = UNKNOWN
    """``ok`` | ``missing`` | ``unknown`` | ``not-needed``: there is no flannel."""
    subnet_env_mtu: int | None = None
    cni0_mtu: int | None = None
    pod_mtus: tuple[int, ...] = ()
    """The different MTUs of the pods' eth0, ascending."""
    pod_count: int | None = None
    port_open: bool | None = None
    """Whether the VXLAN port has its kernel socket."""
    peers_ok: int = 0
    peers_unknown: int = 0
    peers_expected: int = 0
    unit: Unit | None = None
    version: str = ""
    seen_at: float | None = None
    """When the node itself last answered."""
    source: SourceState = SourceState()


def _role(node: Node | None) -> str:
    if node is None:
        return ""
    if node.node_args and node.node_args[0] in {"server", "agent"}:
        return node.node_args[0]
    return "server" if {"control-plane", "master", "etcd"} & set(node.roles) else "agent"


def summarize_node(snapshot: Snapshot, name: str, peers: PeerTable) -> NodeSummary:
    """Sum up one node, whose peers are already known."""
    node = snapshot.nodes.get(name)
    network = snapshot.networks.get(name)
    source = snapshot.source(f"{NODE}{name}")
    row = NodeSummary(
        name=name,
        role=_role(node),
        ready=node.ready if node else "Unknown",
        unschedulable=node.unschedulable if node else False,
        backend=_backend(node, network),
        peers_ok=peers.ok,
        peers_unknown=peers.unknown,
        peers_expected=peers.expected,
        version=_version(node, network),
        seen_at=source.at,
        source=source,
    )
    return row if network is None else _with_network(row, node, network)


def _backend(node: Node | None, network: NodeNetwork | None) -> str:
    """Tell flannel's backend as the API does, else as net-conf.json does, else by its device; empty where none does."""
    if node and node.flannel.backend_type:
        return node.flannel.backend_type
    if network is None or network.net_conf is not None:
        return network.net_conf.backend if network and network.net_conf else ""
    devices = [link for link in network.links or () if link.ifname.startswith("flannel")]
    if any(link.vxlan for link in devices):
        return "vxlan"
    return "wireguard" if any(link.kind == "wireguard" for link in devices) else ""


def _flannel_state(row: NodeSummary, node: Node | None, network: NodeNetwork) -> str:
    """Tell whether flannel has this node: ``ok``, ``not-needed``, or ``unknown`` where nobody could say."""
    if row.backend:
        return OK
    return NOT_NEEDED if node is not None or "net_conf" not in network.unassessed else UNKNOWN


def _version(node: Node | None, network: NodeNetwork | None) -> str:
    """Tell the version of the k3s that runs (the kubelet's), else of the one on disk."""
    if node and node.kubelet_version:
        return node.kubelet_version
    return network.host.k3s_version if network and network.host else ""


def _with_network(row: NodeSummary, node: Node | None, network: NodeNetwork) -> NodeSummary:
    links = None if network.links is None else {link.ifname: link for link in network.links}
    family = "inet6" if node and node.pod_cidrs and all(":" in cidr for cidr in node.pod_cidrs) else "inet"
    device = overlay_device(node, family) if node else "flannel.1"
    carrier = uplink(network, public_ip(node, family) if node else "")
    overlay = links.get(device) if links is not None else None
    pods = network.pod_netns
    mtus = sorted({pod.mtu for pod in pods or () if pod.mtu is not None})
    env = network.subnet_env
    vxlan = row.backend == "vxlan"
    flannel = _flannel_state(row, node, network)
    env_lacking = UNKNOWN if "subnet_env" in network.unassessed else "missing"
    cni0 = links.get("cni0") if links is not None else None
    return msgspec.structs.replace(
        row,
        uplink=carrier.ifname if carrier else "",
        uplink_mtu=carrier.mtu if carrier else None,
        overlay=device if vxlan else "",
        overlay_state=_overlay_state(overlay, known=links is not None) if vxlan else _not_vxlan(flannel),
        overlay_mtu=overlay.mtu if overlay else None,
        overlay_mtu_expected=_expected_mtu(row.backend, carrier, network, ipv6=family == "inet6"),
        subnet_env_state=OK if env else NOT_NEEDED if flannel == NOT_NEEDED else env_lacking,
        subnet_env_mtu=env.mtu if env else None,
        cni0_mtu=cni0.mtu if cni0 else None,
        pod_mtus=tuple(mtus),
        pod_count=len([pod for pod in pods if pod.addresses]) if pods is not None else None,
        port_open=_port_open(network, overlay) if vxlan else None,
        unit=network.unit,
    )


def _not_vxlan(flannel: str) -> str:
    return UNKNOWN if flannel == UNKNOWN else NOT_NEEDED


def _expected_mtu(backend: str, carrier: Link | None, network: NodeNetwork, *, ipv6: bool) -> int | None:
    """Compute what the overlay's MTU should be; None where the uplink or a net-conf that may set it is not known."""
    if carrier is None or carrier.mtu is None or "net_conf" in network.unassessed:
        return None
    configured = network.net_conf.mtu if network.net_conf else None
    return expected_flannel_mtu(backend, carrier.mtu, configured, ipv6=ipv6)


def _overlay_state(link: Link | None, *, known: bool) -> str:
    if not known:
        return UNKNOWN
    if link is None:
        return "missing"
    return "ok" if link.up else "down"


def overlay_port(network: NodeNetwork, device: Link | None) -> int:
    """Tell the UDP port of a node's overlay: its device's own, else the configured one, else the kernel's default."""
    own = device.vxlan.port if device and device.vxlan else None
    configured = network.net_conf.port if network.net_conf else None
    return own or configured or VXLAN_PORT


def _port_open(network: NodeNetwork, overlay: Link | None) -> bool | None:
    """Tell whether the overlay's UDP port is bound; the kernel binds it only while a VXLAN device is up."""
    if network.udp is None:
        return None
    port = overlay_port(network, overlay)
    return any(socket.port == port for socket in network.udp)
