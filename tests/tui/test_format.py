"""Values as text: ages, MTUs, statuses, widths."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import themes
from tui import format as fmt
from tui.format import ASCII, UNICODE, Glyphs, Span


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "?"),
        (math.nan, "?"),
        (0, "0s"),
        (12.9, "12s"),
        (59.9, "59s"),
        (60, "1m"),
        (192, "3m12s"),
        (2040, "34m"),
        (7200, "2h"),
        (7860, "2h11m"),
        (9 * 3600, "9h"),
        (47 * 3600, "47h"),
        (41 * 86400, "41d"),
        (3 * 365 * 86400, "3y"),
        (-1, "0s"),
        (-240, "in 4m"),
    ],
)
def test_age(seconds: float | None, expected: str) -> None:
    """An age is as exact as it is young, and what lies ahead says so."""
    assert fmt.age(seconds) == expected


def test_aged() -> None:
    """Never seen is unknown, not zero; old is stale."""
    assert fmt.aged(None, 100) == Span("?", "unknown")
    assert fmt.aged(None, 100, glyphs=ASCII) == Span("??", "unknown")
    assert fmt.aged(90, 100, 30) == Span("10s", "muted")
    assert fmt.aged(60, 100, 30) == Span("40s", "stale")


def test_mtu() -> None:
    """An MTU that differs is shown with what it should be, by symbol and tone; an absent one is never a number."""
    assert fmt.mtu(1450, 1450) == Span("1450")
    assert fmt.mtu(1450, None) == Span("1450")
    assert fmt.mtu(1400, 1450) == Span("✖ 1400≠1450", "critical")
    assert fmt.mtu(1400, 1450, ASCII) == Span("XX 1400!=1450", "critical")
    assert fmt.mtu(None, 1450) == Span("?", "unknown")
    assert fmt.mtu(None, 1450, missing=True) == Span("✖ missing", "critical")


def test_status() -> None:
    """Every status has a symbol and a tone of its own, and a name nobody knows is never green."""
    assert fmt.status("ok") == Span("✔", "ok")
    assert fmt.status("critical", ASCII, "silent") == Span("XX silent", "critical")
    assert fmt.status("unassessed") == fmt.status("nobody knows") == Span("?", "unknown")
    for glyphs in (UNICODE, ASCII):
        symbols = [fmt.status(name, glyphs).text for name in ("ok", "warning", "critical", "unknown")]
        assert len(set(symbols)) == 4
    tones = {fmt.status(name).tone for name in fmt._STATUS}
    assert tones <= set(themes.TONES)


def test_symbols_of_ascii_are_ascii() -> None:
    """The ASCII set holds nothing else, and both sets mark a cut by one cell."""
    assert all(value.isascii() for value in ASCII)
    assert fmt.width(UNICODE.ellipsis) == fmt.width(ASCII.ellipsis) == 1
    assert len(UNICODE.levels) == len(ASCII.levels) == 8


@pytest.mark.parametrize(
    ("environ", "encoding", "ascii_only", "expected"),
    [
        ({"TERM": "xterm-256color"}, "utf-8", False, UNICODE),
        ({"TERM": "xterm-256color"}, "UTF8", False, UNICODE),
        ({"TERM": "xterm-256color"}, "utf-8", True, ASCII),
        ({"TERM": "xterm-256color"}, "ANSI_X3.4-1968", False, ASCII),
        ({"TERM": "linux"}, "utf-8", False, ASCII),
    ],
)
def test_choose_glyphs(environ: dict[str, str], encoding: str, ascii_only: bool, expected: Glyphs) -> None:  # noqa: FBT001 - a parameter of the case
    """Symbols are those that the terminal has."""
    assert fmt.choose_glyphs(environ, encoding, ascii_only=ascii_only) is expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(None, "?"), (0.0004, "0.4 ms"), (0.084, "84 ms"), (1.23, "1.2 s"), (48, "48 s")]
)
def test_milliseconds(seconds: float | None, expected: str) -> None:
    """A short time has the unit that suits it."""
    assert fmt.milliseconds(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(None, "?"), (512, "512 B"), (1536, "1.5 KiB"), (20 * 2**20, "20 MiB"), (2**50, "1024.0 TiB")],
)
def test_size(count: int | None, expected: str) -> None:
    """Bytes are counted in binary units."""
    assert fmt.size(count) == expected


def test_cut() -> None:
    """What is cut off leaves a mark, and a wide character is never halved."""
    assert fmt.cut("flannel.1", 9) == "flannel.1"
    assert fmt.cut("flannel.1", 5) == "flan…"
    assert fmt.cut("flannel.1", 5, ASCII) == "flan~"
    assert fmt.cut("節点一号", 8) == "節点一号"
    assert fmt.cut("節点一号", 6) == "節点…"
    assert fmt.fit("節点一号", 6) == "節点… "
    assert fmt.fit("7", 3, right=True) == "  7"
    assert fmt.cut("abc", 0) == ""


@given(text=st.text(max_size=60), cells=st.integers(0, 40), right=st.booleans())
def test_fit_is_exact_and_harmless(text: str, cells: int, right: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    """Whatever the text, exactly so many cells come out, and no control character."""
    fitted = fmt.fit(text, cells, right=right)
    assert cell_len(fitted) == cells
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in fitted)


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x1b]52;c;eA==\x07", "\x9b31m", "\u202egnp.exe", "a\r\nb", "\x00", "\u2066x", "\ud800"]
)
def test_hostile(text: str) -> None:
    """Escapes, C1 codes, bidi overrides and lone surrogates come out as visible marks."""
    assert fmt.cut(text, 40).encode("utf-8").decode().isprintable()


def test_plain() -> None:
    """In ASCII mode our symbols are spelled and what has no spelling is a question mark."""
    assert fmt.plain(ASCII, "✖ 1400≠1450 ▁█ é") == "XX 1400!=1450 _# ?"
    assert fmt.plain(UNICODE, "✖") == "✖"


def test_natural() -> None:
    """Numbers in names sort as numbers."""
    names = ["node-10", "node-9", "Node-1", "alpha", "1450", "900"]
    assert sorted(names, key=fmt.natural) == ["900", "1450", "alpha", "Node-1", "node-9", "node-10"]


@given(st.lists(st.text(max_size=12)))
def test_natural_orders_anything(names: list[str]) -> None:
    """Any texts can be compared, digits of other scripts included."""
    sorted(names, key=fmt.natural)


def test_imports_neither_textual_nor_rich() -> None:
    """The command line may use this module and stays quick to start."""
    code = "import sys, tui.format; sys.exit(any(m in sys.modules for m in ('rich', 'textual', 'asyncio')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
