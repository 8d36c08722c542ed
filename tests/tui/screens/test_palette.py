"""The command palette: Textual's own, legible in every theme and terminal."""

import pytest
from textual.command import CommandList, CommandPalette

import themes
from tests.probes.worlds import healthy
from tests.tui.scripted import shown
from tui.format import ASCII


@pytest.mark.parametrize("theme", sorted(themes.load()))
async def test_its_cursor_is_seen(theme: str) -> None:
    """The command under the cursor looks otherwise than the rest, in every theme and without any colour."""
    async with shown(healthy(), glyphs=ASCII, theme=theme) as screen:
        await screen.press("ctrl+p")
        await screen.until("The whole cluster on one screen")
        text = await screen.press("down")
        assert isinstance(screen.app.screen, CommandPalette)
        rows = screen.app.screen.query_one(CommandList)
        assert rows.highlighted == 1
        lines = [next(iter(rows.render_line(y))).style for y in range(4)]
        assert lines[2] == lines[3] != lines[0] == lines[1]
        assert text.replace("…", "").isascii()
