"""Help: every key that works where it was asked for, made from the bindings themselves."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from textual import events, getters
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen, Screen

from tui.format import Glyphs, Span, fit, status, width
from tui.screens.base import LiveApp
from tui.widgets.blocks import wrap
from tui.widgets.footer import key_name
from tui.widgets.spanline import SpanLines


class Key(NamedTuple):
    """A key and what it does."""

    group: str
    key: str
    says: str
    tooltip: str


_WIDTH: Final = 76
_FRAME: Final = 5
"""Cells that are no text: frame, padding and scroll bar."""
_INDENT: Final = 2
_GROUPS: Final = ("Here", "Anywhere", "The list")
_SIGNS: Final = (
    ("ok", "as it should be"),
    ("warning", "warning"),
    ("critical", "critical"),
    ("unknown", "not assessed: nobody knows"),
    ("stale", "old: its source does not answer"),
    ("restricted", "not allowed to look"),
    ("loading", "no answer yet"),
    ("none", "does not apply"),
)


def keys_of(screen: Screen[Any], glyphs: Glyphs) -> tuple[Key, ...]:
    """List the keys that work on a screen now, with those of one action together."""
    found: dict[tuple[str, str, str], Key] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.id is None or not binding.description:  # those of Textual itself have no id
            continue
        place = (_group(active), binding.action, binding.description)
        old = found.get(place)
        names = key_name(binding, glyphs) if old is None else f"{old.key} {key_name(binding, glyphs)}"
        found[place] = Key(place[0], names, binding.description, binding.tooltip)
    return tuple(sorted(found.values(), key=lambda key: _GROUPS.index(key.group)))


def _group(active: ActiveBinding) -> str:
    identity = active.binding.id or ""
    if identity.startswith(("lines.", "table.", "matrix.", "document.")):
        return "The list"
    return "Here" if "." in identity else "Anywhere"


def help_lines(keys: Iterable[Key], cells: int, glyphs: Glyphs) -> list[tuple[Span, ...]]:
    """Write keys by group, and what the signs mean; what is longer than the cells goes on beneath."""
    keys = list(keys)
    column = min(24, max((width(key.key) for key in keys), default=0) + 2)
    lines: list[tuple[Span, ...]] = []
    for group in _GROUPS:
        mine = [key for key in keys if key.group == group]
        if mine:
            lines += [(Span(group, "header"),)]
        for key in mine:
            said = key.says + (f": {key.tooltip}" if key.tooltip else "")
            for place, line in enumerate(wrap(said, cells - column - _INDENT, glyphs)):
                name = fit("" if place else key.key, column, glyphs)
                lines.append((Span(" " * _INDENT + name, "accent"), Span(line)))
        lines += [(Span(""),)] if mine else []
    lines.append((Span("Signs", "header"),))
    for name, said in _SIGNS:
        sign = status(name, glyphs)
        lines.append((Span(" " * _INDENT), Span(fit(sign.text, column, glyphs), sign.tone), Span(said)))
    return lines


class HelpScreen(ModalScreen[None]):
    """Keys and signs, over the screen they are of."""

    app = getters.app(LiveApp)

    DEFAULT_CSS = f"""
    HelpScreen, HelpScreen:ansi {{ align: center middle; background: $background; }}
    HelpScreen > VerticalScroll {{
        width: {_WIDTH}; max-width: 100%; height: auto; max-height: 100%;
        border: round $border; border-title-color: $tone-accent; border-subtitle-color: $tone-muted;
        background: $background; padding: 0 1; scrollbar-size-vertical: 1;
    }}
    HelpScreen.-ascii > VerticalScroll {{ border: ascii $border; }}
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "dismiss", "Close", id="help.close"),
        Binding("j", "scroll(1)", "Down", show=False, id="help.down"),
        Binding("k", "scroll(-1)", "Up", show=False, id="help.up"),
        Binding("G", "scroll(999)", "Last", show=False, id="help.last"),
        Binding("g", "scroll(-999)", "First", show=False, id="help.first"),
    ]

    body = getters.query_one(VerticalScroll)

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = keys

    def renew(self, keys: Sequence[Key]) -> None:
        """Say other keys, from the first line: called where it is opened again."""
        self._keys = keys
        self._write()
        self.body.scroll_home(animate=False)

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Leave the styles of one that is opened again; a theme's change reaches it wherever it is."""
        event.refresh_styles = event.refresh_styles and not self.is_mounted

    def compose(self) -> ComposeResult:
        """Put the lines into a frame that scrolls."""
        with VerticalScroll():
            yield SpanLines(glyphs=self.app.glyphs)

    def on_mount(self) -> None:
        """Write the lines."""
        if self.app.glyphs.ok.isascii():
            self.add_class("-ascii")
        self.body.border_title = "Keys"
        self.body.border_subtitle = "esc closes"
        self._write()
        self.body.focus()

    def _write(self) -> None:
        cells = min(_WIDTH, self.app.size.width) - _FRAME
        self.query_one(SpanLines).set_lines(help_lines(self._keys, cells, self.app.glyphs))

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.body.scroll_relative(y=lines, animate=False)
