"""Header: which cluster this is, whether what is shown is true now, and how bad it is; one line, always there."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from probes.model.snapshot import NODE, SourceState
from probes.rules.finding import Diagnosis, Severity
from tui.format import Glyphs, Span, age, cut, milliseconds, status, width
from tui.widgets.spanline import SpanLines

_GAP: Final = "  "
_LATE: Final = 90.0
"""Seconds without a word from the API until what is shown counts as stale: its watches send bookmarks every minute."""
_LEAST_CONTEXT: Final = 8
_WHOLE_CONTEXT: Final = 20
"""Cells of a context's name that are worth more than anything behind it."""
READ_ONLY: Final = (Span("READ-ONLY", "accent"),)
"""The sign that nothing can be changed."""


class Header(SpanLines):
    """The line at the top, and beneath it where this is."""

    DEFAULT_CSS = """
    Header { dock: top; background: $panel; }
    """

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__(glyphs=glyphs)

    def show(
        self, diagnosis: Diagnosis, now: float, crumbs: Sequence[str] = (), signs: Sequence[Span] = READ_ONLY
    ) -> None:
        """Say how things are; ``now`` is seconds since the epoch, ``signs`` say what can be and is being changed."""
        lines = [headline(diagnosis, now, self.app.size.width, self.glyphs, signs)]
        if crumbs:
            lines.append(trail((diagnosis.snapshot.context or "cluster", *crumbs), self.glyphs))
        self.set_lines(lines)


def trail(crumbs: Sequence[str], glyphs: Glyphs) -> tuple[Span, ...]:
    """Say where this is, from the cluster down."""
    spans = [Span(" ")]
    for place, crumb in enumerate(crumbs):
        is_last = place == len(crumbs) - 1
        spans.append(Span(crumb, "accent" if is_last else "muted"))
        if not is_last:
            spans.append(Span(f" {glyphs.folded} ", "muted"))
    return tuple(spans)


def headline(
    diagnosis: Diagnosis, now: float, cells: int, glyphs: Glyphs, signs: Sequence[Span] = READ_ONLY
) -> tuple[Span, ...]:
    """Say in one line which cluster, live or not, how fast, how many nodes, how bad, and what can be changed."""
    left: list[Span] = []
    right: list[Span] = []
    for brevity in range(5):
        left, right = _parts(diagnosis, now, glyphs, brevity), _end(signs, now, brevity)
        name = next(span.text for span in left if span.tone == "header")
        if sum(width(span.text) for span in (*left, *right)) - max(0, width(name) - _WHOLE_CONTEXT) + 2 <= cells:
            break
    context = next(i for i, span in enumerate(left) if span.tone == "header")
    rest = sum(width(span.text) for span in (*left, *right)) - width(left[context].text)
    room = max(_LEAST_CONTEXT, cells - rest - 2)
    left[context] = Span(cut(left[context].text, room, glyphs), "header")
    taken = sum(width(span.text) for span in (*left, *right)) + 2
    return (Span(" "), *left, Span(" " * max(0, cells - taken)), *right, Span(" "))


def _end(signs: Sequence[Span], now: float, brevity: int) -> list[Span]:
    """Say what can be changed and, unless the line is short of room, what time it is."""
    parts = [Span(_GAP), *signs]
    if brevity < 3:  # noqa: PLR2004 - the last thing to go but the context
        parts += [Span(_GAP), Span(_clock(now), "muted")]
    return parts


def _parts(diagnosis: Diagnosis, now: float, glyphs: Glyphs, brevity: int) -> list[Span]:
    snapshot = diagnosis.snapshot
    parts: list[Span] = [] if brevity > 0 else [Span("underlay", "muted"), Span(_GAP)]
    parts += [Span(snapshot.context or "no context", "header"), Span(_GAP), _life(diagnosis, now, glyphs)]
    if snapshot.api_latency is not None and brevity < 4:  # noqa: PLR2004 - the third thing to go
        parts += [Span(_GAP), Span(f"api {milliseconds(snapshot.api_latency, glyphs)}", "muted")]
    if diagnosis.views:
        ready = sum(row.ready == "True" for row in diagnosis.nodes)
        whole = len(diagnosis.views)
        said = f"{whole} node{'s' if whole != 1 else ''}" if ready == whole else f"{ready}/{whole} ready"
        parts += [Span(_GAP), Span(said, "text" if ready == whole else "warning")]
    if diagnosis.views or diagnosis.findings:  # before anything is known, nothing is counted: 0 would be a claim
        parts += _counts(diagnosis, glyphs, short=brevity > 1)
    return parts


def _clock(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).astimezone().strftime("%H:%M:%S")


def _counts(diagnosis: Diagnosis, glyphs: Glyphs, *, short: bool) -> list[Span]:
    counts = (
        ("critical", diagnosis.count(Severity.CRITICAL), "critical"),
        ("warning", diagnosis.count(Severity.WARNING), "warnings"),
        ("unknown", len(diagnosis.gaps), "unassessed"),
    )
    parts: list[Span] = []
    for name, count, word in counts:
        said = str(count) if short else f"{count} {word[:-1] if word == 'warnings' and count == 1 else word}"
        shown = status(name, glyphs, said)
        parts += [Span(_GAP if not short else " " if parts else _GAP), shown if count else Span(shown.text, "muted")]
    return parts


def _life(diagnosis: Diagnosis, now: float, glyphs: Glyphs) -> Span:
    """Tell whether what is shown is true now, and how old it is where it is not."""
    state = diagnosis.snapshot.resource("nodes")
    if state.status == "loading":
        return Span(f"{glyphs.loading} connecting", "muted")
    if state.status == "restricted":
        return status("restricted", glyphs, "nodes")
    if state.status != "ok":
        answering = any(diagnosis.snapshot.source(f"{NODE}{name}").status == "ok" for name in diagnosis.views)
        return _lost(state, now, glyphs, answering=answering)
    newest = diagnosis.snapshot.at
    if now - newest > _LATE:
        return status("stale", glyphs, f"stale {age(now - newest, glyphs)}")
    return Span(f"{glyphs.live} live", "ok")


def _lost(state: SourceState, now: float, glyphs: Glyphs, *, answering: bool) -> Span:
    """Tell of an API that is away, and whether nodes go on telling of themselves, as they do while k3s restarts."""
    if state.at is None:
        return status("critical", glyphs, "no API")
    rest = ", nodes live" if answering else ""
    return status("stale", glyphs, f"API stale {age(now - state.at, glyphs)}{rest}")
