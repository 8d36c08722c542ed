"""HTTP from every vantage to every target, both versions, in rounds."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

from probes.model.reach import Attempt, Result, Tone, Way
from probes.reach import curl
from probes.reach.http import Exchange, Verdict, Version, judge, may_go_on
from probes.reach.outward import from_each
from probes.reach.request import Request
from probes.reach.sending import Contexts, contexts, in_vain
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

TARGETS: Final = 24
"""URLs of one run at the most."""
_VANTAGES: Final = 16
_TONES: Final[dict[str, Tone]] = {"ok": "ok", "slow": "warning", "refused": "warning", "unassessed": "unknown"}


Report = Callable[[Result], None]
Key = tuple[str, Version]


def shown(url: str) -> str:
    """Write a URL without what may be secret in it: user, password and query."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


async def fetch(
    vantages: Sequence[Vantage], urls: Sequence[str], report: Report, *, attempts: int, seconds: float
) -> None:
    """Ask for every URL from every vantage, ``attempts`` times by each version; ``report`` gets each as it is known."""
    trusted = contexts(vantages)
    await from_each(
        vantages, lambda vantage: _from_one(vantage, urls, report, attempts, seconds, trusted), at_once=_VANTAGES
    )


async def _from_one(
    vantage: Vantage, urls: Sequence[str], report: Report, attempts: int, seconds: float, trusted: Contexts
) -> None:
    seen: dict[str, list[Exchange]] = {url: [] for url in urls}
    try:
        for _ in range(attempts):
            keys = [(url, version) for url in urls for version in _versions(url) if may_go_on(seen[url], version)]
            if not keys:
                break
            vain = {key: each for key in keys if (each := in_vain(vantage, Request(*key)))}
            left = [key for key in keys if key not in vain]
            told = await (
                _by_httpx(left, seconds, trusted) if vantage.kind == "operator" else by_curl(vantage, left, seconds)
            )
            for (url, _), each in (vain | told).items():
                seen[url].append(each)
    except TransportError as error:
        for exchanges in seen.values():
            exchanges.append(Exchange("1.1", unable=str(error)))
    for url, exchanges in seen.items():
        report(result_of("http", vantage, shown(url), judge(exchanges), exchanges))


def result_of(
    probe: str, vantage: Vantage, target: str, found: Verdict, exchanges: Sequence[Exchange], *, peer: str = ""
) -> Result:
    """Make the result of one vantage's exchanges with one target; ``peer``: the target's node, where it has one."""
    fine = [each for each in exchanges if not each.failed and not each.unable]
    return Result(
        probe=probe,
        vantage=vantage.name,
        kind=vantage.kind,
        target=target,
        outcome=found.outcome,
        tone=_TONES.get(found.outcome, "critical"),
        said=_said(found),
        at=time.time(),
        node=vantage.node,
        pod=vantage.pod,
        peer=peer,
        phase=found.phase,
        reason=found.reason,
        way=Way(next((each.address for each in exchanges if each.address), "")),
        sent=found.attempts,
        lost=found.failures,
        times=tuple(each.total for each in fine),
        facts={"spoken": " ".join(found.spoken), "full-size segments": "yes" if found.full else "no"},
        attempts=tuple(map(_attempt, exchanges)),
    )


def _said(found: Verdict) -> str:
    return {
        "ok": f"ok {found.status}",
        "slow": f"slow at {found.phase}",
        "fails": f"fails at {found.phase}",
        "h2-only-fails": f"only HTTP/2 fails, at {found.phase}",
        "h1-only-fails": f"only HTTP/1.1 fails, at {found.phase}",
        "random": f"fails at times, at {found.phase}",
        "refused": f"answers {found.status}",
        "unassessed": "not assessed",
    }[found.outcome]


def _attempt(each: Exchange) -> Attempt:
    return Attempt(
        variant=f"HTTP/{each.asked}",
        seconds=each.seconds,
        failed=each.failed,
        reason=each.reason,
        unable=each.unable,
        answer=f"{each.status} over HTTP/{each.spoken}" if each.spoken else "",
        address=each.address,
        body=each.body,
    )


def _versions(url: str) -> tuple[Version, ...]:
    return ("1.1", "2") if url.startswith("https:") else ("1.1",)


async def _by_httpx(keys: Sequence[Key], seconds: float, trusted: Contexts) -> dict[Key, Exchange]:
    from probes.reach.client import exchange  # noqa: PLC0415 - httpx takes long to import

    async with asyncio.TaskGroup() as tasks:
        asked = {
            (url, version): tasks.create_task(exchange(url, version, seconds=seconds, context=trusted[version]))
            for url, version in keys
        }
    return {key: task.result() for key, task in asked.items()}


async def by_curl(vantage: Vantage, keys: Sequence[Key], seconds: float) -> dict[Key, Exchange]:
    """Have a vantage's own curl ask for URLs, all side by side; raises TransportError."""
    if not keys:
        return {}
    names = {str(number): key for number, key in enumerate(keys)}
    shots = [Shot(name, curl.command(url, version, seconds)) for name, (url, version) in names.items()]
    told = {key: Exchange(key[1], unable="curl's answer was cut off") for key in keys}
    async with aclosing(volley(vantage, shots, seconds=seconds + 1)) as completed:
        async for each in completed:
            url, version = names[each.argv[0]]
            told[url, version] = curl.parse(each, version, tls=url.startswith("https:"))
    return told
