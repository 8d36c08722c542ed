"""The overlay screen, key by key."""

import pytest

from probes.model.flux import ObjectRef
from tests.probes.worlds import healthy, with_network
from tests.tui.screens.opened import SIZES, opened
from tui.screens.mesh import MeshScreen
from tui.screens.node import NodeScreen


@pytest.mark.parametrize("size", SIZES)
async def test_a_broken_leg(size: tuple[int, int]) -> None:
    """The cell names the leg, and below it stands what is expected and found, in both directions."""
    async with opened(with_network(healthy(), "boromir", fdb=()), "mesh", None, size) as shown:
        assert "✖ fdb" in shown.text()
        await shown.says("boromir → samwise  ✖ FDB")
        await shown.says("samwise → boromir  ✔ ok")
        assert "12:c6:65:89:b4:01 dst 192.0.2.12" in shown.text()


async def test_the_cursor_is_on_what_is_broken() -> None:
    """It begins on the first pair that lacks something, also where that breaks later; one that was moved stays."""
    broken = with_network(healthy(), "samwise", fdb=())
    async with opened(broken, "mesh") as shown:
        await shown.says("samwise → boromir  ✖ FDB")
    async with opened(healthy(), "mesh") as shown:
        shown.source.give(broken)
        await shown.says("samwise → boromir  ✖ FDB")
    async with opened(healthy(), "mesh") as shown:
        await shown.press("right")
        await shown.says("boromir → samwise  ✔ ok")
        shown.source.give(broken)
        await shown.until(lambda: "✖ fdb" in shown.text())
        await shown.says("boromir → samwise  ✔ ok")


async def test_the_diagonal() -> None:
    """A node does not need the overlay to reach itself."""
    async with opened(healthy(), "mesh") as shown:
        await shown.says("reaches its own pods over cni0")


async def test_enter_opens_the_source() -> None:
    """Enter opens the node that the row is of; in the document, the node a leg was looked up on."""
    async with opened(with_network(healthy(), "boromir", fdb=()), "mesh") as shown:
        await shown.says("boromir → samwise  ✖ FDB")
        await shown.press("down", "enter")
        await shown.until(lambda: isinstance(shown.screen, NodeScreen))
        assert shown.screen.ref == ObjectRef("Node", "", "samwise")
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.screen, MeshScreen))
        await shown.press("tab", "G", "enter")
        await shown.until(lambda: isinstance(shown.screen, NodeScreen))


async def test_it_follows_the_kernel() -> None:
    """An entry that comes back makes the cell whole."""
    broken = with_network(healthy(), "boromir", fdb=())
    async with opened(broken, "mesh") as shown:
        shown.source.give(with_network(broken, "boromir", fdb=healthy().networks["boromir"].fdb))
        await shown.until(lambda: "✖ fdb" not in shown.text())
