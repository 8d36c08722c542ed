"""Path MTU: which sizes to try next, and what the echoes of several sizes come to. Pure.

Sizes are bytes of the whole IP packet. Only one outcome is a blackhole: a size is lost without a word while a smaller
one, as often tried, comes back. Nothing coming back at any size says nothing of MTU (RFC 4821 section 7.7: echo may
be filtered or its rate limited).
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from probes.reach.echo import Echo

Outcome = Literal["ok", "told", "silent", "unreachable", "inconclusive", "unassessed"]

SMALL: Final = 128
"""A size that every path carries: IPv4 demands 68 of a link and 576 of a host (RFC 791), IPv6 1280 (RFC 8200)."""
_FAN: Final = 6
"""Sizes tried side by side: 1500 bytes are searched through in four rounds."""
ROUNDS: Final = 12
"""A search has at most so many."""
_LOSSES: Final = 2
"""Packets of one size that must be lost before it counts as lost."""


class PathMtu(msgspec.Struct, frozen=True):
    """What the echoes of one direction come to."""

    outcome: Outcome
    mtu: int | None = None
    """The largest size that came back."""
    by: str = ""
    """Of ``told``: who said so; empty where the sender's own kernel did."""
    lost_from: int | None = None
    """Of ``silent``: the smallest size that was lost without a word."""
    reason: str = ""
    """One sentence, where the outcome needs one."""
    rtts: tuple[float, ...] = ()
    """Seconds, of the packets that came back."""
    sent: int = 0
    received: int = 0
    """Of the sizes that pass: what is lost there is lost at random."""


def wanted(top: int, seen: Sequence[Echo]) -> tuple[int, ...]:
    """Tell which sizes to try next, none once everything is known. ``top``: the MTU of the device they leave by."""
    if not seen:
        return tuple(dict.fromkeys((top, min(SMALL, top))))
    if any(echo.unable for echo in seen):
        return ()
    passed = {echo.size for echo in seen if echo.passed}
    tried = {echo.size for echo in seen}
    if not passed or max(passed) >= top:
        return ()
    low = max(passed)
    told = min((echo.told for echo in seen if echo.told), default=None)
    if told is not None and low < told and told not in tried:
        return (told,)
    high = min((size for size in tried if size > low), default=top)
    if told is not None and low == told:
        return ()
    if high - low == 1:
        repeated = sum(echo.size == high for echo in seen)
        return (high,) if repeated == 1 and not any(echo.told is not None for echo in seen) else ()
    step = max(1, -(-(high - low) // (_FAN + 1)))
    return tuple(range(low + step, high, step))[:_FAN]


def judge(top: int, seen: Sequence[Echo]) -> PathMtu:
    """Say what the echoes come to."""
    unable = next((echo.unable for echo in seen if echo.unable), "")
    if not seen or (unable and not any(echo.sent for echo in seen)):
        return PathMtu("unassessed", reason=unable or "nothing was sent")
    passed = [echo for echo in seen if echo.passed]
    if not passed:
        return _nothing(seen)
    found = PathMtu(
        "ok",
        mtu=max(echo.size for echo in passed),
        rtts=tuple(rtt for echo in passed for rtt in echo.rtts),
        sent=sum(echo.sent for echo in passed),
        received=sum(echo.received for echo in passed),
    )
    assert found.mtu is not None  # noqa: S101 something passed
    if found.mtu >= top:
        return found
    silent = sorted(echo.size for echo in seen if echo.silent and echo.sent >= _LOSSES)
    above = [size for size in silent if size > found.mtu]
    below = [size for size in silent if size < found.mtu]
    replace = msgspec.structs.replace
    if below:
        said = f"{below[0]} bytes were lost and {found.mtu} came back: the loss does not go by size"
        return replace(found, outcome="inconclusive", reason=said)
    told = [echo for echo in seen if echo.told is not None]
    if told and not any(size <= (echo.told or top) for echo in told for size in above):
        return replace(found, outcome="told", by=next((echo.by for echo in told if echo.by), ""))
    if not above:
        return replace(
            found, outcome="inconclusive", reason=f"too few packets of more than {found.mtu} bytes were sent"
        )
    return replace(found, outcome="silent", lost_from=above[0])


def _nothing(seen: Sequence[Echo]) -> PathMtu:
    if unreachable := next((echo.unreachable for echo in seen if echo.unreachable), ""):
        return PathMtu("unreachable", reason=unreachable)
    told = next((echo for echo in seen if echo.told is not None), None)
    if told is not None:
        who = told.by or "its own kernel"
        return PathMtu("inconclusive", reason=f"no echo came back at any size, yet {who} told of an MTU of {told.told}")
    return PathMtu("inconclusive", reason="no echo came back at any size: filtered, dead, or nobody is there")
