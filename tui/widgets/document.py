"""Document: blocks laid out one under another for the width there is, with sections to jump to and text to find."""

from collections.abc import Iterable, Iterator, Sequence
from re import Pattern
from typing import ClassVar, Final

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip

from tui.format import UNICODE, Glyphs, Span
from tui.widgets.blocks import Block, Line
from tui.widgets.cells import fit_spans
from tui.widgets.lines import Lines

FAULTS: Final = frozenset({"critical", "warning", "unknown", "stale", "restricted"})
"""Tones of what is not as it should be, or not known to be."""
_MOST_LINES: Final = 20_000


class Document(Lines):
    """A long text of blocks that is read with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_curly_bracket", "section(1)", "Next section", show=False, key_display="}", id="document.next"),
        Binding(
            "left_curly_bracket", "section(-1)", "Section before", show=False, key_display="{", id="document.before"
        ),
        *(
            Binding(str(number), f"section_at({number})", f"Section {number}", show=False, id=f"document.{number}")
            for number in range(1, 10)
        ),
        Binding("n", "find(1)", "Next match", show=False, id="document.find-next"),
        Binding("N", "find(-1)", "Match before", show=False, id="document.find-before"),
    ]
    HEADER: ClassVar[int] = 0

    class LineHighlighted(Message):
        """The cursor is on another line."""

        def __init__(self, document: "Document", key: str) -> None:
            super().__init__()
            self.document = document
            self.key = key

        @property
        def control(self) -> "Document":
            """The document whose cursor moved."""
            return self.document

    class LineSelected(LineHighlighted):
        """A line that stands for something was opened."""

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own name
        classes: str | None = None,
    ) -> None:
        super().__init__(glyphs=glyphs, name=name, id=id, classes=classes)
        self.now = 0.0
        self.wanted: Pattern[str] | None = None
        """What is looked for; its lines are marked."""
        self.faults_only = False
        self._blocks: tuple[Block, ...] = ()
        self._lines: list[Line] = []
        self._laid_for = 0

    @property
    def lines(self) -> list[Line]:
        """What is shown, line by line."""
        return self._lines

    @property
    def cursor_key(self) -> str:
        """What the line under the cursor stands for; empty where it is only text."""
        return self._lines[self.cursor].key if self.cursor < len(self._lines) else ""

    def set_blocks(self, blocks: Iterable[Block], now: float | None = None, *, is_other: bool = False) -> None:
        """Show these blocks; the cursor stays on what it was on, and only lines that differ are painted.

        ``now`` is the moment for ticking cells, seconds since the epoch. ``is_other``: it is another document, which is
        read from its first line.
        """
        self.now = self.now if now is None else now
        self._blocks = tuple(blocks)
        if is_other:
            self._lines, self.cursor = [], 0
        self._lay_out()

    def show_faults(self, *, only: bool) -> None:
        """Leave out the lines on which nothing is wrong or unknown, or show all again."""
        if only != self.faults_only:
            self.faults_only = only
            self._lay_out()

    def _lay_out(self) -> None:
        self._laid_for = self.cells
        if not self.cells:
            return
        place = self._place()
        made: list[Line] = []
        for line in self._all():
            if not made and not line.parts:
                continue  # nothing to be kept apart from
            made.append(line)
            if len(made) >= _MOST_LINES:
                made.append(Line((), ""))
                break
        self._lines = made
        self.resize_to(len(made))
        self.move_to(self._find_place(place), quiet=True)
        self.repaint()

    def _all(self) -> Iterator[Line]:
        lines = (line for block in self._blocks for line in block.lines(self.cells, self.glyphs))
        if not self.faults_only:
            return lines
        return (line for line in lines if line.heading or self._is_fault(line))

    def _is_fault(self, line: Line) -> bool:
        return any(span.tone in FAULTS and span.text.strip() for span in line.spans(self.now, self.glyphs))

    def _place(self) -> tuple[str, str, int, int]:
        """Tell what the cursor is on: its section, its key, how far below the section's start, and which line it is."""
        for back, line in enumerate(reversed(self._lines[: self.cursor + 1])):
            if line.heading:
                return line.heading, self.cursor_key, back, self.cursor
        return "", self.cursor_key, self.cursor, self.cursor

    def _find_place(self, place: tuple[str, str, int, int]) -> int:
        section, key, below, cursor = place
        start = next((i for i, line in enumerate(self._lines) if line.heading == section), 0 if not section else cursor)
        if key:
            found = next((i for i in range(start, len(self._lines)) if self._lines[i].key == key), None)
            if found is not None and found <= start + below <= found + 9 and self._same_key(start + below, key):
                return start + below
            if found is not None:
                return found
        return start + below

    def _same_key(self, index: int, key: str) -> bool:
        return index < len(self._lines) and self._lines[index].key == key

    def tick(self, now: float) -> None:
        """Let the visible ages say what is true now."""
        self.now = now
        self.repaint(index for index in self.in_view() if self._lines[index].is_ticking)

    def count(self) -> int:
        """Count the lines."""
        return len(self._lines)

    def forget_strips(self) -> None:
        """Lay out anew where the width is another."""
        if self.is_attached and self.cells != self._laid_for:
            self._lay_out()

    def draw(self, index: int) -> Strip:
        """Draw a line; what was looked for is marked in it."""
        line = self._lines[index]
        is_cursor = index == self.cursor and self.has_focus
        spans = fit_spans(line.spans(self.now, self.glyphs), self.cells, self.glyphs)
        parts: list[tuple[str, Style]] = []
        for text, tone in self._marked(spans):
            parts.append((text, self.tones.style(tone, selected=is_cursor)))
        return self.strip(parts, self.tones.style("text", selected=is_cursor))

    def _marked(self, spans: Sequence[Span]) -> Iterator[Span]:
        """Mark what is looked for, also where it goes across spans."""
        if self.wanted is None:
            yield from spans
            return
        text = "".join(span.text for span in spans)
        found = [match.span() for match in self.wanted.finditer(text) if match.end() > match.start()]
        at = 0
        for span in spans:
            end = at + len(span.text)
            here = at
            for start, stop in found:
                if stop <= here or start >= end:
                    continue
                yield Span(text[here : max(here, start)], span.tone)
                yield Span(text[max(here, start) : min(stop, end)], "match")
                here = min(stop, end)
            yield Span(text[here:end], span.tone)
            at = end

    def draw_header(self) -> Strip:
        """Draw nothing: everything scrolls."""
        return Strip.blank(self.size.width)

    def moved(self) -> None:
        """Tell what the cursor is on."""
        self.post_message(self.LineHighlighted(self, self.cursor_key))

    def selected(self) -> None:
        """Tell what was opened, where it is something."""
        if self.cursor_key:
            self.post_message(self.LineSelected(self, self.cursor_key))

    def look_for(self, wanted: Pattern[str] | None) -> int:
        """Mark what is looked for and go to the next line that has it; returns how many lines have it."""
        self.wanted = wanted
        self.repaint()
        places = self._matches()
        if places and self.cursor not in places:
            self.move_to(next((place for place in places if place > self.cursor), places[0]))
        return len(places)

    def _matches(self) -> list[int]:
        if self.wanted is None:
            return []
        return [index for index, line in enumerate(self._lines) if self.wanted.search(line.text(self.now, self.glyphs))]

    def action_find(self, step: int) -> None:
        """Go to the next line that has what is looked for, or to the one before."""
        places = self._matches()
        if places:
            beyond = [place for place in places if (place - self.cursor) * step > 0]
            self.move_to((beyond or places)[0 if step > 0 else -1])

    def _headings(self) -> list[int]:
        return [index for index, line in enumerate(self._lines) if line.heading]

    def action_section(self, step: int) -> None:
        """Go to the section after or before."""
        beyond = [place for place in self._headings() if (place - self.cursor) * step > 0]
        if beyond:
            self._go_to_top(beyond[0 if step > 0 else -1])
        elif step < 0:
            self._go_to_top(0)

    def action_section_at(self, number: int) -> None:
        """Go to the section of a number."""
        for place in self._headings():
            if self._lines[place].text(self.now, self.glyphs).startswith(f"{number} "):
                self._go_to_top(place)

    def reveal(self, first: int, last: int, *, from_end: bool = False) -> None:
        """Bring lines to the screen: all of them or, where there is no room, the first ones or the last ones."""
        top = max(first, last - self.page + 1) if from_end else first
        top = max(0, min(top, self.count() - self.page))
        self._scroll_lines(top)
        self.move_to(max(top, min(first, top + self.page - 1)), quiet=True)

    def _go_to_top(self, place: int) -> None:
        """Put the cursor on a line and that line at the top."""
        self._scroll_lines(max(0, min(place, self.count() - self.page)))
        self.move_to(place)
