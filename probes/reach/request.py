"""One HTTP request and what came of it: values that every way of sending shares. Pure."""

from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from probes.reach.http import Exchange, Version

MOST: Final = 64 * 1024 * 1024
"""Bytes of a body that are taken where no number of first bytes is asked for."""


class Request(msgspec.Struct, frozen=True):
    """What to ask for."""

    url: str
    version: Version = "2"
    """The newest version that is offered."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    """Of a POST; ASCII."""
    first: int = 0
    """How many first bytes to ask for (Range); 0 asks for all."""
    keep: int = 0
    """How many bytes of the body are wanted as text; 0: they are counted and let go."""


class Answer(msgspec.Struct, frozen=True):
    """What came of a request."""

    exchange: Exchange
    headers: dict[str, str] = {}
    """By name in small letters, as they came: not to be shown without cleaning."""
    text: str = ""
    """What was kept of the body; as hostile as the headers."""

    @property
    def status(self) -> int:
        """The status; 0 where it failed before its end."""
        return 0 if self.exchange.failed or self.exchange.unable else self.exchange.status


def host_of(url: str) -> str:
    """Give the host a URL leads to; empty where it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def port_of(url: str) -> int | None:
    """Give the port a URL leads to; None where it has none or an odd one."""
    try:
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": 443, "ssh": 22}.get(parts.scheme)
    except ValueError:
        return None
