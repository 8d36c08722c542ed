"""underlay explain: a page a code, and one sentence for a code there is none of."""

import pytest

from probes.rules.manual import pages
from tui.__main__ import main


@pytest.mark.parametrize("code", sorted(pages()))
def test_a_page_fits_80_columns(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Text is wrapped to the paper; only a command may be wider, for it is to be copied."""
    assert main(["explain", code]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{code}: ")
    assert "REPAIR" in lines
    assert [line for line in lines if len(line) > 80 and not line.startswith("    ")] == []


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has every code with its sentence."""
    assert main(["explain"]) == 0
    said = capsys.readouterr().out
    assert all(page.code in said and page.title in said for page in pages().values())


def test_a_code_there_is_none_of(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt code is one sentence that offers the nearest ones, and exit status 3."""
    assert main(["explain", "vxlan-linkmissing"]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "vxlan-link-missing" in said
