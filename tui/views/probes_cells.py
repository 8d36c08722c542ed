"""What a probe came to, in a cell: sign, figure, sparkline, losses and age, as far as there is room."""

from collections.abc import Sequence
from typing import Final

from probes.model.reach import Attempt, Result, Tone, percentile
from tui.format import Glyphs, Span, status, width
from tui.probed import Samples
from tui.widgets.sparkline import draw

OLD: Final = 900.0
"""Seconds after which a result says how it was, not how it is."""
BETWEEN: Final = ("pmtu", "ping", "mesh")
"""Kinds of probe that go from place to place."""
_PHASES: Final = {"connect": "tcp", "first-byte": "wait", "transfer": "body"}
"""Phases that have a shorter name than ours."""
_SPARK: Final = (3, 8)
"""Cells of a sparkline, at the least and at the most."""
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"))


class Reading:
    """What there is to say of a result, or of those of its tries that are of one variant."""

    def __init__(self, result: Result, variant: str = "") -> None:
        self.result = result
        self.tone: Tone = result.tone
        self.lost, self.sent, self.times, self.phase = result.lost, result.sent, result.times, result.phase
        if variant:
            sent = [each for each in result.attempts if each.variant == variant and not each.unable]
            failed = [each for each in sent if each.failed]
            self.tone = _tone(result, sent, failed)
            self.lost, self.sent = len(failed), len(sent)
            self.times = tuple(each.total for each in sent if each.well)
            self.phase = _commonest([each.failed for each in failed]) or result.phase

    @property
    def middle(self) -> float | None:
        """Seconds: the median of what came back."""
        return percentile(self.times, 0.5)

    @property
    def late(self) -> float | None:
        """Seconds that all but the slowest twentieth took at the most."""
        return percentile(self.times, 0.95)

    @property
    def said(self) -> str:
        """Say in the fewest words what is wrong; empty where nothing is."""
        result = self.result
        if self.tone == "ok":
            return ""
        if not self.sent:
            return result.said if result.outcome not in {"unassessed", "ok"} else "not sent"
        if self.phase and self.lost:
            return f"{_PHASES.get(self.phase, self.phase)} {self.lost}/{self.sent}"
        return f"{result.outcome} {self.lost}/{self.sent}" if self.lost == self.sent else result.said


def _tone(result: Result, sent: Sequence[Attempt], failed: Sequence[Attempt]) -> Tone:
    """Judge one variant by its own tries; where the whole is not well without a failure, no part of it is well."""
    if not sent:
        return "unknown"
    if failed:
        return "critical" if len(failed) == len(sent) else "warning"
    return "ok" if result.lost else result.tone


def _commonest(words: Sequence[str]) -> str:
    return max(words, key=words.count) if words else ""


def path_text(result: Result) -> str:
    """Say what a path carries or how long it takes, in the fewest words."""
    if result.outcome == "unassessed":
        return "not sent"
    if result.probe == "pmtu":
        known = result.sizes.mtu if result.sizes else None
        if known:
            return str(known)
        return "no way" if result.outcome == "unreachable" else "none"
    if result.tone == "ok":
        return figure(Reading(result)) or result.said
    if result.lost == result.sent:
        return "no way" if result.outcome == "unreachable" else "none"
    return f"{100 * result.lost / result.sent:.0f}% lost" if result.outcome == "lossy" else result.said


def sign(tone: str, text: str, glyphs: Glyphs, *, old: bool = False) -> Span:
    """Show a verdict as sign, tone and text; an old one says how it was."""
    shown = status(tone, glyphs, text)
    return Span(f"{glyphs.stale}{shown.text}", "stale") if old else shown


def not_run(glyphs: Glyphs) -> Span:
    """Show that nothing was sent."""
    return status("none", glyphs, "not run")


def is_old(result: Result, now: float) -> bool:
    """Whether a result only says how it was."""
    return now - result.at >= OLD


def ago(seconds: float) -> str:
    """Say coarsely how old something is, so that nothing ticks: ``now``, ``3m``, ``2h``."""
    return next((f"{int(seconds // unit)}{name}" for unit, name in _UNITS if seconds >= unit), "now")


def figure(reading: Reading, *, late: bool = False) -> str:
    """Write the median, with ``late`` also what all but the slowest took at most: ``84 ms``, ``84/120 ms``."""
    middle, high = reading.middle, reading.late
    if middle is None or high is None:
        return ""
    unit, factor = ("s", 1.0) if max(middle, high) >= 1 else ("ms", 1000.0)
    values = (middle, high) if late else (middle,)
    return "/".join(_number(value * factor) for value in values) + f" {unit}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"  # noqa: PLR2004 - two digits are enough


def target_cell(
    result: Result | None, variant: str, samples: Samples, room: int, now: float, glyphs: Glyphs
) -> tuple[Span, ...]:
    """Say what one vantage found of one target, in so many cells: the verdict first, what else there is room for."""
    if result is None:
        return (not_run(glyphs),)
    reading = Reading(result, variant)
    old = is_old(result, now)
    texts = [reading.said] if reading.said else [figure(reading, late=True), figure(reading), result.said]
    heads = [sign(reading.tone, text, glyphs, old=old) for text in texts if text]
    head = next((each for each in heads if width(each.text) <= room), heads[-1])
    left = room - width(head.text)
    lost = f" {reading.lost}/{reading.sent}"
    spans = [head]
    if reading.lost and lost[1:] not in head.text and left >= len(lost):
        spans.append(Span(lost, "warning"))
        left -= len(lost)
    age = f" {ago(now - result.at)}"
    tail = [Span(age, "muted")] if left >= len(age) else []
    left -= len(age) if tail else 0
    cells = min(_SPARK[1], left - 1, len(samples))
    if cells >= _SPARK[0]:
        spans += [Span(" "), *draw(samples, cells, glyphs, least=0.0)]
    return (*spans, *tail)
