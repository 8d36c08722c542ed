"""TLS handshakes from every vantage to every server, as far as its certificates."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from probes.model.reach import Attempt, Result, Way
from probes.reach import tls
from probes.reach.exchanging import Goal, Wanted, exchanged
from probes.reach.hello import Flight, Hello
from probes.reach.outward import from_each
from probes.reach.raw import Exchanged, Raw, Try
from probes.reach.tls import Certificate, Verdict
from probes.vantage import Vantage

TARGETS: Final = 24
_VANTAGES: Final = 16
_AT_ONCE: Final = 6
_APART: Final = 0.1


async def handshakes(
    vantages: Sequence[Vantage], goals: Sequence[Goal], report: Callable[[Result], None], *, tries: int, seconds: float
) -> None:
    """Begin ``tries`` handshakes with every server from every vantage; ``report`` gets each server as it is known."""

    async def send(vantage: Vantage) -> None:
        # The last handshake believes anything, to show what is not believed: it is never finished either.
        hellos = [[Hello(goal.host, verify=n < tries) for n in range(tries + 1)] for goal in goals]
        wanted = [_wanted(goal, each) for goal, each in zip(goals, hellos, strict=True)]
        found = await exchanged(vantage, wanted, seconds=seconds, at_once=_AT_ONCE)
        for goal, each, (way, came) in zip(goals, hellos, found, strict=True):
            report(_result(vantage, goal, way, came, each))

    await from_each(vantages, send, at_once=_VANTAGES)


def _wanted(goal: Goal, hellos: Sequence[Hello]) -> Wanted:
    return Wanted(goal, tuple(Try(0, number * _APART, each.sent) for number, each in enumerate(hellos)))


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
