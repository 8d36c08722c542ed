"""Verbatim: a text shown line by line as it is, wrapped or cut at the edge, with what stands out in it toned."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from tui.format import Glyphs, Span, width
from tui.widgets.blocks import Line, Part, wrap

_KEY: Final = re.compile(r"^(\s*(?:- )*)([A-Za-z0-9_./-]{1,120}:)(?=\s|$)")
_STAMP: Final = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*")
_BAD: Final = re.compile(r"(?i)\blevel=(?:error|fatal|panic)|\b(?:error|fatal|panic|failed)\b|^\S+ \S+ \S+: [EF]\d{4}")
_MOST: Final = 20_000
"""Lines that are shown."""


class Verbatim(NamedTuple):
    """A text of many lines."""

    text: str
    wraps: bool = False
    shift: int = 0
    """Characters left out at the start of each line that is not wrapped."""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Show the lines; what is cut off on either side leaves a mark."""
        for line in self.text.rstrip("\n").split("\n")[:_MOST]:
            if self.wraps and width(line) > cells:
                yield from _wrapped(line, cells, glyphs)
            elif self.shift and line:
                yield _cut(line, self.shift, glyphs)
            else:
                yield _line(line, is_start=True)


def _wrapped(text: str, cells: int, glyphs: Glyphs) -> Iterator[Line]:
    """Break a line; what goes on stands a little further in than its beginning."""
    indent = min(len(text) - len(text.lstrip(" ")), cells // 2)
    first, *rest = wrap(text, cells, glyphs)
    yield _line(first, is_start=True)
    margin = " " * min(indent + 2, cells - 1)
    for piece in wrap(text[len(first) :].lstrip(" "), cells - len(margin), glyphs) if rest else ():
        yield _line(margin + piece, is_start=False)


def _line(text: str, *, is_start: bool) -> Line:
    """Tone a line: the key of YAML, the time of a journal, a line that tells of an error."""
    if is_start and (stamp := _STAMP.match(text)):
        rest = text[stamp.end() :]
        tone = "critical" if _BAD.search(rest) else "text"
        return Line((Part(Span(stamp[0], "muted")), Part(Span(rest, tone))))
    if is_start and (key := _KEY.match(text)):
        return Line((Part(Span(key[1])), Part(Span(key[2], "accent")), Part(Span(text[key.end() :]))))
    return Line((Part(Span(text, "muted" if text.lstrip().startswith("#") else "text")),))


def _cut(text: str, shift: int, glyphs: Glyphs) -> Line:
    """Leave out the start of a line."""
    if shift >= len(text):
        return Line((Part(Span(glyphs.ellipsis, "muted")),))
    return Line((Part(Span(glyphs.ellipsis, "muted")), Part(Span(text[shift + 1 :]))))
