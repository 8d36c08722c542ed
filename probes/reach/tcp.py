"""The control experiment: the same bytes to the same host, in segments of the usual size and in small ones. Pure.

Only the segment size differs, the tries alternate, and one success proves nothing: what stalls always at the usual size
and never at the small one is a path MTU blackhole; what stalls at either at times is loss.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from probes.model.reach import Tone

Outcome = Literal[
    "ok", "blackhole", "lossy", "random-loss", "fails", "refused", "unreachable", "inconclusive", "unassessed"
]

SMALL_MSS: Final = 1200
"""Bytes: fits every path that carries 1280, which IPv6 demands of all (RFC 8200)."""
FEWEST: Final = 5
"""Tries of each size that a blackhole is claimed of."""
_LOSSY_SHARE: Final = 0.2


class Tried(msgspec.Struct, frozen=True):
    """One connection, and how far it came."""

    small: bool
    connected: bool = False
    sent_through: bool = False
    """Whether everything that was sent was acknowledged."""
    complete: bool = False
    """Whether the server's answer came in whole."""
    count: int = 0
    retransmitted: int = 0
    segment: int = 0
    """The largest segment that its kernel sends (snd_mss)."""
    ended: str = ""
    """Why it ended, where it did not connect."""

    @property
    def stalled(self) -> bool:
        """Whether the connection opened and then did not carry all there was."""
        return self.connected and not (self.sent_through and self.complete)


class Contrast(msgspec.Struct, frozen=True):
    """What the tries of both sizes come to."""

    outcome: Outcome
    said: str
    tone: Tone
    reason: str = ""
    direction: Literal["there", "back", "both"] = "both"
    """Of a blackhole: which way the full-size segments are lost."""


def judge(tries: Sequence[Tried], counters: dict[str, int]) -> Contrast:
    """Say what the tries come to; ``counters``: what the kernel counted meanwhile."""
    if not tries:
        return Contrast("unassessed", "not assessed", "unknown", "nothing was tried")
    opened = [each for each in tries if each.connected]
    if not opened:
        return _unopened(tries)
    usual, small = ([each for each in opened if each.small is wanted] for wanted in (False, True))
    if min(len(usual), len(small)) == 0:
        return Contrast(
            "random-loss", "opens at times", "critical", f"{len(opened)} of {len(tries)} connections opened"
        )
    stalls, small_stalls = ([each for each in group if each.stalled] for group in (usual, small))
    if len(stalls) == len(usual) and not small_stalls:
        return _blackhole(usual, small, stalls)
    if len(stalls) == len(usual) and len(small_stalls) == len(small):
        why = f"every connection opened and stalled, in segments of {SMALL_MSS} bytes too: it does not go by size"
        return Contrast("fails", "stalls at any size", "critical", why)
    if small_stalls or len(opened) < len(tries):
        counts = (
            f"{len(stalls)} of {len(usual)} at the usual size and {len(small_stalls)} of {len(small)} in small segments"
        )
        return Contrast("random-loss", "stalls at times", "critical", f"stalled: {counts}; it does not go by size")
    if stalls:
        counts = f"{len(stalls)} of {len(usual)} at the usual size and none of {len(small)} in small segments"
        why = f"stalled: {counts}: loss by chance, or one path of several that is too small"
        return Contrast("inconclusive", "stalls at times", "warning", why)
    return _well(opened, counters)


def _unopened(tries: Sequence[Tried]) -> Contrast:
    said = max((each.ended for each in tries), key=[each.ended for each in tries].count)
    if "refused" in said.lower():
        return Contrast("refused", "refused", "critical", "nobody listens there, or somebody refuses in its place")
    if said == "late":
        return Contrast("unreachable", "no connection", "critical", "no connection opened in time")
    return Contrast("unreachable", "no connection", "critical", said)


def _blackhole(usual: Sequence[Tried], small: Sequence[Tried], stalls: Sequence[Tried]) -> Contrast:
    there = sum(not each.sent_through for each in stalls)
    direction: Literal["there", "back"] = "there" if 2 * there > len(stalls) else "back"
    why = (
        f"{len(stalls)} of {len(usual)} connections stalled at the usual segment size and none of {len(small)} "
        f"in segments of {SMALL_MSS} bytes"
    )
    if min(len(usual), len(small)) < FEWEST:
        return Contrast("inconclusive", "only small passes", "warning", f"{why}: too few to tell; try -n {FEWEST}")
    way = "on the way there" if direction == "there" else "on the way back"
    return Contrast("blackhole", f"large lost {direction}", "critical", f"{why}: lost {way}", direction)


def _well(opened: Sequence[Tried], counters: dict[str, int]) -> Contrast:
    again = sum(each.retransmitted > 0 for each in opened)
    late = counters.get("TcpExtTCPOFOQueue", 0)
    if again >= _LOSSY_SHARE * len(opened):
        why = f"{again} of {len(opened)} connections had to send something again; {late} segments came out of order"
        return Contrast("lossy", "carries, with loss", "warning", why)
    if not any(each.count >= each.segment > 0 for each in opened if not each.small):
        why = "what came back fits one segment, so nothing is known of full-size ones on the way back"
        return Contrast("inconclusive", "too little came", "unknown", why)
    return Contrast("ok", "ok", "ok")
