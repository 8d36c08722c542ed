"""A registry as containerd asks it: challenge, token, manifest, and a blob at the host that it redirects to. Pure.

A challenge (401 with WWW-Authenticate) is health. Trouble with large packets shows at the blob and never before
(distribution specification; flow and hosts: containerd's docker resolver). Asked is anonymously, and a manifest is read
once a run: some registries count that, and HEAD they do not.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from probes.model.reach import Attempt
from probes.model.text import clean
from probes.reach.http import BODY, FULL
from probes.reach.request import Answer, Request

PHASES: Final = ("dns", "connect", "tls", "challenge", "token", "manifest", "redirect", "blob")
"""``redirect``: the registry's word where a blob is; ``blob``: its host alone."""
SLOW_SECONDS: Final = 3.0
_KEPT: Final = 256 * 1024
_ACCEPT: Final = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
_HUB: Final = "registry-1.docker.io"
_HUBS: Final = frozenset({"docker.io", "index.docker.io", _HUB})
_NAME: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?")
_PARAMETER: Final = re.compile(r'([a-z]+)="([^"]*)"')
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
OK, UNAUTHORIZED, FORBIDDEN, MISSING, LIMITED, ERROR = 200, 401, 403, 404, 429, 500
_FINE: Final = frozenset({200, 206})


class Image(msgspec.Struct, frozen=True):
    """An image, or a registry alone."""

    host: str
    """Of the registry's API, with its port where it has one of its own."""
    name: str = ""
    """Of the repository; empty for a registry alone."""
    reference: str = ""
    """A tag or a digest."""

    @property
    def shown(self) -> str:
        """How it is named in a result."""
        sign = "@" if self.reference.startswith("sha256:") else ":"
        return f"{self.host}/{self.name}{sign}{self.reference}" if self.name else self.host

    @property
    def base(self) -> str:
        """Where its registry's API begins."""
        return f"https://{self.host}/v2/"


class Challenge(msgspec.Struct, frozen=True):
    """How a registry wants to be asked."""

    realm: str
    service: str = ""


class Layer(msgspec.Struct, frozen=True):
    """A blob of an image."""

    digest: str
    size: int


class Verdict(msgspec.Struct, frozen=True):
    """What the tries of one image from one vantage come to."""

    outcome: str
    phase: str = ""
    reason: str = ""
    sent: int = 0
    lost: int = 0


def parse_image(text: str) -> Image:
    """Read an image's name as containerd does, or that of a registry alone; raises ValueError."""
    first, slash, rest = text.removeprefix("https://").rstrip("/").partition("/")
    is_host = "." in first or ":" in first or first == "localhost"
    if not slash and is_host and ("." in first.partition(":")[0]):
        host, rest = first, ""
    elif slash and is_host:
        host = first
    else:
        host, rest = _HUB, text
    if not _HOST.fullmatch(host):
        raise ValueError(f"{clean(text)[:80]} names no registry")
    host = _HUB if host in _HUBS else host
    if not rest or rest == "v2":
        return Image(host)
    name, at, digest = rest.partition("@")
    tag = "latest"
    if ":" in name.rpartition("/")[2]:
        name, _, tag = name.rpartition(":")
    if host == _HUB and "/" not in name:
        name = f"library/{name}"
    fine = _NAME.fullmatch(name) and (_DIGEST.fullmatch(digest) if at else _TAG.fullmatch(tag))
    if not fine:
        raise ValueError(f"{clean(text)[:80]} is no image: give REGISTRY/NAME:TAG, or a registry alone")
    return Image(host, name, digest or tag)


def challenge_of(answer: Answer) -> Challenge | None:
    """Read a Bearer challenge; None where the registry asks for none."""
    said = answer.headers.get("www-authenticate", "")
    kind, _, rest = said.partition(" ")
    if kind.lower() != "bearer":
        return None
    values = dict(_PARAMETER.findall(rest))
    realm = values.get("realm", "")
    return Challenge(realm, values.get("service", "")) if realm.startswith("https://") and _named(realm) else None


def token_request(challenge: Challenge, image: Image) -> Request:
    """Ask for the token that anybody gets."""
    sign = "&" if "?" in challenge.realm else "?"
    service = f"service={quote(challenge.service, safe='')}&" if challenge.service else ""
    return Request(f"{challenge.realm}{sign}{service}scope=repository:{image.name}:pull", keep=_KEPT)


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""


def token_of(answer: Answer) -> str:
    """Read the token; empty where none came. It is never shown nor kept."""
    try:
        told = msgspec.json.decode(answer.text, type=_Token)
    except msgspec.MsgspecError:
        return ""
    token = told.token or told.access_token
    return token if token.isascii() and token.isprintable() else ""


