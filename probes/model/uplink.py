"""The device that flannel's packets really leave by, and the MTU that flannel derives from it."""

from typing import Final

from probes.model.network import Link, NodeNetwork

VXLAN_OVERHEAD: Final = 50
"""Bytes of an IPv4 underlay; flannel takes it off for IPv6 as well (flannel pkg/backend/vxlan/device.go)."""
VXLAN_OVERHEAD_V6: Final = 70
"""Bytes that an IPv6 underlay really takes; the kernel holds a VXLAN device to it (drivers/net/vxlan)."""
WIREGUARD_OVERHEAD: Final = 80
"""Bytes, for both families (flannel pkg/backend/wireguard/wireguard_network.go)."""


def uplink(network: NodeNetwork, public_ip: str = "") -> Link | None:
    """Find the uplink: the device under flannel's VXLAN link, else the one that holds the address its packets leave
    from or the node's public IP, else that of the default route, IPv4 before IPv6 and the lowest metric first.

    ``public_ip``: what flannel published of the node. None where the facts name no such link.
    """  # noqa: D205 - one sentence
    links = {link.ifname: link for link in network.links or ()}
    tunnels = [link.vxlan for link in links.values() if link.vxlan and link.ifname.startswith("flannel")]
    tunnels.sort(key=lambda vxlan: ":" in vxlan.local)
    for vxlan in tunnels:
        if vxlan.underlay in links:
            return links[vxlan.underlay]
    for wanted in (*(vxlan.local for vxlan in tunnels), public_ip):
        holder = next((link for link in links.values() if wanted and wanted in {a.local for a in link.addresses}), None)
        if holder is not None:
            return holder
    defaults = [route for route in network.routes or () if route.dst == "default" and route.dev in links]
    defaults.sort(key=lambda route: (":" in route.gateway, route.metric or 0))
    return links[defaults[0].dev] if defaults else None


def expected_flannel_mtu(
    backend: str, uplink_mtu: int, configured: int | None = None, *, ipv6: bool = False
) -> int | None:
    """Compute the MTU that flannel gives its device, or with host-gw its pods; None for a backend it is not known of.

    ``configured``: the MTU in net-conf.json's Backend, which only vxlan obeys. ``ipv6``: of the device for IPv6, which
    the kernel holds to its underlay.
    """
    if backend == "vxlan":
        asked = (configured or uplink_mtu) - VXLAN_OVERHEAD
        return min(asked, uplink_mtu - VXLAN_OVERHEAD_V6) if ipv6 else asked
    if backend == "wireguard":
        return uplink_mtu - WIREGUARD_OVERHEAD
    return uplink_mtu if backend == "host-gw" else None
