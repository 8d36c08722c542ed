"""The main routing table of a node, both families: ``ip -j route``, or /proc/net/route for IPv4."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from probes.collectors.batch import Step
from probes.collectors.reading import MAX_U32, Outputs, Unreadable, decoded, failure, number, said, within
from probes.model.network import Route
from probes.model.text import clean

STEPS: Final = (
    Step("routes", ("ip", "-j", "route", "show", "table", "main")),
    Step("routes-proc", ("cat", "/proc/net/route"), orelse=True),
    Step("routes6", ("ip", "-j", "-6", "route", "show", "table", "main")),
)

_PROC_FIELDS: Final = 8
_UP: Final = 0x1
_GATEWAY: Final = 0x2
_REJECT: Final = 0x200
_HEX: Final = re.compile(r"[0-9A-Fa-f]{8}")


class _RawVia(msgspec.Struct, gc=False):
    host: str = ""


class _RawHop(msgspec.Struct, gc=False):
    gateway: str = ""
    via: _RawVia | None = None
    dev: str = ""
    flags: list[str] | None = None


class _RawRoute(msgspec.Struct, gc=False):
    type: str = ""
    dst: str = ""
    gateway: str = ""
    via: _RawVia | None = None
    dev: str = ""
    protocol: str | int = ""
    scope: str | int = ""
    prefsrc: str = ""
    metric: int | None = None
    flags: list[str] | None = None
    nexthops: list[_RawHop | None] | None = None


_ROUTES: Final = msgspec.json.Decoder(list[_RawRoute | None] | None)


def parse(outputs: Outputs) -> tuple[Route, ...]:
    """Read a node's routes, IPv4 first; raises Unreadable. Where :func:`gap` is not empty some are not known.

    A route over several next hops is one Route for each of them.
    """
    if "routes-proc" in outputs:
        return tuple(_proc(said(outputs, "routes-proc")))
    routes = _read(said(outputs, "routes"))
    return (*routes, *(() if _missing6(outputs) else _read(said(outputs, "routes6"))))


def gap(outputs: Outputs) -> str:
    """Say what is not known of routes that were read: empty where they came whole."""
    if "routes-proc" in outputs and "routes" in outputs:
        return f"only IPv4 routes are known, from /proc/net/route: {failure(outputs, outputs['routes'])}"
    missing = _missing6(outputs)
    return f"only IPv4 routes are known: {missing}" if missing else ""


def _missing6(outputs: Outputs) -> str:
    try:
        said(outputs, "routes6")
    except Unreadable as error:
        return str(error)
    return ""


def _read(text: str) -> list[Route]:
    raw = decoded(text, _ROUTES, "ip -j route show")
    return [route for element in raw if element.dst for route in _routes(element)]


def _routes(raw: _RawRoute) -> Iterator[Route]:
    hops = [hop for hop in raw.nexthops or () if hop is not None]
    for hop in hops or [_RawHop(raw.gateway, raw.via, raw.dev)]:
        yield Route(
            dst=clean(raw.dst),
            gateway=clean(hop.gateway or (hop.via.host if hop.via else "")),
            dev=clean(hop.dev),
            protocol=clean(str(raw.protocol)),
            scope=clean(str(raw.scope)),
            prefsrc=clean(raw.prefsrc),
            metric=within(raw.metric, 0, MAX_U32),
            flags=tuple(clean(flag) for flag in (*(raw.flags or ()), *(hop.flags or ()))),
            kind="" if raw.type == "unicast" else clean(raw.type),
        )


def _proc(text: str) -> Iterator[Route]:
    """Read /proc/net/route, whose addresses are hexadecimal in the byte order of the host (net/ipv4/fib_trie.c).

    The order is taken to be little-endian; a table of a big-endian host shows itself by its masks and is refused.
    """
    head, _, body = text.partition("\n")
    if not head.startswith("Iface"):
        raise Unreadable("/proc/net/route does not look like a table of routes")
    for line in body.splitlines():
        fields = line.split()
        if not fields:
            continue
        if len(fields) < _PROC_FIELDS or not all(_HEX.fullmatch(fields[i]) for i in (1, 2, 7)):
            raise Unreadable("/proc/net/route holds a line that is no route")
        flags = int(fields[3], 16) if re.fullmatch(r"[0-9A-Fa-f]{1,8}", fields[3]) else 0
        if not flags & _UP:
            continue
        yield Route(
            dst=_prefix(_ipv4(fields[1]), _ipv4(fields[7])),
            gateway=str(_ipv4(fields[2])) if flags & _GATEWAY else "",
            dev="" if fields[0] == "*" else clean(fields[0]),
            metric=number(fields[6], 1, MAX_U32),
            kind="unreachable" if flags & _REJECT else "blackhole" if fields[0] == "*" else "",
        )


def _ipv4(text: str) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(bytes.fromhex(text)[::-1])


def _prefix(address: ipaddress.IPv4Address, mask: ipaddress.IPv4Address) -> str:
    inverse = int(mask) ^ MAX_U32
    if inverse & (inverse + 1):
        raise Unreadable("/proc/net/route holds a mask that is none: the host's byte order is not little-endian")
    length = 32 - inverse.bit_length()
    if length == 0 and not int(address):
        return "default"
    return str(address) if length == address.max_prefixlen else f"{address}/{length}"