def manifest_request(image: Image, token: str, *, whole: bool = False, digest: str = "") -> Request:
    """Ask whether a manifest is there, or for it whole."""
    url = f"{image.base}{image.name}/manifests/{digest or image.reference}"
    headers = (("Accept", _ACCEPT), *_bearing(token))
    return Request(url, method="GET", headers=headers, keep=_KEPT) if whole else Request(url, "2", "HEAD", headers)


def blob_request(image: Image, layer: Layer, token: str) -> Request:
    """Ask for the beginning of a blob."""
    return Request(f"{image.base}{image.name}/blobs/{layer.digest}", headers=_bearing(token), first=BODY)


def elsewhere(answer: Answer, asked: str) -> Request | None:
    """Give the request that follows a redirect, without any token; None where none was told, or one to no https URL."""
    to = urljoin(asked, answer.headers.get("location", "")) if answer.headers.get("location") else ""
    fine = answer.status in _REDIRECTS and to.startswith("https://") and _named(to)
    return Request(to, first=BODY) if fine else None


def _bearing(token: str) -> tuple[tuple[str, str], ...]:
    return (("Authorization", f"Bearer {token}"),) if token else ()


def _named(url: str) -> bool:
    return bool(host_of(url))


def host_of(url: str) -> str:
    """Give the host of a URL, with its port where it has one of its own; empty where it has none."""
    try:
        parts = urlsplit(url)
        return clean(f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "")
    except ValueError:
        return ""


class _Platform(msgspec.Struct):
    architecture: str = ""
    os: str = ""


class _Descriptor(msgspec.Struct):
    digest: str = ""
    size: int = 0
    platform: _Platform | None = None


class _Manifest(msgspec.Struct):
    manifests: list[_Descriptor] | None = None
    layers: list[_Descriptor] | None = None


def read_manifest(text: str) -> tuple[str, Layer | None]:
    """Read a manifest: (digest of the one to ask for next, the layer to fetch); ("", None) where it has neither.

    Of an index Linux on amd64 comes first; of the layers the smallest that full-size segments have to carry.
    """
    try:
        told = msgspec.json.decode(text, type=_Manifest)
    except msgspec.MsgspecError:
        return "", None
    several = [each for each in told.manifests or () if _DIGEST.fullmatch(each.digest)]
    if several:
        usual = [p for each in several if (p := each.platform) and (p.os, p.architecture) == ("linux", "amd64")]
        chosen = next((each for each in several if not usual or each.platform in usual), several[0])
        return chosen.digest, None
    layers = [Layer(each.digest, each.size) for each in told.layers or () if _DIGEST.fullmatch(each.digest)]
    large = [each for each in layers if each.size >= FULL]
    if large:
        return "", min(large, key=lambda each: each.size)
    return "", max(layers, key=lambda each: each.size, default=None)


def word_of(status: int) -> str:
    """Say what a status other than a good one means, once a token was asked for."""
    if status in {UNAUTHORIZED, FORBIDDEN}:
        return "denied"
    return {MISSING: "no-image", LIMITED: "rate-limited"}.get(status, "refused")


def limits_of(headers: Mapping[str, str]) -> str:
    """Read what a registry says of its rate limit: ``98 of 100 left in 21600 s``; empty where it says nothing."""
    limit, left = headers.get("ratelimit-limit", ""), headers.get("ratelimit-remaining", "")
    if not limit and not left:
        return ""
    amount, _, window = clean(limit).partition(";w=")
    text = f"{clean(left).partition(';')[0] or '?'} of {amount or '?'} left"
    source = clean(headers.get("docker-ratelimit-source", ""))
    return text + (f" in {window} s" if window else "") + (f", counted for {source}" if source else "")


def judge(tries: Sequence[Attempt]) -> Verdict:
    """Say what the tries of one image come to; a try's answer is ``ok`` or the word of what was refused."""
    sent = [each for each in tries if not each.unable]
    if not sent:
        return Verdict("unassessed", reason=next((each.unable for each in tries), "nothing was sent"))
    lost = [each for each in sent if each.failed]
    phases = [each.failed for each in lost]
    phase = max(phases, key=phases.count) if phases else ""
    found = Verdict("ok", phase, next((each.reason for each in lost if each.failed == phase), ""), len(sent), len(lost))
    replace = msgspec.structs.replace
    if lost:
        return replace(found, outcome="fails" if len(lost) == len(sent) else "random")
    if odd := [each for each in sent if each.answer != "ok"]:
        return replace(found, outcome=odd[0].answer, reason=odd[0].reason)
    totals = sorted(each.total for each in sent)
    if totals[len(totals) // 2] < SLOW_SECONDS:
        return found
    spent = {phase: sum(each.seconds.get(phase, 0.0) for each in sent) for phase in PHASES}
    slowest = max(spent, key=lambda each: spent[each])
    before = (sum(spent.values()) - spent["blob"]) / len(sent)
    alone = slowest == "blob" and before < SLOW_SECONDS
    return replace(found, outcome="slow-blob" if alone else "slow", phase=slowest)
