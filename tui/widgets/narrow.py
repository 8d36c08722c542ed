"""Narrow updates: only the cells that differ are sent to the terminal, not their line from its left edge.

Textual 8.2 sends a dirty region from the left edge of its widget. An age that ticks at the end of a line then costs
the whole line: some 400 bytes in place of 50, once a second for every row in sight.
"""

from collections.abc import Iterator
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.segment import Segment
from textual._compositor import ChopsUpdate
from textual.app import App
from textual.screen import Screen
from textual.strip import Strip

_WORTH_A_MOVE: Final = 24
"""Equal cells between two differences that are cheaper to send again: a move and a style are some 50 bytes."""


class NarrowUpdate(ChopsUpdate):
    """An update of spans that begins where its spans begin."""

    def render_segments(self, console: Console) -> str:
        """Render the spans as terminal sequences; ``chops`` and ``chop_ends`` are what each widget has of a line."""
        sequences: list[str] = []
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is None or x >= x2 or end <= x1:
                    continue
                start = max(x, x1)
                part = strip if start == x and end <= x2 else strip.crop(start - x, min(end, x2) - x)
                sequences.append(f"\x1b[{y + 1};{start + 1}H{part.render(console)}")
        return "".join(sequences)


class NarrowApp(App[Any]):
    """An App whose updates are narrow. What it overrides is private to Textual 8; a test holds that it is reached."""

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        if type(renderable) is ChopsUpdate:
            renderable = NarrowUpdate(renderable.chops, renderable.spans, renderable.chop_ends)
        super()._display(screen, renderable)


def differences(shown: Strip, strip: Strip) -> list[tuple[int, int]]:
    """Find where two lines of equal length differ: ranges of cells, first and one past the last, left to right.

    Ranges that are nearer to one another than a move of the cursor is worth are one.
    """
    old, new = list(shown), list(strip)
    start = 0
    while old and new and old[0] == new[0]:
        start += old.pop(0).cell_length
        new.pop(0)
    while old and new and old[-1] == new[-1]:
        old.pop()
        new.pop()
    ranges: list[tuple[int, int]] = []
    before, after = list(_expand(old)), list(_expand(new))
    cells = sum(segment.cell_length for segment in old)
    if not len(before) == len(after) == cells:  # combining characters that Rich counts otherwise in their company
        return [(start, start + cells)] if cells else []
    for x, (one, other) in enumerate(zip(before, after, strict=True), start):
        if one != other:
            if ranges and x - ranges[-1][1] < _WORTH_A_MOVE:
                ranges[-1] = (ranges[-1][0], x + 1)
            else:
                ranges.append((x, x + 1))
    return ranges


def _expand(segments: list[Segment]) -> Iterator[tuple[str, object, int]]:
    """List cells as text, style and which half of a wide character they are, so that none is ever halved."""
    for text, style, _ in segments:
        if text.isascii():
            for char in text:
                yield char, style, 0
            continue
        cell = ""
        for char in text:
            cells = cell_len(char)
            if not cells:  # combines with the character before
                cell += char
                continue
            for half in range(cell_len(cell)):
                yield cell, style, half
            cell = char
        for half in range(cell_len(cell)):
            yield cell, style, half
