"""Values as short plain text with a tone: what a cell says, never how it looks.

Nothing here is markup: text stays text. Neither Textual nor Rich is imported until a text of wide characters has to
be measured, so that the command line may use these too.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from probes.model.text import clean


class Span(NamedTuple):
    """A piece of text and its tone, one of ``themes.TONES``."""

    text: str
    tone: str = "text"


class Glyphs(NamedTuple):
    """The symbols of one character set; every status has its own."""

    ok: str
    critical: str
    warning: str
    unknown: str
    none: str
    stale: str
    restricted: str
    loading: str
    live: str
    arrow: str
    differs: str
    ellipsis: str
    times: str
    folded: str
    unfolded: str
    branch: str
    last_branch: str
    ascending: str
    descending: str
    mark: str
    rule: str
    levels: str
    """Of a sparkline, lowest first."""
    gap: str
    """A lost value in a sparkline."""


UNICODE: Final = Glyphs(
    ok="✔",
    critical="✖",
    warning="▲",
    unknown="?",
    none="·",
    stale="◷",
    restricted="⊘",
    loading="…",
    live="●",
    arrow="→",
    differs="≠",
    ellipsis="…",
    times="×",
    folded="▸",
    unfolded="▾",
    branch="├ ",
    last_branch="└ ",
    ascending="↑",
    descending="↓",
    mark="▌",
    rule="─",
    levels="▁▂▃▄▅▆▇█",
    gap="✗",
)
ASCII: Final = Glyphs(
    ok="ok",
    critical="XX",
    warning="!!",
    unknown="??",
    none="..",
    stale="~~",
    restricted="--",
    loading="..",
    live="*",
    arrow="->",
    differs="!=",
    ellipsis="~",
    times="x",
    folded=">",
    unfolded="v",
    branch="|-",
    last_branch="`-",
    ascending="^",
    descending="v",
    mark="*",
    rule="-",
    levels="_.,-=+*#",
    gap="x",
)

_STATUS: Final[Mapping[str, tuple[str, str]]] = {
    # what is said -> (glyph, tone)
    "ok": ("ok", "ok"),
    "warning": ("warning", "warning"),
    "critical": ("critical", "critical"),
    "unknown": ("unknown", "unknown"),
    "unassessed": ("unknown", "unknown"),
    "none": ("none", "muted"),
    "stale": ("stale", "stale"),
    "restricted": ("restricted", "restricted"),
    "loading": ("loading", "muted"),
}
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY
_KIB: Final = 1024
_NUMBER: Final = re.compile(r"(\d+)")


def choose_glyphs(environ: Mapping[str, str], encoding: str, *, ascii_only: bool = False) -> Glyphs:
    """Pick the symbols that the terminal can show: the Linux console's fonts lack most, other encodings all."""
    narrow = environ.get("TERM", "") in {"linux", "vt100", "vt220", "dumb"}
    utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8"}
    return ASCII if ascii_only or narrow or not utf8 else UNICODE


def status(name: str, glyphs: Glyphs = UNICODE, text: str = "") -> Span:
    """Show a status as symbol and tone, with a text behind it where one is given; any other name is unknown."""
    glyph, tone = _STATUS.get(name, _STATUS["unknown"])
    symbol = str(getattr(glyphs, glyph))
    return Span(f"{symbol} {text}" if text else symbol, tone)


def age(seconds: float | None, glyphs: Glyphs = UNICODE) -> str:
    """Say how long ago: ``12s`` ``3m12s`` ``34m`` ``2h10m`` ``9h`` ``41d`` ``3y``; a moment to come is ``in 4m``.

    A second or two ahead is a clock's drift and said as ``0s``.
    """
    if seconds is None or not math.isfinite(seconds):
        return glyphs.unknown
    if seconds < 0:
        return "0s" if seconds > -2 else f"in {age(-seconds)}"  # noqa: PLR2004 - the docstring's two seconds
    whole = int(seconds)
    if _MINUTE <= whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if _HOUR <= whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    return next(f"{whole // unit}{name}" for below, unit, name in _BANDS if whole < below)


_BANDS: Final = (
    (_MINUTE, 1, "s"),
    (_HOUR, _MINUTE, "m"),
    (2 * _DAY, _HOUR, "h"),
    (2 * _YEAR, _DAY, "d"),
    (math.inf, _YEAR, "y"),
)


