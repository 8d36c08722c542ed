"""The findings screen, key by key."""

import pytest

from probes.model.flux import ObjectRef
from probes.rules.finding import Finding
from tests.probes.worlds import healthy, network, with_network
from tests.tui.screens.opened import SIZES, opened
from tests.tui.views.troubled import GIT, troubled
from tui.screens.findings import FindingsScreen
from tui.screens.node import NodeScreen


@pytest.mark.parametrize("size", SIZES)
async def test_the_evidence_is_in_sight(size: tuple[int, int]) -> None:
    """At every size the worst finding and what was seen of it are on one screen."""
    links = tuple(link for link in network(1, 3).links or () if link.ifname != "flannel.1")
    async with opened(with_network(healthy(), "samwise", links=links), "findings", None, size) as shown:
        text = shown.text()
        worst = shown.app.diagnosis.findings[0]
        assert worst.subject.name == "samwise"
        assert worst.summary[:24] in text
        assert worst.evidence[0].source[:40] in text
        assert worst.code in text


async def test_opened_for_a_subject() -> None:
    """Opened for an object, the cursor is on a finding about it."""
    async with opened(troubled(), "findings", GIT) as shown:
        assert shown.screen.subject() == GIT
        screen = shown.screen
        assert isinstance(screen, FindingsScreen)
        finding = screen.finding(shown.app.diagnosis)
        assert finding is not None
        await shown.says(finding.evidence[0].source[:40])


async def test_two_findings_about_one_object() -> None:
    """The document is the finding's under the cursor, also where the next one is about the same object."""
    snapshot = with_network(healthy(), "samwise", fdb=(), udp=())
    async with opened(snapshot, "findings") as shown:
        screen = shown.screen
        assert isinstance(screen, FindingsScreen)
        seen: list[Finding | None] = []
        for _ in range(2):
            finding = screen.finding(shown.app.diagnosis)
            assert finding is not None
            seen.append(finding)
            await shown.says(finding.code)
            await shown.press("down")
        assert seen[0] != seen[1]


async def test_going_to_the_subject() -> None:
    """O opens what the finding is about, esc comes back."""
    snapshot = with_network(healthy(), "samwise", fdb=())
    async with opened(snapshot, "findings") as shown:
        await shown.press("o")
        await shown.until(lambda: isinstance(shown.screen, NodeScreen))
        assert shown.screen.ref == ObjectRef("Node", "", "samwise")
        await shown.press("escape")
        await shown.until(lambda: isinstance(shown.screen, FindingsScreen))


async def test_nothing_wrong() -> None:
    """Where nothing is wrong the screen says so, and how much was assessed."""
    async with opened(healthy(), "findings") as shown:
        text = shown.text()
        assert "nothing is wrong" in text or "nothing wrong" in text
        assert "There is no finding" in text
