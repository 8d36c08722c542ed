"""Registries asked stage by stage from every vantage, in rounds."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from probes.model.reach import Attempt, Result, Tone, Way
from probes.model.text import clean
from probes.reach import registry
from probes.reach.http import FULL, Exchange
from probes.reach.outward import from_each
from probes.reach.registry import Image, Layer, Verdict
from probes.reach.request import Answer, Request
from probes.reach.sending import Contexts, contexts, send
from probes.vantage import Vantage

IMAGES: Final = 12
"""Images of one run at the most."""
_VANTAGES: Final = 8
_AT_ONCE: Final = 6
_TONES: Final[dict[str, Tone]] = {
    "ok": "ok",
    "slow": "warning",
    "slow-blob": "warning",
    "rate-limited": "warning",
    "denied": "warning",
    "unassessed": "unknown",
}
_SAID: Final = {
    "ok": "ok",
    "slow-blob": "slow at the blob host only",
    "rate-limited": "rate limited",
    "denied": "denied: private, or not there",
    "no-image": "no such image",
    "refused": "the registry refuses",
    "unassessed": "not assessed",
}

OUTCOMES: Final = (*_SAID, "fails", "random", "slow")
"""All that a result may come to."""

Report = Callable[[Result], None]


class _Try(msgspec.Struct):
    """One way through the stages, as far as it came."""

    seconds: dict[str, float] = {}
    failed: str = ""
    reason: str = ""
    unable: str = ""
    answer: str = "ok"
    address: str = ""
    body: int = 0
    token: str = ""

    @property
    def goes_on(self) -> bool:
        """Whether there is a next stage."""
        return not self.failed and not self.unable and self.answer == "ok"


async def ask_registries(
    vantages: Sequence[Vantage], images: Sequence[Image], report: Report, *, attempts: int, seconds: float
) -> None:
    """Ask for every image from every vantage ``attempts`` times; ``seconds``: of one request."""
    trusted = contexts(vantages)
    layers = _Layers()

    async def ask(vantage: Vantage) -> None:
        asked = _Asked(vantage, trusted, seconds, layers)
        await asked.rounds(images, attempts)
        for image in images:
            report(asked.result(image))

    await from_each(vantages, ask, at_once=_VANTAGES)


class _Layers:
    """Which blob of each image is asked for: read once a run, as some registries count that."""

    def __init__(self) -> None:
        self.known: dict[Image, Layer] = {}
        self.lock = asyncio.Lock()


class _Asked:
    """What one vantage asks."""

    def __init__(self, vantage: Vantage, trusted: Contexts, seconds: float, layers: _Layers) -> None:
        self._vantage = vantage
        self._trusted = trusted
        self._seconds = seconds
        self._layers = layers
        self._tries: dict[Image, list[Attempt]] = {}
        self._facts: dict[Image, dict[str, str]] = {}
        self._challenges: dict[Image, registry.Challenge] = {}

    async def rounds(self, images: Sequence[Image], attempts: int) -> None:
        """Go through the stages again and again; what failed twice and never succeeded is let be."""
        self._tries = {image: [] for image in images}
        self._facts = {image: {} for image in images}
        for _ in range(attempts):
            worth = [image for image, tries in self._tries.items() if _may_go_on(tries)]
            if not worth:
                return
            for image, each in (await self._round(worth)).items():
                variant = f"blob at {host}" if (host := self._facts[image].get("blob-host", "")) else ""
                self._tries[image].append(
                    Attempt(
                        variant=variant,
                        seconds=each.seconds,
                        failed=each.failed,
                        reason=each.reason,
                        unable=each.unable,
                        answer=each.answer,
                        address=each.address,
                        body=each.body,
                    )
                )

    async def _round(self, images: Sequence[Image]) -> dict[Image, _Try]:
        tries = {image: _Try() for image in images}
        for image, answer in (await self._send({image: Request(image.base) for image in images})).items():
            self._challenged(image, tries[image], answer)
        wanted = {
            image: registry.token_request(challenge, image)
            for image, each in tries.items()
            if each.goes_on and image.name and (challenge := self._challenges.get(image))
        }
        for image, answer in (await self._send(wanted)).items():
            self._tokened(tries[image], answer)
        named = {image: each for image, each in tries.items() if each.goes_on and image.name}
        heads = {image: registry.manifest_request(image, each.token) for image, each in named.items()}
        for image, answer in (await self._send(heads)).items():
            self._headed(image, tries[image], answer)
        await self._learn({image: each for image, each in named.items() if each.goes_on})
        await self._blobs({image: each for image, each in named.items() if each.goes_on})
        return tries

    def _challenged(self, image: Image, each: _Try, answer: Answer) -> None:
        exchange = answer.exchange
        each.unable, each.address = exchange.unable, exchange.address
        each.seconds = {k: v for k, v in exchange.seconds.items() if k in {"dns", "connect", "tls"}}
        if exchange.failed:
            each.failed = exchange.failed if exchange.failed in {"dns", "connect", "tls"} else "challenge"
            each.reason = exchange.reason
        if each.failed or each.unable:
            return
        each.seconds["challenge"] = sum(v for k, v in exchange.seconds.items() if k not in each.seconds)
        challenge = registry.challenge_of(answer)
        if answer.status == registry.UNAUTHORIZED and challenge is not None:
            self._challenges[image] = challenge
            self._facts[image]["token-host"] = registry.host_of(challenge.realm)
        elif answer.status == registry.UNAUTHORIZED:
            each.answer, each.reason = "denied", "it asks for a login and offers no token"
        elif answer.status != registry.OK:
            each.answer = registry.word_of(answer.status) if answer.status == registry.LIMITED else "refused"
            each.reason = f"/v2/ answers {answer.status}: that is no registry, or it is out of order"

    def _tokened(self, each: _Try, answer: Answer) -> None:
        if not _passed(each, "token", answer.exchange):
            return
        each.token = registry.token_of(answer) if answer.status == registry.OK else ""
        if not each.token:
            each.answer = "denied" if answer.status == registry.OK else registry.word_of(answer.status)
            each.reason = f"no token: the answer is {answer.status}"

    def _headed(self, image: Image, each: _Try, answer: Answer) -> None:
        if limits := registry.limits_of(answer.headers):
            self._facts[image]["rate-limit"] = limits
        if _passed(each, "manifest", answer.exchange) and answer.status not in {registry.OK, 307, 302}:
            each.answer = registry.word_of(answer.status)
            each.reason = f"the manifest answers {answer.status}"

    async def _learn(self, tries: Mapping[Image, _Try]) -> None:
        """Find a blob of each image that none is known of yet."""
        async with self._layers.lock:
            left = {image: "" for image in tries if image not in self._layers.known}
            for _ in range(2):  # an index, then the manifest of one platform
                asked = {
                    image: registry.manifest_request(image, tries[image].token, whole=True, digest=digest)
                    for image, digest in left.items()
                }
                answers = await self._follow(await self._send(asked), asked)
                left = {}
                for image, answer in answers.items():
                    onward, layer = registry.read_manifest(answer.text) if answer.status == registry.OK else ("", None)
                    if layer is not None:
                        self._layers.known[image] = layer
                    elif onward:
                        left[image] = onward

    async def _follow(self, answers: Mapping[Image, Answer], asked: Mapping[Image, Request]) -> dict[Image, Answer]:
        """Follow what redirects its manifests, as registry.k8s.io does."""
        onward = {}
        for image, answer in answers.items():
            if (to := registry.elsewhere(answer, asked[image].url)) is not None:
                onward[image] = msgspec.structs.replace(
                    to, first=0, keep=asked[image].keep, headers=asked[image].headers[:1]
                )
        return {**answers, **await self._send(onward)}

    async def _blobs(self, tries: Mapping[Image, _Try]) -> None:
        known = self._layers.known
        for image, each in tries.items():
            if image not in known:
                each.failed, each.reason = "manifest", "the manifest names no layer that could be asked for"
                each.seconds.pop("manifest", None)
        asked = {i: registry.blob_request(i, known[i], each.token) for i, each in tries.items() if i in known}
        answers = await self._send(asked)
        onward: dict[Image, Request] = {}
        for image, answer in answers.items():
            to = registry.elsewhere(answer, asked[image].url)
            if to is not None:
                onward[image] = to
                self._facts[image]["blob-host"] = registry.host_of(to.url)
            else:
                self._facts[image]["blob-host"] = image.host
                self._fetched(image, tries[image], answer)
        for image, answer in (await self._send(onward)).items():
            tries[image].seconds["redirect"] = answers[image].exchange.total
            self._fetched(image, tries[image], answer)

    def _fetched(self, image: Image, each: _Try, answer: Answer) -> None:
        layer = self._layers.known[image]
        host = self._facts[image]["blob-host"]
        self._facts[image]["layer"] = str(layer.size)
        if not _passed(each, "blob", answer.exchange, at=host):
            return
        each.body = answer.exchange.body
        if answer.status not in {200, 206}:
            each.answer, each.reason = "refused", f"{host} answers {answer.status} where a blob is due"
        elif each.body < min(FULL, layer.size):
            each.failed, each.reason = "blob", f"{host} sent {each.body} bytes and ended"

    async def _send(self, requests: Mapping[Image, Request]) -> dict[Image, Answer]:
        named = {image.shown: image for image in requests}
        asked = {name: requests[image] for name, image in named.items()}
        told = await send(self._vantage, asked, seconds=self._seconds, trusted=self._trusted, at_once=_AT_ONCE)
        return {named[name]: answer for name, answer in told.items()}

    def result(self, image: Image) -> Result:
        """Say what the tries of an image came to."""
        tries = self._tries[image]
        found = registry.judge(tries)
        return Result(
            probe="registry",
            vantage=self._vantage.name,
            kind=self._vantage.kind,
            target=image.shown,
            outcome=found.outcome,
            tone=_TONES.get(found.outcome, "critical"),
            said=_said(found),
            at=time.time(),
            node=self._vantage.node,
            pod=self._vantage.pod,
            phase=found.phase,
            reason=found.reason,
            way=Way(next((each.address for each in tries if each.address), "")),
            sent=found.sent,
            lost=found.lost,
            times=tuple(each.total for each in tries if each.well),
            facts=self._facts[image],
            attempts=tuple(tries),
        )


def _passed(each: _Try, phase: str, exchange: Exchange, *, at: str = "") -> bool:
    """Note a stage; whether it was answered at all."""
    if exchange.unable:
        each.unable = exchange.unable
    elif exchange.failed:
        where = f"{at}: " if at else ""
        each.failed, each.reason = phase, f"{where}at {exchange.failed}: {clean(exchange.reason)}"
    else:
        each.seconds[phase] = exchange.total
    return not each.failed and not each.unable


def _may_go_on(tries: Sequence[Attempt]) -> bool:
    if any(each.unable or each.answer != "ok" for each in tries):
        return False
    return len(tries) < 2 or any(each.well for each in tries)  # noqa: PLR2004 - two that failed are enough


def _said(found: Verdict) -> str:
    at_phase = {"fails": "fails at", "random": "fails at times, at", "slow": "slow at"}
    return f"{at_phase[found.outcome]} {found.phase}" if found.outcome in at_phase else _SAID[found.outcome]
