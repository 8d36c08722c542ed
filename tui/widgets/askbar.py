"""Ask bar: what is asked of the operator, the line where it is typed, and what is wrong with what was typed."""

from collections.abc import Sequence
from typing import ClassVar

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Input

from tui.format import Glyphs, Span, status, width
from tui.widgets.spanline import SpanLines


class Typed(Input):
    """What is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss", "Not now", id="ask.cancel"),
        Binding("tab", "cursor_right", "Complete", show=False, id="ask.complete"),
    ]

    def action_dismiss(self) -> None:
        """Give up."""
        bar = self.screen.query_one(AskBar)
        bar.close()
        bar.post_message(AskBar.Dismissed())


class AskBar(Vertical):
    """Lines that say what is asked; below them, once something is to be typed, the line to type it in."""

    DEFAULT_CSS = """
    AskBar { height: auto; max-height: 70%; background: $panel; display: none; }
    AskBar.-asks, AskBar.-open { display: block; }
    AskBar > SpanLines { background: $panel; }
    AskBar > Horizontal { height: 1; display: none; }
    AskBar.-open > Horizontal { display: block; }
    AskBar > Horizontal > SpanLines { width: auto; background: $panel; }
    AskBar > Horizontal > Typed {
        width: 1fr; height: 1; border: none; padding: 0; background: $panel; color: $foreground;
    }
    AskBar > Horizontal > Typed:focus { border: none; background: $panel; background-tint: $panel 0%; }
    """

    class Given(Message):
        """Something was entered."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Changed(Given):
        """Something else is typed now."""

    class Dismissed(Message):
        """Nothing is going to be typed."""

    input = getters.query_one(Typed)

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self.purpose = ""
        """What the line is open for; empty while it is closed."""

    def compose(self) -> ComposeResult:
        """Put the question above the line, and what is wrong beneath it."""
        yield SpanLines(glyphs=self._glyphs, id="question")
        with Horizontal():
            yield SpanLines(glyphs=self._glyphs, id="label")
            line = Typed(compact=True, select_on_focus=False)
            line.cursor_blink = False
            yield line
        yield SpanLines(glyphs=self._glyphs, id="wrong")

    def ask(self, lines: Sequence[Sequence[Span]]) -> None:
        """Say what is asked; nothing where there are no lines."""
        self.query_one("#question", SpanLines).set_lines(lines)
        self.set_class(bool(lines), "-asks")

    def open(self, purpose: str, label: str, text: str = "", suggester: Suggester | None = None) -> None:
        """Open the line for something, with what it begins with."""
        self.purpose = purpose
        said = self.query_one("#label", SpanLines)
        said.styles.width = width(label) + 2
        said.set_lines([[Span(f" {label} ", "accent")]])
        self.complain("")
        self.input.suggester = suggester
        with self.input.prevent(Input.Changed):
            self.input.value = text
        self.input.cursor_position = len(text)
        self.add_class("-open")
        self.input.focus()

    def close(self) -> None:
        """Close the line."""
        if self.purpose:
            self.purpose = ""
            self.complain("")
            self.remove_class("-open")
            self.screen.set_focus(None)

    def complain(self, wrong: str) -> None:
        """Say what is wrong with what is typed; where nothing is, which keys end it."""
        if wrong:
            lines = [[Span(" "), status("critical", self._glyphs, wrong)]]
        elif self.purpose:
            enter = "enter" if self._glyphs.ok.isascii() else "↵"
            lines = [
                [
                    Span(f" {enter}", "accent"),
                    Span(" takes it  ", "muted"),
                    Span("esc", "accent"),
                    Span(" not now", "muted"),
                ]
            ]
        else:
            lines = []
        self.query_one("#wrong", SpanLines).set_lines(lines)

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed."""
        event.stop()
        if self.purpose:
            self.complain("")
            self.post_message(self.Changed(self.purpose, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Tell what was entered."""
        event.stop()
        if self.purpose:
            self.post_message(self.Given(self.purpose, event.value.strip()))
