"""Path MTU between places: every vantage searches towards its targets, all side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from probes.model.reach import Direction, Result, Sizes, Tone, Way
from probes.reach import echo, oneway
from probes.reach.echo import Echo
from probes.reach.outward import answers_of, from_each, ways_of
from probes.reach.pairs import Plan, Report, Target
from probes.reach.pmtu import ROUNDS, SMALL, PathMtu, judge, wanted
from probes.reach.sounding import attempt
from probes.reach.volley import Shot
from probes.transports.base import TransportError
from probes.vantage import Vantage

_VANTAGES: Final = 32
"""Hosts that search side by side."""
_TONES: Final[dict[str, Tone]] = {"ok": "ok", "told": "warning", "silent": "critical", "unreachable": "critical"}


async def search(plan: Plan, report: Report, *, packets: int = echo.PACKETS) -> None:
    """Search every direction of a plan; ``report`` gets each as it is known. Cancelling this ends all that runs.

    ``packets``: of each size, 2 at the least.
    """
    await from_each(plan, lambda vantage: _from_one(vantage, plan[vantage], report, packets), at_once=_VANTAGES)


async def _from_one(vantage: Vantage, targets: Sequence[Target], report: Report, packets: int) -> None:
    """Search all directions from one vantage; what the host refuses is each one's reason."""
    named = {str(number): target for number, target in enumerate(targets)}
    waiting = set(named)
    seen: dict[str, list[Echo]] = {key: [] for key in named}
    ways: dict[str, Way] = {key: Way() for key in named}
    silent: dict[str, PathMtu] = {}

    def tell(key: str, found: PathMtu, way: Direction = "there") -> None:
        if found.outcome == "told" and not found.by:
            found = msgspec.structs.replace(found, reason=_remembered(ways[key]))
        report(_result(vantage, named[key], ways[key], found, seen[key], way))

    def settle(key: str, found: PathMtu) -> None:
        waiting.discard(key)
        if found.outcome == "silent":
            silent[key] = found  # which way it is lost is asked of all together, at the end
        else:
            tell(key, found)

    try:
        ways.update(await ways_of(vantage, {key: target.address for key, target in named.items()}))
        for key in [key for key in named if ways[key].mtu is None]:
            settle(key, PathMtu("unassessed", reason=ways[key].reason or f"the MTU of {ways[key].dev} is unknown"))
        await _rounds(vantage, waiting, ways, seen, settle, packets)
    except TransportError as error:
        for key in sorted(waiting):
            settle(key, PathMtu("unassessed", reason=str(error)))
    directions = await _directions(vantage, {key: (ways[key], found) for key, found in silent.items()})
    for key, found in silent.items():
        tell(key, found, directions[key])


async def _rounds(
    vantage: Vantage,
    waiting: set[str],
    ways: Mapping[str, Way],
    seen: Mapping[str, list[Echo]],
    settle: Callable[[str, PathMtu], None],
    packets: int,
) -> None:
    """Send round after round until every direction is settled; ``settle`` takes it off ``waiting``."""
    for _ in range(ROUNDS):
        shots = {key: wanted(_top(ways[key]), seen[key]) for key in sorted(waiting)}
        for key in [key for key, sizes in shots.items() if not sizes]:
            settle(key, judge(_top(ways[key]), seen[key]))
        if not waiting:
            return
        await _fire(vantage, {key: shots[key] for key in sorted(waiting)}, ways, seen, packets)
    for key in sorted(waiting):
        settle(key, judge(_top(ways[key]), seen[key]))


async def _directions(vantage: Vantage, silent: Mapping[str, tuple[Way, PathMtu]]) -> dict[str, Direction]:
    """Find out which way the sizes are lost that are; where that cannot be asked it may be either."""
    sizes = {
        f"{key}.{name}": (way.address, size)
        for key, (way, found) in silent.items()
        for name, size in (("small", SMALL), ("large", found.lost_from or SMALL))
    }
    commands = [Shot(name, oneway.command(*each)) for name, each in sizes.items()]
    try:
        answers = await answers_of(vantage, commands, oneway.SECONDS) if commands else {}
    except TransportError:
        answers = {}
    return {key: oneway.direction(answers.get(f"{key}.small"), answers.get(f"{key}.large")) for key in silent}


def _result(
    vantage: Vantage, target: Target, way: Way, found: PathMtu, tried: Sequence[Echo], direction: Direction
) -> Result:
    return Result(
        probe="pmtu",
        vantage=vantage.name,
        kind=vantage.kind,
        target=target.name,
        outcome=found.outcome,
        tone=_TONES.get(found.outcome, "unknown"),
        said=_said(found, way),
        at=time.time(),
        node=vantage.node,
        pod=vantage.pod,
        peer=target.node,
        direction=direction,  # of what passes: there; the reply, as long, may be cut on its way back
        reason=found.reason,
        way=way,
        sizes=Sizes(found.mtu, found.lost_from, found.by),
        sent=found.sent,
        lost=found.sent - found.received,
        times=found.rtts,
        attempts=tuple(map(attempt, sorted(tried, key=lambda each: each.size))),
    )


def _said(found: PathMtu, way: Way) -> str:
    own = "its own kernel, which learned it earlier" if way.learned else "its own kernel"
    return {
        "ok": f"ok {found.mtu}",
        "told": f"told {found.mtu} by {found.by or own}",
        "silent": f"silent above {found.mtu}",
        "unassessed": "not assessed",
    }.get(found.outcome, found.outcome)


def _remembered(way: Way) -> str:
    """Say what the sender's own kernel goes by: it refuses to send more than it learned, true or out of date."""
    if way.learned is None:
        return "its own kernel refuses to send more"
    until = f" for another {way.expires} s: a repair of the path since does not show" if way.expires is not None else ""
    return f"its own kernel holds to {way.learned} bytes, which it learned earlier or was told by a route{until}"


def _top(way: Way) -> int:
    return way.mtu or 0


async def _fire(
    vantage: Vantage,
    shots: Mapping[str, Sequence[int]],
    ways: Mapping[str, Way],
    seen: Mapping[str, list[Echo]],
    packets: int,
) -> None:
    """Send one round; a size whose ping gave no answer at all counts as not sent."""
    sizes = {f"{key}.{size}": (key, size) for key, each in shots.items() for size in each}
    commands = [
        Shot(name, echo.command(ways[key].address, size, packets=packets, at_once=packets))
        for name, (key, size) in sizes.items()
    ]
    answers = await answers_of(vantage, commands, echo.seconds(packets))
    for name, (key, size) in sizes.items():
        answer = answers.get(name)
        told = echo.parse(answer, size) if answer is not None else Echo(size, unable="ping's answer was cut off")
        seen[key].append(told)
