"""Probe line: what a probe would send, to be read before it is sent; and how far it is, before the keys."""

from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widget import Widget

from tui.format import Glyphs, Span, status, width
from tui.probed import Run
from tui.probing import Proposal
from tui.widgets.blocks import wrap
from tui.widgets.footer import Keys
from tui.widgets.spanline import SpanLines

_TONES: Final = ("ok", "warning", "critical", "unknown")
_LEAST: Final = 60
"""Columns from which on there is room to say what is sent."""


class ProbeLine(SpanLines, can_focus=True):
    """Asks whether to send; it stands where the keys stood and takes all keys until it is answered."""

    DEFAULT_CSS = """
    ProbeLine { dock: bottom; height: auto; display: none; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,p", "send", "Send", id="probe.send", tooltip="Send what the line says"),
        Binding("escape,q", "leave", "Leave", id="probe.leave", tooltip="Send nothing"),
    ]

    class Accepted(Message):
        """What was proposed shall be sent."""

        def __init__(self, proposal: Proposal) -> None:
            super().__init__()
            self.proposal = proposal

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__(glyphs=glyphs, ground="text")
        self._proposal: Proposal | None = None
        self._back: Widget | None = None

    def ask(self, proposal: Proposal) -> None:
        """Say what would be sent, and wait for the answer."""
        if self._proposal is None:
            self._back = self.screen.focused
        self._proposal = proposal
        self._stand(instead=True)
        self._say()
        self.screen.set_focus(self, scroll_visible=False)

    def _stand(self, *, instead: bool) -> None:
        """Stand where the keys stood, or give their place back."""
        self.display = instead
        self.screen.query_one(Keys).display = not instead

    def _say(self) -> None:
        if self._proposal is not None:
            self.set_lines(asking(self._proposal.says, self.app.size.width, self.glyphs))

    def on_resize(self) -> None:
        """Fit into another width."""
        super().on_resize()
        self._say()

    def on_blur(self) -> None:
        """Take looking elsewhere for no."""
        self._close()

    def _close(self) -> None:
        if self._proposal is None:
            return
        self._proposal = None
        self._stand(instead=False)
        if self.has_focus:
            back = self._back if self._back is not None and self._back.is_attached else None
            self.screen.set_focus(back, scroll_visible=False)

    def action_send(self) -> None:
        """Send it."""
        proposal = self._proposal
        self._close()
        if proposal is not None:
            self.post_message(self.Accepted(proposal))

    def action_leave(self) -> None:
        """Send nothing."""
        self._close()


def asking(says: str, cells: int, glyphs: Glyphs) -> list[tuple[Span, ...]]:
    """Lay out a proposal, nothing of it cut, and the keys that answer it."""
    enter = "enter" if glyphs.ok.isascii() else "↵"
    keys = (Span(f" {enter}", "accent"), Span(" send  "), Span("esc", "accent"), Span(" leave "))
    room = sum(width(span.text) for span in keys)
    lead = " send "
    text = wrap(says, max(10, cells - len(lead) - 2), glyphs)
    if width(text[-1]) + len(lead) + room > cells:
        text.append("")
    lines: list[tuple[Span, ...]] = []
    for place, line in enumerate(text):
        head = Span(lead if not place else " " * len(lead), "header")
        if place < len(text) - 1:
            lines.append((head, Span(line)))
            continue
        blank = max(0, cells - len(lead) - width(line) - room)
        lines.append((head, Span(line), Span(" " * blank), *keys))
    return lines


def progress(run: Run | None, cells: int, glyphs: Glyphs) -> tuple[Span, ...]:
    """Say how far a run is and how to stop it; nothing where none is under way."""
    if run is None or run.state != "running":
        return ()
    spans = [Span(f" {glyphs.loading} probing ", "header"), Span(f"{run.done}/{run.total} ", "accent")]
    for tone in _TONES:
        if count := run.tones.get(tone, 0):
            sign = status(tone, glyphs, str(count))
            spans.append(Span(f" {sign.text}", sign.tone))
    if cells >= _LEAST:
        spans += [Span("  esc", "accent"), Span(" stops  ", "muted")]
    return tuple(spans)


def outcome(run: Run, glyphs: Glyphs) -> str:
    """Say in a few words how a run ended."""
    found = " ".join(status(tone, glyphs, str(run.tones[tone])).text for tone in _TONES if tone in run.tones)
    kinds = " and ".join(run.wanted.kinds)
    if run.state == "failed":
        return f"probe {kinds}: {run.reason}"
    ended = "stopped" if run.state == "stopped" else "done"
    return f"probe {kinds} {ended}: {found or 'nothing came of it'}; :probes shows it"
