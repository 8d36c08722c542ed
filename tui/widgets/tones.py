"""Tones as styles: the only place where a theme meets a piece of text."""

from collections.abc import Iterable, Mapping

from rich.style import Style
from textual.app import App
from textual.color import Color
from textual.content import Content

from tui.format import Span


class Tones:
    """The styles of all tones on one base style, plain and under the cursor."""

    def __init__(self, variables: Mapping[str, str], base: Style) -> None:
        self._variables = variables
        self._base = base
        self._cursor = self._own("selection")
        self._cache: dict[tuple[str, bool], Style] = {}

    def style(self, tone: str, *, selected: bool = False) -> Style:
        """Give a tone's style; one that the theme does not know looks like the text around it."""
        found = self._cache.get((tone, selected))
        if found is None:
            found = self._base + self._own(tone)
            if selected:  # a theme whose selection names a text colour wants it for every tone
                found += self._cursor
            self._cache[tone, selected] = found
        return found

    def _own(self, tone: str) -> Style:
        color, ground = (self._variables.get(f"tone-{tone}{part}") for part in ("", "-background"))
        attributes = self._variables.get(f"tone-{tone}-style", "")
        return Style.parse(attributes or "none") + Style(
            color=Color.parse(color).rich_color if color else None,
            bgcolor=Color.parse(ground).rich_color if ground else None,
        )


def content(spans: Iterable[Span], app: App[object]) -> Content:
    """Make Content of spans for Textual's own widgets; nothing in their texts is read as markup."""
    known = app.theme_variables
    parts: list[tuple[str, str]] = []
    for text, tone in spans:
        names = (f"tone-{tone}-style", f"tone-{tone}")
        parts.append((text, " ".join(f"${name}" for name in names if name in known)))
    return Content.assemble(*parts)
