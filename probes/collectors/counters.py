"""The counters of a node's kernel, named as nstat names them, and those of the links that pod traffic takes."""

import contextlib
from collections.abc import Iterator
from typing import Final

from probes.collectors import links
from probes.collectors.batch import Step
from probes.collectors.reading import MAX_U64, Outputs, Unreadable, number, said
from probes.model.text import clean

STEPS: Final = (Step("snmp", ("cat", "/proc/net/snmp")), Step("netstat", ("cat", "/proc/net/netstat")))

_KEPT: Final = frozenset(
    {
        *("IpInReceives", "IpForwDatagrams", "IpOutRequests", "IpInDiscards", "IpOutDiscards", "IpOutNoRoutes"),
        *("IpInAddrErrors", "IpReasmTimeout", "IpReasmReqds", "IpReasmOKs", "IpReasmFails"),
        *("IpFragOKs", "IpFragFails", "IpFragCreates"),
        *("IcmpInMsgs", "IcmpOutMsgs", "IcmpInDestUnreachs", "IcmpOutDestUnreachs", "IcmpInTimeExcds"),
        *("TcpInSegs", "TcpOutSegs", "TcpRetransSegs", "TcpInErrs", "TcpInCsumErrors", "TcpAttemptFails"),
        *("UdpInDatagrams", "UdpOutDatagrams", "UdpNoPorts", "UdpInErrors", "UdpInCsumErrors", "UdpRcvbufErrors"),
        *("TcpExtTCPTimeouts", "TcpExtTCPLossProbes", "TcpExtTCPLostRetransmit", "TcpExtTCPSynRetrans"),
        *("TcpExtTCPMTUPFail", "TcpExtTCPMTUPSuccess", "TcpExtListenOverflows", "TcpExtListenDrops"),
        "TcpExtIPReversePathFilter",
    }
)
"""Those that tell of lost, refused, cut or sent-again packets, and the totals to hold them against."""
_OVERLAY: Final = frozenset({"vxlan", "wireguard", "bridge"})


def parse(outputs: Outputs) -> dict[str, int]:
    """Read the counters that tell of lost packets; raises Unreadable where /proc/net/snmp gave none.

    ``IcmpInDestUnreachs``, ``TcpExtTCPTimeouts`` and their like are formed as nstat forms them (iproute2 misc/nstat.c).
    Those of VXLAN, WireGuard and bridge devices and of their underlays are ``IFNAME/tx_dropped`` and its like.
    """
    counters = dict(_pairs(said(outputs, "snmp")))
    if not counters:
        raise Unreadable("/proc/net/snmp does not look like a table of counters")
    with contextlib.suppress(Unreadable):  # the rest stands without it
        counters.update(_pairs(said(outputs, "netstat")))
    counters.update(_of_links(outputs))
    return counters


def _pairs(text: str) -> Iterator[tuple[str, int]]:
    """Read pairs of lines, names above and numbers below, each led by the same word."""
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        prefix, _, fields = names.partition(":")
        same, _, numbers = values.partition(":")
        if prefix != same:
            raise Unreadable("/proc/net/snmp or netstat does not look like a table of counters")
        for name, text_value in zip(fields.split(), numbers.split(), strict=False):
            value = number(text_value, 0, MAX_U64) if prefix + name in _KEPT else None
            if value is not None:
                yield prefix + name, value


def _of_links(outputs: Outputs) -> Iterator[tuple[str, int]]:
    try:
        raw, known = links.read(outputs), links.parse(outputs)
    except Unreadable:
        return
    shown = {link.ifname for link in known if link.kind in _OVERLAY}
    shown |= {link.vxlan.underlay for link in known if link.vxlan}
    for link in raw:
        ifname = clean(link.ifname)
        if ifname in shown:
            yield from ((f"{ifname}/{counter}", value) for counter, value in links.stats(link).items())
