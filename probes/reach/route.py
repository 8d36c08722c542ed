"""The way out of a vantage to a target: address, device, its MTU, next hop: what a result was measured over."""

import ipaddress
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from probes.model.observation import Completed
from probes.model.reach import Way
from probes.model.text import clean
from probes.reach.volley import Shot

_T = TypeVar("_T")
LOOKUP_SECONDS: Final = 6.0
"""A resolver that is silent has 5 s before the next one is asked (resolv.conf(5))."""
_LINKS: Final = "links"
_TIMED_OUT: Final = 124


class _Metrics(msgspec.Struct, gc=False):
    mtu: int | None = None


class _Route(msgspec.Struct, gc=False):
    dst: str = ""
    type: str = ""
    dev: str = ""
    gateway: str = ""
    prefsrc: str = ""
    expires: int | None = None
    metrics: list[_Metrics] = []


class _Link(msgspec.Struct, gc=False):
    ifname: str = ""
    mtu: int | None = None


_ROUTES: Final = msgspec.json.Decoder(list[_Route])
_LINK_LIST: Final = msgspec.json.Decoder(list[_Link])


def is_address(target: str) -> bool:
    """Tell an address from a name."""
    try:
        ipaddress.ip_address(target)
    except ValueError:
        return False
    return True


def lookups(targets: Mapping[str, str], *, seconds: float = LOOKUP_SECONDS) -> list[Shot]:
    """Give the commands that resolve names, each for ``seconds`` at the most; ``targets``: key -> name or address."""
    named = {key: target for key, target in targets.items() if not is_address(target)}
    return [Shot(f"{key}.name", ("timeout", f"{seconds:g}", "getent", "ahosts", name)) for key, name in named.items()]


def resolved(
    targets: Mapping[str, str], answers: Mapping[str, Completed], *, seconds: float = LOOKUP_SECONDS
) -> dict[str, Way]:
    """Read the answers of ``lookups``: key -> the first address, IPv4 before IPv6."""
    ways = {}
    for key, target in targets.items():
        if is_address(target):
            ways[key] = Way(target)
            continue
        answer = answers.get(f"{key}.name")
        found = [line.split(maxsplit=1)[0] for line in (answer.stdout.splitlines() if answer else ()) if line.strip()]
        addresses = sorted((each for each in found if is_address(each)), key=lambda each: ":" in each)
        missing = answer is not None and answer.missing
        why = "it has no getent to resolve names with" if missing else f"{clean(target)} does not resolve there"
        if answer is not None and answer.returncode == _TIMED_OUT:
            why = f"no resolver there answered for {clean(target)} within {seconds:g} s"
        ways[key] = Way(addresses[0]) if addresses else Way(reason=why)
    return ways


def questions(ways: Mapping[str, Way]) -> list[Shot]:
    """Give the commands that find the way to each address, and the devices' MTUs."""
    routes = [Shot(f"{key}.way", ("ip", "-j", "route", "get", way.address)) for key, way in ways.items() if way.address]
    return [Shot(_LINKS, ("ip", "-j", "link", "show")), *routes]


def read(ways: Mapping[str, Way], answers: Mapping[str, Completed]) -> dict[str, Way]:
    """Read the answers of ``questions``."""
    links = answers.get(_LINKS)
    mtus = {link.ifname: link.mtu for link in _decoded(links, _LINK_LIST)}
    return {key: _way(way, answers.get(f"{key}.way"), mtus) if way.address else way for key, way in ways.items()}


def _way(way: Way, answer: Completed | None, mtus: Mapping[str, int | None]) -> Way:
    routes = _decoded(answer, _ROUTES)
    if not routes or not routes[0].dev:
        said = clean(" ".join(answer.stdout.split()))[:120] if answer is not None else "no answer"
        if answer is not None and answer.missing:
            said = "it has no ip program"
        return msgspec.structs.replace(way, reason=f"the way to {way.address} is unknown: {said}")
    route = routes[0]
    return msgspec.structs.replace(
        way,
        dev=clean(route.dev),
        mtu=mtus.get(route.dev),
        learned=next((each.mtu for each in route.metrics if each.mtu), None),
        expires=route.expires,
        gateway=clean(route.gateway),
        prefsrc=clean(route.prefsrc),
    )


def _decoded(answer: Completed | None, decoder: "msgspec.json.Decoder[list[_T]]") -> list[_T]:
    if answer is None or answer.returncode:
        return []
    try:
        return decoder.decode(answer.stdout.strip() or "[]")
    except msgspec.DecodeError:
        return []
