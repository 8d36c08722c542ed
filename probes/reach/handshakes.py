"""TLS handshakes from every vantage to every server, as far as its certificates."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from probes.model.reach import Attempt, Result, Way
from probes.reach import raw, tls
from probes.reach.experiment import Goal
from probes.reach.hello import Flight, Hello
from probes.reach.outward import answers_of, ways_of
from probes.reach.raw import Exchanged, Raw, Try
from probes.reach.tls import Certificate, Verdict
from probes.reach.volley import Shot
from probes.transports.base import TransportError
from probes.vantage import Vantage

TARGETS: Final = 24
_VANTAGES: Final = 16
_AT_ONCE: Final = 6
_APART: Final = 0.1


async def handshakes(
    vantages: Sequence[Vantage], goals: Sequence[Goal], report: Callable[[Result], None], *, tries: int, seconds: float
) -> None:
    """Begin ``tries`` handshakes with every server from every vantage; ``report`` gets each server as it is known."""
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
    # The last handshake believes anything, to show what is not believed: it is never finished either.
    hellos = {key: [Hello(goal.host, verify=n < tries) for n in range(tries + 1)] for key, goal in named.items()}
    try:
        ways = await ways_of(vantage, {key: goal.host for key, goal in named.items()})
        python = sys.executable if vantage.kind == "operator" else "python3"
        shots = []
        for key, goal in named.items():
            wanted = tuple(Try(0, number * _APART, each.sent) for number, each in enumerate(hellos[key]))
            if address := ways[key].address:
                argv = raw.command(python, address, goal.port, wanted, seconds=seconds, limit=raw.KEPT)
                shots.append(Shot(key, tuple(argv)))
        limit = seconds + _APART * tries + 2
        answers = await answers_of(vantage, shots, limit, at_once=_AT_ONCE) if shots else {}
        found = {
            key: raw.parse(answers[key]) if key in answers else Exchanged(unable=ways[key].reason or "no answer came")
            for key in named
        }
    except TransportError as error:
        found = {key: Exchanged(unable=str(error)) for key in named}
    for key, goal in named.items():
        report(_result(vantage, goal, ways[key], found[key], hellos[key]))


def _result(vantage: Vantage, goal: Goal, way: Way, found: Exchanged, hellos: Sequence[Hello]) -> Result:
    pairs = [(each, hello.read(each.data)) for each, hello in zip(found.raws, hellos, strict=False)]
    judged = pairs[: len(hellos) - 1]
    der = next((flight.certificate for _, flight in reversed(pairs) if flight.certificate), b"")
    shown = tls.read_certificate(der) if der else None
    verdict = tls.judge(goal.host, judged, shown, time.time())
    if found.unable:
        verdict = Verdict("unassessed", "not assessed", "unknown", found.unable)
    return Result(
        probe="tls",
        vantage=vantage.name,
        kind=vantage.kind,
        target=goal.name,
        outcome=verdict.outcome,
        tone=verdict.tone,
        said=verdict.said,
        at=time.time(),
        node=vantage.node,
        pod=vantage.pod,
        phase=verdict.phase,
        reason=verdict.reason,
        way=way,
        sent=len(judged),
        lost=sum(not flight.complete for _, flight in judged),
        times=tuple(each.first for each, flight in judged if flight.complete and each.first is not None),
        facts=_facts(pairs, shown),
        attempts=tuple(_attempt(each, flight) for each, flight in judged),
    )


def _facts(pairs: Sequence[tuple[Raw, Flight]], shown: Certificate | None) -> dict[str, str]:
    facts = {"version": next((flight.version for _, flight in pairs if flight.version), "")}
    facts["alpn"] = next((flight.alpn for _, flight in pairs if flight.alpn), "")
    facts["bytes"] = str(max((each.count for each, flight in pairs if flight.complete), default=0) or "")
    if shown is not None:
        facts["names"] = ", ".join(shown.names)
        facts["issuer"] = shown.issuer
        facts["expires"] = datetime.fromtimestamp(shown.expires, UTC).isoformat()
    return {name: value for name, value in facts.items() if value}


def _attempt(each: Raw, flight: Flight) -> Attempt:
    seconds = {"connect": each.connected} if each.connected is not None else {}
    if flight.complete and each.first is not None and each.connected is not None:
        seconds["tls"] = each.first - each.connected
    failed = "" if flight.complete else "tls" if each.connected is not None else "connect"
    ended = {"late": "nothing more came in time", "end": ""}.get(each.ended, each.ended)
    return Attempt(
        seconds=seconds,
        failed=failed,
        reason=(flight.refused or ended) if failed else "",
        answer=flight.distrust,
        body=each.count,
        counters=each.info,
    )
