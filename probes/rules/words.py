"""Words: ages and revisions as a sentence writes them."""

from typing import Final

_UNITS: Final = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
_DIGITS: Final = 7
"""Of a hash: as many as git shows."""


def age_text(seconds: float) -> str:
    """Write an age roughly, and never more than it is: ``42 seconds``, ``90 minutes``, ``9 hours``, ``3 days``."""
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{int(max(seconds, 0.0))} seconds"


def for_text(since: float | None, now: float) -> str:
    """Write since when something lasts: ``, for at least 9 hours``, comma and all; empty where it is not known.

    At least: Flux moves lastTransitionTime whenever a message changes, if only by a port in it (fluxcd/pkg
    runtime/conditions/setter.go, hasSameState).
    """
    return "" if since is None or now < since else f", for at least {age_text(now - since)}"


def revision_text(revision: str) -> str:
    """Shorten a revision as git does: ``main@sha1:4f0a92d7be…`` is ``main@4f0a92d``, a chart's version stays."""
    head, at, digest = revision.rpartition("@")
    algorithm, colon, hexadecimal = digest.partition(":")
    if not colon or not algorithm.startswith("sha"):
        return revision
    return f"{head}{at}{hexadecimal[:_DIGITS]}"
