"""Repositories fetched from every vantage by both versions of HTTP, in rounds, as source-controller fetches them."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
from msgspec.structs import replace

from probes.model.reach import Attempt, Result, Tone, Way
from probes.model.text import clean
from probes.reach import git
from probes.reach.http import Exchange, Verdict, Version, judge, may_go_on
from probes.reach.outward import from_each
from probes.reach.request import Answer, Request
from probes.reach.sending import Contexts, contexts, send
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

REPOSITORIES: Final = 8
"""URLs of one run at the most."""
SLOW_SECONDS: Final = 10.0
"""Flux gives a whole fetch a minute; what takes this long for one commit is on its way there."""
_QUICK: Final = 2**20
"""Bytes a second of a pack: a large one may take its time."""
_VANTAGES: Final = 6
_AT_ONCE: Final = 2
"""Clones side by side from one vantage: with the above, what a server sees at once."""
_TONES: Final[dict[str, Tone]] = {"ok": "ok", "slow": "warning", "login": "warning", "unassessed": "unknown"}
_LOGIN: Final = frozenset({401, 403})
_ERROR: Final = 400

Report = Callable[[Result], None]


class Repository(msgspec.Struct, frozen=True):
    """A repository to fetch."""

    url: str
    """Without user, password and query."""
    called: str = ""
    """Which Flux objects have it, for a reader."""


class _Key(msgspec.Struct, frozen=True):
    url: str
    version: Version


class _Tries(msgspec.Struct):
    """What is known of one repository from one vantage."""

    exchanges: list[Exchange] = []
    to: str = ""
    """Where its URL redirects to."""
    by: str = ""
    """``git`` or ``curl``: what fetched the pack."""


async def fetch_repositories(
    vantages: Sequence[Vantage],
    repositories: Sequence[Repository],
    report: Report,
    *,
    attempts: int,
    seconds: float,
    always: bool = True,
) -> None:
    """Fetch every repository from every vantage, ``attempts`` times by each version of HTTP.

    ``always``: also where the first try of both went well; otherwise these are let be, as a clone costs its server
    something. ``seconds``: of one request; a clone has three times as many.
    """
    trusted = contexts(vantages)

    async def ask(vantage: Vantage) -> None:
        clones = _Clones(vantage, trusted, seconds)
        tried = await clones.fetch([each.url for each in repositories], attempts, always=always)
        for each in repositories:
            report(_result(vantage, each, tried[each.url]))

    await from_each(vantages, ask, at_once=_VANTAGES)


class _Clones:
    """The fetches of one vantage."""

    def __init__(self, vantage: Vantage, trusted: Contexts, seconds: float) -> None:
        self._vantage = vantage
        self._trusted = trusted
        self._seconds = seconds
        self._has_git = True

    async def fetch(self, urls: Sequence[str], attempts: int, *, always: bool) -> dict[str, _Tries]:
        """Fetch repositories in rounds: what has failed twice and never succeeded is let be."""
        tried = {url: _Tries() for url in urls}
        for _ in range(attempts):
            left = [url for url in urls if always or not _well(tried[url].exchanges)]
            keys = [_Key(url, version) for url in left for version in _worth(url, tried[url].exchanges)]
            if not keys:
                break
            for key, each in (await self._round(keys, tried)).items():
                tried[key.url].exchanges.append(each)
        return tried

    async def _round(self, keys: Sequence[_Key], tried: Mapping[str, _Tries]) -> dict[_Key, Exchange]:
        answers, places = await self._refs(keys)
        told = {key: git.refs_phase(answers[key]) for key in keys}
        fit = {}
        for key, place in places.items():
            if place != key.url:
                tried[key.url].to = place
            if git.is_repository(answers[key]) or told[key].unable:  # git may be there where curl is not
                fit[key] = place
            else:
                told[key] = _no_repository(told[key], answers[key])
        return told | await self._packs(fit, told, tried)

    async def _refs(self, keys: Sequence[_Key]) -> tuple[dict[_Key, Answer], dict[_Key, str]]:
        """Ask for the refs, following redirects; also tells where each ended."""
        places = {key: key.url for key in keys}
        answers: dict[_Key, Answer] = {}
        left = list(keys)
        for _ in range(git.HOPS + 1):
            answers |= await self._send({key: git.info_refs(places[key], key.version) for key in left})
            moved = {key: to for key in left if (to := git.redirected(places[key], answers[key]))}
            if not moved:
                break
            places |= moved
            left = list(moved)
        return answers, places

    async def _packs(
        self, fit: Mapping[_Key, str], told: Mapping[_Key, Exchange], tried: Mapping[str, _Tries]
    ) -> dict[_Key, Exchange]:
        done = await self._by_git(fit, told) if self._has_git and fit else {}
        for key in done:
            tried[key.url].by = "git"
        left = {key: place for key, place in fit.items() if key not in done}
        posted = await self._by_post({key: place for key, place in left.items() if not told[key].unable}, told)
        for key in posted:
            tried[key.url].by = "curl"
        return done | posted

    async def _by_git(self, fit: Mapping[_Key, str], told: Mapping[_Key, Exchange]) -> dict[_Key, Exchange]:
        """Have the host's git clone; gives nothing where the host has none."""
        limit = 3 * self._seconds
        keys = list(fit)
        shots = [Shot(str(n), git.cloning(fit[key], key.version, limit)) for n, key in enumerate(keys)]
        done = {}
        try:
            async with aclosing(volley(self._vantage, shots, seconds=limit + 3, at_once=_AT_ONCE)) as completed:
                async for each in completed:
                    key = keys[int(each.argv[0])]
                    if each.missing:
                        self._has_git = False
                        continue
                    before = replace(told[key], unable="")
                    done[key] = git.cloned(each, before, limit)
        except TransportError as error:
            done |= {key: replace(told[key], unable=str(error)) for key in keys if key not in done}
        return done

    async def _by_post(self, fit: Mapping[_Key, str], told: Mapping[_Key, Exchange]) -> dict[_Key, Exchange]:
        """Post git's own requests, as its HTTP does, and let the pack go."""
        heads = await self._send({key: git.ls_refs(place, key.version) for key, place in fit.items()})
        commits = {key: git.head_of(answer) for key, answer in heads.items()}
        wanted = {key: git.fetching(fit[key], key.version, commit) for key, commit in commits.items() if commit}
        packs = await self._send(wanted, times=3)
        done = {key: git.fetched(answer, told[key]) for key, answer in packs.items()}
        for key, answer in heads.items():
            if key not in done:
                why = answer.exchange.reason or f"it answers {answer.status} where its refs are due"
                done[key] = replace(told[key], failed=git.CLONE, reason=why, unable=answer.exchange.unable)
        return done

    async def _send(self, requests: Mapping[_Key, Request], *, times: int = 1) -> dict[_Key, Answer]:
        named = {f"{key.version} {key.url}": key for key in requests}
        asked = {name: requests[key] for name, key in named.items()}
        told = await send(
            self._vantage, asked, seconds=times * self._seconds, trusted=self._trusted, at_once=2 * _AT_ONCE
        )
        return {named[name]: answer for name, answer in told.items()}


