"""HTTP requests from any vantage: by httpx from this machine, by curl from everywhere else.

Nothing is followed, nothing kept but what is asked for, and what may be secret (headers, a signed URL) never stands
among a host's processes.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextlib import aclosing

from probes.reach import curl
from probes.reach.http import Exchange, Version
from probes.reach.request import Answer, Request, host_of
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

Contexts = dict[Version, ssl.SSLContext]


def contexts(vantages: Iterable[Vantage]) -> Contexts:
    """Make TLS contexts, one for each version: which versions a connection offers is set on what it is made with.

    None where this machine is no vantage: reading what it trusts takes longer than asking.
    """
    wanted = any(vantage.kind == "operator" for vantage in vantages)
    return {"1.1": ssl.create_default_context(), "2": ssl.create_default_context()} if wanted else {}


async def send(
    vantage: Vantage, requests: Mapping[str, Request], *, seconds: float, trusted: Contexts, at_once: int = 24
) -> dict[str, Answer]:
    """Send requests side by side from one vantage, each ``seconds`` long at the most; never raises for a host."""
    known = {key: Answer(each) for key, request in requests.items() if (each := in_vain(vantage, request))}
    left = {key: each for key, each in requests.items() if key not in known}
    if not left:
        return known
    try:
        if vantage.kind == "operator":
            return known | await _by_httpx(left, seconds, trusted)
        return known | await _by_curl(vantage, left, seconds, at_once)
    except TransportError as error:
        return known | {key: Answer(Exchange(each.version, unable=str(error))) for key, each in left.items()}


def in_vain(vantage: Vantage, request: Request) -> Exchange | None:
    """Give the exchange with a host whose name was looked up there in vain; None where nothing speaks against it."""
    why = vantage.unresolved.get(host_of(request.url), "")
    return Exchange(request.version, failed="dns", reason=why) if why else None


async def _by_httpx(requests: Mapping[str, Request], seconds: float, trusted: Contexts) -> dict[str, Answer]:
    from probes.reach.client import answer  # noqa: PLC0415 - httpx takes long to import

    async with asyncio.TaskGroup() as tasks:
        asked = {
            key: tasks.create_task(answer(each, seconds=seconds, context=trusted[each.version]))
            for key, each in requests.items()
        }
    return {key: task.result() for key, task in asked.items()}


async def _by_curl(
    vantage: Vantage, requests: Mapping[str, Request], seconds: float, at_once: int
) -> dict[str, Answer]:
    keys = list(requests)
    shots = [Shot(str(number), *curl.asking(requests[key], seconds)) for number, key in enumerate(keys)]
    told = {key: Answer(Exchange(each.version, unable="curl's answer was cut off")) for key, each in requests.items()}
    async with aclosing(volley(vantage, shots, seconds=seconds + 1, at_once=at_once)) as completed:
        async for each in completed:
            key = keys[int(each.argv[0])]
            told[key] = curl.answered(each, requests[key])
    return told
