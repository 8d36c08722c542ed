"""A run of probes as it is kept: what was found, and what each vantage's network was like meanwhile."""

from typing import Final

import msgspec

from probes.model.reach import Result

SCHEMA: Final = "underlay/run/v1"


class Circumstances(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the network of a vantage was like while it was probed from."""

    vantage: str
    dev: str = ""
    """Which its default route leaves by."""
    mtu: int | None = None
    """Of that device."""
    gateway: str = ""
    resolvers: tuple[str, ...] = ()
    """The nameservers of its /etc/resolv.conf."""
    addresses: dict[str, str] = {}
    """Target -> the address that was chosen for it."""
    reason: str = ""
    """Why the rest is not known."""


class Run(msgspec.Struct, frozen=True):
    """One run of a probe or plan. It holds no token, no Secret and no URL's secrets: results never do."""

    name: str
    probe: str
    """The kind, or ``plan NAME``."""
    context: str
    at: float
    """When it ended, in seconds since the epoch."""
    exit_status: int
    results: tuple[Result, ...]
    circumstances: tuple[Circumstances, ...] = ()
    missing: dict[str, str] = {}
    """Vantages that should have been there, and why they were not."""
    schema: str = SCHEMA
