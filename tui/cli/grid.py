"""Plain text grids for commands: columns that fit, marks where something was cut, colour only where it is wanted."""

import os
import shutil
import unicodedata
from collections.abc import Sequence
from typing import Final, TextIO

import msgspec

_SGR: Final = {"ok": "32", "warning": "33", "critical": "1;31", "unknown": "35", "muted": "2", "title": "1"}
_SYMBOLS: Final = {"ok": "✔", "warning": "▲", "critical": "✖", "unknown": "?"}
_ASCII: Final = {"✔": "ok", "▲": "!", "✖": "X", "×": "x", "…": "~", "·": "-", "→": "->", "└": "`", "—": "-"}


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

    def text(self, text: str) -> str:
        """Write text with what this paper has; without Unicode every other character becomes ``?``."""
        if self.unicode:
            return text
        for symbol, plain in _ASCII.items():
            text = text.replace(symbol, plain)
        return text.encode("ascii", "replace").decode()

    def symbol(self, token: str) -> str:
        """Give the mark of a status, so that it is never told by colour alone."""
        return self.text(_SYMBOLS.get(token, "·"))


def paper_for(stream: TextIO) -> Paper:
    """Look at a stream: a terminal's own width and colour unless NO_COLOR is set; 80 plain cells for a pipe."""
    terminal = stream.isatty()
    encoding = (stream.encoding or "ascii").lower().replace("-", "")
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Paper(
        width=max(40, shutil.get_terminal_size((80, 24)).columns) if terminal else _piped_width(),
        colour=colour,
        unicode=encoding.startswith("utf"),
    )


def _piped_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return max(40, min(int(columns), 1000)) if columns.isdecimal() and len(columns) < 5 else 80  # noqa: PLR2004 - digits


def cells(text: str) -> int:
    """Count the terminal cells of a text: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def cut(text: str, width: int) -> str:
    """Cut a text to a width in cells; what was cut is marked with ``…``."""
    if cells(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += cells(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def wrap(text: str, width: int) -> list[str]:
    """Break a text into lines of a width in cells, between words where there are any."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        rest = word
        if line and cells(line) + 1 + cells(rest) <= width:
            line = f"{line} {rest}"
            continue
        if line:
            lines.append(line)
        while cells(rest) > width:
            head = cut(rest, width + 1).removesuffix("…") if cells(rest) > width + 1 else rest[:-1]
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line] if line or not lines else lines


def grid(paper: Paper, header: Sequence[str], rows: Sequence[Sequence[Cell]], *, flexible: int = 0) -> list[str]:
    """Lay out rows under a header; where they are too wide, the ``flexible`` column is cut, with a mark."""
    texts = [[paper.text(cell.text) for cell in row] for row in rows]
    widths = [max([cells(head), *(cells(row[i]) for row in texts)]) for i, head in enumerate(header)]
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
        for cell, width in zip(row, widths, strict=True):
            text = paper.text(cut(paper.text(cell.text), width))
            padding = " " * (width - cells(text))
            parts.append(paper.paint(Cell(text, cell.token)) + padding)
        lines.append((" " * gap).join(parts).rstrip())
    return lines


def _pad(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


def age(seconds: float | None) -> str:
    """Write an age in at most six cells: ``8s``, ``3m12s``, ``2h05m``, ``41d``; a dash where there is none."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    if whole < 60:  # noqa: PLR2004 - a minute
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10:  # noqa: PLR2004 - seconds matter for the first minutes
        return f"{minutes}m{rest:02d}s"
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 10:  # noqa: PLR2004 - minutes matter for the first hours
        return f"{hours}h{minutes:02d}m"
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"  # noqa: PLR2004 - two days
