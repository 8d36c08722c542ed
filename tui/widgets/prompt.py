"""Prompt: the line at the bottom; it says which keys work, and takes a filter or a command where one is asked for."""

from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

from probes.model.text import clean
from tui.format import Glyphs, Span, width
from tui.widgets.footer import Keys

_LONGEST = 1000
"""Characters that are taken."""


class Prompt(Keys):
    """The keys or, opened for a filter (``/``) or a command (``:``), what is typed, with what is wrong beside it.

    One widget for both, so that nothing is laid out anew when it opens.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "take", "Complete", id="prompt.complete", tooltip="Take the completion that is shown"),
        Binding("enter", "give", "Enter", id="prompt.give"),
        Binding("escape", "dismiss", "Cancel", id="prompt.cancel"),
        Binding("up", "earlier(-1)", "Earlier", show=False, id="prompt.earlier"),
        Binding("down", "earlier(1)", "Later", show=False, id="prompt.later"),
        Binding("left", "go(-1)", "Left", show=False, id="prompt.left"),
        Binding("right", "go(1)", "Right", show=False, id="prompt.right"),
        Binding("home,ctrl+a", "go(-9999)", "Start", show=False, id="prompt.start"),
        Binding("end,ctrl+e", "go(9999)", "End", show=False, id="prompt.end"),
        Binding("backspace,ctrl+h", "delete(-1)", "Delete before", show=False, id="prompt.delete-before"),
        Binding("delete,ctrl+d", "delete(1)", "Delete", show=False, id="prompt.delete"),
        Binding("ctrl+u", "delete(-9999)", "Delete to the start", show=False, id="prompt.delete-to-start"),
        Binding("ctrl+k", "delete(9999)", "Delete to the end", show=False, id="prompt.delete-to-end"),
        Binding("ctrl+w", "delete_word", "Delete a word", show=False, id="prompt.delete-word"),
    ]

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

    def __init__(
        self, *, glyphs: Glyphs, complete: Callable[[str], str], asked: dict[str, deque[str]] | None = None
    ) -> None:
        super().__init__(glyphs=glyphs)
        self.can_focus = False  # while it shows keys
        self.kind = ""
        """``/`` or ``:``; empty while nothing is asked."""
        self.text = ""
        """What is typed."""
        self._at = 0
        """The place of the cursor in it."""
        self._wrong = ""
        self._complete = complete
        self._asked = asked if asked is not None else {}
        self._place = 0
        self._back: Widget | None = None

    def ask(self, kind: str, text: str) -> None:
        """Open for a filter or a command, with what it begins with."""
        self.kind, self.text, self._at = kind, text, len(text)
        self._place = 0
        self._wrong = ""
        self._back = self.screen.focused
        self.can_focus = True
        self.screen.set_focus(self, scroll_visible=False)
        self._draw_typed()

    def leave(self) -> None:
        """Close, and tell nobody: the screen is gone to anew."""
        if self.kind:
            self._close()

    def complain(self, wrong: str) -> None:
        """Say what is wrong with what is typed."""
        self._wrong = wrong
        if self.kind:
            self._draw_typed()

    def update_keys(self, screen: Screen[Any]) -> None:
        """Show the keys, unless something is typed."""
        if not self.kind:
            super().update_keys(screen)

    def _completion(self) -> str:
        """Tell what would complete the command that is typed; empty where nothing does."""
        found = self._complete(self.text) if self.kind == ":" and self._at == len(self.text) else ""
        return found if found.startswith(self.text) else ""

    def _draw_typed(self) -> None:
        """Write what is typed; of a long text the part around the cursor is seen, with marks for what is not."""
        wrong = f"{self.glyphs.critical} {self._wrong} " if self._wrong else ""
        room = max(8, self.size.width - width(wrong) - 4)
        start = max(0, self._at - room + 1)
        before = clean(self.text[start : self._at])
        under, after = clean(self.text[self._at : self._at + 1]), clean(self.text[self._at + 1 :])
        rest = self._completion()[len(self.text) :]
        spans = [Span(f" {self.kind}", "accent"), Span(self.glyphs.ellipsis if start else "", "muted"), Span(before)]
        spans += [Span(under or rest[:1] or " ", "match"), Span(after), Span(rest[1:], "muted")]
        used = sum(width(span.text) for span in spans)
        self.set_lines([[*spans, Span(" " * (self.size.width - used - width(wrong))), Span(wrong, "critical")]])

    def _typed(self, text: str, at: int) -> None:
        """Take what is typed now, and tell of it."""
        is_new = text != self.text
        self.text, self._at = text[:_LONGEST], max(0, min(at, len(text), _LONGEST))
        if is_new:
            self._wrong = ""
            self.post_message(self.Changed(self, self.kind, self.text))
        self._draw_typed()

    def _insert(self, text: str) -> None:
        self._typed(self.text[: self._at] + text + self.text[self._at :], self._at + len(text))

    def on_key(self, event: events.Key) -> None:
        """Take a character."""
        if self.kind and event.is_printable and event.character:
            event.stop()
            event.prevent_default()
            self._insert(event.character)

    def on_paste(self, event: events.Paste) -> None:
        """Take the first line of what was pasted."""
        event.stop()
        self._insert(event.text.strip().partition("\n")[0].strip())

    def check_consume_key(self, key: str, character: str | None) -> bool:  # noqa: ARG002 - the signature is Textual's
        """Take every character, whatever it does elsewhere."""
        return bool(self.kind) and character is not None and character.isprintable()

    def action_take(self) -> None:
        """Take the completion that is shown."""
        if found := self._completion():
            self._typed(found, len(found))

    def action_go(self, places: int) -> None:
        """Move the cursor."""
        self._typed(self.text, self._at + places)

    def action_delete(self, places: int) -> None:
        """Delete what is before (-) or behind the cursor."""
        end = max(0, self._at + places)
        first, last = sorted((self._at, end))
        self._typed(self.text[:first] + self.text[last:], first)

    def action_delete_word(self) -> None:
        """Delete the word before the cursor."""
        kept = self.text[: self._at].rstrip().rpartition(" ")
        start = len(kept[0]) + len(kept[1])
        self._typed(self.text[:start] + self.text[self._at :], start)

    def action_earlier(self, places: int) -> None:
        """Bring back an earlier (-1) or later (1) one."""
        asked = self._asked.get(self.kind, deque())
        self._place = max(-len(asked), min(0, self._place + places))
        text = asked[self._place] if self._place else ""
        self._typed(text, len(text))

    def action_give(self) -> None:
        """Tell what was entered, and remember it."""
        kind, text = self.kind, self.text.strip()
        asked = self._asked.setdefault(kind, deque(maxlen=100))
        if text and (not asked or asked[-1] != text):
            asked.append(text)
        self._close()
        self.post_message(self.Given(self, kind, text))

    def action_dismiss(self) -> None:
        """Close and take back what was typed."""
        kind = self.kind
        self._close()
        self.post_message(self.Changed(self, kind, ""))

    def _close(self) -> None:
        self.kind = self.text = ""
        back = self._back if self._back is not None and self._back.is_attached else None
        self.screen.set_focus(back, scroll_visible=False)
        self.can_focus = False
        self.update_keys(self.screen)
        self.post_message(self.Closed())
