"""Plain text grids for commands: columns that fit, marks where something was cut, colour only where it is wanted."""

import os
import shutil
from collections.abc import Sequence
from typing import Final, TextIO

import msgspec

from tui.format import ASCII, UNICODE, Glyphs, choose_glyphs, cut, plain, status, width

_SGR: Final = {"ok": "32", "warning": "33", "critical": "1;31", "unknown": "35", "muted": "2", "title": "1"}


class Cell(msgspec.Struct, frozen=True):
    """A piece of text with the token of its colour."""

    text: str
    token: str = ""


class Paper(msgspec.Struct, frozen=True):
    """What a command prints on: its width in cells, whether it shows colour and characters beyond ASCII."""

    width: int = 80
    colour: bool = False
    unicode: bool = True

    def paint(self, cell: Cell) -> str:
        """Write a cell in its colour."""
        text = self.text(cell.text)
        sgr = _SGR.get(cell.token) if self.colour else None
        return f"\x1b[{sgr}m{text}\x1b[0m" if sgr and text else text

    @property
    def glyphs(self) -> Glyphs:
        """The symbols that this paper has."""
        return UNICODE if self.unicode else ASCII

    def text(self, text: str) -> str:
        """Write text with what this paper has; without Unicode every foreign character becomes ``?``."""
        return plain(self.glyphs, text)

    def symbol(self, tone: str) -> str:
        """Give the mark of a status, so that it is never told by colour alone."""
        return self.glyphs.none if tone == "muted" else status(tone, self.glyphs).text


def paper_for(stream: TextIO | None) -> Paper:
    """Look at a stream: a terminal's own width and colour unless NO_COLOR is set; 80 plain cells for a pipe."""
    terminal = stream is not None and stream.isatty()
    encoding = (stream.encoding if stream is not None else None) or "ascii"
    return Paper(
        width=max(40, shutil.get_terminal_size((80, 24)).columns) if terminal else _piped_width(),
        colour=terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb",
        # What a terminal's font has says nothing of a file.
        unicode=choose_glyphs(os.environ if terminal else {}, encoding) is UNICODE,
    )


def _piped_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return max(40, min(int(columns), 1000)) if columns.isdecimal() and len(columns) < 5 else 80  # noqa: PLR2004 - digits


def wrap(text: str, cells: int) -> list[str]:
    """Break a text into lines of a width in cells, between words where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        if line and width(line) + 1 + width(rest) <= cells:
            line = f"{line} {rest}"
            continue
        if line:
            lines.append(line)
        while width(rest) > cells:
            head = cut(rest, cells + 1).removesuffix(UNICODE.ellipsis) if width(rest) > cells + 1 else rest[:-1]
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line] if line or not lines else lines


def grid(paper: Paper, header: Sequence[str], rows: Sequence[Sequence[Cell]], *, flexible: int = 0) -> list[str]:
    """Lay out rows under a header; where they are too wide, the ``flexible`` column is cut, with a mark."""
    texts = [[paper.text(cell.text) for cell in row] for row in rows]
    widths = [max([width(head), *(width(row[i]) for row in texts)]) for i, head in enumerate(header)]
    spare = paper.width - sum(widths) - 2 * (len(widths) - 1)
    gap = 2
    if spare < 0:
        gap = 1
        spare = paper.width - sum(widths) - (len(widths) - 1)
    if spare < 0:
        widths[flexible] = max(min(8, widths[flexible]), widths[flexible] + spare)
    lines = [
        paper.paint(Cell((" " * gap).join(_pad(h, w) for h, w in zip(header, widths, strict=True)).rstrip(), "title"))
    ]
    for row in rows:
        parts = []
        for cell, room in zip(row, widths, strict=True):
            text = cut(paper.text(cell.text), room, paper.glyphs)
            padding = " " * (room - width(text))
            parts.append(paper.paint(Cell(text, cell.token)) + padding)
        lines.append((" " * gap).join(parts).rstrip())
    return lines


def _pad(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))