def _well(exchanges: Sequence[Exchange]) -> bool:
    return bool(exchanges) and not any(each.failed or each.unable for each in exchanges)


def _worth(url: str, exchanges: Sequence[Exchange]) -> list[Version]:
    """Tell by which versions another try is worth its time: a refusal is as good as ten."""
    versions: tuple[Version, ...] = ("1.1", "2") if url.startswith("https:") else ("1.1",)
    refused = {each.asked for each in exchanges if each.status >= _ERROR}
    return [version for version in versions if version not in refused and may_go_on(exchanges, version)]


def _no_repository(each: Exchange, answer: Answer) -> Exchange:
    """Say what an answer that advertises no refs is."""
    if each.failed or each.unable or answer.status >= _ERROR:
        return each
    if answer.headers.get("location"):
        return replace(each, failed=git.REFS, reason=f"it redirects more than {git.HOPS} times, or to no repository")
    kind = clean(answer.headers.get("content-type", ""))[:60] or "none"
    return replace(each, failed=git.REFS, reason=f"what answers {answer.status} is no git server: content type {kind}")


def _result(vantage: Vantage, repository: Repository, tried: _Tries) -> Result:
    exchanges = tried.exchanges
    found, outcome = judge_fetches(exchanges)
    packs = [each.body for each in exchanges if git.CLONE in each.seconds]
    facts = {"spoken": " ".join(found.spoken)} if found.spoken else {}
    facts |= {"pack": str(max(packs)), "by": tried.by} if packs else {}
    facts |= {"redirects-to": clean(tried.to)} if tried.to else {}
    return Result(
        probe="git",
        vantage=vantage.name,
        kind=vantage.kind,
        target=repository.url,
        outcome=outcome,
        tone=_TONES.get(outcome, "critical"),
        said=_said(outcome, found),
        at=time.time(),
        called=repository.called,
        node=vantage.node,
        pod=vantage.pod,
        phase=found.phase,
        reason=found.reason or next((each.reason for each in exchanges if each.reason), ""),
        way=Way(next((each.address for each in exchanges if each.address), "")),
        sent=found.attempts,
        lost=found.failures,
        times=tuple(each.total for each in exchanges if git.CLONE in each.seconds),
        facts=facts,
        attempts=tuple(_attempt(each, tried.by) for each in exchanges),
    )


def judge_fetches(exchanges: Sequence[Exchange]) -> tuple[Verdict, str]:
    """Say what the fetches of one repository come to, and in which word."""
    found = judge(exchanges, slow=SLOW_SECONDS)
    if found.outcome == "slow" and all(_quick(each) for each in exchanges if git.CLONE in each.seconds):
        found = replace(found, outcome="ok", phase="")
    if found.outcome not in {"ok", "slow", "refused"} or found.status < _ERROR:
        return found, found.outcome
    if found.status in _LOGIN:
        why = "the way there works; whether a whole repository passes is not known, as it asks for a login"
        return replace(found, reason=why), "login"
    return replace(found, reason=f"the server answers {found.status}"), "refused"


def _quick(each: Exchange) -> bool:
    return each.body >= _QUICK * each.seconds[git.CLONE]


def _said(outcome: str, found: Verdict) -> str:
    return {
        "ok": "ok",
        "slow": f"slow at {found.phase}",
        "login": f"answers {found.status}: asks for a login",
        "refused": "no such repository" if found.status == 404 else f"answers {found.status}",  # noqa: PLR2004
        "fails": f"fails at {found.phase}",
        "h2-only-fails": f"only HTTP/2 fails, at {found.phase}",
        "h1-only-fails": f"only HTTP/1.1 fails, at {found.phase}",
        "random": f"fails at times, at {found.phase}",
        "unassessed": "not assessed",
    }[outcome]


def _attempt(each: Exchange, by: str) -> Attempt:
    return Attempt(
        variant=f"HTTP/{each.asked}",
        seconds=each.seconds,
        failed=each.failed,
        reason=each.reason,
        unable=each.unable,
        answer=f"pack of {each.body} bytes by {by}" if git.CLONE in each.seconds else str(each.status or ""),
        address=each.address,
        body=each.body if git.CLONE in each.seconds else 0,
    )
