"""What a document is made of: headings, fields, grids and paragraphs that lay themselves out for a width."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from tui.format import ASCII, Glyphs, Span, cut, width
from tui.widgets.cells import Cell, Row, Ticking, fit_cell, fit_spans, spans_of
from tui.widgets.columns import GAP, Column, lay_out

_INDENT: Final = 1
_LEAST_VALUE: Final = 24
"""Cells that a field's value needs beside its label; with less it goes below it."""


class Part(NamedTuple):
    """A piece of a line: a cell and how wide it is drawn."""

    cell: Cell
    width: int = 0
    """Cells; 0 is as many as it needs."""
    right: bool = False


class Line(NamedTuple):
    """One line of a document."""

    parts: tuple[Part, ...] = ()
    key: str = ""
    """What it stands for; the same for every line that says something of one thing."""
    heading: str = ""
    """The name of the section that begins here."""

    @property
    def is_ticking(self) -> bool:
        """Whether it follows the clock."""
        return any(isinstance(part.cell, Ticking) for part in self.parts)

    def spans(self, now: float, glyphs: Glyphs) -> list[Span]:
        """Say what the line says at ``now``, seconds since the epoch."""
        said: list[Span] = []
        for part in self.parts:
            spans = spans_of(part.cell, now)
            said += fit_cell(spans, part.width, glyphs, right=part.right) if part.width else spans
        return said

    def text(self, now: float, glyphs: Glyphs) -> str:
        """Say it without tones, for search and copy."""
        return "".join(span.text for span in self.spans(now, glyphs)).rstrip()


class Block(Protocol):
    """A part of a document."""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterable[Line]:
        """Lay it out for a width in terminal cells."""


class Heading(NamedTuple):
    """Where a section begins: its title, and in short how it is."""

    title: str
    note: Cell = ()
    key: str = ""
    """The key that jumps here."""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Draw the title and a rule to the right edge."""
        yield Line()
        parts = [Part(Span(f"{self.key} ", "accent"))] if self.key else []
        parts.append(Part(Span(cut(self.title, max(1, cells - 2), glyphs), "header")))
        used = sum(_cells_of(part.cell) for part in parts)
        room = min(_cells_of(self.note), cells - used - 2)
        if room > 0:
            parts += [Part(Span("  ")), Part(self.note, room)]
            used += 2 + room
        rule = " " + glyphs.rule * (cells - used - 1) if used < cells else ""
        yield Line((*parts, Part(Span(rule, "muted"))), heading=self.title)


def sections(parts: Iterable[tuple[Heading, Sequence[Block]]]) -> tuple[Block, ...]:
    """Give sections numbers, so that a digit jumps to each of the first nine."""
    made: list[Block] = []
    for number, (heading, blocks) in enumerate(parts, 1):
        made += [heading._replace(key=str(number) if number <= _DIGITS else ""), *blocks]
    return tuple(made)


_DIGITS: Final = 9


class Paragraph(NamedTuple):
    """Text that is wrapped, nothing of it cut."""

    text: str
    tone: str = "text"
    indent: int = _INDENT
    key: str = ""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Wrap the text."""
        for line in wrap(self.text, cells - self.indent, glyphs):
            yield Line((Part(Span(" " * self.indent)), Part(Span(line, self.tone))), self.key)


class Bullet(NamedTuple):
    """A sign and wrapped text behind it."""

    sign: Span
    text: str
    key: str = ""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Draw the sign once, the text beside it."""
        margin = _INDENT + width(self.sign.text) + 1
        for place, line in enumerate(wrap(self.text, cells - margin, glyphs)):
            sign = Span(" " * _INDENT + self.sign.text, self.sign.tone) if not place else Span("")
            yield Line((Part(sign, margin), Part(Span(line))), self.key)


class Field(NamedTuple):
    """A label and what is to be said there."""

    label: str
    value: Cell
    key: str = ""


class Fields(NamedTuple):
    """Labels in one column and values, wrapped, in another."""

    fields: tuple[Field, ...]

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Draw one field under another."""
        labels = max((width(field.label) for field in self.fields), default=0)
        room = cells - _INDENT - labels - 2
        is_beside = room >= _LEAST_VALUE
        if not is_beside:
            room = cells - _INDENT - 2
        blank = " " * (_INDENT + (labels if is_beside else 0) + 2)
        for field in self.fields:
            label = Part(Span(" " * _INDENT + field.label, "muted"), _INDENT + labels + 2 if is_beside else 0)
            values = list(_wrapped(field.value, room, glyphs)) or [()]
            if not is_beside:
                yield Line((label,), field.key)
            for place, value in enumerate(values):
                first = label if is_beside and not place else Part(Span(blank))
                yield Line((first, *value), field.key)


