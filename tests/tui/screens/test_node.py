"""The node screen, key by key."""

import msgspec
import pytest

from probes.model.flux import ObjectRef
from probes.model.network import Link
from probes.model.snapshot import Snapshot
from tests.probes.worlds import healthy, network, with_network
from tests.tui.screens.opened import SIZES, opened
from tui.format import ASCII
from tui.screens.node import NodeScreen

NODE = ObjectRef("Node", "", "samwise")


def _links(mtu: int) -> tuple[Link, ...]:
    return tuple(
        msgspec.structs.replace(link, mtu=mtu) if link.ifname == "flannel.1" else link
        for link in network(1, 3).links or ()
    )


def _broken() -> Snapshot:
    return with_network(healthy(), "samwise", links=_links(1400), fdb=())


@pytest.mark.parametrize("size", SIZES)
async def test_the_answer_is_on_the_first_screen(size: tuple[int, int]) -> None:
    """At every size the path and the broken peers are in sight without a key."""
    async with opened(_broken(), "node", NODE, size) as shown:
        text = shown.text()
        for expected in ("samwise", "flannel.1", "▲ 1400", "expected 1450", "subnet.env", "cni0", "pods ×1", "Peers"):
            assert expected in text
        finding = next(each for each in shown.app.diagnosis.findings if each.subject == NODE)
        assert finding.summary[:24] in text


async def test_digits_jump_to_sections() -> None:
    """A digit puts its section on top, braces go from one to the next."""
    async with opened(healthy(), "node", NODE, (80, 24)) as shown:
        await shown.press("5")
        assert "5 Unit" in shown.text()
        assert "KillMode" in shown.text()
        await shown.press("left_curly_bracket")
        await shown.says("4 Routes")
        await shown.press("g")
        await shown.says("subnet.env")


async def test_a_change_is_shown_where_it_is() -> None:
    """A new fact is painted in place, the cursor stays where it was, and the timeline has it."""
    async with opened(healthy(), "node", NODE) as shown:
        await shown.press("3", "down", "down")
        screen = shown.screen
        assert isinstance(screen, NodeScreen)
        document = screen._pane.document
        before = document.cursor_key
        assert before.startswith("link ")
        shown.source.give(with_network(shown.source.snapshot, "samwise", links=_links(1400)))
        await shown.until(lambda: "1450 → 1400" in screen._pane.text())
        assert document.cursor_key == before
        assert "▲ 1400" in screen._pane.text()


async def test_counters_since_opened() -> None:
    """Counters are counted from the moment the screen was opened."""
    start = with_network(healthy(), "samwise", counters={"UdpNoPorts": 100})
    async with opened(start, "node", NODE) as shown:
        shown.source.give(with_network(start, "samwise", counters={"UdpNoPorts": 107}))
        screen = shown.screen
        assert isinstance(screen, NodeScreen)
        await shown.until(lambda: "▲ +7" in screen._pane.text())


async def test_search() -> None:
    """What is looked for is counted, n and N go through it, esc forgets it."""
    async with opened(healthy(), "node", NODE, (80, 24)) as shown:
        await shown.press("slash", *"killmode", "enter")
        await shown.says("KillMode")
        screen = shown.screen
        assert isinstance(screen, NodeScreen)
        document = screen._pane.document
        assert "KillMode" in document.lines[document.cursor].text(0, document.glyphs)
        await shown.press("n")
        assert "KillMode" in document.lines[document.cursor].text(0, document.glyphs)
        await shown.press("escape")
        assert document.wanted is None


async def test_faults_only() -> None:
    """Ctrl-z leaves the lines on which something is wrong, and brings the others back."""
    async with opened(_broken(), "node", NODE, (80, 24)) as shown:
        assert "cni0" in shown.text()
        await shown.press("ctrl+z")
        text = shown.text()
        assert "▲ 1400" in text
        assert "nothing" in text
        assert "cni0" not in text
        await shown.press("ctrl+z")
        await shown.says("cni0")


async def test_enter_on_a_peer_opens_it() -> None:
    """From a peer's line one gets to the peer, and back."""
    async with opened(_broken(), "node", NODE) as shown:
        await shown.press("1", "down", "down", "enter")
        await shown.until(lambda: shown.screen.ref is not None and shown.screen.ref.name != "samwise")
        assert shown.screen.ref in {ObjectRef("Node", "", "boromir"), ObjectRef("Node", "", "theoden")}
        await shown.press("escape")
        await shown.until(lambda: shown.screen.ref == NODE)


async def test_ascii() -> None:
    """In ASCII mode the screen's own drawing is ASCII."""
    async with opened(_broken(), "node", NODE, glyphs=ASCII) as shown:
        body = shown.text().splitlines()[2:-1]
        screen = shown.screen
        assert isinstance(screen, NodeScreen)
        assert screen._pane.text().isascii()
        assert "!! 1400" in "\n".join(body)


async def test_resizing() -> None:
    """Another size lays out anew: nothing is lost and nothing crashes down to a tiny terminal."""
    async with opened(_broken(), "node", NODE, (160, 50)) as shown:
        assert "┌" in shown.text()
        for size in ((80, 24), (20, 5), (1, 1), (120, 40)):
            await shown.pilot.resize_terminal(*size)
            await shown.pilot.pause()
        await shown.says("┌")
