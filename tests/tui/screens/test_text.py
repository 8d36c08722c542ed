"""The text screens: describe, YAML and journal; search, wrap, copy and save."""

import stat
from pathlib import Path

import pytest

from probes.model.flux import ObjectRef
from tests.probes.worlds import healthy, with_network
from tests.tui.screens.opened import SIZES, Reads, opened
from tests.tui.views.troubled import GIT, troubled
from tui.screens.text import JournalScreen, TextScreen

NODE = ObjectRef("Node", "", "samwise")
JOURNAL = "\n".join(
    [
        *(
            f"2026-11-21T10:00:{i % 60:02}+0000 samwise k3s[1]: level=info msg=line-{i} {'x' * 90}end"
            for i in range(100)
        ),
        "2026-11-21T10:02:00+0000 samwise k3s[1]: level=error msg=[@click=app.bell]flannel[/nope]",
    ]
)


@pytest.mark.parametrize("size", SIZES)
async def test_journal_begins_at_its_end(size: tuple[int, int]) -> None:
    """The newest lines are in sight, markup in them is shown as it is, and an error stands out."""
    reads = Reads(JOURNAL)
    async with opened(healthy(), "journal", NODE, size, reads=reads) as shown:
        await shown.says("[@click=app.bell]"[:8])
        assert reads.asked == ["journal samwise"]
        await shown.press("g")
        await shown.says("line-0")


async def test_wrap_and_shift() -> None:
    """Long lines are cut with a mark, can be gone along, and are broken on request."""
    async with opened(healthy(), "journal", NODE, (80, 24), reads=Reads(JOURNAL)) as shown:
        await shown.press("g")
        await shown.says("line-0")
        assert "end" not in shown.text()
        await shown.press(*["right"] * 12)
        await shown.says("xend")
        assert "…" in shown.text()
        await shown.press("w")
        await shown.says("xend")
        await shown.says("line-0")


async def test_reading_again() -> None:
    """Ctrl-r reads anew."""
    reads = Reads("-- first --")
    async with opened(healthy(), "journal", NODE, reads=reads) as shown:
        await shown.says("-- first --")
        reads.text = "-- second --"
        await shown.press("ctrl+r")
        await shown.says("-- second --")


@pytest.mark.parametrize("name", ["journal", "yaml"])
async def test_a_failure_is_one_sentence(name: str) -> None:
    """What cannot be read says why; of an object, what was observed is still there."""
    async with opened(healthy(), name, NODE, reads=Reads(failure="samwise refuses the login")) as shown:
        await shown.says("samwise refuses the login")
        if name == "yaml":
            await shown.says("what underlay observed")


async def test_yaml_has_both() -> None:
    """The object as the API has it, then what was observed of it, with its indentation."""
    manifest = "apiVersion: v1\nkind: Node\nmetadata:\n  name: samwise\n"
    async with opened(healthy(), "yaml", NODE, reads=Reads(manifest)) as shown:
        await shown.says("  name: samwise")
        await shown.says("what underlay observed")


async def test_describe_follows() -> None:
    """A description is live."""
    async with opened(healthy(), "describe", NODE) as shown:
        await shown.says("2 of 2 whole")
        shown.source.give(with_network(healthy(), "samwise", fdb=()))
        await shown.says("0 of 2 whole")


async def test_copy_and_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text goes to the clipboard and to a file that only its owner may read."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with opened(troubled(), "describe", GIT) as shown:
        await shown.press("c")
        assert "context deadline exceeded" in shown.app.clipboard
        await shown.press("ctrl+s")
        (saved,) = (tmp_path / "underlay" / "saved").iterdir()
        assert stat.S_IMODE(saved.stat().st_mode) == 0o600
        assert "context deadline exceeded" in saved.read_text("utf-8")


async def test_too_much_for_a_terminal() -> None:
    """Of a text that no terminal takes the end is copied, and that is said."""
    text = "\n".join(f"line {i} {'y' * 80}" for i in range(2000))
    async with opened(healthy(), "journal", NODE, reads=Reads(text)) as shown:
        await shown.says("line 1999")
        await shown.press("c")
        assert "copied the last" in next(iter(shown.app._notifications)).message
        assert len(shown.app.clipboard.encode()) <= 74_994
        assert shown.app.clipboard.startswith("line ")


async def test_search_in_a_journal() -> None:
    """What is looked for is found in lines that are out of sight."""
    async with opened(healthy(), "journal", NODE, reads=Reads(JOURNAL)) as shown:
        await shown.says("flannel")
        await shown.press("slash", *"line-42", "enter")
        await shown.says("line-42")
        screen = shown.screen
        assert isinstance(screen, JournalScreen)
        document = screen._pane.document
        assert "line-42" in document.lines[document.cursor].text(0, document.glyphs)


async def test_from_one_text_to_the_other() -> None:
    """From a description to the journal and back by the same keys as everywhere."""
    async with opened(healthy(), "describe", NODE, reads=Reads(JOURNAL)) as shown:
        await shown.press("l")
        await shown.until(lambda: isinstance(shown.screen, JournalScreen))
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.screen, TextScreen) and shown.screen.NAME == "Describe")
