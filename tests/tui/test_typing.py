"""What is typed: keys that arrive in one read happen in their order, and the line at the bottom takes them."""

import asyncio

from textual import events

from tests.probes.worlds import healthy
from tests.tui.scripted import Shown, shown, without_vxlan
from tui.screens.overview import OverviewScreen
from tui.widgets.prompt import Prompt

SPECIAL = {"\r": "enter", ":": "colon", "/": "slash", " ": "space", "[": "left_square_bracket"}


def at_once(screen: Shown, keys: str) -> None:
    """Let keys arrive as one read of the terminal brings them."""
    for char in keys:
        screen.app.post_message(events.Key(SPECIAL.get(char, char), char))


async def test_a_command_in_one_read() -> None:
    """A command pasted or typed over a lagging link is a command: none of its letters acts on the table."""
    async with shown(without_vxlan(healthy())) as screen:
        at_once(screen, ":flux\r")
        await screen.until(lambda: screen.app.screen.query_one(Prompt).kind == "" and "▸ Flux" in screen.text())
        assert len(screen.app.screen_stack) == 2


async def test_a_filter_in_one_read() -> None:
    """Likewise a filter, in the pane that was gone to in the same read."""
    async with shown(healthy()) as screen:
        at_once(screen, "2/sam\r")
        await screen.until("1 of 3")
        assert isinstance(screen.app.screen, OverviewScreen)
        assert "/sam" in screen.text()


async def test_opening_in_one_read() -> None:
    """What is typed behind the key that opens a screen happens on that screen."""
    async with shown(without_vxlan(healthy())) as screen:
        at_once(screen, "2\rq4")
        await screen.until(lambda: len(screen.app.screen_stack) == 1)
        await screen.settled()
        focused = screen.app.screen.focused
        assert focused is not None
        assert "flux" in {node.id for node in focused.ancestors_with_self}


async def test_none_overtakes_another() -> None:
    """However far apart keys arrive, also between one that is let through and its turn, they keep their order."""
    typed = "abcdefghijklmnopqrstuvwxyz"
    async with shown(healthy()) as screen:
        prompt = screen.app.screen.query_one(Prompt)
        await screen.press("slash")
        for turns_apart in range(1, 30):
            for char in typed:
                screen.app.post_message(events.Key(char, char))
                for _ in range(turns_apart):
                    await asyncio.sleep(0)
            await screen.until(lambda: len(prompt.text) == len(typed))
            assert prompt.text == typed, turns_apart
            await screen.press("ctrl+u")


async def test_editing() -> None:
    """The line is edited as a shell's: words and lines are deleted, the cursor goes both ways."""
    async with shown(healthy()) as screen:
        prompt = screen.app.screen.query_one(Prompt)
        await screen.press("colon", *"flux one two")
        assert prompt.text == "flux one two"
        await screen.press("ctrl+w")
        assert prompt.text == "flux one "
        await screen.press("ctrl+a", "x", "delete", "right", "backspace")
        assert prompt.text == "xux one "
        await screen.press("end", "left", "ctrl+k", "ctrl+u")
        assert prompt.text == ""
        await screen.press(*"theme li")
        assert "theme light" in screen.text()
        await screen.press("tab")
        assert prompt.text == "theme light"
        await screen.press("enter", "colon", "up")
        assert prompt.text == "theme light"
        await screen.press("escape")
        assert prompt.kind == ""
        assert "? help" in screen.text()


async def test_a_long_line_is_seen_around_its_cursor() -> None:
    """A text that is longer than the line keeps its end in sight, with a mark for what is not; a paste is one line."""
    async with shown(healthy(), width=80, height=24) as screen:
        prompt = screen.app.screen.query_one(Prompt)
        await screen.press("slash")
        screen.app.post_message(events.Paste("a" * 90 + "\x1b[31mend\nsecond"))
        await screen.until("end")
        line = screen.lines()[-1]
        assert "…" in line
        assert "\x1b" not in line
        assert "second" not in prompt.text
        await screen.press("escape")
