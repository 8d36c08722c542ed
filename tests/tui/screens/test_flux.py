"""The Flux screen, key by key."""

import msgspec
import pytest

from probes.model.flux import ObjectRef
from probes.model.kube import Condition
from tests.tui.screens.opened import SIZES, opened
from tests.tui.views.troubled import APPS, GIT, troubled
from tui.screens.flux import FluxScreen
from tui.views.flux import key_of


@pytest.mark.parametrize("size", SIZES)
async def test_the_tree_and_the_reason_are_in_sight(size: tuple[int, int]) -> None:
    """At every size the tree and why its first object fails are on one screen."""
    async with opened(troubled(), "flux", None, size) as shown:
        text = shown.text()
        assert "git flux-system" in text
        assert "ks apps" in text
        assert "✖ GitOperationFailed  GitRepository flux-system/flux-system" in text
        assert "context deadline exceeded" in text


async def test_the_document_follows_the_cursor() -> None:
    """What is under the cursor is written up below, from its first line."""
    async with opened(troubled(), "flux") as shown:
        await shown.press("down")
        await shown.says("Kustomization flux-system/apps")
        assert shown.screen.subject() == APPS


async def test_opened_at_an_object() -> None:
    """Opened for an object, the cursor is on it."""
    async with opened(troubled(), "flux", APPS) as shown:
        await shown.says("Takes from")
        assert shown.screen.subject() == APPS


async def test_an_object_that_comes_later() -> None:
    """Opened for an object that is not known yet, the cursor goes there when it comes, once."""
    late = ObjectRef("Kustomization", "flux-system", "late")
    async with opened(troubled(), "flux", late) as shown:
        world = troubled()
        item = msgspec.structs.replace(world.flux[key_of(APPS)], ref=late)
        shown.source.give(msgspec.structs.replace(world, flux={**world.flux, key_of(late): item}))
        await shown.until(lambda: shown.screen.subject() == late)


async def test_reading_and_going_on() -> None:
    """Enter reads the document, enter on an object there goes to it, tab comes back."""
    async with opened(troubled(), "flux") as shown:
        screen = shown.screen
        assert isinstance(screen, FluxScreen)
        await shown.press("enter")
        assert screen.focused is screen.document.document
        await shown.press("G", "enter")
        await shown.until(lambda: screen.subject() == APPS)
        await shown.press("tab")
        assert screen.focused is not screen.document.document


async def test_zoom() -> None:
    """Z shows the pane that has the keys alone; tab then turns to the other one."""
    async with opened(troubled(), "flux", None, (80, 24)) as shown:
        screen = shown.screen
        assert isinstance(screen, FluxScreen)
        await shown.press("z")
        assert not screen.document.display or screen.document.size.height == 0
        await shown.press("tab")
        await shown.until(lambda: screen.document.size.height > 15)
        assert screen.list.size.height == 0
        await shown.press("z")
        await shown.until(lambda: screen.list.size.height > 0)


async def test_recovery_is_shown() -> None:
    """When the source is well again its row and its document say so."""
    async with opened(troubled(), "flux") as shown:
        world = troubled()
        well = msgspec.structs.replace(
            world.flux[key_of(GIT)],
            conditions=(Condition("Ready", "True", "Succeeded", "stored artifact"),),
            observed_generation=4,
        )
        shown.source.give(msgspec.structs.replace(world, flux={**world.flux, key_of(GIT): well}))
        await shown.says("✔ ready  GitRepository flux-system/flux-system")


async def test_filter_and_sort_are_the_lists() -> None:
    """The filter leaves rows out of the tree, esc brings them back."""
    async with opened(troubled(), "flux") as shown:
        await shown.press("slash", *"apps", "enter")
        await shown.until(lambda: "git flux-system" not in shown.text())
        await shown.press("escape")
        await shown.says("git flux-system")