def _two(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    rest = whole % large // small
    return f"{whole // large}{large_name}" + (f"{rest}{small_name}" if rest else "")


def aged(at: float | None, now: float, stale_after: float = math.inf, glyphs: Glyphs = UNICODE) -> Span:
    """Show how old something is; unknown where it never was, stale from ``stale_after`` seconds on."""
    if at is None:
        return Span(glyphs.unknown, "unknown")
    return Span(age(now - at, glyphs), "stale" if now - at >= stale_after else "muted")


def mtu(found: int | None, expected: int | None, glyphs: Glyphs = UNICODE, *, missing: bool = False) -> Span:
    """Show an MTU in bytes beside what it should be: ``1450``, ``✖ 1400≠1450``, ``✖ missing``, ``?``."""
    if missing:
        return status("critical", glyphs, "missing")
    if found is None:
        return Span(glyphs.unknown, "unknown")
    if expected is None or found == expected:
        return Span(str(found))
    return status("critical", glyphs, f"{found}{glyphs.differs}{expected}")


def milliseconds(seconds: float | None, glyphs: Glyphs = UNICODE) -> str:
    """Say a short time: ``0.4 ms`` ``84 ms`` ``1.2 s`` ``48 s``."""
    if seconds is None or not math.isfinite(seconds):
        return glyphs.unknown
    value = seconds * 1000
    if value < 1:
        return f"{value:.1f} ms"
    if value < 1000:  # noqa: PLR2004 - ms in a second
        return f"{value:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"  # noqa: PLR2004 - two digits are enough


def size(count: int | None, glyphs: Glyphs = UNICODE) -> str:
    """Say a number of bytes: ``512 B`` ``1.5 KiB`` ``20 MiB``."""
    if count is None:
        return glyphs.unknown
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < _KIB:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004
        value /= _KIB
    return f"{value:.1f} TiB"


def width(text: str) -> int:
    """Count the terminal cells that a text takes: wide characters two, combining ones none."""
    if text.isascii() or text.translate(_NARROW).isascii():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415 - 14 ms that the command line seldom needs

    return cell_len(text)


def cut(text: str, cells: int, glyphs: Glyphs = UNICODE) -> str:
    """Make a text fit into some cells: what is cut off leaves a mark. Control characters become visible ones."""
    text = clean(text)
    if cells <= 0:
        return ""
    if width(text) <= cells:
        return text
    room = cells - 1  # both marks take one cell
    if text.isascii():
        return text[:room] + glyphs.ellipsis
    kept: list[str] = []
    for char in text[: 8 * cells]:  # bounded: a text of combining characters only has no width
        room -= width(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept) + glyphs.ellipsis


def fit(text: str, cells: int, glyphs: Glyphs = UNICODE, *, right: bool = False) -> str:
    """Make a text take exactly some cells: cut with a mark, or filled up with spaces."""
    short = cut(text, cells, glyphs)
    blank = " " * (cells - width(short))
    return blank + short if right else short + blank


def plain(glyphs: Glyphs, text: str) -> str:
    """Spell our own symbols in ASCII where the terminal shows nothing else; other foreign characters become ``?``."""
    if glyphs is not ASCII or text.isascii():
        return text
    return "".join(char if char.isascii() else _SPELLED.get(char, "?") for char in text)


_SPELLED: Final[Mapping[str, str]] = {
    ours: theirs
    for name in Glyphs._fields
    if name != "levels"
    for ours, theirs in [(getattr(UNICODE, name).strip(), getattr(ASCII, name))]
    if not ours.isascii()
} | dict(zip(UNICODE.levels, ASCII.levels, strict=True))


_NARROW: Final[Mapping[int, str]] = {ord(char): "." for glyph in UNICODE for char in glyph}
"""Our own symbols take one cell each; so that they need not be measured."""


@lru_cache(maxsize=8192)
def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Make a sort key that puts ``node-9`` before ``node-10``."""
    parts = _NUMBER.split(text.casefold())
    # Digits of other scripts match \d too; 4300 digits are what int() takes.
    return tuple((0, int(part[:4000]), "") if part.isdecimal() else (1, 0, part) for part in parts if part)
