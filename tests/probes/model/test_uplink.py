"""The uplink is the device that flannel really uses, and its MTU less the overhead is what flannel sets."""

import pytest

from probes.model.network import Address, Link, NodeNetwork, Route, Vxlan
from probes.model.uplink import expected_flannel_mtu, uplink

WAN = Link("wan0", mtu=1500, addresses=(Address("inet", "203.0.113.5", 24),))
LAN = Link("lan0", mtu=1450, addresses=(Address("inet", "10.0.0.5", 24), Address("inet6", "2001:db8::5", 64)))
DEFAULTS = (
    Route("default", gateway="fe80::1", dev="lan0", metric=10),
    Route("default", gateway="203.0.113.1", dev="wan0", metric=200),
    Route("default", gateway="10.0.0.1", dev="lan0", metric=300),
)


def flannel(vxlan: Vxlan, ifname: str = "flannel.1") -> Link:
    return Link(ifname, mtu=1400, kind="vxlan", vxlan=vxlan)


@pytest.mark.parametrize(
    ("links", "routes", "public_ip", "expected"),
    [
        ((WAN, LAN, flannel(Vxlan(1, "203.0.113.5", "lan0"))), DEFAULTS, "203.0.113.5", "lan0"),
        ((WAN, LAN, flannel(Vxlan(1, "10.0.0.5"))), DEFAULTS, "203.0.113.5", "lan0"),
        ((WAN, LAN, flannel(Vxlan(1, "10.0.0.9", "gone0"))), DEFAULTS, "10.0.0.5", "lan0"),
        ((WAN, LAN, flannel(Vxlan(7, "203.0.113.5", "wan0"), "vxlan7")), DEFAULTS, "10.0.0.5", "lan0"),
        ((WAN, LAN), DEFAULTS, "198.51.100.7", "wan0"),
        ((WAN, LAN), DEFAULTS[:1], "", "lan0"),
        ((WAN, LAN), (), "", None),
        ((), DEFAULTS, "10.0.0.5", None),
        (None, None, "10.0.0.5", None),
    ],
    ids=[
        "the vxlan's own device beats every other sign",
        "without a device, the holder of the vxlan's address",
        "a device and address that are gone fall to the public IP",
        "somebody else's vxlan says nothing",
        "a public IP that is NATed falls to the default route, IPv4 first",
        "an IPv6 default route where there is no other",
        "no sign at all",
        "no links",
        "nothing known",
    ],
)
def test_uplink(
    links: tuple[Link, ...] | None, routes: tuple[Route, ...] | None, public_ip: str, expected: str | None
) -> None:
    """The uplink follows flannel's own choice before any guess."""
    found = uplink(NodeNetwork(links=links, routes=routes), public_ip)

    assert (found.ifname if found else None) == expected


def test_uplink_prefers_the_ipv4_tunnel() -> None:
    """A dual-stack node has two VXLAN devices; the IPv4 one names the uplink."""
    six, four = flannel(Vxlan(1, "2001:db8::5", "lan0"), "flannel-v6.1"), flannel(Vxlan(1, "203.0.113.5", "wan0"))

    assert uplink(NodeNetwork(links=(WAN, LAN, six, four))) == WAN


@pytest.mark.parametrize(
    ("backend", "mtu", "configured", "ipv6", "expected"),
    [
        ("vxlan", 1500, None, False, 1450),
        ("vxlan", 1500, 1400, False, 1350),
        ("vxlan", 1500, None, True, 1430),
        ("vxlan", 1500, 1400, True, 1350),
        ("vxlan", 9000, None, False, 8950),
        ("wireguard", 1500, None, False, 1420),
        ("wireguard", 1500, 1400, True, 1420),
        ("host-gw", 1500, None, False, 1500),
        ("", 1500, None, False, None),
        ("extension", 1500, None, False, None),
    ],
)
def test_expected_mtu(backend: str, mtu: int, configured: int | None, ipv6: bool, expected: int | None) -> None:  # noqa: FBT001 - a case
    """flannel takes 50 bytes off for vxlan, 80 for wireguard, none for host-gw; the kernel holds IPv6 to 70."""
    assert expected_flannel_mtu(backend, mtu, configured, ipv6=ipv6) == expected
