"""The pages: one a code, whole, and nothing beside."""

import pytest

from probes.rules.causes import EDGES
from probes.rules.codes import FAMILIES, RANK
from probes.rules.manual import SECTIONS, pages


@pytest.mark.parametrize("family", sorted({page.family for page in pages().values()}))
def test_every_code_has_a_page_and_every_page_a_code(family: str) -> None:
    """A family's pages are its codes, in their order."""
    assert tuple(page.code for page in pages().values() if page.family == family) == FAMILIES[family]


@pytest.mark.parametrize("code", sorted(pages()))
def test_a_page_is_whole(code: str) -> None:
    """Every page says what, how, what not, how by hand and what repairs; the commands are set apart."""
    page = pages()[code]
    wanted = [s for s in SECTIONS if s != "Incident" or s in page.sections]
    assert list(page.sections) == wanted
    assert all(page.sections.values())
    assert page.title.endswith(".")
    assert page.sections["Verify by hand"].count("```") >= 2


def test_causes_are_codes() -> None:
    """Every edge is between codes that there are."""
    assert {edge.cause for edge in EDGES} | {edge.effect for edge in EDGES} <= set(RANK)
