"""Words: ages and revisions as a sentence writes them."""

from typing import Final

_UNITS: Final = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
_DIGITS: Final = 7
"""Of a hash: as many as git shows."""


def age_text(seconds: float) -> str:
    """Write an age in its largest unit, rounded down, so that it seldom changes: ``42 s``, ``9 h``, ``3 d``."""
    for length, unit in _UNITS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return "0 s"


def for_text(since: float | None, now: float) -> str:
    """Write since when something lasts: ``, for at least 9 h``, comma and all; empty where it is not known.

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
