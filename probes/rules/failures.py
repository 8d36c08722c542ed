"""Failures: how far a request got, told by the error text of the Go program that made it.

source-controller, containerd and External Secrets are Go programs and pass on the texts of Go's net, net/http,
crypto/tls and http2, of go-git and of the registry client. The text tells the stage; what stands
around it, such as a Flux reason, does not.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

NETWORK: Final = frozenset(
    {"dns", "connect-timeout", "connect-refused", "no-route", "tls-stall", "broken-off", "timeout", "unknown-name"}
)
"""Kinds that somebody between here and the server may have caused; the others are the server's own answer."""


class Failure(msgspec.Struct, frozen=True):
    """How far a request got."""

    kind: str
    """``dns`` | ``unknown-name`` | ``connect-timeout`` | ``connect-refused`` | ``no-route`` | ``tls-stall`` |
    ``tls-trust`` | ``broken-off`` | ``rate-limit`` | ``denied`` | ``not-found`` | ``timeout``."""
    said: str
    """What happened, in plain words."""
    host: str = ""
    """Whom it was asked of; empty where the text does not say."""
    resolver: str = ""
    """Of a name lookup: the address that was asked, without its port."""
    quote: str = ""
    """The words that tell."""


_LOOKUP: Final = re.compile(r"lookup (?P<host>\S{1,253}?)(?: on (?P<resolver>\[[0-9A-Fa-f:.%]+\]|[0-9.]+):\d+)?: ")
_URL: Final = re.compile(r"\b(?:https?|ssh|oci)://(?:[^/\s'\"@]{0,128}@)?(?P<host>\[[0-9A-Fa-f:]+\]|[^/\s'\":]{1,253})")
_DIALED: Final = re.compile(r"dial tcp (?P<host>\[[0-9A-Fa-f:]+\]|[0-9.]+):\d+")
_UPLOAD_PACK: Final = re.compile(r"error decoding upload-pack response")
_ASKED: Final = re.compile(r"/info/refs|Client\.Timeout exceeded while awaiting headers|awaiting response headers")

_KINDS: Final[tuple[tuple[str, re.Pattern[str], str], ...]] = (
    (
        "unknown-name",
        re.compile(r"lookup \S+(?: on \S+)?: no such host"),
        "the resolver answers that there is no such name",
    ),
    (
        "dns",
        re.compile(
            r"lookup \S+(?: on \S+)?: [^\n]{0,200}?(?:i/o timeout|server misbehaving|connection refused"
            r"|no route to host|network is unreachable|operation was canceled|context deadline exceeded|try again"
            r"|Temporary failure)"
        ),
        "its name cannot be looked up, the resolver does not answer",
    ),
    (
        "tls-stall",
        re.compile(r"TLS handshake timeout"),
        "TCP connects, then the TLS handshake is not answered",
    ),
    ("tls-trust", re.compile(r"x509: [^\n]{1,160}"), "its certificate is not trusted"),
    (
        "tls-trust",
        re.compile(r"server gave HTTP response to HTTPS client"),
        "it speaks plain HTTP where HTTPS is expected",
    ),
    (
        "rate-limit",
        re.compile(
            r"status(?: code)?:? 429|\b429 Too Many Requests|toomanyrequests[^\n]{0,80}"
            r"|reached your (?:unauthenticated )?pull rate limit",
            re.IGNORECASE,
        ),
        "it limits how often it may be asked",
    ),
    (
        "connect-timeout",
        re.compile(r"(?:dial tcp|connect to host) [^\n]{0,120}?(?:i/o timeout|connection timed out)"),
        "no TCP connection, nothing answers",
    ),
    ("connect-refused", re.compile(r"dial tcp [^\n]{0,120}?connection refused"), "the TCP connection is refused"),
    (
        "no-route",
        re.compile(r"dial tcp [^\n]{0,120}?(?:no route to host|network is unreachable)"),
        "no TCP connection, there is no way to it",
    ),
    (
        "not-found",
        re.compile(
            r"(?:authentication required: )?[Rr]epository not found[^\n]{0,80}|couldn't find remote ref[^\n]{0,120}"
            r"|MANIFEST_UNKNOWN[^\n]{0,80}|NAME_UNKNOWN[^\n]{0,80}|\b404 Not Found|status code: 404|manifest unknown"
        ),
        "it has no such thing, or not for these credentials",
    ),
    (
        "denied",
        re.compile(
            r"authentication required[^\n]{0,80}|authorization failed[^\n]{0,80}"
            r"|ssh: unable to authenticate[^\n]{0,120}|\bDENIED\b[^\n]{0,60}|\bUNAUTHORIZED\b[^\n]{0,80}"
            r"|\b40[13] (?:Forbidden|Unauthorized)|status code: 40[13]|insufficient_scope|pull access denied"
        ),
        "it refuses the credentials",
    ),
    (
        "broken-off",
        re.compile(
            r"connection reset by peer|read: connection timed out|unexpected EOF|read/write on closed pipe"
            r"|stream error: stream ID \d+[^\n]{0,60}|http2: server sent GOAWAY|http2: client connection lost"
            r"|error decoding upload-pack response(?!: context deadline exceeded)[^\n]{0,80}"
            r"|read tcp [^\n]{0,120}i/o timeout|broken pipe|\bEOF$"
        ),
        "the transfer begins and breaks off",
    ),
    (
        "timeout",
        re.compile(
            r"context deadline exceeded|Client\.Timeout[^\n]{0,40}exceeded|i/o timeout|awaiting response headers"
        ),
        "the time is up",
    ),
)


@lru_cache(maxsize=4096)
def failure_of(text: str) -> Failure | None:
    """Tell how far the request got that a text complains of; None where it does not say."""
    for kind, pattern, said in _KINDS:
        if found := pattern.search(text):
            lookup = _LOOKUP.search(text)
            resolver = (lookup["resolver"] or "").strip("[]") if lookup else ""
            return Failure(kind, _stage(text) if kind == "timeout" else said, host_of(text), resolver, found[0])
    return None


def host_of(text: str) -> str:
    """Find whom a text says it asked: the name looked up, else the host of the last URL, else the address dialled."""
    if lookup := _LOOKUP.search(text):
        return lookup["host"].rstrip(".")
    urls = list(_URL.finditer(text))
    found = urls[-1] if urls else _DIALED.search(text)
    return found["host"].strip("[]") if found else ""


def _stage(text: str) -> str:
    """Say what is known of the stage at which a time limit struck."""
    if _UPLOAD_PACK.search(text):
        return "the transfer begins and is not done when the time is up"
    if _ASKED.search(text):
        return "the time is up before the answer's headers, at a stage that it does not tell"
    return "the time is up, at a stage that it does not tell"
