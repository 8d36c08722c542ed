"""Pings of two sizes from every vantage to its targets, all side by side."""

import time
from collections.abc import Sequence
from typing import Final

from probes.model.reach import Attempt, Result, Way
from probes.reach import echo
from probes.reach.echo import Echo
from probes.reach.outward import answers_of, from_each, ways_of
from probes.reach.pairs import Plan, Report, Target
from probes.reach.ping import EACH, SMALL, Sounding, judge, together
from probes.reach.volley import Shot
from probes.transports.base import TransportError
from probes.vantage import Vantage

_VANTAGES: Final = 32
_KNOWN_MTU: Final = 1500
"""Of a device whose MTU is not told."""


async def sound(plan: Plan, report: Report, *, probe: str, packets: int) -> None:
    """Ping every target; ``report`` gets each as it is known. Cancelling this ends all that runs.

    ``probe``: what the results are called, ``ping`` or ``mesh``. ``packets``: of each of the two sizes.
    """
    await from_each(plan, lambda vantage: _from_one(vantage, plan[vantage], report, probe, packets), at_once=_VANTAGES)


async def _from_one(vantage: Vantage, targets: Sequence[Target], report: Report, probe: str, packets: int) -> None:
    waiting = {str(number): target for number, target in enumerate(targets)}
    ways: dict[str, Way] = {key: Way() for key in waiting}

    def tell(key: str, found: Sounding, echoes: Sequence[Echo] = ()) -> None:
        report(_result(probe, vantage, waiting.pop(key), ways[key], found, echoes))

    try:
        ways = await ways_of(vantage, {key: target.address for key, target in waiting.items()})
        for key in [key for key in waiting if not ways[key].address]:
            tell(key, Sounding("unassessed", "not assessed", "unknown", ways[key].reason))
        shots = {
            f"{key}.{size}.{part}": (key, size, count)
            for key in waiting
            for size in (SMALL, _full(ways[key]))
            for part, count in enumerate(_shares(packets))
        }
        commands = [
            Shot(name, echo.command(ways[key].address, size, packets=count))
            for name, (key, size, count) in shots.items()
        ]
        answers = await answers_of(vantage, commands, echo.seconds(min(packets, EACH)))
        for key in list(waiting):
            seen: dict[int, list[Echo]] = {SMALL: [], _full(ways[key]): []}
            for name in (name for name, shot in shots.items() if shot[0] == key):
                size = shots[name][1]
                cut = Echo(size, unable="ping's answer was cut off")
                seen[size].append(echo.parse(answers[name], size) if name in answers else cut)
            small, large = (together(each) for each in seen.values())
            tell(key, judge(small, large), (small, large))
    except TransportError as error:
        for key in list(waiting):
            tell(key, Sounding("unassessed", "not assessed", "unknown", str(error)))


def _full(way: Way) -> int:
    """Tell the largest packet that leaves whole: as long as the device takes, or as the kernel has learned."""
    return min(way.mtu or _KNOWN_MTU, way.learned or way.mtu or _KNOWN_MTU)


def _shares(packets: int) -> list[int]:
    """Split packets over ping programs, so that many take no longer than few."""
    programs = -(-packets // EACH)
    return [packets // programs + (number < packets % programs) for number in range(programs)]


def _result(probe: str, vantage: Vantage, target: Target, way: Way, found: Sounding, echoes: Sequence[Echo]) -> Result:
    return Result(
        probe=probe,
        vantage=vantage.name,
        kind=vantage.kind,
        target=target.name,
        outcome=found.outcome,
        tone=found.tone,
        said=found.said,
        at=time.time(),
        node=vantage.node,
        pod=vantage.pod,
        peer=target.node,
        reason=found.reason,
        way=way,
        sent=found.sent,
        lost=found.lost,
        times=tuple(rtt for each in echoes for rtt in each.rtts),
        attempts=tuple(attempt(each, name) for each, name in zip(echoes, ("small", "full"), strict=False)),
    )


def attempt(each: Echo, variant: str = "") -> Attempt:
    """Write what became of packets of one size."""
    told = "" if each.told is None else f"told {each.told} by {each.by or 'its own kernel'}"
    lost = "" if each.passed or told or each.unreachable or each.unable else "lost"
    return Attempt(
        variant=variant,
        size=each.size,
        packets=(each.sent, each.received),
        rtts=each.rtts,
        failed="" if each.passed or each.unable else "echo",
        answer=told or each.unreachable,
        reason=lost,
        unable=each.unable,
    )
