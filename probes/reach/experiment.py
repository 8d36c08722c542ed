"""The control experiment from every vantage to every target."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from probes.model.reach import Attempt, Result, Way
from probes.reach import raw, tcp
from probes.reach.exchanging import Goal, Wanted, exchanged
from probes.reach.hello import Hello
from probes.reach.outward import from_each
from probes.reach.raw import Exchanged, Raw, Try
from probes.reach.tcp import SMALL_MSS, Contrast, Tried
from probes.vantage import Vantage

TARGETS: Final = 8
"""Of one run at the most: every target costs a vantage a program and twice ``-n`` connections."""
_VANTAGES: Final = 16
_AT_ONCE: Final = 4
_APART: Final = 0.12
"""Seconds between two connections."""
_PLAIN: Final = 64 * 1024
"""Bytes asked for without TLS."""


async def experiment(
    vantages: Sequence[Vantage], goals: Sequence[Goal], report: Callable[[Result], None], *, tries: int, seconds: float
) -> None:
    """Try every goal from every vantage, ``tries`` times at each segment size, alternating; ``report`` gets each."""

    async def send(vantage: Vantage) -> None:
        openings = [[opening(goal) for _ in range(2 * tries)] for goal in goals]
        wanted = [_wanted(goal, each) for goal, each in zip(goals, openings, strict=True)]
        found = await exchanged(vantage, wanted, seconds=seconds, at_once=_AT_ONCE)
        for goal, each, (way, came) in zip(goals, openings, found, strict=True):
            report(_result(vantage, goal, way, came, each))

    await from_each(vantages, send, at_once=_VANTAGES)


def opening(goal: Goal) -> Hello | bytes:
    """Give what is sent first: the beginning of a handshake, or a request."""
    if not goal.path:
        return Hello(goal.host, verify=False, padded=True)
    head = f"GET {goal.path} HTTP/1.1\r\nHost: {goal.host}\r\nUser-Agent: underlay\r\nConnection: close\r\n"
    return f"{head}X-Padding: {'x' * 1500}\r\n\r\n".encode()


def _wanted(goal: Goal, openings: Sequence[Hello | bytes]) -> Wanted:
    tries = tuple(
        Try(SMALL_MSS if number % 2 else 0, number * _APART, each.sent if isinstance(each, Hello) else each)
        for number, each in enumerate(openings)
    )
    return Wanted(goal, tries, _PLAIN if goal.path else raw.KEPT)


def _tried(number: int, each: Raw, opening: Hello | bytes) -> Tried:
    if isinstance(opening, Hello):
        flight = opening.read(each.data) if each.data else None
        complete = flight is not None and (flight.complete or bool(flight.refused))
    else:
        complete = each.ended in {"", "end"} and each.count > 0
    return Tried(
        small=bool(number % 2),
        connected=each.connected is not None,
        sent_through=not each.info.get("unacked") or each.count > 0,
        complete=complete,
        count=each.count,
        retransmitted=each.info.get("total_retrans", 0),
        segment=each.info.get("snd_mss", 0),
        ended=each.ended,
    )


def _result(vantage: Vantage, goal: Goal, way: Way, found: Exchanged, openings: Sequence[Hello | bytes]) -> Result:
    pairs = list(enumerate(zip(found.raws, openings, strict=False)))
    tried = [_tried(number, each, opening) for number, (each, opening) in pairs]
    judged = tcp.judge(tried, found.counters)
    if found.unable:
        judged = Contrast("unassessed", "not assessed", "unknown", found.unable)
    usual = next((each.info for each in found.raws if each.info), {})
    return Result(
        probe="tcp",
        vantage=vantage.name,
        kind=vantage.kind,
        target=goal.name,
        outcome=judged.outcome,
        tone=judged.tone,
        said=judged.said,
        at=time.time(),
        node=vantage.node,
        pod=vantage.pod,
        direction=judged.direction,
        reason=judged.reason,
        way=way,
        sent=len(tried),
        lost=sum(not each.connected or each.stalled for each in tried),
        times=tuple(each.first for each, one in zip(found.raws, tried, strict=False) if each.first and not one.stalled),
        facts={name: str(usual[name]) for name in ("snd_mss", "advmss", "rcv_mss", "pmtu") if usual.get(name)},
        attempts=tuple(
            _attempt(each, try_, found.counters if number == 0 else {})
            for number, (each, try_) in enumerate(zip(found.raws, tried, strict=False))
        ),
    )


def _attempt(each: Raw, tried: Tried, counters: dict[str, int]) -> Attempt:
    failed = "" if tried.connected and not tried.stalled else "transfer" if tried.sent_through else "send"
    seconds = {"connect": each.connected} if each.connected is not None else {}
    if each.first is not None and each.connected is not None:
        seconds["first-byte"] = each.first - each.connected
    return Attempt(
        variant=f"mss {SMALL_MSS}" if tried.small else "usual mss",
        seconds=seconds,
        failed=failed if tried.connected else "connect",
        reason={"late": "nothing more came in time", "end": ""}.get(each.ended, each.ended) if failed else "",
        body=each.count,
        counters={**each.info, **counters},
    )
