"""The interfaces of a node: ``ip -j -d -s addr show``, or /sys where ``ip`` is missing or prints no JSON."""

import re
from typing import Final, TypeVar

import msgspec

from probes.collectors.batch import Step
from probes.collectors.reading import (
    MAX_INDEX,
    MAX_MTU,
    MAX_U64,
    Outputs,
    Unreadable,
    brief,
    decoded,
    failure,
    number,
    printed,
    said,
    within,
)
from probes.model.network import Address, Bridge, Link, Vxlan
from probes.model.text import clean

_T = TypeVar("_T")

_SYS: Final = (
    "cd /sys/class/net && grep -H . "
    "*/mtu */operstate */ifindex */address */flags */uevent */master/ifindex 2>/dev/null; :"
)
STEPS: Final = (
    Step("links", ("ip", "-j", "-d", "-s", "addr", "show")),
    Step("links-sys", ("sh", "-c", _SYS), orelse=True),
)

MAX_VNI: Final = 2**24 - 1
MAX_PORT: Final = 2**16 - 1
_SYS_LINE: Final = re.compile(r"([^/\n]{1,64})/(mtu|operstate|ifindex|address|flags|uevent|master/ifindex):(.*)")
_FLAGS: Final = (
    (0x8, "LOOPBACK"),
    (0x2, "BROADCAST"),
    (0x10, "POINTOPOINT"),
    (0x1000, "MULTICAST"),
    (0x80, "NOARP"),
    (0x200, "ALLMULTI"),
    (0x100, "PROMISC"),
    (0x400, "MASTER"),
    (0x800, "SLAVE"),
    (0x4, "DEBUG"),
    (0x8000, "DYNAMIC"),
    (0x4000, "AUTOMEDIA"),
    (0x2000, "PORTSEL"),
    (0x20, "NOTRAILERS"),
    (0x1, "UP"),
    (0x10000, "LOWER_UP"),
    (0x20000, "DORMANT"),
    (0x40000, "ECHO"),
)
"""In the order in which iproute2 prints them (ip/ipaddress.c print_link_flags)."""
_UP_RUNNING: Final = 0x41


class RawAddress(msgspec.Struct, gc=False):
    """An element of addr_info."""

    family: str = ""
    local: str = ""
    prefixlen: int | None = None
    scope: str = ""


class _RawInfo(msgspec.Struct, gc=False):
    info_kind: str | None = None
    info_data: msgspec.Raw = msgspec.Raw()


class _RawVxlan(msgspec.Struct, gc=False):
    id: int | None = None
    local: str = ""
    local6: str = ""
    link: str = ""
    port: int | None = None
    learning: bool | None = None
    gbp: bool | None | msgspec.UnsetType = msgspec.UNSET


class _RawBridge(msgspec.Struct, gc=False):
    vlan_filtering: int | bool | None = None
    stp_state: int | bool | None = None


class _RawHalf(msgspec.Struct, gc=False):
    packets: int | None = None
    errors: int | None = None
    dropped: int | None = None


class _RawStats(msgspec.Struct, gc=False):
    rx: _RawHalf | None = None
    tx: _RawHalf | None = None


class RawLink(msgspec.Struct, gc=False):
    """An element of what ``ip -j addr`` prints; ``{}`` where a filter of an older iproute2 left one out."""

    ifname: str = ""
    ifindex: int | None = None
    link_index: int | None = None
    link: str | None = None
    link_netnsid: int | None = None
    flags: list[str] | None = None
    mtu: int | None = None
    operstate: str = ""
    address: str = ""
    master: str = ""
    linkinfo: _RawInfo | None = None
    addr_info: list[RawAddress | None] | None = None
    stats64: _RawStats | None = None
    stats: _RawStats | None = None


LINKS: Final = msgspec.json.Decoder(list[RawLink | None] | None)
_VXLAN: Final = msgspec.json.Decoder(_RawVxlan | None)
_BRIDGE: Final = msgspec.json.Decoder(_RawBridge | None)


def parse(outputs: Outputs) -> tuple[Link, ...]:
    """Read a node's interfaces; raises Unreadable. Where :func:`gap` is not empty they are not known in full."""
    if "links-sys" in outputs:
        return _parse_sys(printed(outputs, "links-sys"))
    raw = read(outputs)
    indexes = {link.ifname: link.ifindex for link in raw}
    links = tuple(_link(link, indexes) for link in raw)
    if not links:
        raise Unreadable("`ip addr` named no interface, and there is always one")
    return links


def gap(outputs: Outputs) -> str:
    """Say what is not known of interfaces that were read: empty where they came whole."""
    if "links-sys" not in outputs or "links" not in outputs:
        return ""
    return f"only mtu, state and address are known, from /sys: {failure(outputs, outputs['links'])}"


def read(outputs: Outputs) -> list[RawLink]:
    """Decode what ``ip -j addr`` printed, elements without a name left out; raises Unreadable."""
    return [link for link in decoded(said(outputs, "links"), LINKS, "ip -j addr show") if link.ifname]


