"""What iproute2 6.1 prints: JSON of ``ip -j`` and ``bridge -j``, and the lines of their monitors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.entries import Address, FdbEntry, Link, Neighbor, Route

FOREVER = 4294967295
_QUEUES = {
    "num_tx_queues": 1,
    "num_rx_queues": 1,
    "gso_max_size": 65536,
    "gso_max_segs": 65535,
    "tso_max_size": 524280,
    "tso_max_segs": 65535,
    "gro_max_size": 65536,
}


def dump(rows: Iterable[Mapping[str, Any]]) -> str:
    """Render rows as iproute2 does: one line, no blanks."""
    return json.dumps(list(rows), separators=(",", ":")) + "\n"


def link_row(link: Link, links: Mapping[str, Link], *, details: bool, stats: bool, addresses: bool) -> dict[str, Any]:
    """One element of ``ip -j [-d] [-s] link show`` or, with addresses, ``addr show``."""
    row: dict[str, Any] = {"ifindex": link.ifindex}
    if link.peer_ifindex is not None:
        row["link_index"] = link.peer_ifindex
    row |= {"ifname": link.ifname, "flags": link.flags, "mtu": link.mtu}
    row["qdisc"] = "noqueue" if link.kind else "fq_codel"
    if link.master:
        row["master"] = link.master
    row["operstate"] = link.operstate
    if not addresses:
        row["linkmode"] = "DEFAULT"
    row |= {"group": "default", "txqlen": 1000}
    loopback = link.kind == "loopback"
    row |= {"link_type": "loopback" if loopback else "ether", "address": link.address}
    row["broadcast"] = "00:00:00:00:00:00" if loopback else "ff:ff:ff:ff:ff:ff"
    if link.netnsid is not None:
        row["link_netnsid"] = link.netnsid
    if details:
        row |= {"promiscuity": int(bool(link.master)), "allmulti": int(bool(link.master))}
        row |= {"min_mtu": 0 if loopback else 68, "max_mtu": 0 if loopback else 65535}
        row |= _linkinfo(link, links) | _QUEUES
    if addresses:
        row["addr_info"] = [_address_row(link, address) for address in link.addresses]
    if stats:
        row["stats64"] = _stats(link)
    return row


def _linkinfo(link: Link, links: Mapping[str, Link]) -> dict[str, Any]:
    if link.kind in {"", "loopback"}:
        return {}
    info: dict[str, Any] = {"info_kind": link.kind}
    if link.vxlan is not None:
        info["info_data"] = {
            "id": link.vxlan.vni,
            "local": link.vxlan.local,
            **({"link": link.vxlan.underlay} if link.vxlan.underlay in links else {}),
            "port_range": {"low": 0, "high": 0},
            "port": link.vxlan.port,
            "learning": link.vxlan.learning,
            "ttl": 0,
            "df": "unset",
            "ageing": 300,
            "udp_csum": True,
            "udp_zero_csum6_tx": False,
            "udp_zero_csum6_rx": False,
        }
    elif link.kind == "bridge":
        info["info_data"] = {"forward_delay": 1500, "stp_state": 0, "priority": 32768, "vlan_filtering": 0}
    if link.master:
        info["info_slave_kind"] = "bridge"
        info["info_slave_data"] = {"state": "forwarding", "hairpin": True, "learning": True}
    return {"linkinfo": info}


def _address_row(link: Link, address: Address) -> dict[str, Any]:
    row: dict[str, Any] = {
        "family": address.family,
        "local": address.local,
        "prefixlen": address.prefixlen,
        "scope": address.scope,
    }
    if address.family == "inet":
        row["label"] = link.ifname
    return row | {"valid_life_time": FOREVER, "preferred_life_time": FOREVER}


def _stats(link: Link) -> dict[str, Any]:
    received = {"bytes": link.rx_bytes, "packets": link.rx_packets, "errors": link.rx_errors, "dropped": 0}
    sent = {"bytes": link.tx_bytes, "packets": link.tx_packets, "errors": 0, "dropped": link.tx_dropped}
    return {
        "rx": received | {"over_errors": 0, "multicast": 0},
        "tx": sent | {"carrier_errors": 0, "collisions": 0},
    }


def route_row(route: Route) -> dict[str, Any]:
    """One element of ``ip -j route``."""
    row: dict[str, Any] = {"dst": route.dst}
    for name in ("gateway", "dev", "protocol", "scope", "prefsrc", "metric"):
        if (value := getattr(route, name)) not in {"", None}:
            row[name] = value
    return row | {"flags": ["onlink"] if route.onlink else []}


def neighbor_row(neighbor: Neighbor, *, with_dev: bool = True) -> dict[str, Any]:
    """One element of ``ip -j neigh``."""
    row: dict[str, Any] = {"dst": neighbor.dst}
    if with_dev:
        row["dev"] = neighbor.dev
    if neighbor.lladdr:
        row["lladdr"] = neighbor.lladdr
    return row | {"state": [neighbor.state]}


def fdb_row(entry: FdbEntry, *, with_dev: bool = True) -> dict[str, Any]:
    """One element of ``bridge -j fdb``."""
    dev = {"ifname": entry.dev} if with_dev else {}
    return {"mac": entry.mac, **dev, "dst": entry.dst, "flags": ["self"], "state": entry.state}


def link_line(link: Link) -> str:
    """Write a line of ``ip -o monitor link``."""
    peer = f"@if{link.peer_ifindex}" if link.peer_ifindex is not None else ""
    master = f" master {link.master}" if link.master else ""
    kind = "loopback" if link.kind == "loopback" else "ether"
    return (
        f"{link.ifindex}: {link.ifname}{peer}: <{','.join(link.flags)}> mtu {link.mtu} "
        f"qdisc noqueue{master} state {link.operstate} group default \\    "
        f"link/{kind} {link.address} brd ff:ff:ff:ff:ff:ff"
    )


def address_line(link: Link, address: Address) -> str:
    """Write a line of ``ip -o monitor address``."""
    return (
        f"{link.ifindex}: {link.ifname}    {address.family} {address.local}/{address.prefixlen} scope {address.scope} "
        f"{link.ifname}\\       valid_lft forever preferred_lft forever"
    )


def route_line(route: Route) -> str:
    """Write a line of ``ip -o monitor route`` or ``ip route``."""
    words = [route.dst]
    words += ["via", route.gateway] if route.gateway else []
    words += ["dev", route.dev]
    words += ["proto", route.protocol] if route.protocol else []
    words += ["scope", route.scope] if route.scope else []
    words += ["src", route.prefsrc] if route.prefsrc else []
    words += ["metric", str(route.metric)] if route.metric is not None else []
    words += ["onlink"] if route.onlink else []
    return " ".join(words) + " "


def neighbor_line(neighbor: Neighbor) -> str:
    """Write a line of ``ip -o monitor neigh`` or ``ip neigh``."""
    lladdr = f" lladdr {neighbor.lladdr}" if neighbor.lladdr else ""
    return f"{neighbor.dst} dev {neighbor.dev}{lladdr} {neighbor.state} "


def fdb_line(entry: FdbEntry) -> str:
    """Write a line of ``bridge monitor fdb`` or ``bridge fdb show``."""
    return f"{entry.mac} dev {entry.dev} dst {entry.dst} self {entry.state}"
