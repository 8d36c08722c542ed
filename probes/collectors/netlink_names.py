"""What iproute2 calls the numbers of rtnetlink (lib/rt_names.c, ip/iproute.c, ip/ipneigh.c, bridge/fdb.c)."""

from typing import Final

NEIGHBOR_STATES: Final = (
    (0x01, "INCOMPLETE"),
    (0x02, "REACHABLE"),
    (0x04, "STALE"),
    (0x08, "DELAY"),
    (0x10, "PROBE"),
    (0x20, "FAILED"),
    (0x40, "NOARP"),
    (0x80, "PERMANENT"),
)
_SCOPES: Final = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}
_BOOT: Final = 3
_PROTOCOLS: Final = {
    0: "unspec",
    1: "redirect",
    2: "kernel",
    3: "boot",
    4: "static",
    8: "gated",
    9: "ra",
    10: "mrt",
    11: "zebra",
    12: "bird",
    13: "dnrouted",
    14: "xorp",
    15: "ntk",
    16: "dhcp",
    18: "keepalived",
    42: "babel",
    99: "openr",
    186: "bgp",
    187: "isis",
    188: "ospf",
    189: "rip",
    192: "eigrp",
}
_ROUTE_TYPES: Final = {
    0: "none",
    1: "",
    2: "local",
    3: "broadcast",
    4: "anycast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
    10: "nat",
    11: "xresolve",
}
_ROUTE_FLAGS: Final = (
    (0x1, "dead"),
    (0x4, "onlink"),
    (0x2, "pervasive"),
    (0x8, "offload"),
    (0x40, "trap"),
    (0x100, "notify"),
    (0x10, "linkdown"),
    (0x20, "unresolved"),
    (0x4000, "rt_offload"),
    (0x8000, "rt_trap"),
)
_FDB_STATES: Final = ((0x80, "permanent"), (0x40, "static"), (0x04, "stale"), (0x02, ""))
_FDB_FLAGS: Final = (
    (0x02, "self"),
    (0x80, "router"),
    (0x10, "extern_learn"),
    (0x20, "offload"),
    (0x04, "master"),
    (0x40, "sticky"),
)


def scope(number: int) -> str:
    """Name the scope of an address or route."""
    return _SCOPES.get(number, str(number))


def protocol(number: int) -> str:
    """Name who made a route; empty for ``boot``, which ``ip route`` leaves out."""
    return "" if number == _BOOT else _PROTOCOLS.get(number, str(number))


def route_type(number: int) -> str:
    """Name the type of a route; empty for unicast."""
    return _ROUTE_TYPES.get(number, str(number))


def route_flags(flags: int) -> tuple[str, ...]:
    """Name the flags of a route or of one of its next hops, in the order of ``ip route``."""
    return tuple(name for bit, name in _ROUTE_FLAGS if flags & bit)


def fdb_state(state: int) -> str:
    """Name the state of a forwarding entry; empty for one that was learnt and is fresh."""
    return next((name for bit, name in _FDB_STATES if state & bit), hex(state))


def fdb_flags(flags: int) -> tuple[str, ...]:
    """Name the flags of a forwarding entry."""
    return tuple(name for bit, name in _FDB_FLAGS if flags & bit)
