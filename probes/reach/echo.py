"""ICMP echo by the host's own ping (iputils): the command, and what its output says."""

import ipaddress
import re
from typing import Final

import msgspec

from probes.model.observation import Completed
from probes.model.text import clean

PACKETS: Final = 3
BURST: Final = 3
"""Packets that any user may send at once (ping(8), -l)."""
_HEADERS: Final = {4: 28, 6: 48}
"""IP and ICMP, in bytes."""

_SENT: Final = re.compile(r"^([0-9]+) packets transmitted, ([0-9]+)(?: packets)? received", re.MULTILINE)
_RTT: Final = re.compile(r"\btime=([0-9.]+) ms")
_TOLD: Final = re.compile(
    r"^From (\S+?):? icmp_seq=.*?(?:Frag needed and DF set \(mtu = ([0-9]+)\)|Packet too big: mtu=([0-9]+))",
    re.MULTILINE,
)
_LOCAL: Final = re.compile(r"[Mm]essage too long(?:, mtu[=:] ?([0-9]+))?")
_UNREACHABLE: Final = re.compile(
    r"^From (\S+?):? icmp_seq=.*?"
    r"(Destination \w+ Unreachable|Destination unreachable: .*|Packet filtered|Time to live exceeded)",
    re.MULTILINE,
)
_NO_WAY: Final = re.compile(r"(Network is unreachable|No route to host)")
_MISSING: Final = re.compile(r"(?:not found|No such file or directory|inaccessible)$", re.MULTILINE)
_OTHER_PING: Final = re.compile(r"(?:unrecognized|invalid|illegal|unknown) option|Usage: ping|usage: ping")
_FORBIDDEN: Final = re.compile(r"[Oo]peration not permitted|missing cap_net_raw|Permission denied")


class Echo(msgspec.Struct, frozen=True):
    """Some echo requests of one size, and what became of them."""

    size: int
    """Bytes of the IP packet, its header included."""
    sent: int = 0
    received: int = 0
    rtts: tuple[float, ...] = ()
    """Seconds."""
    told: int | None = None
    """The MTU that somebody said is all that passes; 0 where they did not say how much."""
    by: str = ""
    """Who said so; empty: the sender's own kernel."""
    unreachable: str = ""
    """``ADDRESS: Destination Host Unreachable`` and its like."""
    unable: str = ""
    """Why nothing could be sent at all, in one sentence."""

    @property
    def passed(self) -> bool:
        """Whether a packet of this size came back."""
        return self.received > 0

    @property
    def silent(self) -> bool:
        """Whether packets were sent and nobody said anything."""
        return self.sent > 0 and not self.passed and self.told is None and not self.unreachable


def family(address: str) -> int:
    """Tell 4 or 6; raises ValueError for what is no address."""
    return ipaddress.ip_address(address).version


def seconds(packets: int) -> int:
    """Tell after how long ping has ended by itself, whatever comes back: the last packet is waited for a second."""
    return 3 + packets // 5


def command(address: str, size: int, *, packets: int = PACKETS, at_once: int = 1) -> tuple[str, ...]:
    """Give the command that sends echo requests of ``size`` bytes (IP header included) that may not be cut.

    ``at_once``: how many go without waiting, at most BURST; the others follow five a second.
    """
    version = family(address)
    return (
        *("ping", f"-{version}", "-n", "-M", "do", "-c", str(packets), "-l", str(min(at_once, BURST)), "-i", "0.2"),
        *("-W", "1"),
        *("-s", str(max(0, size - _HEADERS[version])), address),
    )


def parse(completed: Completed, size: int) -> Echo:
    """Read what ping said (iputils ping/ping.c, ping_common.c), standard error included."""
    text = completed.stdout
    counts = _SENT.search(text)
    if counts is None:
        return _unsent(completed, size)
    told, by = _told(text)
    unreachable = _UNREACHABLE.search(text)
    received = int(counts[2])
    return Echo(
        size=size,
        sent=int(counts[1]),
        received=received,
        rtts=tuple(float(rtt) / 1000 for rtt in _RTT.findall(text)),
        told=told,
        by=by,
        unreachable=clean(f"{unreachable[1]}: {unreachable[2]}") if unreachable and not received else "",
    )


def _told(text: str) -> tuple[int | None, str]:
    """Find the smallest MTU that anybody told; one who names no number says 0."""
    told = [(int(found[2] or found[3]), clean(found[1])) for found in _TOLD.finditer(text)]
    if told:
        return min(told)
    local = [int(found[1] or 0) for found in _LOCAL.finditer(text)]
    return (min(local), "") if local else (None, "")


def _unsent(completed: Completed, size: int) -> Echo:
    text = completed.stdout
    told, by = _told(text)
    if told is not None:
        return Echo(size, told=told, by=by)
    if found := _NO_WAY.search(text):
        return Echo(size, unreachable=f"its own kernel: {found[1]}")
    if completed.missing or _MISSING.search(text):
        return Echo(size, unable="there is no ping there: install iputils")
    if _OTHER_PING.search(text):
        return Echo(size, unable="its ping cannot forbid fragments: install iputils' ping")
    if _FORBIDDEN.search(text):
        return Echo(size, unable="it may not send ICMP echo: log in as root, or set net.ipv4.ping_group_range there")
    words = clean(" ".join(text.split()))[:160]
    return Echo(size, unable=f"ping ended with status {completed.returncode}: {words or 'it gave no reason'}")
