"""The packet path drawn as a chain: boxes side by side where they fit, else one hop under another."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from tui.format import ASCII, Glyphs, Span, cut, status, width
from tui.widgets.blocks import Line, Part, flow, wrap
from tui.widgets.cells import Cell


class Hop(NamedTuple):
    """One station of a chain: what it has, what it should have, and who says so."""

    title: str
    status: str
    """``ok`` | ``warning`` | ``critical`` | ``unknown`` | ``none``."""
    found: str
    expected: str = ""
    """Empty: nothing is expected of it."""
    origin: str = ""
    """Where the expectation comes from."""
    notes: tuple[Cell, ...] = ()
    link: str = ""
    """What is taken off the MTU on the way here: ``-50``."""
    is_cut: bool = False
    """Nothing passes from the hop before it to here."""


class _Pen(NamedTuple):
    """The characters of a drawing."""

    top: str
    bottom: str
    side: str
    line: str
    gone: str
    head: str
    first: str
    between: str
    last: str


_LIGHT: Final = _Pen("┌┐", "└┘", "│", "─", "╌", "▶", "┬", "├", "└")
_TYPED: Final = _Pen("++", "++", "|", "-", ".", ">", "+", "+", "`")
_ARROW: Final = 6
_WIDE: Final = 140
"""Cells from which on arrows are longer."""
_LEAST_BOX: Final = 17
_MOST_BOX: Final = 26
_LEAST_SAID: Final = 24
"""Cells that an expectation needs beside its hop; with less it goes below."""


class PacketPath(NamedTuple):
    """A chain of hops, as wide as there is room for."""

    hops: tuple[Hop, ...]

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Draw the chain, and under it what else is to be said of each hop."""
        pen = _TYPED if glyphs is ASCII else _LIGHT
        arrow = _ARROW if cells < _WIDE else _ARROW + 2
        box = (cells - 2 - (len(self.hops) - 1) * arrow) // max(1, len(self.hops))
        if box < _LEAST_BOX:
            yield from _one_under_another(self.hops, cells, glyphs, pen)
            return
        yield from _side_by_side(self.hops, min(box, _MOST_BOX), arrow, glyphs, pen)
        titles = max(width(hop.title) for hop in self.hops) + 2
        for hop in self.hops:
            for place, parts in enumerate(flow(hop.notes, cells - titles - 1, glyphs)):
                title = Span("" if place else hop.title, "muted")
                yield Line((Part(Span(" ")), Part(title, titles), *parts))


def _value(hop: Hop, glyphs: Glyphs) -> Span:
    return status(hop.status, glyphs, hop.found)


def _expectation(hop: Hop) -> str:
    return f"expected {hop.expected}" if hop.expected else ""


def _side_by_side(hops: Sequence[Hop], box: int, arrow: int, glyphs: Glyphs, pen: _Pen) -> Iterator[Line]:
    inner = box - 4
    bodies = [_body(hop, inner, glyphs) for hop in hops]
    gap = Part(Span(" " * arrow))

    def joined(middles: Iterable[Sequence[Part]], links: Iterable[Sequence[Part]]) -> Line:
        parts = [Part(Span(" "))]
        for link, middle in zip(links, middles, strict=True):
            parts += [*link, *middle]
        return Line(tuple(parts))

    blank: list[Sequence[Part]] = [(), *([(gap,)] * (len(hops) - 1))]
    yield joined((_edge(hop, box, glyphs, pen, title=hop.title) for hop in hops), blank)
    for place in range(max(len(body) for body in bodies)):
        middles = [
            _side(hop, body[place] if place < len(body) else Span(""), inner, pen)
            for hop, body in zip(hops, bodies, strict=True)
        ]
        yield joined(middles, [(), *(_arrow(hop, arrow, glyphs, pen) for hop in hops[1:])] if place == 0 else blank)
    yield joined((_edge(hop, box, glyphs, pen) for hop in hops), blank)


def _body(hop: Hop, inner: int, glyphs: Glyphs) -> list[Cell]:
    said = [Span(line, _expectation_tone(hop)) for line in wrap(_expectation(hop), inner, glyphs) if line]
    return [_value(hop, glyphs), *said, *(Span(line, "muted") for line in wrap(hop.origin, inner, glyphs) if line)]


def _side(hop: Hop, cell: Cell, inner: int, pen: _Pen) -> Sequence[Part]:
    side = Part(Span(pen.side, _frame_tone(hop)))
    return side, Part(Span(" ")), Part(cell, inner), Part(Span(" ")), side


def _edge(hop: Hop, box: int, glyphs: Glyphs, pen: _Pen, *, title: str = "") -> Sequence[Part]:
    corners = pen.top if title else pen.bottom
    name = f" {cut(title, box - 5, glyphs)} " if title else ""
    start = corners[0] + (pen.line if name else "")
    rule = pen.line * (box - len(start) - 1 - width(name)) + corners[1]
    tone = _frame_tone(hop)
    return Part(Span(start, tone)), Part(Span(name, "header" if name else tone)), Part(Span(rule, tone))


def _arrow(hop: Hop, arrow: int, glyphs: Glyphs, pen: _Pen) -> Sequence[Part]:
    """Draw how one hop leads to the next, with what is taken off the MTU on the way written on it."""
    middle = glyphs.critical if hop.is_cut else hop.link
    if middle and (arrow > _ARROW or pen is _TYPED) and arrow - width(middle) > 2:  # noqa: PLR2004 - two blanks, a head
        middle = f" {middle} "
    line = pen.gone if hop.is_cut else pen.line
    before = line * ((arrow - width(middle)) // 2)
    after = line * (arrow - 1 - width(middle) - width(before)) + pen.head
    tone = "critical" if hop.is_cut else "muted"
    return Part(Span(before, tone)), Part(Span(middle, "critical" if hop.is_cut else "accent")), Part(Span(after, tone))


def _one_under_another(hops: Sequence[Hop], cells: int, glyphs: Glyphs, pen: _Pen) -> Iterator[Line]:
    values = min(max(width(_value(hop, glyphs).text) for hop in hops), cells // 2)
    titles = min(max(width(hop.title) for hop in hops), cells - values - 7)
    margin = 3 + titles + 2 + values + 2
    for place, hop in enumerate(hops):
        is_last = place == len(hops) - 1
        stem = pen.first if not place else pen.last if is_last else pen.between
        head = (
            Part(Span(f" {glyphs.critical if hop.is_cut else stem} "[:3], "critical" if hop.is_cut else "muted"), 3),
            Part(Span(hop.title, "header"), titles + 2),
            Part(_value(hop, glyphs), values + 2),
        )
        said = ": ".join(text for text in (_expectation(hop), hop.origin) if text)
        is_beside = cells - margin >= _LEAST_SAID
        indent = margin if is_beside else 4
        below = Part(Span(" " if is_last else f" {pen.side}", "muted"), indent)
        lines = wrap(said, cells - indent, glyphs) if said else []
        first = lines.pop(0) if lines and is_beside else ""
        yield Line((*head, Part(Span(first, _expectation_tone(hop)))))
        yield from (Line((below, Part(Span(line, _expectation_tone(hop))))) for line in lines)
        yield from (Line((below, *parts)) for parts in flow(hop.notes, cells - indent, glyphs))


def _frame_tone(hop: Hop) -> str:
    return hop.status if hop.status in {"critical", "warning"} else "muted"


def _expectation_tone(hop: Hop) -> str:
    return "text" if hop.status in {"critical", "warning"} else "muted"
