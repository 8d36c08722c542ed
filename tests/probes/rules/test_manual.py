"""The pages: one a code, whole, and nothing beside."""

import ast
from pathlib import Path

import pytest

from probes.rules import codes
from probes.rules.causes import EDGES
from probes.rules.codes import FAMILIES, RANK
from probes.rules.manual import SECTIONS, pages


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    """The pages are the codes, in their order: none is missing and none is left over."""
    assert tuple(pages()) == tuple(code for family in FAMILIES.values() for code in family)


def test_every_code_is_in_a_rule_and_every_rule_s_code_has_a_page() -> None:
    """A code that no rule names is dead, and a rule that names another has no page for it."""
    named: set[str] = set()
    for path in Path(codes.__file__).parent.glob("*.py"):
        if path.name in {"codes.py", "causes.py"}:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named |= {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        for call in (n for n in ast.walk(tree) if isinstance(n, ast.Call) and n.args):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            code = call.args[0]
            if name in {"Finding", "finding"} and isinstance(code, ast.Constant):
                assert code.value in RANK, f"{path.name}:{call.lineno} {code.value!r}"
    assert set(RANK) <= named


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
