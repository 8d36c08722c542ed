"""The events screen, key by key."""

import pytest

from probes.model.flux import ObjectRef
from tests.probes.worlds import healthy, network, with_network
from tests.tui.screens.opened import SIZES, opened
from tests.tui.views.troubled import STORE, troubled
from tui.screens.node import NodeScreen


@pytest.mark.parametrize("size", SIZES)
async def test_the_lists(size: tuple[int, int]) -> None:
    """Four lists, each with how bad it is; digits go through them."""
    async with opened(troubled(), "events", None, size) as shown:
        text = shown.text()
        assert "1 Images ▲ 1" in text
        assert "3 Secrets ✖ 1" in text
        assert "ghcr.io/x/y:1" in text
        await shown.press("2")
        await shown.says("ValidationFailed")
        await shown.press("3")
        await shown.says("ClusterSecretStore doppler")
        await shown.says("dial tcp: i/o timeout")
        assert shown.screen.subject() == STORE
        await shown.press("4")
        await shown.says("BEFORE, AFTER")


async def test_changes_as_they_come() -> None:
    """A change appears in the timeline, and leads to what changed."""
    async with opened(healthy(), "events") as shown:
        await shown.press("4")
        links = tuple(link for link in network(1, 3).links or () if link.ifname != "flannel.1")
        shown.source.give(with_network(healthy(), "samwise", links=links))
        await shown.says("gone mtu 1450")
        await shown.press("o")
        await shown.until(lambda: isinstance(shown.screen, NodeScreen))
        assert shown.screen.ref == ObjectRef("Node", "", "samwise")


async def test_empty_says_why() -> None:
    """Nothing known, nothing installed and nothing wrong do not look the same."""
    async with opened(healthy(), "events") as shown:
        assert "asking for pods" in shown.text()


async def test_hostile_message() -> None:
    """Markup in an Event is shown as it is."""
    async with opened(troubled(), "events") as shown:
        await shown.says("[/nope] TLS handshake timeout")
