"""Screens that outlive being left: gone to again they are as if just made."""

import pytest
from rich.color import Color

from probes.model.flux import ObjectRef
from tests.tui.screens.opened import Shown, opened
from tests.tui.views.troubled import troubled
from tui.screens.base import LiveScreen

WORLD = troubled()
FIRST, SECOND = (ObjectRef("Node", "", name) for name in list(WORLD.nodes)[:2])
MOVES = {
    "node": ("slash", "m", "t", "u", "enter", "G"),
    "findings": ("j", "space", "z", "slash", "f", "l", "u", "x", "enter"),
    "flux": ("j", "N", "z", "ctrl+z"),
    "mesh": ("l", "j", "tab", "z"),
    "events": ("3", "j", "z", "tab"),
}


async def again(shown: Shown, name: str, ref: ObjectRef | None) -> LiveScreen:
    """Leave all screens and go to one."""
    while len(shown.app.screen_stack) > 1:
        before = len(shown.app.screen_stack)
        shown.app.leave()
        await shown.until(lambda before=before: len(shown.app.screen_stack) < before)  # type: ignore[misc]
    shown.app.go(name, ref)
    await shown.until(lambda: shown.app.screen.is_current and len(shown.app.screen_stack) > 1)
    await shown.pilot.pause()
    return shown.screen


@pytest.mark.parametrize("name", MOVES)
async def test_a_second_visit_is_as_the_first(name: str) -> None:
    """Whatever was filtered, folded, sorted, zoomed and moved to, the screen is the same one and looks as at first."""
    ref = FIRST if name == "node" else None
    async with opened(WORLD, name, ref) as shown:
        screen, first = shown.screen, shown.text()
        focused = screen.focused
        await shown.press(*MOVES[name])
        assert shown.text() != first
        assert await again(shown, name, ref) is screen
        await shown.until(lambda: shown.text() == first)
        assert screen.focused is focused


async def test_another_object() -> None:
    """About another node it says what a screen made for that one says."""
    async with opened(WORLD, "node", SECOND) as shown:
        wanted = shown.text()
    async with opened(WORLD, "node", FIRST) as shown:
        await shown.press("G")
        screen = shown.screen
        assert await again(shown, "node", SECOND) is screen
        await shown.until(lambda: shown.text() == wanted)


async def test_one_upon_another() -> None:
    """A screen that one comes back to is left as it is: what is opened from it is another one."""
    async with opened(WORLD, "node", FIRST) as shown:
        first = shown.text()
        lower = shown.screen
        shown.app.go("node", SECOND)
        await shown.until(lambda: shown.app.screen is not lower and shown.app.screen.is_current)
        await shown.press("q")
        await shown.until(lambda: shown.app.screen is lower)
        assert shown.text() == first


async def test_stepping_from_one_to_the_same() -> None:
    """A kept screen that is left and gone to at once, as by going back, follows the clock and the cluster on."""
    async with opened(WORLD, "node", FIRST) as shown:
        screen = shown.screen
        shown.app.go("node", SECOND)
        await shown.until(lambda: f"▸ {SECOND.name}" in shown.text())
        await shown.press("left_square_bracket")
        await shown.until(lambda: f"▸ {FIRST.name}" in shown.text())
        assert shown.app.screen is screen
        assert screen._ticking is not None
        assert screen._ticking._active.is_set()


async def test_a_theme_reaches_those_that_are_away() -> None:
    """Colours are those of the theme that is chosen while the screen is away."""
    async with opened(WORLD, "node", FIRST) as shown:
        screen = shown.screen
        dark = grounds(screen)
        await again(shown, "flux", None)
        shown.app.theme = "underlay-light"
        await shown.pilot.pause()
        assert await again(shown, "node", FIRST) is screen
        await shown.until(lambda: not grounds(screen) & dark)
        assert grounds(screen)


def grounds(screen: LiveScreen) -> set[Color]:
    """List the colours on which anything stands on a screen."""
    styles = [segment.style for strip in screen._compositor.render_strips() for segment in strip]
    return {style.bgcolor for style in styles if style is not None and style.bgcolor is not None}
