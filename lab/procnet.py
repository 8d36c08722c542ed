"""What Linux 6 prints in /proc/net: counters under their headings, sockets and routes in hex."""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.entries import Route

_SNMP = {
    "Ip": (
        "Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers "
        "OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates "
        "OutTransmits"
    ),
    "Icmp": (
        "InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos "
        "InEchoReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutEchos OutEchoReps"
    ),
    "Tcp": (
        "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs "
        "RetransSegs InErrs OutRsts InCsumErrors"
    ),
    "Udp": "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors",
}
_NETSTAT = {
    "TcpExt": (
        "SyncookiesSent EmbryonicRsts TW DelayedACKs ListenOverflows ListenDrops TCPHPHits TCPPureAcks "
        "TCPSackRecovery TCPLostRetransmit TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes "
        "TCPLossProbeRecovery TCPAbortOnData TCPAbortOnTimeout TCPSpuriousRTOs TCPRetransFail TCPSynRetrans "
        "TCPOrigDataSent TCPKeepAlive TCPMTUPFail TCPMTUPSuccess TCPDelivered"
    ),
    "IpExt": "InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InOctets OutOctets InCsumErrors InNoECTPkts",
}
_START = {
    "IpForwarding": 1,
    "IpDefaultTTL": 64,
    "IpInReceives": 9143207,
    "IpForwDatagrams": 3120411,
    "IpInDelivers": 6022796,
    "IpOutRequests": 5893301,
    "IcmpInMsgs": 412,
    "TcpRtoAlgorithm": 1,
    "TcpRtoMin": 200,
    "TcpRtoMax": 120000,
    "TcpMaxConn": -1,
    "TcpInSegs": 5211904,
    "TcpOutSegs": 5108733,
    "TcpRetransSegs": 213,
    "TcpExtTCPTimeouts": 41,
    "TcpExtTCPLossProbes": 96,
    "UdpInDatagrams": 701822,
    "UdpOutDatagrams": 698120,
}
_TAIL = "st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
_UDP_HEAD = f"   sl  local_address rem_address   {_TAIL}"
_UDP6_HEAD = f"  sl  {'local_address':<37} {'remote_address':<37} {_TAIL}"
_ROUTE_HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"


def snmp(counters: Mapping[str, int]) -> str:
    """/proc/net/snmp with counters by their nstat names; what is not given stands at a plausible value or 0."""
    return _table(_SNMP, counters)


def netstat(counters: Mapping[str, int]) -> str:
    """/proc/net/netstat, likewise."""
    return _table(_NETSTAT, counters)


def _table(groups: Mapping[str, str], counters: Mapping[str, int]) -> str:
    lines = []
    for group, names in groups.items():
        values = (counters.get(group + name, _START.get(group + name, 0)) for name in names.split())
        lines += [f"{group}: {names}", f"{group}: {' '.join(map(str, values))}"]
    return "\n".join(lines) + "\n"


def udp(vxlan_ports: Iterable[int]) -> str:
    """/proc/net/udp: the kernel's VXLAN sockets and systemd-resolved's."""
    rows = [("3500007F", 53, 101, 18211), *(("00000000", port, 0, 55852) for port in vxlan_ports)]
    lines = [
        f"{1024 + number:5d}: {address}:{port:04X} 00000000:0000 07 00000000:00000000 00:00000000 00000000 "
        f"{uid:5d}        0 {inode} 2 0000000000000000 0"
        for number, (address, port, uid, inode) in enumerate(rows)
    ]
    return "\n".join(f"{line:<127}" for line in (_UDP_HEAD, *lines)) + "\n"


def udp6() -> str:
    """/proc/net/udp6: nothing but the head."""
    return _UDP6_HEAD + "\n"


def route(routes: Iterable["Route"]) -> str:
    """/proc/net/route: little-endian hex; flags 1 up, 2 gateway."""
    lines = [_ROUTE_HEAD]
    for item in routes:
        network = IPv4Network("0.0.0.0/0" if item.dst == "default" else item.dst)
        gateway = item.gateway or "0.0.0.0"  # noqa: S104 - an address as data
        lines.append(
            f"{item.dev}\t{_hex(network.network_address)}\t{_hex(IPv4Address(gateway))}\t"
            f"{3 if item.gateway else 1:04X}\t0\t0\t{item.metric or 0}\t{_hex(network.netmask)}\t0\t0\t0"
        )
    return "\n".join(f"{line:<127}" for line in lines) + "\n"


def _hex(address: IPv4Address) -> str:
    return address.packed[::-1].hex().upper()
