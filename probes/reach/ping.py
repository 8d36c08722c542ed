"""What pings of two sizes come to: small ones show whether a path is there, full-size ones whether it carries. Pure.

A probe of small packets alone stays green while every full-size one dies. Loss that is the same for both sizes is
random; loss of the large ones alone is a matter of size, which a search of the path MTU tells to the byte.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from probes.model.reach import Tone
from probes.reach.echo import Echo

Outcome = Literal["ok", "lossy", "large-lost", "told", "unreachable", "inconclusive", "unassessed"]

SMALL: Final = 84
"""Bytes of the IP packet that ping sends by default: what everybody else's ping has shown."""
EACH: Final = 20
"""Packets that one ping program sends; more are sent by several side by side."""
_LOSSES: Final = 2
_HEAVY: Final = 0.1
"""From this share of packets lost on, TCP hardly moves (Mathis et al. 1997: rate ~ 1/sqrt(loss))."""


class Sounding(msgspec.Struct, frozen=True):
    """What pings of two sizes to one target come to."""

    outcome: Outcome
    said: str
    tone: Tone
    reason: str = ""
    sent: int = 0
    lost: int = 0
    """Of all packets where loss does not go by size; else of the small ones."""


def together(echoes: Sequence[Echo]) -> Echo:
    """Take the answers of several ping programs for one."""
    first = echoes[0]
    told = [echo for echo in echoes if echo.told is not None]
    return Echo(
        first.size,
        sum(echo.sent for echo in echoes),
        sum(echo.received for echo in echoes),
        tuple(rtt for echo in echoes for rtt in echo.rtts),
        told=min((echo.told or 0 for echo in told), default=None),
        by=next((echo.by for echo in told if echo.by), ""),
        unreachable=next((echo.unreachable for echo in echoes if echo.unreachable), ""),
        unable=next((echo.unable for echo in echoes if echo.unable), "") if not any(e.sent for e in echoes) else "",
    )


def judge(small: Echo, large: Echo) -> Sounding:
    """Say what they come to; ``large`` was sent with DF and as long as the sender's own device takes."""
    if small.unable or not (small.sent or small.unreachable):
        return Sounding("unassessed", "not assessed", "unknown", small.unable or "nothing was sent")
    sent, lost = small.sent, small.sent - small.received
    if not small.passed:
        return _nothing(small, large)
    if large.told is not None and not large.passed:
        by = large.by or "its own kernel"
        return Sounding("told", f"told {large.told} by {by}", "warning", "", sent, lost)
    if not large.passed and large.sent < _LOSSES:
        why = large.unable or large.unreachable or "too few full-size packets were sent"
        return Sounding("inconclusive", "small passes", "unknown", why, sent, lost)
    if not large.passed:
        why = f"all {large.sent} packets of {large.size} bytes were lost without a word, and small ones come back"
        return Sounding("large-lost", "large lost", "critical", why, sent, lost)
    sent, lost = sent + large.sent, lost + large.sent - large.received
    if not lost:
        return Sounding("ok", "ok", "ok", "", sent, lost)
    share = lost / sent
    why = (
        f"{lost} of {sent} packets were lost: {small.sent - small.received} of {small.sent} small ones, "
        f"{large.sent - large.received} of {large.sent} of {large.size} bytes"
    )
    return Sounding(
        "lossy", f"loses {share * 100:.0f} %", "critical" if share >= _HEAVY else "warning", why, sent, lost
    )


def _nothing(small: Echo, large: Echo) -> Sounding:
    if large.passed:  # a filter of small packets, or chance
        return Sounding("inconclusive", "inconclusive", "unknown", "large packets come back and small ones do not")
    if small.unreachable:
        return Sounding("unreachable", "unreachable", "critical", small.unreachable, small.sent, small.sent)
    why = "no echo came back: filtered, dead, or nobody is there"
    return Sounding("inconclusive", "inconclusive", "unknown", why, small.sent, small.sent)
