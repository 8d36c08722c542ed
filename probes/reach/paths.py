"""Path MTU between places: every vantage searches towards its targets, all side by side."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from probes.model.observation import Completed
from probes.model.reach import Attempt, Result, Sizes, Tone, Way
from probes.reach import echo, route
from probes.reach.echo import Echo
from probes.reach.pmtu import ROUNDS, PathMtu, judge, wanted
from probes.reach.volley import MOST, Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

PAIRS: Final = 1000
"""Directions that are searched at the most; beyond that a sample is, and is called so."""
_VANTAGES: Final = 32
"""Hosts that search side by side."""
_ASK_SECONDS: Final = 5.0
_TONES: Final[dict[str, Tone]] = {"ok": "ok", "told": "warning", "silent": "critical", "unreachable": "critical"}


class Target(msgspec.Struct, frozen=True):
    """Where a path leads."""

    name: str
    address: str
    """An address, or a name that each vantage resolves itself."""
    node: str = ""
    """Where it is a place of the cluster, its node."""


Plan = Mapping[Vantage, Sequence[Target]]
Report = Callable[[Result], None]


def pairs(vantages: Sequence[Vantage], *, most: int = PAIRS) -> tuple[dict[Vantage, list[Target]], int]:
    """Pair places of one kind: node to node, pod to pod, and everybody else to every node.

    Gives the plan and how many directions there are altogether; where these are more than ``most``, the plan is an even
    sample in which every place sends and is sent to equally often.
    """
    nodes = [each for each in vantages if each.kind == "node"]
    pods = [each for each in vantages if each.kind == "pod"]
    others = [each for each in vantages if each.kind in {"operator", "host"}]
    plan: dict[Vantage, list[Target]] = {each: [] for each in vantages}
    chosen = list(_turns(nodes, pods, others))
    for sender, receiver in chosen[:most]:
        plan[sender].append(Target(receiver.name, receiver.address, receiver.node))
    return {sender: targets for sender, targets in plan.items() if targets}, len(chosen)


def _turns(
    nodes: Sequence[Vantage], pods: Sequence[Vantage], others: Sequence[Vantage]
) -> Iterator[tuple[Vantage, Vantage]]:
    """Yield pairs so that any beginning of them is an even sample: everybody's next neighbour, then the one after."""
    for step in range(1, max(len(nodes) + 1, len(pods))):
        for group in (nodes, pods):
            for number, sender in enumerate(group):
                receiver = group[(number + step) % len(group)]
                if step < len(group) and receiver.address:
                    yield sender, receiver
        for sender in others:
            if step <= len(nodes) and nodes[step - 1].address:
                yield sender, nodes[step - 1]


async def search(plan: Plan, report: Report, *, packets: int = echo.PACKETS) -> None:
    """Search every direction of a plan; ``report`` gets each as it is known. Cancelling this ends all that runs.

    ``packets``: of each size, 2 at the least.
    """
    room = asyncio.Semaphore(_VANTAGES)

    async def send(vantage: Vantage, targets: Sequence[Target]) -> None:
        async with room:
            await _from_one(vantage, targets, report, packets)

    async with asyncio.TaskGroup() as tasks:
        for vantage, targets in plan.items():
            tasks.create_task(send(vantage, targets))


