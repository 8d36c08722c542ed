"""The kernel's own tables over netlink, for a node that we run on: the very values that the text parsers give.

pyroute2 decodes in Python, at about 40 microseconds a message and on the event loop: below some 50 objects that beats
starting ``ip``, above it ``ip -j`` is ten times faster. On a node with hundreds of pods, collect by the batch and take
only the events from here.
"""

import errno
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

import msgspec

from probes.collectors import links as text_links
from probes.collectors.links import MAX_PORT, MAX_VNI
from probes.collectors.netlink_names import (
    NEIGHBOR_STATES,
    fdb_flags,
    fdb_state,
    protocol,
    route_flags,
    route_type,
    scope,
)
from probes.collectors.reading import MAX_INDEX, MAX_MTU, MAX_U32, Unreadable, within
from probes.model.network import Address, Bridge, FdbEntry, Link, Neighbor, NodeNetwork, Route, Vxlan
from probes.model.text import clean

_OPEN: Final = 0
"""Open a network namespace; pyroute2 would else create one that is missing."""
_INET: Final = 2
_BRIDGE: Final = 7
_INET6: Final = 10
_FAMILIES: Final = {_INET: "inet", _INET6: "inet6"}
_MAIN: Final = 254
_LOCAL: Final = 255
_CLONED: Final = 0x200
_NOARP: Final = 0x40
_PERMANENT: Final = 0x80
_ADDRESS_PERMANENT: Final = 0x80
_PROTOCOL_RA: Final = 9
_NO_STATE: Final = 0


class Tables(msgspec.Struct, frozen=True):
    """What the kernel of one network namespace holds."""

    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    neighbors: tuple[Neighbor, ...]
    fdb: tuple[FdbEntry, ...]


async def read(netns: str = "") -> Tables:
    """Dump links, routes of the main table, neighbours and the entries of VXLAN devices; raises Unreadable.

    ``netns``: the name of a network namespace; empty is our own.
    """
    from pyroute2 import AsyncIPRoute, NetlinkError  # noqa: PLC0415 - 150 ms that only a local node pays

    try:
        async with AsyncIPRoute(netns=netns or None, flags=_OPEN) as kernel:
            raw_links = [message async for message in await kernel.link("dump")]
            raw_addresses = [message async for message in await kernel.addr("dump")]
            raw_routes = [
                message for family in (_INET, _INET6) async for message in await kernel.route("dump", family=family)
            ]
            raw_neighbors = [message async for message in await kernel.neigh("dump")]
            raw_fdb = [message async for message in await kernel.fdb("dump")]
    except (OSError, NetlinkError) as error:
        raise Unreadable(f"the kernel's tables could not be read over netlink: {clean(str(error))}") from error
    names = {message["index"]: message.get("ifname") or "" for message in raw_links}
    links = tuple(_link(message, names, raw_addresses) for message in raw_links)
    vxlans = {link.ifindex for link in links if link.kind == "vxlan"}
    return Tables(
        links=links,
        routes=tuple(route for message in raw_routes for route in _routes(message, names)),
        neighbors=tuple(_neighbor(message, names) for message in raw_neighbors if _shown(message)),
        fdb=tuple(_entry(message, names) for message in raw_fdb if message["ifindex"] in vxlans),
    )


def amend(network: NodeNetwork, tables: Tables) -> NodeNetwork:
    """Put what netlink said in the place of what the commands said."""
    unassessed = {k: v for k, v in network.unassessed.items() if k not in Tables.__struct_fields__}
    return msgspec.structs.replace(network, **msgspec.structs.asdict(tables), unassessed=unassessed)


async def events(netns: str = "") -> AsyncGenerator[str, None]:
    """Yield a hint for each change that may change a fact, without end; raises Unreadable.

    A burst overruns the kernel's queue (ENOBUFS) and loses events: the stream is opened anew and says so in one hint.
    """
    from pyroute2 import AsyncIPRoute  # noqa: PLC0415 - 150 ms that only a local node pays

    lost = False
    while True:
        try:
            async with AsyncIPRoute(netns=netns or None, flags=_OPEN) as kernel:
                await kernel.bind()
                names = {message["index"]: message.get("ifname") or "" async for message in await kernel.link("dump")}
                if lost:
                    yield "events were lost in a burst"
                while True:
                    async for message in kernel.get():
                        if hint := _hint(message, names):
                            yield hint
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise Unreadable(f"the kernel's events ended: {clean(str(error))}") from error
            lost = True


