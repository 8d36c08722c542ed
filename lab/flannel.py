"""What flannel's VXLAN backend does when k3s starts it, and what it leaves alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

from lab.entries import Address, FdbEntry, Link, Neighbor, Route, Vxlan
from lab.kernel import VXLAN_OVERHEAD, KernelError, mac_of
from lab.machine import Machine, SubnetEnv

DEVICE = "flannel.1"


@dataclass(frozen=True)
class Peer:
    """Another node as its Node object describes it: pod CIDR, public IP and MAC of its VXLAN device."""

    name: str
    pod_cidr: str
    public_ip: str
    vtep_mac: str

    @property
    def gateway(self) -> str:
        """The address of its VXLAN device: the network address of its pod CIDR."""
        return str(IPv4Network(self.pod_cidr).network_address)


class FlannelExitedError(Exception):
    """flannel could not start, and k3s exits with it."""


def start(machine: Machine, peers: Iterable[Peer], vtep_mac: str) -> None:
    """Start flannel on a node (flannel pkg/backend/vxlan: device.go ensureLink, vxlan_network.go).

    An existing device is kept with the MTU it has. subnet.env is written from the uplink's MTU as it is now. Every
    peer is programmed: neighbour, then FDB, then route.
    """
    shape = machine.shape
    overlay_mtu = (shape.backend_mtu or machine.uplink.mtu) - VXLAN_OVERHEAD
    if machine.flannel is None:
        _create(machine, overlay_mtu, vtep_mac)
    device = machine.kernel.link(DEVICE)
    machine.kernel.set_up(DEVICE)
    network = IPv4Network(shape.pod_cidr)
    if not any(address.family == "inet" for address in device.addresses):
        # A host address, so that no broadcast route is made (vxlan.go RegisterNetwork).
        machine.kernel.add_address(DEVICE, Address(str(network.network_address), 32))
    machine.overlay.subnet_env = SubnetEnv(
        network=shape.cluster_cidr,
        subnet=f"{network.network_address + 1}/{network.prefixlen}",
        mtu=overlay_mtu,
        written_at=machine.clock(),
    )
    for peer in peers:
        program(machine, peer)


def program(machine: Machine, peer: Peer) -> None:
    """Write what reaches one peer, in flannel's order (vxlan_network.go handleSubnetEvents)."""
    kernel = machine.kernel
    if DEVICE not in kernel.links or not kernel.links[DEVICE].up:
        return
    kernel.put_neighbor(Neighbor(peer.gateway, DEVICE, peer.vtep_mac))
    kernel.put_fdb(FdbEntry(peer.vtep_mac, DEVICE, peer.public_ip))
    kernel.put_route(Route(peer.pod_cidr, DEVICE, peer.gateway, onlink=True))


def forget(machine: Machine, peer: Peer) -> None:
    """Take away what reaches one peer."""
    kernel = machine.kernel
    drops = ((kernel.drop_neighbor, peer.gateway), (kernel.drop_fdb, peer.vtep_mac), (kernel.drop_route, peer.pod_cidr))
    for drop, key in drops:
        try:
            drop(key, DEVICE)
        except KernelError:
            continue  # it is gone already


def recreate_device(machine: Machine, vtep_mac: str) -> None:
    """Make the device again as flannel's watcher does after a deletion: device and address, but no peers."""
    uplink_mtu = machine.shape.backend_mtu or machine.uplink.mtu
    _create(machine, uplink_mtu - VXLAN_OVERHEAD, vtep_mac)
    network = IPv4Network(machine.shape.pod_cidr)
    machine.kernel.add_address(DEVICE, Address(str(network.network_address), 32))
    machine.kernel.set_up(DEVICE)


def _create(machine: Machine, mtu: int, vtep_mac: str) -> None:
    if machine.creation_fails:
        machine.creation_fails -= 1 if machine.creation_fails > 0 else 0
        raise FlannelExitedError("failed to create vxlan device flannel.1: operation not supported")
    vxlan = Vxlan(1, machine.shape.address, machine.shape.uplink)
    address = vtep_mac or mac_of(machine.name, DEVICE)
    machine.kernel.add(Link(DEVICE, 0, mtu, address, kind="vxlan", up=False, vxlan=vxlan))
