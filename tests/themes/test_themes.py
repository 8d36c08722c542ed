"""The palettes: contrast, colour vision, and what a user's file may get wrong."""

import itertools
from pathlib import Path

import pytest
from textual.app import App, ComposeResult
from textual.theme import Theme
from textual.widgets import Static

import themes

RGB = tuple[float, float, float]
TRUECOLOR = ("underlay-dark", "underlay-light", "underlay-high-contrast", "underlay-colour-blind")
JUDGED = ("ok", "warning", "critical", "unknown")
TEXT_TONES = [tone for tone in themes.TONES if tone != "selection"]

# Machado, Oliveira and Fernandes 2009, severity 1.0, applied to linear RGB.
VISION = {
    "normal": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(color: str) -> RGB:
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _decode(red), _decode(green), _decode(blue)


def _decode(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """Give the ratio of WCAG 2.2, 1 to 21."""
    low, high = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


def seen_as(color: str, vision: str) -> RGB:
    """CIE L*a*b* (D65) of a colour as that vision sees it."""
    source = linear(color)
    red, green, blue = (
        min(1.0, max(0.0, sum(m * c for m, c in zip(row, source, strict=True)))) for row in VISION[vision]
    )
    x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883
    fx, fy, fz = (float(t ** (1 / 3)) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: str, other: str, vision: str) -> float:
    """CIE76 ΔE: 2.3 is just noticeable."""
    pairs = zip(seen_as(one, vision), seen_as(other, vision), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


def backgrounds(theme: Theme) -> list[str]:
    found = [theme.background, theme.surface, theme.panel, theme.variables["tone-selection-background"]]
    assert all(found)
    return [color for color in found if color]


def test_black_on_white_is_21() -> None:
    """The ratio used here is the one of WCAG."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", TRUECOLOR)
def test_contrast(name: str) -> None:
    """Every tone is legible on every background it can be on, the cursor row's included."""
    theme = themes.load()[name]
    needed = 7.0 if name == "underlay-high-contrast" else 4.5
    low = {
        (tone, ground): round(ratio, 2)
        for tone in TEXT_TONES
        for ground in backgrounds(theme)
        if (ratio := contrast(theme.variables[f"tone-{tone}"], ground)) < needed
    }
    assert not low


@pytest.mark.parametrize("vision", VISION)
def test_colour_blind_statuses_stay_apart(vision: str) -> None:
    """In the colour-blind theme the four statuses differ by ΔE 20 or more for every kind of colour vision."""
    variables = themes.load()["underlay-colour-blind"].variables
    close = {
        (one, other): round(delta)
        for one, other in itertools.combinations(JUDGED, 2)
        if (delta := difference(variables[f"tone-{one}"], variables[f"tone-{other}"], vision)) < 20
    }
    assert not close


@pytest.mark.parametrize("name", TRUECOLOR)
def test_statuses_differ(name: str) -> None:
    """To normal vision the four statuses differ by ΔE 40 or more in every truecolor theme."""
    variables = themes.load()[name].variables
    for one, other in itertools.combinations(JUDGED, 2):
        assert difference(variables[f"tone-{one}"], variables[f"tone-{other}"], "normal") >= 40, (one, other)


@pytest.mark.parametrize("name", ["underlay-16", "underlay-plain"])
def test_ansi_themes_hold_no_rgb(name: str) -> None:
    """A theme for few colours names only the terminal's own, and sets its statuses apart."""
    theme = themes.load()[name]
    assert theme.ansi
    values = [value for key, value in theme.variables.items() if not key.endswith("-style")]
    assert all(value.startswith("ansi_") for value in values)
    if name == "underlay-plain":
        assert set(values) == {"ansi_default"}
    else:
        assert len({theme.variables[f"tone-{tone}"] for tone in JUDGED}) == len(JUDGED)


def test_every_theme_defines_every_tone() -> None:
    """No built-in theme leaves a tone to chance."""
    for theme in themes.load().values():
        missing = [tone for tone in themes.TONES if not any(k.startswith(f"tone-{tone}") for k in theme.variables)]
        assert not missing, theme.name
    assert themes.defaults().keys() >= {f"tone-{tone}" for tone in TEXT_TONES}


def test_user_theme_inherits(tmp_path: Path) -> None:
    """A user's file changes what it names and takes the rest from the built-in theme of its brightness."""
    (tmp_path / "mine.toml").write_text(
        'dark = false\n[tones]\ncritical = "underline #aa0000 on #fff"\n[variables]\nborder = "auto 40%"\n'
    )
    loaded = themes.load(tmp_path)
    mine, light = loaded["mine"], loaded["underlay-light"]
    assert mine.variables["tone-critical"] == "#aa0000"
    assert mine.variables["tone-critical-style"] == "underline"
    assert mine.variables["tone-critical-background"] == "#fff"
    assert mine.variables["tone-ok"] == light.variables["tone-ok"]
    assert mine.background == light.background
    assert light.variables["tone-critical"] != "#aa0000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name = ", "Theme bad.toml is left out: it is not TOML"),
        ("[tones]\nok = 'mauvish'", "key 'tones.ok' is 'mauvish', which is no colour"),
        ("[tones]\nok = ''", "key 'tones.ok' is ''"),
        ("[tones]\nok = 'red green'", "key 'tones.ok' is 'red green'"),
        ("[tones]\nfine = 'red'", "key 'tones.fine' is not known; use text, ok"),
        ("[tones]\nok = 3", "key 'tones.ok' must be a string"),
        ("[colors]\nprimary = '#12'", "key 'colors.primary' is '#12'"),
        ("[colors]\nink = 'red'", "key 'colors.ink' is not known"),
        ("[variables]\nborder = 'zig zag'", "key 'variables.border' is 'zig zag'"),
        ("[variables]\nborder = '} * {color: red'", "key 'variables.border'"),
        ("[variables]\nborder = ''", "key 'variables.border'"),
        ("dark = 'yes'", "key 'dark' must be true or false"),
        ("name = 7", "key 'name' must be a string"),
        ("name = 'a,b'", "key 'name' must be a printable name"),
        ("colors = 1", "key 'colors' must be a table"),
        ("colour = 1", "key 'colour' is not known"),
    ],
)
def test_bad_theme_is_one_sentence(tmp_path: Path, text: str, expected: str) -> None:
    """A bad file costs itself only: one sentence names file and key, the others load."""
    (tmp_path / "bad.toml").write_text(text)
    (tmp_path / "good.toml").write_text('name = "good"\n')
    said: list[str] = []
    loaded = themes.load(tmp_path, said.append)
    assert "good" in loaded
    assert "bad" not in loaded
    assert len(said) == 1
    assert expected in said[0]
    assert said[0].startswith("Theme bad.toml is left out: ")
    assert "\n" not in said[0]