def _hint(message: Any, names: dict[int, str]) -> str:
    """Name a change as :func:`probes.collectors.events.relevant` would let it pass; empty for noise."""
    event = str(message.get("event") or "")
    if event.endswith("LINK"):
        names[message["index"]] = message.get("ifname") or ""
        return f"{event} {clean(names[message['index']])}"
    deleted = event.startswith("RTM_DEL")
    if event.endswith("ADDR"):
        permanent = (message.get("flags") or 0) & _ADDRESS_PERMANENT
        return event if deleted or permanent else ""
    if event.endswith("ROUTE"):
        table = message.get("table") or message["table"]
        noise = table == _LOCAL or message["flags"] & _CLONED or (message["proto"] == _PROTOCOL_RA and not deleted)
        return "" if noise else event
    if event.endswith("NEIGH"):
        dev = names.get(message["ifindex"], "")
        multicast = message["state"] & (_NOARP | _PERMANENT) == _NOARP
        overlay = (dev.startswith("flannel") and not multicast) or (message["family"] == _BRIDGE and message.get("dst"))
        pinned = message["family"] != _BRIDGE and message["state"] & _PERMANENT
        return f"{event} {clean(dev)}" if overlay or pinned else ""
    return ""


def _link(message: Any, names: dict[int, str], raw_addresses: list[Any]) -> Link:
    index = message["index"]
    kind = message.get(("linkinfo", "kind")) or ""
    return Link(
        ifname=clean(message.get("ifname") or ""),
        ifindex=within(index, 1, MAX_INDEX),
        mtu=within(message.get("mtu"), 1, MAX_MTU),
        operstate=clean(message.get("operstate") or ""),
        flags=text_links.flag_names(message["flags"]),
        kind=clean(kind),
        address=clean(message.get("address") or ""),
        master=clean(names.get(message.get("master") or 0, "")),
        peer_ifindex=within(message.get("link"), 1, MAX_INDEX) if kind == "veth" else None,
        netnsid=within(message.get("link_netnsid"), 0, MAX_INDEX),
        addresses=tuple(_address(m) for m in raw_addresses if m["index"] == index and m["family"] in _FAMILIES),
        vxlan=_vxlan(message, names) if kind == "vxlan" else None,
        bridge=_bridge(message) if kind == "bridge" else None,
    )


def _address(message: Any) -> Address:
    local = message.get("local") or message.get("address") or ""
    return Address(_FAMILIES[message["family"]], clean(local), message["prefixlen"], scope(message["scope"]))


def _vxlan(message: Any, names: dict[int, str]) -> Vxlan:
    data = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
    learning = data.get_attr("IFLA_VXLAN_LEARNING")
    return Vxlan(
        vni=within(data.get_attr("IFLA_VXLAN_ID"), 0, MAX_VNI),
        local=clean(data.get_attr("IFLA_VXLAN_LOCAL") or data.get_attr("IFLA_VXLAN_LOCAL6") or ""),
        underlay=clean(names.get(data.get_attr("IFLA_VXLAN_LINK") or 0, "")),
        port=within(data.get_attr("IFLA_VXLAN_PORT"), 0, MAX_PORT),
        learning=None if learning is None else bool(learning),
        gbp=bool(data.get_attr("IFLA_VXLAN_GBP")),
    )


def _bridge(message: Any) -> Bridge:
    data = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA")
    filtering, stp = data.get_attr("IFLA_BR_VLAN_FILTERING"), data.get_attr("IFLA_BR_STP_STATE")
    return Bridge(None if filtering is None else bool(filtering), None if stp is None else bool(stp))


def _routes(message: Any, names: dict[int, str]) -> Iterator[Route]:
    if (message.get("table") or message["table"]) != _MAIN or message["flags"] & _CLONED:
        return
    length, dst = message["dst_len"], message.get("dst")
    host = length == (128 if message["family"] == _INET6 else 32)
    own = route_flags(message["flags"])
    for hop in message.get("multipath") or [None]:
        via = (message if hop is None else hop).get("via") or {}
        gateway = (message if hop is None else hop).get("gateway") or via.get("addr") or ""
        oif = message.get("oif") if hop is None else hop["oif"]
        yield Route(
            dst="default" if dst is None and not length else clean(f"{dst}" if host else f"{dst}/{length}"),
            gateway=clean(gateway),
            dev=clean(names.get(oif or 0, "")),
            protocol=protocol(message["proto"]),
            scope=scope(message["scope"]) if message["scope"] else "",
            prefsrc=clean(message.get("prefsrc") or ""),
            metric=within(message.get("priority"), 0, MAX_U32),
            flags=own if hop is None else (*own, *route_flags(hop["flags"])),
            kind=route_type(message["type"]),
        )


def _shown(message: Any) -> bool:
    """Leave out what ``ip neigh`` leaves out: NOARP and entries without a state."""
    return message["family"] in _FAMILIES and message["state"] & ~_NOARP != _NO_STATE


def _neighbor(message: Any, names: dict[int, str]) -> Neighbor:
    return Neighbor(
        dst=clean(message.get("dst") or ""),
        dev=clean(names.get(message["ifindex"], "")),
        lladdr=clean(message.get("lladdr") or ""),
        state=tuple(name for bit, name in NEIGHBOR_STATES if message["state"] & bit),
    )


def _entry(message: Any, names: dict[int, str]) -> FdbEntry:
    return FdbEntry(
        mac=clean(message.get("lladdr") or ""),
        dev=clean(names.get(message["ifindex"], "")),
        dst=clean(message.get("dst") or ""),
        state=fdb_state(message["state"]),
        flags=fdb_flags(message["flags"]),
    )
