"""The control experiment from every vantage to every target."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from probes.model.reach import Attempt, Result, Way
from probes.reach import raw, tcp
from probes.reach.hello import Hello
from probes.reach.outward import answers_of, ways_of
from probes.reach.raw import Exchanged, Raw, Try
from probes.reach.tcp import SMALL_MSS, Contrast, Tried
from probes.reach.volley import Shot
from probes.transports.base import TransportError
from probes.vantage import Vantage

TARGETS: Final = 8
"""Of one run at the most: every target costs a vantage a program and twice ``-n`` connections."""
_VANTAGES: Final = 16
_AT_ONCE: Final = 4
_APART: Final = 0.12
"""Seconds between two connections."""
_PLAIN: Final = 64 * 1024
"""Bytes asked for without TLS."""


class Goal(msgspec.Struct, frozen=True):
    """Where connections are made to."""

    name: str
    """As shown."""
    host: str
    port: int
    path: str = ""
    """Of a plain HTTP request; empty: TLS."""

    def opening(self) -> "Hello | bytes":
        """Give what is sent first: the beginning of a handshake, or a request."""
        if not self.path:
            return Hello(self.host, verify=False, padded=True)
        head = f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\nUser-Agent: underlay\r\nConnection: close\r\n"
        return f"{head}X-Padding: {'x' * 1500}\r\n\r\n".encode()


async def experiment(
    vantages: Sequence[Vantage], goals: Sequence[Goal], report: Callable[[Result], None], *, tries: int, seconds: float
) -> None:
    """Try every goal from every vantage, ``tries`` times at each segment size, alternating; ``report`` gets each."""
    room = asyncio.Semaphore(_VANTAGES)

    async def send(vantage: Vantage) -> None:
        async with room:
            await _from_one(vantage, goals, report, tries, seconds)

    async with asyncio.TaskGroup() as tasks:
        for vantage in vantages:
            tasks.create_task(send(vantage))


async def _from_one(
    vantage: Vantage, goals: Sequence[Goal], report: Callable[[Result], None], tries: int, seconds: float
) -> None:
    named = {str(number): goal for number, goal in enumerate(goals)}
    ways: dict[str, Way] = {key: Way() for key in named}
    try:
        ways = await ways_of(vantage, {key: goal.host for key, goal in named.items()})
        openings = {key: [goal.opening() for _ in range(2 * tries)] for key, goal in named.items() if ways[key].address}
        shots = [
            Shot(key, _command(vantage, named[key], ways[key].address, each, seconds)) for key, each in openings.items()
        ]
        limit = seconds + _APART * 2 * tries + 2
        answers = await answers_of(vantage, shots, limit, at_once=_AT_ONCE) if shots else {}
    except TransportError as error:
        for key, goal in named.items():
            report(_result(vantage, goal, ways[key], Exchanged(unable=str(error)), ()))
        return
    for key, goal in named.items():
        if key not in openings:
            found = Exchanged(unable=ways[key].reason)
        else:
            found = raw.parse(answers[key]) if key in answers else Exchanged(unable="its answer was cut off")
        report(_result(vantage, goal, ways[key], found, openings.get(key, ())))


def _command(
    vantage: Vantage, goal: Goal, address: str, openings: Sequence[Hello | bytes], seconds: float
) -> tuple[str, ...]:
    tries = tuple(
        Try(SMALL_MSS if number % 2 else 0, number * _APART, each.sent if isinstance(each, Hello) else each)
        for number, each in enumerate(openings)
    )
    python = sys.executable if vantage.kind == "operator" else "python3"
    limit = _PLAIN if goal.path else raw.KEPT
    return tuple(raw.command(python, address, goal.port, tries, seconds=seconds, limit=limit))


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