async def _from_one(vantage: Vantage, targets: Sequence[Target], report: Report, packets: int) -> None:
    """Search all directions from one vantage; what the host refuses is each one's reason."""
    waiting = {str(number): target for number, target in enumerate(targets)}
    seen: dict[str, list[Echo]] = {key: [] for key in waiting}
    ways: dict[str, Way] = {key: Way() for key in waiting}

    def tell(key: str, found: PathMtu) -> None:
        target = waiting.pop(key)
        if found.outcome == "told" and not found.by:
            found = msgspec.structs.replace(found, reason=_remembered(ways[key]))
        report(_result(vantage, target, ways[key], found, seen[key]))

    try:
        ways = await _ways(vantage, {key: target.address for key, target in waiting.items()})
        for key in [key for key in waiting if ways[key].mtu is None]:
            why = ways[key].reason or f"the MTU of {ways[key].dev} is unknown"
            tell(key, PathMtu("unassessed", reason=why))
        for _ in range(ROUNDS):
            shots = {key: wanted(_top(ways[key]), seen[key]) for key in waiting}
            for key in [key for key, sizes in shots.items() if not sizes]:
                tell(key, judge(_top(ways[key]), seen[key]))
            if not waiting:
                return
            await _fire(vantage, {key: shots[key] for key in waiting}, ways, seen, packets)
        for key in list(waiting):
            tell(key, judge(_top(ways[key]), seen[key]))
    except TransportError as error:
        for key in list(waiting):
            tell(key, PathMtu("unassessed", reason=str(error)))


def _result(vantage: Vantage, target: Target, way: Way, found: PathMtu, tried: Sequence[Echo]) -> Result:
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
        direction="there",  # the reply, as long, may be cut on its way back
        reason=found.reason,
        way=way,
        sizes=Sizes(found.mtu, found.lost_from, found.by),
        sent=found.sent,
        lost=found.sent - found.received,
        times=found.rtts,
        attempts=tuple(map(_attempt, sorted(tried, key=lambda each: each.size))),
    )


def _said(found: PathMtu, way: Way) -> str:
    own = "its own kernel, which learned it earlier" if way.learned else "its own kernel"
    return {
        "ok": f"ok {found.mtu}",
        "told": f"told {found.mtu} by {found.by or own}",
        "silent": f"silent above {found.mtu}",
        "unassessed": "not assessed",
    }.get(found.outcome, found.outcome)


def _attempt(echo_: Echo) -> Attempt:
    told = "" if echo_.told is None else f"told {echo_.told} by {echo_.by or 'its own kernel'}"
    lost = "" if echo_.passed or told or echo_.unreachable or echo_.unable else "lost"
    return Attempt(
        size=echo_.size,
        packets=(echo_.sent, echo_.received),
        rtts=echo_.rtts,
        failed="" if echo_.passed or echo_.unable else "echo",
        answer=told or echo_.unreachable,
        reason=lost,
        unable=echo_.unable,
    )


def _remembered(way: Way) -> str:
    """Say what the sender's own kernel goes by: it refuses to send more than it learned, true or out of date."""
    if way.learned is None:
        return "its own kernel refuses to send more"
    until = f" for another {way.expires} s: a repair of the path since does not show" if way.expires is not None else ""
    return f"its own kernel holds to {way.learned} bytes, which it learned earlier or was told by a route{until}"


def _top(way: Way) -> int:
    return way.mtu or 0


async def _ways(vantage: Vantage, targets: Mapping[str, str]) -> dict[str, Way]:
    lookups = route.lookups(targets)
    ways = route.resolved(targets, await _all(vantage, lookups, _ASK_SECONDS) if lookups else {})
    return route.read(ways, await _all(vantage, route.questions(ways), _ASK_SECONDS))


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
        Shot(name, echo.command(ways[key].address, size, packets=packets)) for name, (key, size) in sizes.items()
    ]
    answers = await _all(vantage, commands, echo.seconds(packets))
    for name, (key, size) in sizes.items():
        answer = answers.get(name)
        told = echo.parse(answer, size) if answer is not None else Echo(size, unable="ping's answer was cut off")
        seen[key].append(told)


async def _all(vantage: Vantage, shots: Sequence[Shot], seconds: float) -> dict[str, Completed]:
    answers: dict[str, Completed] = {}
    for first in range(0, len(shots), MOST):
        async with aclosing(volley(vantage, shots[first : first + MOST], seconds=seconds)) as completed:
            async for each in completed:
                answers[each.argv[0]] = each
    return answers
