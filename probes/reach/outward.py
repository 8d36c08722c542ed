"""All vantages side by side; one's answers, volleys of any length taken together; its ways out to several targets."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from probes.model.observation import Completed
from probes.model.reach import Way
from probes.reach import route
from probes.reach.volley import AT_ONCE, MOST, Shot, volley
from probes.vantage import Vantage

_ASK_SECONDS: Final = 5.0


async def from_each(vantages: Iterable[Vantage], send: Callable[[Vantage], Awaitable[None]], *, at_once: int) -> None:
    """Send from every vantage, ``at_once`` of them side by side; cancelling this ends all that runs."""
    room = asyncio.Semaphore(at_once)

    async def one(vantage: Vantage) -> None:
        async with room:
            await send(vantage)

    async with asyncio.TaskGroup() as tasks:
        for vantage in vantages:
            tasks.create_task(one(vantage))


async def answers_of(
    vantage: Vantage, shots: Sequence[Shot], seconds: float, *, at_once: int = AT_ONCE
) -> dict[str, Completed]:
    """Run commands side by side and take together what each said, by the shots' names; raises TransportError."""
    answers: dict[str, Completed] = {}
    for first in range(0, len(shots), MOST):
        part = volley(vantage, shots[first : first + MOST], seconds=seconds, at_once=at_once)
        async with aclosing(part) as completed:
            async for each in completed:
                answers[each.argv[0]] = each
    return answers


async def ways_of(vantage: Vantage, targets: Mapping[str, str]) -> dict[str, Way]:
    """Find the way to each target; ``targets``: key -> name or address."""
    lookups = route.lookups(targets)
    ways = route.resolved(targets, await answers_of(vantage, lookups, route.LOOKUP_SECONDS + 1) if lookups else {})
    return route.read(ways, await answers_of(vantage, route.questions(ways), _ASK_SECONDS))
