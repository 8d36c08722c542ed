"""counters: what a kernel has counted since it booted that betrays lost packets; a share of a total, never a number."""

from collections.abc import Iterator
from typing import Final

from probes.rules.facts import NodeFacts
from probes.rules.finding import Finding, Severity

FEWEST: Final = 1000
"""Packets below which a share says nothing."""
SHARE: Final = 0.01
"""Of all packets of the kind: more than chance loses."""


def judge_counters(facts: NodeFacts) -> Iterator[Finding]:
    """Judge checksums that are wrong and fragments that do not come together."""
    if facts.network is None or facts.network.counters is None:
        return
    counters = facts.network.counters
    wrong, right = counters.get("UdpInCsumErrors"), counters.get("UdpInDatagrams")
    if wrong is not None and right is not None and _many(wrong, wrong + right):
        generic = (facts.network.offloads or {}).get("tx-checksum-ip-generic")
        state = "" if generic is None else f"; here tx-checksum-ip-generic is {'on' if generic else 'off'}"
        yield facts.finding(
            "udp-checksums-wrong",
            Severity.WARNING,
            f"{_percent(wrong, wrong + right)} of the UDP packets it receives have a wrong checksum and are dropped: "
            "usually an offload on the senders' side, never a matter of size",
            facts.seen("nstat -as", f"UdpInCsumErrors {wrong}, UdpInDatagrams {right}{state}"),
            refutes="UdpInCsumErrors stays as it is while pods of different nodes talk",
        )
    failed, asked = counters.get("IpReasmFails"), counters.get("IpReasmReqds")
    if failed is not None and asked is not None and _many(failed, asked):
        yield facts.finding(
            "fragments-lost",
            Severity.WARNING,
            f"{_percent(failed, asked)} of the fragments it receives never become a packet: something on the way "
            "drops a part of them",
            facts.seen(
                "nstat -as", f"IpReasmFails {failed}, IpReasmReqds {asked}, IpReasmOKs {counters.get('IpReasmOKs')}"
            ),
            refutes="IpReasmFails stays as it is while large packets are sent between nodes",
        )


def _many(bad: int, total: int) -> bool:
    return bad >= FEWEST and bad >= SHARE * total


def _percent(part: int, total: int) -> str:
    return f"{part / total:.0%}".replace("%", " %")
