"""Prompt: the line where a filter or a command is typed; it stands where the keys stood."""

from collections import deque
from collections.abc import Callable
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input

from tui.format import Glyphs, Span, width
from tui.widgets.spanline import SpanLines


class _Completion(Suggester):
    """Completes a command as it is typed."""

    def __init__(self, complete: Callable[[str], str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        """Complete what was typed."""
        return self._complete(value) or None


class _Line(Input):
    """What is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "take", "Complete", id="prompt.complete"),
        Binding("up", "earlier(-1)", "Earlier", show=False, id="prompt.earlier"),
        Binding("down", "earlier(1)", "Later", show=False, id="prompt.later"),
        Binding("escape", "dismiss", "Cancel", id="prompt.cancel"),
    ]

    def action_take(self) -> None:
        """Take the completion that is shown."""
        if self._suggestion:
            self.value = self._suggestion
            self.cursor_position = len(self.value)

    def action_earlier(self, places: int) -> None:
        """Bring back what was typed before."""
        prompt = self.parent
        if isinstance(prompt, Prompt):
            prompt.recall(places)

    def action_dismiss(self) -> None:
        """Give up."""
        prompt = self.parent
        if isinstance(prompt, Prompt):
            prompt.dismiss()


class Prompt(Horizontal):
    """A line to type into, opened for a filter (``/``) or a command (``:``), with what is wrong beside it."""

    DEFAULT_CSS = """
    Prompt { dock: bottom; height: 1; display: none; background: $panel; }
    Prompt.-open { display: block; }
    Prompt > SpanLines { width: auto; background: $panel; }
    Prompt > _Line {
        width: 1fr; height: 1; border: none; padding: 0; background: $panel; color: $foreground;
    }
    Prompt > _Line:focus { border: none; background: $panel; background-tint: $panel 0%; }
    """

    class Changed(Message):
        """Something else is typed now."""

        def __init__(self, prompt: "Prompt", kind: str, text: str) -> None:
            super().__init__()
            self.prompt = prompt
            self.kind = kind
            self.text = text

    class Given(Changed):
        """It was entered."""

    class Closed(Message):
        """Nothing is asked any more."""

    input = getters.query_one(_Line)

    def __init__(
        self, *, glyphs: Glyphs, complete: Callable[[str], str], asked: dict[str, deque[str]] | None = None
    ) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._complete = complete
        self._asked = asked if asked is not None else {}
        self._place = 0
        self._back: Widget | None = None
        self.kind = ""

    def compose(self) -> ComposeResult:
        """Put a sign before what is typed and what is wrong behind it."""
        yield SpanLines(glyphs=self._glyphs, id="sign")
        line = _Line(compact=True, select_on_focus=False)
        line.cursor_blink = False
        yield line
        yield SpanLines(glyphs=self._glyphs, id="complaint")

    def ask(self, kind: str, text: str) -> None:
        """Open for a filter or a command, with what it begins with."""
        self.kind = kind
        self._place = 0
        self._back = self.screen.focused
        self._say("#sign", Span(f" {kind}", "accent"))
        self.complain("")
        self.input.suggester = _Completion(self._complete) if kind == ":" else None
        with self.input.prevent(Input.Changed):
            self.input.value = text
        self.input.cursor_position = len(text)
        self.add_class("-open")
        self.screen.add_class("-asking")
        self.input.focus()

    def complain(self, wrong: str) -> None:
        """Say what is wrong with what is typed."""
        self._say("#complaint", Span(f" {self._glyphs.critical} {wrong} " if wrong else "", "critical"))

    def _say(self, where: str, span: Span) -> None:
        line = self.query_one(where, SpanLines)
        line.styles.width = width(span.text)
        line.set_lines([[span]])

    def recall(self, places: int) -> None:
        """Bring back an earlier (-1) or later (1) one."""
        asked = self._asked.get(self.kind, deque())
        self._place = max(-len(asked), min(0, self._place + places))
        self.input.value = asked[self._place] if self._place else ""
        self.input.cursor_position = len(self.input.value)

    def dismiss(self) -> None:
        """Close and take back what was typed."""
        kind = self.kind
        self._close()
        self.post_message(self.Changed(self, kind, ""))

    def _close(self) -> None:
        self.remove_class("-open")
        self.screen.remove_class("-asking")
        self.screen.set_focus(self._back if self._back is not None and self._back.is_attached else None)
        self.post_message(self.Closed())

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed."""
        event.stop()
        self.complain("")
        if self.has_class("-open"):
            self.post_message(self.Changed(self, self.kind, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell what was entered, and remember it."""
        event.stop()
        kind, text = self.kind, event.value.strip()
        asked = self._asked.setdefault(kind, deque(maxlen=100))
        if text and (not asked or asked[-1] != text):
            asked.append(text)
        self._close()
        self.post_message(self.Given(self, kind, text))
