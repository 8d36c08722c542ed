"""Palettes: TOML files that say which colour each tone has, and their loader; nothing else is known here.

A tone is what a piece of text means (``critical``, ``muted``); a theme says how that looks. In TCSS a tone is the
variable ``$tone-NAME``, its attributes ``$tone-NAME-style`` and its background, where it has one,
``$tone-NAME-background``.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from textual.color import Color, ColorParseError
from textual.theme import Theme

TONES: Final = (
    "text",
    "ok",
    "warning",
    "critical",
    "unknown",
    "stale",
    "restricted",
    "muted",
    "accent",
    "sparkline",
    "header",
    "selection",
    "match",
    "unlocked",
)
ATTRIBUTES: Final = ("bold", "dim", "italic", "underline", "reverse", "strike")
_STYLE_WORDS: Final = (*ATTRIBUTES, "b", "d", "i", "u", "r", "none", "not")
DEFAULT: Final = "underlay-dark"
LIGHT: Final = "underlay-light"
SIXTEEN: Final = "underlay-16"
PLAIN: Final = "underlay-plain"

_COLORS: Final = (
    "primary",
    "secondary",
    "success",
    "warning",
    "error",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "boost",
)
_SECTIONS: Final = ("name", "dark", "ansi", "colors", "tones", "variables")
_MAX_BYTES: Final = 64 * 1024
_MAX_FILES: Final = 200


class BadTheme(Exception):
    """A theme file that cannot be used: the message names the key and what is wrong with it."""


def load(extra: Path | None = None, report: Callable[[str], None] | None = None) -> dict[str, Theme]:
    """Load the built-in themes and those of a folder, by name; the folder's replace built-in ones of the same name.

    A user's theme leaves out what it does not change: it takes the rest from ``underlay-light`` where it says
    ``dark = false``, else from ``underlay-dark``. A file that cannot be used is told to ``report`` as one sentence
    and left out; a folder that is not there holds no themes.
    """
    themes: dict[str, Theme] = {}
    for file in sorted(files(__name__).iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".toml"):
            theme = parse(file.read_text(encoding="utf-8"))
            themes[theme.name] = theme
    bases = dict(themes)
    for path in sorted(extra.glob("*.toml"))[:_MAX_FILES] if extra and extra.is_dir() else ():
        try:
            theme = parse(_read(path), bases, path.stem)
        except (BadTheme, OSError, UnicodeDecodeError) as error:
            if report:
                report(f"Theme {path.name} is left out: {_sentence(error)}.")
        else:
            themes[theme.name] = theme
    return themes


def parse(text: str, bases: Mapping[str, Theme] | None = None, name: str = "") -> Theme:
    """Turn the text of a theme file into a Theme; raises BadTheme naming the key that is wrong.

    ``bases`` gives what the text leaves out, ``name`` is its name where it says none.
    """
    data = _data(text)
    dark = _typed(data, "dark", bool, default=True)
    settings = _start((bases or {}).get(DEFAULT if dark else LIGHT))
    settings |= {"dark": dark, "ansi": _typed(data, "ansi", bool, default=False)}
    settings["name"] = _typed(data, "name", str, default=name)
    if not settings["name"] or not settings["name"].isprintable() or "," in settings["name"]:
        raise BadTheme("key 'name' must be a printable name without a comma")
    settings |= {key: _color(f"colors.{key}", value) for key, value in _table(data, "colors", _COLORS).items()}
    if "primary" not in settings:
        raise BadTheme("key 'colors.primary' is missing")
    variables = settings["variables"]
    if settings["ansi"]:  # Textual's ANSI palette leaves out what its own stylesheets name
        variables |= dict.fromkeys(("ansi-background", "ansi-foreground", "surface-active"), "ansi_default")
    for key, value in _table(data, "variables").items():
        variables[key] = _variable(key, value)
    for key, value in _table(data, "tones", TONES).items():
        for part in ("", "-style", "-background"):
            variables.pop(f"tone-{key}{part}", None)
        variables |= _tone(key, value)
    return Theme(**settings)


def choose(wanted: str, environ: Mapping[str, str]) -> str:
    """Name the theme to start with: NO_COLOR and terminals of 16 colours go before the wish.

    Textual chooses its colour filter in ``App.__init__``: pass ``ansi_color=True`` there where the theme is an ANSI
    one, so that NO_COLOR leaves the terminal's own colours instead of greys.
    """
    if environ.get("NO_COLOR"):
        return PLAIN
    many = environ.get("COLORTERM", "") in {"truecolor", "24bit"} or "256color" in environ.get("TERM", "")
    few = environ.get("TERM", "") in {"linux", "vt100", "vt220", "ansi", "xterm", "screen", "tmux", "rxvt"}
    return SIXTEEN if few and not many else wanted or DEFAULT


def defaults() -> dict[str, str]:
    """List the tone variables of the default theme, for themes that define none (Textual's own).

    Return them from ``App.get_theme_variable_defaults``, or TCSS that names a tone fails to parse under such a theme.
    """
    return dict(_default_tones())


@cache
def _default_tones() -> tuple[tuple[str, str], ...]:
    text = (files(__name__) / f"{DEFAULT}.toml").read_text(encoding="utf-8")
    return tuple((key, value) for key, value in parse(text).variables.items() if key.startswith("tone-"))


def _read(path: Path) -> str:
    if path.stat().st_size > _MAX_BYTES:
        raise BadTheme(f"the file is larger than {_MAX_BYTES // 1024} KiB")
    return path.read_text(encoding="utf-8")


def _data(text: str) -> dict[str, Any]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadTheme(f"it is not TOML: {error}") from error
    for key in data:
        if key not in _SECTIONS:
            raise BadTheme(f"key {key!r} is not known; use {', '.join(_SECTIONS)}")
    return data


def _start(base: Theme | None) -> dict[str, Any]:
    """Take what a theme inherits; the field's names are Theme's own."""
    if base is None:
        return {"variables": {}}
    inherited = {field.name: getattr(base, field.name) for field in fields(base)}
    return inherited | {"variables": dict(base.variables)}


def _tone(key: str, value: str) -> dict[str, str]:
    """Read ``[attributes] colour [on colour]`` into theme variables."""
    front, _, back = value.partition("on ") if value.startswith("on ") else value.partition(" on ")
    words = front.split()
    attributes = [word for word in words if word in ATTRIBUTES]
    colors = [word for word in words if word not in ATTRIBUTES]
    if len(colors) > 1 or not (colors or back.strip()):
        raise BadTheme(f"key 'tones.{key}' is {value!r}; write it as '[bold] colour [on colour]'")
    found = {f"tone-{key}-style": " ".join(attributes)} if attributes else {}
    if colors:
        found[f"tone-{key}"] = _color(f"tones.{key}", colors[0])
    if back.strip():
        found[f"tone-{key}-background"] = _color(f"tones.{key}", back.strip())
    return found


def _color(key: str, value: str) -> str:
    try:
        Color.parse(value)
    except ColorParseError as error:
        raise BadTheme(f"key {key!r} is {value!r}, which is no colour; write #rrggbb or an ansi_… name") from error
    return value


def _variable(key: str, value: str) -> str:
    """Check the value of one of Textual's own variables: a wrong one would stop the whole stylesheet."""
    words = value.removesuffix("%").split() if value.endswith("%") else [*value.split(), "100"]
    *front, percent = words or [""]
    if all(word in _STYLE_WORDS for word in front) and front:
        return value
    if len(front) == 1 and percent.isdecimal() and front[0] == "auto":
        return value
    if len(front) != 1 or not percent.isdecimal():
        raise BadTheme(f"key 'variables.{key}' is {value!r}, which is neither a colour nor a text style")
    _color(f"variables.{key}", front[0])
    return value


def _table(data: Mapping[str, Any], key: str, known: Sequence[str] = ()) -> dict[str, str]:
    table = data.get(key, {})
    if not isinstance(table, dict):
        raise BadTheme(f"key {key!r} must be a table")
    for name, value in table.items():
        if known and name not in known:
            raise BadTheme(f"key '{key}.{name}' is not known; use {', '.join(known)}")
        if not isinstance(value, str):
            raise BadTheme(f"key '{key}.{name}' must be a string in quotes")
    return table


def _typed(data: Mapping[str, Any], key: str, kind: type, *, default: Any) -> Any:
    value = data.get(key, default)
    if not isinstance(value, kind):
        raise BadTheme(f"key {key!r} must be {'true or false' if kind is bool else 'a string'}")
    return value


def _sentence(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror or error})"
    return str(error)
