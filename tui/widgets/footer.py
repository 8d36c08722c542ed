"""Keys: the line at the bottom that says which keys work here."""

from collections.abc import Iterable
from typing import Any, Final

from textual.binding import Binding
from textual.screen import Screen

from tui.format import Glyphs, Span, width
from tui.widgets.spanline import SpanLines

_SHOWN: Final = {
    "enter": "↵",
    "escape": "esc",
    "space": "space",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "minus": "-",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
}
_FIRST: Final = ("lines.open", "probe", "repair", "explain", "filter", "command")
"""What stands first, by its id, where it works: in 80 cells not everything has room."""
_ASCII: Final = {"↵": "enter", "↑": "up", "↓": "down", "←": "left", "→": "right"}


class Keys(SpanLines):
    """The keys that work here, as many as fit; the rest is in the help."""

    DEFAULT_CSS = """
    Keys { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self, *, glyphs: Glyphs) -> None:
        super().__init__(glyphs=glyphs)
        self._lead: tuple[Span, ...] = ()

    def lead(self, spans: tuple[Span, ...]) -> None:
        """Say something before the keys, such as what is under way; the keys take what room is left."""
        if spans != self._lead:
            self._lead = spans
            self.update_keys(self.screen)

    def on_mount(self) -> None:
        """Follow what works."""
        self.screen.bindings_updated_signal.subscribe(self, self.update_keys)
        self.call_after_refresh(self.update_keys, self.screen)

    def on_resize(self) -> None:
        """Fit into another width."""
        super().on_resize()
        self.update_keys(self.screen)

    def update_keys(self, screen: Screen[Any]) -> None:
        """Show the keys that work now."""
        if not self.is_attached or not screen.is_current:
            return
        active = [each.binding for each in screen.active_bindings.values() if each.enabled and each.binding.show]
        active.sort(key=lambda binding: _FIRST.index(binding.id) if binding.id in _FIRST else len(_FIRST))
        used = sum(width(span.text) for span in self._lead)
        self.set_lines([(*self._lead, *key_line(active, self.size.width - used, self.glyphs))])


def key_name(binding: Binding, glyphs: Glyphs) -> str:
    """Write a key as it stands on a keyboard."""
    key = binding.key_display or binding.key
    shown = _SHOWN.get(key, key).replace("ctrl+", "ctrl-")
    return shown if shown.isascii() or not glyphs.ok.isascii() else _ASCII.get(shown, shown)


def key_line(bindings: Iterable[Binding], cells: int, glyphs: Glyphs) -> tuple[Span, ...]:
    """Put keys and what they do into one line; where they do not all fit, the last is the one for help."""
    made: dict[tuple[str, str], None] = {}
    for binding in bindings:
        made.setdefault((key_name(binding, glyphs), binding.description.lower()))
    help_key = next((each for each in made if each[1] == "help"), None)
    tail = _cells(help_key) if help_key else 0
    spans: list[Span] = [Span(" ")]
    room = cells - 1
    for key, word in made:
        if (key, word) == help_key:
            continue
        if room - _cells((key, word)) < tail:
            break
        room -= _cells((key, word))
        spans += [Span(key, "accent"), Span(f" {word}  ", "muted")]
    if help_key:
        spans += [Span(help_key[0], "accent"), Span(f" {help_key[1]}", "muted")]
    return tuple(spans)


def _cells(each: tuple[str, str]) -> int:
    return width(each[0]) + width(each[1]) + 3
