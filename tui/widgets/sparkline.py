"""Sparkline: the last values of a measurement as one short text, and their bounded history."""

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from tui.format import UNICODE, Glyphs, Span

DEFAULT_LENGTH: Final = 120


class History:
    """The last values of one measurement, oldest first; None is a value that was lost."""

    __slots__ = ("_values",)

    def __init__(self, length: int = DEFAULT_LENGTH) -> None:
        self._values: deque[float | None] = deque(maxlen=length)

    def add(self, value: float | None) -> None:
        """Note a value; what is no finite number counts as lost."""
        self._values.append(value if value is not None and math.isfinite(value) else None)

    @property
    def values(self) -> tuple[float | None, ...]:
        """What is remembered, oldest first."""
        return tuple(self._values)


def draw(
    values: Sequence[float | None],
    cells: int,
    glyphs: Glyphs = UNICODE,
    *,
    least: float | None = None,
    most: float | None = None,
) -> tuple[Span, ...]:
    """Draw the last ``cells`` values, one a cell, between the bounds or else between their own extremes.

    Values all alike are drawn on the lowest level. A lost value is a gap in the tone of a critical status; what is
    not known yet, left of the oldest value, is blank.
    """
    last = list(values[-cells:]) if cells > 0 else []
    known = [value for value in last if value is not None]
    low = least if least is not None else min(known, default=0.0)
    high = most if most is not None else max(known, default=0.0)
    spans = [Span(" " * (cells - len(last)), "muted")] if len(last) < cells else []
    for value in last:
        span = Span(glyphs.gap, "critical") if value is None else Span(_level(value, low, high, glyphs), "sparkline")
        if spans and spans[-1].tone == span.tone:
            spans[-1] = Span(spans[-1].text + span.text, span.tone)
        else:
            spans.append(span)
    return tuple(spans)


def _level(value: float, low: float, high: float, glyphs: Glyphs) -> str:
    if high <= low:
        return glyphs.levels[0]
    # Halved first: the distance of two finite numbers may itself be infinite.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    top = len(glyphs.levels) - 1
    return glyphs.levels[max(0, min(top, round(share * top)))]
