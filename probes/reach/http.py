"""HTTP/1.1 held against HTTP/2: what single exchanges come to. Pure.

Any answer with a status is a working path: a registry's 401 is health. Neither version can push a packet over the MTU
(both are bytes in a TCP stream); where only one fails, something looks into it or breaks off its connections.
"""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

Phase = Literal["dns", "connect", "tls", "first-byte", "transfer"]
PHASES: Final[tuple[Phase, ...]] = ("dns", "connect", "tls", "first-byte", "transfer")
Version = Literal["1.1", "2"]
Outcome = Literal["ok", "slow", "fails", "h2-only-fails", "h1-only-fails", "random", "refused", "unassessed"]

BODY: Final = 128 * 1024
"""Bytes asked for; 64 KiB are enough for full-size segments to flow."""
FULL: Final = 64 * 1024
SLOW_SECONDS: Final = 3.0
_SERVER_ERROR: Final = 500


class Exchange(msgspec.Struct, frozen=True):
    """One request, and how far it came."""

    asked: Version
    spoken: str = ""
    """``1.1`` or ``2``, as the connection negotiated it (ALPN); empty where it never came to that."""
    status: int = 0
    address: str = ""
    """Of the server, as resolved there."""
    seconds: dict[str, float] = {}
    """By phase, those that were completed."""
    body: int = 0
    """Bytes received."""
    failed: str = ""
    """The phase it failed in; empty where it was completed."""
    reason: str = ""
    unable: str = ""
    """Why nothing could be sent at all."""

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return sum(self.seconds.values())


class Verdict(msgspec.Struct, frozen=True):
    """What the exchanges of one vantage with one target come to."""

    outcome: Outcome
    phase: str = ""
    """Of a failure: the phase that most attempts failed in."""
    reason: str = ""
    status: int = 0
    spoken: tuple[str, ...] = ()
    """Versions that were spoken."""
    attempts: int = 0
    failures: int = 0
    full: bool = False
    """Whether a body large enough for full-size segments came."""


def judge(exchanges: Sequence[Exchange], *, slow: float = SLOW_SECONDS) -> Verdict:
    """Say what exchanges come to; ``slow``: seconds that half of them may take."""
    sent = [each for each in exchanges if not each.unable]
    if not sent:
        return Verdict("unassessed", reason=next((each.unable for each in exchanges), "nothing was sent"))
    failures = [each for each in sent if each.failed]
    spoken = tuple(sorted({each.spoken for each in sent if each.spoken and not each.failed}))
    found = Verdict(
        "ok",
        phase=_commonest([each.failed for each in failures]),
        reason=_commonest([each.reason for each in failures]),
        status=next((each.status for each in reversed(sent) if each.status), 0),
        spoken=spoken,
        attempts=len(sent),
        failures=len(failures),
        full=any(each.body >= FULL for each in sent),
    )
    replace = msgspec.structs.replace
    if failures:
        return replace(found, outcome=_failing(sent, failures))
    if found.status >= _SERVER_ERROR:
        return replace(found, outcome="refused", reason=f"the server answers {found.status}")
    times = sorted(each.total for each in sent)
    if times[len(times) // 2] >= slow:
        return replace(found, outcome="slow", phase=_slowest(sent))
    return found


def _failing(sent: Sequence[Exchange], failures: Sequence[Exchange]) -> Outcome:
    if len(failures) == len(sent):
        return "fails"
    tried: dict[str, list[bool]] = {"1.1": [], "2": []}
    for each in sent:
        tried[each.asked].append(bool(each.failed))
    if tried["2"] and all(tried["2"]) and tried["1.1"] and not any(tried["1.1"]):
        return "h2-only-fails"
    if tried["1.1"] and all(tried["1.1"]) and tried["2"] and not any(tried["2"]):
        return "h1-only-fails"
    return "random"


def _commonest(words: Sequence[str]) -> str:
    return max(words, key=words.count) if words else ""


def _slowest(sent: Sequence[Exchange]) -> str:
    totals: dict[str, float] = {}
    for each in sent:
        for phase, seconds in each.seconds.items():
            totals[phase] = totals.get(phase, 0.0) + seconds
    return max(totals, key=lambda phase: totals[phase])


def may_go_on(exchanges: Sequence[Exchange], version: Version) -> bool:
    """Whether another attempt is worth its time: two that failed, and none that did not, say enough."""
    own = [each for each in exchanges if each.asked == version]
    return not (any(each.unable for each in own) or (len(own) > 1 and all(each.failed for each in own)))