def addresses(raw: list[RawAddress | None] | None) -> tuple[Address, ...]:
    """Take the addresses that say what they are."""
    return tuple(
        Address(clean(a.family), clean(a.local), a.prefixlen, clean(a.scope))
        for a in raw or ()
        if a is not None and a.local and a.prefixlen is not None and 0 <= a.prefixlen <= (128 if ":" in a.local else 32)
    )


def stats(raw: RawLink) -> dict[str, int]:
    """Take a link's counters: ``rx_dropped`` and its like."""
    source = raw.stats64 or raw.stats or _RawStats()
    halves = {"rx": source.rx or _RawHalf(), "tx": source.tx or _RawHalf()}
    values = {
        f"{direction}_{counter}": within(value, 0, MAX_U64)
        for direction, half in halves.items()
        for counter, value in (("packets", half.packets), ("errors", half.errors), ("dropped", half.dropped))
    }
    return {name: value for name, value in values.items() if value is not None}


def kind(raw: RawLink) -> str:
    """Name what a link is: ``vxlan``, ``bridge``, …; empty for a physical device."""
    return clean(raw.linkinfo.info_kind or "") if raw.linkinfo else ""


def flag_names(flags: int) -> tuple[str, ...]:
    """Name the interface flags as iproute2 does; ``flags`` as in struct ifinfomsg."""
    names = tuple(name for bit, name in _FLAGS if flags & bit)
    return ("NO-CARRIER", *names) if flags & _UP_RUNNING == 1 else names


def _link(raw: RawLink, indexes: dict[str, int | None]) -> Link:
    what = kind(raw)
    peer = raw.link_index if raw.link is None else indexes.get(raw.link)
    return Link(
        ifname=clean(raw.ifname),
        ifindex=within(raw.ifindex, 1, MAX_INDEX),
        mtu=within(raw.mtu, 1, MAX_MTU),
        operstate=clean(raw.operstate),
        flags=tuple(clean(flag) for flag in raw.flags or ()),
        kind=what,
        address=clean(raw.address),
        master=clean(raw.master),
        peer_ifindex=within(peer, 1, MAX_INDEX) if what == "veth" else None,
        netnsid=within(raw.link_netnsid, 0, MAX_INDEX),
        addresses=addresses(raw.addr_info),
        vxlan=_vxlan(raw) if what == "vxlan" else None,
        bridge=_bridge(raw) if what == "bridge" else None,
    )


def _vxlan(raw: RawLink) -> Vxlan:
    data = _info(raw, _VXLAN) or _RawVxlan()
    return Vxlan(
        vni=within(data.id, 0, MAX_VNI),
        local=clean(data.local or data.local6),
        underlay=clean(data.link),
        port=within(data.port, 0, MAX_PORT),
        learning=data.learning,
        gbp=data.gbp is not msgspec.UNSET and data.gbp is not False,  # iproute2 prints a null where it is set
    )


def _bridge(raw: RawLink) -> Bridge:
    data = _info(raw, _BRIDGE) or _RawBridge()
    return Bridge(
        vlan_filtering=None if data.vlan_filtering is None else bool(data.vlan_filtering),
        stp=None if data.stp_state is None else bool(data.stp_state),
    )


def _info(raw: RawLink, decoder: "msgspec.json.Decoder[_T | None]") -> _T | None:
    data = raw.linkinfo.info_data if raw.linkinfo else msgspec.Raw()
    if not bytes(data):
        return None
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(
            f"the attributes of {clean(raw.ifname)} could not be understood: {brief(str(error))}"
        ) from error


def _parse_sys(text: str) -> tuple[Link, ...]:
    """Read ``NAME/ATTRIBUTE:VALUE`` lines from /sys/class/net (kernel Documentation/ABI/testing/sysfs-class-net)."""
    devices: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        found = _SYS_LINE.fullmatch(line)
        if found is None:
            continue
        ifname, attribute, value = found.groups()
        key, _, rest = value.partition("=")
        device = devices.setdefault(ifname, {})
        device[key if attribute == "uevent" else attribute] = rest if attribute == "uevent" else value.strip()
    if not devices:
        raise Unreadable("/sys/class/net named no interface, and there is always one")
    names = {device.get("ifindex", ""): ifname for ifname, device in devices.items()}
    links = [
        Link(
            ifname=clean(ifname),
            ifindex=number(device.get("ifindex", ""), 1, MAX_INDEX),
            mtu=number(device.get("mtu", ""), 1, MAX_MTU),
            operstate=clean(device.get("operstate", "").upper()),
            flags=_sys_flags(device.get("flags", "")),
            kind=clean(device.get("DEVTYPE", "")),
            address=clean(device.get("address", "")),
            master=clean(names.get(device.get("master/ifindex", "none"), "")),
        )
        for ifname, device in devices.items()
    ]
    return tuple(sorted(links, key=lambda link: (link.ifindex or 0, link.ifname)))


def _sys_flags(text: str) -> tuple[str, ...]:
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,8}", text):
        return ()
    return tuple(name for bit, name in _FLAGS if int(text, 16) & bit)
