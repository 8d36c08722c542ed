"""The help is made from the bindings: what works is in it, what is in it works."""

from tests.probes.worlds import healthy
from tests.tui.scripted import shown, without_vxlan
from tui.format import UNICODE
from tui.screens.help import HelpScreen, Key, help_lines, keys_of


async def test_help_names_every_key() -> None:
    """Every key that the overview binds is in the help, with what it does, by group."""
    async with shown(without_vxlan(healthy())) as screen:
        keys = keys_of(screen.app.screen, UNICODE)
        said = " ".join(key.key for key in keys)
        for key in (
            "1-6",
            "z",
            "/",
            ":",
            "?",
            "d",
            "c",
            "ctrl-z",
            "ctrl-r",
            "ctrl-c",
            "[",
            "]",
            "-",
            "j",
        ):
            assert key in said.split(), key
        assert {key.group for key in keys} == {"Here", "Anywhere", "The list"}
        assert all(key.says for key in keys)


async def test_help_opens_scrolls_and_closes() -> None:
    """? shows keys and signs over the screen; it scrolls by j, k, g and G, and esc takes it away."""
    async with shown(healthy(), width=80, height=24) as screen:
        text = await screen.press("question_mark")
        assert isinstance(screen.app.screen, HelpScreen)
        assert "Here" in text
        assert "not allowed to look" not in text
        assert "not allowed to look" in await screen.press("G")
        assert "Here" in await screen.press("g")
        await screen.press("j", "k", "escape")
        assert not isinstance(screen.app.screen, HelpScreen)


def test_signs_are_explained() -> None:
    """Every sign of a status is in the help."""
    text = "\n".join("".join(span.text for span in line) for line in help_lines((), 71, UNICODE))
    for sign in (UNICODE.ok, UNICODE.warning, UNICODE.critical, UNICODE.unknown, UNICODE.stale, UNICODE.restricted):
        assert sign in text


def test_nothing_is_cut() -> None:
    """What is said of a key is never cut: in a narrow terminal it goes on in the next line."""
    keys = (Key("Anywhere", "e", "Explain", "What the finding means, how to verify and repair it"),)
    for cells in (71, 40):
        lines = ["".join(span.text for span in line) for line in help_lines(keys, cells, UNICODE)]
        assert max(len(line) for line in lines) <= cells
        said = " ".join("\n".join(lines).partition("Signs")[0].split())
        assert said == "Anywhere e Explain: What the finding means, how to verify and repair it"
