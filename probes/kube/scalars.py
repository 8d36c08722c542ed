"""Moments and durations as Kubernetes writes them, in seconds."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ns": 1e-9}
_TERM: Final = re.compile(r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)", re.ASCII)
_LONGEST: Final = 64


@lru_cache(maxsize=1024)
def epoch(text: str | None) -> float | None:
    """Turn an RFC 3339 moment into epoch seconds; None for none, for Go's zero time and for what is no moment."""
    if not text or len(text) > _LONGEST:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.year <= 1:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@lru_cache(maxsize=512)
def seconds(text: str | None) -> float | None:
    """Turn a Go duration such as ``1h`` or ``1m0s`` into seconds (Go time.ParseDuration); None if it is none."""
    if not text or len(text) > _LONGEST:
        return None
    if text in {"0", "+0", "-0"}:
        return 0.0
    sign, rest = (-1.0, text[1:]) if text[0] == "-" else (1.0, text.removeprefix("+"))
    total, end = 0.0, 0
    for term in _TERM.finditer(rest):
        if term.start() != end:
            return None
        total += float(term[1]) * _UNITS[term[2]]
        end = term.end()
    return sign * total if end and end == len(rest) else None
