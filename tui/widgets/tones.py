"""Tones as styles: the only place where a theme meets a piece of text."""

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.widget import Widget


class Tones:
    """The styles of all tones on one base style, plain and under the cursor."""

    def __init__(self, variables: Mapping[str, str], base: Style, filters: Sequence[LineFilter] = ()) -> None:
        """Take Textual's ``filters``, such as the one that leaves colours out: our widgets apply them here."""
        self._variables = variables
        self._base = base
        self._filters = filters
        self._cursor = self._own("selection")
        self._cache: dict[tuple[str, bool], Style] = {}
        self._same: dict[Style, Style] = {}
        """Each style once: comparing two by their values takes longer than drawing."""

    def style(self, tone: str, *, selected: bool = False) -> Style:
        """Give a tone's style; one that the theme does not know looks like the text around it."""
        found = self._cache.get((tone, selected))
        if found is None:
            found = self._base + self._own(tone)
            if selected:  # a theme whose selection names a text colour wants it for every tone
                found += self._cursor
            found = self._cache[tone, selected] = self._filtered(found)
        return found

    def variable(self, name: str) -> Style:
        """Give the base style in the colour of a variable of the theme."""
        color = self._variables.get(name)
        return self._filtered(self._base + Style(color=Color.parse(color).rich_color if color else None))

    def _filtered(self, style: Style) -> Style:
        ground = Color.from_rich_color(style.bgcolor)
        for each in self._filters:
            style = each.apply([Segment("x", style)], ground)[0].style or Style.null()
        return self._same.setdefault(style, style)

    def _own(self, tone: str) -> Style:
        color, ground = (self._variables.get(f"tone-{tone}{part}") for part in ("", "-background"))
        attributes = self._variables.get(f"tone-{tone}-style", "")
        return Style.parse(attributes or "none") + Style(
            color=Color.parse(color).rich_color if color else None,
            bgcolor=Color.parse(ground).rich_color if ground else None,
        )


def tones_of(widget: Widget) -> Tones:
    """Make the tones of the active theme on a widget's background."""
    return Tones(widget.app.theme_variables, widget.rich_style, widget.get_line_filters())
