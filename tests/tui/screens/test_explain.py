"""The explain screen: what a finding means is one key away from it."""

import pytest

from probes.rules.manual import pages
from tests.probes.worlds import healthy
from tests.tui.scripted import shown, without_vxlan
from tests.tui.views.said import said
from tui.views.explain import page_document
from tui.widgets.blocks import Block


@pytest.mark.parametrize("code", ["vxlan-link-missing", "flux-fetch-timeout", "api-unreachable"])
def test_the_page_is_whole(code: str) -> None:
    """Every word of a page is in the document, its commands as they are to be typed."""
    page = pages()[code]
    blocks: tuple[Block, ...] = page_document(page)
    text = " ".join(said(blocks).split())
    for heading, body in page.sections.items():
        assert heading in text
        for line in body.splitlines():
            if not line.startswith("```"):
                assert " ".join(line.split()) in text, line


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_one_key_away(size: tuple[int, int]) -> None:
    """E opens it from the overview and from the findings, esc comes back; a node has none."""
    async with shown(without_vxlan(healthy()), width=size[0], height=size[1]) as screen:
        assert "What it means" in await screen.press("1", "e")
        assert "vxlan-link-missing" in screen.text()
        await screen.press("escape")
        assert "e explains what it means" in await screen.press("enter")
        assert " e explain " in screen.lines()[-1]
        assert "What it means" in await screen.press("e")
        await screen.press("escape", "escape")
        before = await screen.press("2")
        assert await screen.press("e") == before


async def test_by_name() -> None:
    """A code is completed and explained by its name; one that there is none of is told so."""
    async with shown(healthy()) as screen:
        assert "explain vxlan-link-missing" in await screen.press("colon", *"explain vxlan-link-m")
        assert "What it means" in await screen.press("tab", "enter")
        assert "There is no finding nonsense" in await screen.press("colon", *"explain nonsense", "enter")