def test_unreadable_files(tmp_path: Path) -> None:
    """Bytes that are no text, a huge file and a folder in place of a file are told, not raised."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "huge.toml").write_text("#" * 70_000)
    (tmp_path / "folder.toml").mkdir()
    said: list[str] = []
    assert themes.load(tmp_path, said.append).keys() == themes.load(tmp_path / "absent").keys()
    assert len(said) == 3


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "mine"),
        ({"NO_COLOR": "1"}, "underlay-plain"),
        ({"NO_COLOR": ""}, "mine"),
        ({"TERM": "linux"}, "underlay-16"),
        ({"TERM": "xterm-256color"}, "mine"),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "mine"),
        ({"TERM": "vt100", "NO_COLOR": "1"}, "underlay-plain"),
    ],
)
def test_choose(environ: dict[str, str], expected: str) -> None:
    """NO_COLOR goes before the terminal, and the terminal before the wish."""
    assert themes.choose("mine", environ) == expected
    assert themes.choose("", {}) == themes.DEFAULT


class Themed(App[None]):
    """An app that uses every tone in its stylesheet."""

    CSS = "\n".join(f".{tone} {{ color: $tone-{tone}; background: $background; }}" for tone in TEXT_TONES)

    def __init__(self, name: str, *, ansi: bool) -> None:
        super().__init__(ansi_color=ansi or None)
        for theme in themes.load().values():
            self.register_theme(theme)
        self.theme = name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.defaults()

    def compose(self) -> ComposeResult:
        for tone in TEXT_TONES:
            yield Static(tone, classes=tone, markup=False)


@pytest.mark.parametrize("name", [*TRUECOLOR, "underlay-16", "underlay-plain", "textual-dark", "nord"])
async def test_stylesheet_parses(name: str) -> None:
    """A stylesheet that names every tone parses under every theme, Textual's own included."""
    app = Themed(name, ansi=name in {"underlay-16", "underlay-plain"})
    async with app.run_test() as pilot:
        await pilot.pause()
        assert app.query(Static)


async def test_no_color_leaves_default_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR and the plain theme no cell has any colour, and critical is still bold and underlined."""
    monkeypatch.setenv("NO_COLOR", "1")
    app = Themed(themes.choose("", {"NO_COLOR": "1"}), ansi=True)
    async with app.run_test() as pilot:
        await pilot.pause()
        segments = [segment for strip in app.screen._compositor.render_strips() for segment in strip]
        styles = [segment.style for segment in segments if segment.style]
        assert styles
        for style in styles:
            assert style.color is None or style.color.is_default
            assert style.bgcolor is None or style.bgcolor.is_default