class Grid(NamedTuple):
    """A table that stands in a document: a row of titles, then rows."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: Cell = Span("none", "muted")
    most: int = 200
    """Rows that are spelled out; the rest is counted."""
    left: int = 0
    """Rows that are not given at all, only counted."""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Draw the titles and the rows under them; columns that have no room are counted in the titles."""
        indent = Part(Span(" " * _INDENT))
        if not self.rows:
            yield Line((indent, Part(self.empty, cells - _INDENT)))
            return
        shown = self.rows[: self.most]
        widest = [
            max(width(column.title), *(_cells_of(row.cells[place]) for row in shown))
            for place, column in enumerate(self.columns)
        ]
        layout = lay_out(self.columns, widest, cells - _INDENT)
        hidden = f" +{layout.hidden}{glyphs.ellipsis}" if layout.hidden else ""
        titles = [indent]
        for place, (i, room) in enumerate(layout.shown):
            column = self.columns[i]
            titles += [Part(Span(" " * GAP))] if place else []
            titles.append(Part(Span(column.title, "muted"), room, column.right))
        used = sum(room for _, room in layout.shown) + GAP * (len(layout.shown) - 1) + _INDENT
        if hidden and used + len(hidden) <= cells:
            titles.append(Part(Span(hidden, "accent")))
        elif hidden:
            titles = [Part(tuple(span for part in titles for span in _fitted(part, glyphs)), cells - len(hidden))]
            titles.append(Part(Span(hidden, "accent")))
        yield Line(tuple(titles))
        for row in shown:
            parts = [indent]
            for place, (i, room) in enumerate(layout.shown):
                parts += [Part(Span(" " * GAP))] if place else []
                parts.append(Part(row.cells[i], room, self.columns[i].right))
            yield Line(tuple(parts), row.key)
        if more := len(self.rows) - len(shown) + self.left:
            yield Line((indent, Part(Span(f"and {more} more", "muted"))))


def _fitted(part: Part, glyphs: Glyphs) -> Sequence[Span]:
    spans = spans_of(part.cell, 0.0)
    return fit_spans(spans, part.width, glyphs, right=part.right) if part.width else spans


_TICKING: Final = 7
"""Cells kept for an age: ``in 9m59s`` is longer, but seen only where clocks differ."""


def _cells_of(cell: Cell) -> int:
    if isinstance(cell, Ticking):
        return _TICKING
    return sum(width(span.text) for span in spans_of(cell, 0.0))


_AROUND: Final = 14
"""Cells kept for the words around an age: ``written 31d ago``."""


def _wrapped(cell: Cell, cells: int, glyphs: Glyphs) -> Iterator[tuple[Part, ...]]:
    """Break a value into lines: spans stay whole where they fit into a line."""
    if isinstance(cell, Ticking):
        yield (Part(cell),)
        return
    line: list[Part] = []
    used = 0
    for span in spans_of(cell, 0.0):
        size = width(span.text)
        if used + size <= cells:
            line.append(Part(span))
            used += size
            continue
        pieces = wrap(span.text.lstrip(), cells, glyphs)
        if used and width(pieces[0]) + used > cells:
            yield tuple(line)
            line, used = [], 0
        for piece in pieces:
            if used:
                yield tuple(line)
            line, used = [Part(Span(piece, span.tone))], width(piece)
    if line:
        yield tuple(line)


class Flow(NamedTuple):
    """Short cells beside each other, on as many lines as they take."""

    cells: tuple[Cell, ...]

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Put them beside each other."""
        for parts in flow(self.cells, cells - _INDENT, glyphs, between="  "):
            yield Line((Part(Span(" " * _INDENT)), *parts))


def flow(cells: Sequence[Cell], room: int, glyphs: Glyphs, *, between: str = ", ") -> Iterator[tuple[Part, ...]]:
    """Put cells beside each other, on as many lines as they take; none is cut."""
    line: list[Part] = []
    used = 0
    for cell in cells:
        size = _cells_of(cell) + _AROUND if isinstance(cell, Ticking) else _cells_of(cell)
        if used and used + len(between) + size <= room:
            line += [Part(Span(between, "muted"))]
            used += len(between)
        elif used:
            yield tuple(line)
            line, used = [], 0
        if size <= room or isinstance(cell, Ticking):
            line += [Part(cell, 0 if size <= room else room)]
            used += size
            continue
        *whole, rest = _wrapped(cell, room, glyphs)
        yield from whole
        line, used = list(rest), sum(_cells_of(part.cell) for part in rest)
    if line:
        yield tuple(line)


def wrap(text: str, cells: int, glyphs: Glyphs) -> list[str]:
    """Break a text at spaces, and within words longer than a line, into lines of some cells; nothing is lost."""
    room = max(1, cells)
    lines: list[str] = []
    for paragraph in text.split("\n"):
        current: str | None = None
        for word in paragraph.split(" "):  # blanks beside each other are empty words, and stay
            joined = word if current is None else f"{current} {word}"
            if width(joined) <= room:
                current = joined
                continue
            if current:
                lines.append(current)
            *full, current = _pieces(word, room)
            lines += full
        lines.append(current or "")
    return lines if glyphs is not ASCII else [line.replace("\t", " ") for line in lines]


def _pieces(word: str, cells: int) -> list[str]:
    """Cut a word into pieces that fit."""
    if word.isascii():
        return [word[i : i + cells] for i in range(0, len(word), cells)] or [""]
    pieces, piece, used = [], "", 0
    for char in word:
        size = width(char)
        if piece and used + size > cells:
            pieces.append(piece)
            piece, used = "", 0
        piece += char
        used += size
    return [*pieces, piece]
