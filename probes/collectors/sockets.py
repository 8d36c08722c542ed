"""The bound UDP sockets of a node: /proc/net/udp and udp6, which every kernel has and which show kernel sockets too."""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, found, said
from probes.model.network import UdpSocket

STEPS: Final = (Step("udp", ("cat", "/proc/net/udp")), Step("udp6", ("cat", "/proc/net/udp6")))

_UNCONNECTED: Final = "07"
_LOCAL: Final = re.compile(r"([0-9A-Fa-f]{8}|[0-9A-Fa-f]{32}):([0-9A-Fa-f]{4})")
_FIELDS: Final = 4


def parse(outputs: Outputs) -> tuple[UdpSocket, ...]:
    """Read a node's bound, unconnected UDP sockets, each address and port once; raises Unreadable.

    Addresses are hexadecimal words in the byte order of the host (net/ipv4/udp.c udp4_format_sock), taken to be
    little-endian; the port and the addresses that stand for all of them read the same in both orders.
    """
    sockets = [*_sockets(said(outputs, "udp")), *_sockets(found(outputs, "udp6"))]
    return tuple(dict.fromkeys(sockets))


def _sockets(text: str | None) -> Iterator[UdpSocket]:
    if text is None:  # a kernel without IPv6
        return
    head, _, body = text.partition("\n")
    if head.split()[:2] != ["sl", "local_address"]:
        raise Unreadable("/proc/net/udp does not look like a table of sockets")
    for line in body.splitlines():
        fields = line.split()
        local = _LOCAL.fullmatch(fields[1]) if len(fields) >= _FIELDS else None
        if local is None:
            raise Unreadable("/proc/net/udp holds a line that is no socket")
        if fields[3] == _UNCONNECTED:
            yield UdpSocket(_address(local[1]), int(local[2], 16))


def _address(text: str) -> str:
    raw = bytes.fromhex(text)
    return str(ipaddress.ip_address(b"".join(raw[i : i + 4][::-1] for i in range(0, len(raw), 4))))
