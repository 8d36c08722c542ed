"""Signs: how the states of steps, conditions and runs look, and the block that shows exact commands."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from probes.model.text import clean, clean_lines
from runbooks.actions import Weight
from runbooks.events import ConditionState, Outcome, State
from runbooks.gates import words
from runbooks.sight import Condition
from tui.format import Glyphs, Span, age, status, width
from tui.widgets.blocks import Line, Part, wrap

_OUTCOMES: Final[dict[Outcome, tuple[str, str]]] = {
    "done": ("ok", "done"),
    "already": ("ok", "was so already"),
    "not-needed": ("none", "not needed"),
    "skipped": ("warning", "skipped"),
    "overridden": ("warning", "gone on with although its gate did not hold"),
    "failed": ("critical", "failed"),
}
_CONDITIONS: Final[dict[State, str]] = {
    "held": "ok",
    "excused": "warning",
    "waiting": "loading",
    "unknown": "unknown",
}
_WEIGHTS: Final[dict[Weight, Span]] = {
    "nothing": Span("changes nothing", "muted"),
    "changes": Span("changes", "accent"),
    "disrupts": Span("disrupts", "warning"),
}


def outcome_span(outcome: Outcome, glyphs: Glyphs) -> Span:
    """Show how a step ended."""
    name, said = _OUTCOMES[outcome]
    return status(name, glyphs, said)


def outcome_sign(outcome: Outcome, glyphs: Glyphs) -> Span:
    """Show how a step ended, as a sign alone."""
    return status(_OUTCOMES[outcome][0], glyphs)


def weight_span(weight: Weight) -> Span:
    """Say how much a step does."""
    return _WEIGHTS[weight]


def condition_spans(state: ConditionState, glyphs: Glyphs, *, failed: bool = False) -> tuple[Span, ...]:
    """Show a condition: its sign, its words and what was seen; what nobody can tell is never green.

    ``failed``: time is up, so that what does not hold is not waited for any more.
    """
    name = "critical" if failed and state.state == "waiting" else _CONDITIONS.get(state.state, "unknown")
    sign = status(name, glyphs)
    said = {"excused": "as bad before: ", "unknown": "unknown: "}.get(state.state, "")
    tone = sign.tone if name in {"warning", "unknown", "critical"} else "muted"
    seen = f"  {said}{clean(state.seen)}" if state.seen or said else ""
    return (sign, Span(" "), Span(state.text), Span(seen, tone))


def planned_spans(condition: Condition, glyphs: Glyphs) -> tuple[Span, ...]:
    """Show a condition that was not looked at yet."""
    keeps = "" if condition.absolute else "  not worse than now"
    return (status("none", glyphs), Span(" "), Span(words(condition)), Span(keeps, "muted"))


def remaining(at: float | None, now: float) -> Span:
    """Say how long until a moment; at the moment itself ``0s``."""
    return Span("?", "unknown") if at is None else Span(age(max(0.0, at - now)), "accent")


def elapsed(at: float | None, now: float) -> Span:
    """Say how long since a moment."""
    return Span("?", "unknown") if at is None else Span(age(max(0.0, now - at)), "text")


def duration(seconds: float) -> str:
    """Say a length of time: ``30s`` ``10m``."""
    return age(max(0.0, seconds))


class Hanging(NamedTuple):
    """Spans that are wrapped under one another, with a lead before the first line and as much room before the rest."""

    lead: tuple[Span, ...]
    spans: tuple[Span, ...]
    key: str = ""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Lay it out; nothing of the spans is cut."""
        margin = sum(width(span.text) for span in self.lead)
        room = max(1, cells - margin)
        line: list[Part] = []
        used = 0
        made: list[list[Part]] = []
        for span in self.spans:
            for place, piece in enumerate(_pieces(clean(span.text), room - used, room, glyphs)):
                if place:
                    made.append(line)
                    line, used = [], 0
                if piece:
                    line.append(Part(Span(piece, span.tone)))
                    used += width(piece)
        made.append(line)
        for place, parts in enumerate(made):
            first = [Part(span) for span in self.lead] if not place else [Part(Span(" " * margin))]
            yield Line((*first, *parts), self.key)


def _pieces(text: str, first: int, room: int, glyphs: Glyphs) -> list[str]:
    """Break a text: what fits beside what stands on the line already, then whole lines."""
    if width(text) <= first:
        return [text]
    head = wrap(text, first, glyphs)[0] if first > 0 else ""
    if width(head) > first or (" " not in text[: len(head) + 1] and width(text.strip()) <= room):
        head = ""  # the whole of it has room on a line of its own
    return [head, *wrap(text[len(head) :].lstrip(" "), room, glyphs)]


class Cut(NamedTuple):
    """Spans in one line behind some cells; what has no room is cut, with a mark."""

    spans: tuple[Span, ...]
    indent: int = 0
    key: str = ""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:  # noqa: ARG002 - as every block
        """Draw it; the document cuts what is too long."""
        yield Line((Part(Span(" " * self.indent)), *(Part(span) for span in self.spans)), self.key)


class Commands(NamedTuple):
    """Exact command lines, wrapped but never cut, each with a sign before its first line."""

    commands: tuple[str, ...]
    indent: int = 3
    key: str = ""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Lay them out; a line break within one is a line break here."""
        room = max(8, cells - self.indent - 2)
        for command in self.commands:
            sign = "# " if command.startswith("# ") else "$ "
            said = clean_lines(command.removeprefix("# "))
            for place, line in enumerate(wrap(said, room, glyphs)):
                lead = " " * self.indent + (sign if not place else "  ")
                yield Line((Part(Span(lead, "muted")), Part(Span(line, "accent"))), self.key)


class Content(NamedTuple):
    """The content of a file, line by line as it is; a line that is too long goes on under itself."""

    text: str
    indent: int = 12

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:
        """Draw the lines behind a rule."""
        rule = Span(" " * self.indent + ("| " if glyphs.ok.isascii() else "│ "), "muted")
        room = max(8, cells - self.indent - 2)
        for line in clean_lines(self.text).removesuffix("\n").split("\n"):
            for piece in wrap(line, room, glyphs):
                yield Line((Part(rule), Part(Span(piece, "accent"))))
