"""What the network of each vantage is like: default route, its device's MTU, resolvers, the addresses chosen."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Final, TypeVar

import msgspec

from probes.model.evidence import Circumstances
from probes.model.observation import Completed
from probes.model.reach import Result
from probes.model.text import clean
from probes.reach.resolvers import nameservers
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

_T = TypeVar("_T")
_SECONDS: Final = 4.0
_VANTAGES: Final = 16
_SHOTS: Final = (
    Shot("route", ("ip", "-j", "route", "show", "default")),
    Shot("links", ("ip", "-j", "link", "show")),
    Shot("resolvers", ("cat", "/etc/resolv.conf")),
)


class _Route(msgspec.Struct):
    dev: str = ""
    gateway: str = ""
    metric: int = 0


class _Link(msgspec.Struct):
    ifname: str = ""
    mtu: int | None = None


async def look(vantages: Iterable[Vantage], results: Sequence[Result]) -> list[Circumstances]:
    """Look at every vantage that a result is from; never raises for one that cannot be asked."""
    chosen: dict[str, dict[str, str]] = {}
    for each in results:
        chosen.setdefault(each.vantage, {}).update({each.target: each.address} if each.address else {})
    room = asyncio.Semaphore(_VANTAGES)

    async def ask(vantage: Vantage) -> Circumstances:
        async with room:
            return await _from_one(vantage, chosen[vantage.name])

    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(ask(vantage)) for vantage in vantages if vantage.name in chosen]
    return [task.result() for task in asked]


async def _from_one(vantage: Vantage, addresses: dict[str, str]) -> Circumstances:
    told: dict[str, Completed] = {}
    try:
        async with aclosing(volley(vantage, _SHOTS, seconds=_SECONDS)) as completed:
            async for each in completed:
                told[each.argv[0]] = each
    except TransportError as error:
        return Circumstances(vantage.name, addresses=addresses, reason=str(error))
    return read(vantage.name, told, addresses)


def read(vantage: str, told: Mapping[str, Completed], addresses: dict[str, str]) -> Circumstances:
    """Read the answers; what one of them does not tell is left out. Pure."""
    routes = _decoded(told.get("route"), list[_Route])
    links = {link.ifname: link.mtu for link in _decoded(told.get("links"), list[_Link])}
    route = min(routes, key=lambda each: each.metric, default=_Route())
    file = told.get("resolvers")
    known = nameservers(file.stdout) if file is not None and not file.returncode else ()
    return Circumstances(
        vantage,
        dev=clean(route.dev),
        mtu=links.get(route.dev),
        gateway=clean(route.gateway),
        resolvers=known,
        addresses=addresses,
        reason="" if routes else "it does not tell its default route",
    )


def _decoded(answer: Completed | None, kind: type[list[_T]]) -> list[_T]:
    if answer is None or answer.returncode:
        return []
    try:
        return msgspec.json.decode(answer.stdout.strip() or "[]", type=kind)
    except msgspec.MsgspecError:
        return []
