"""Runs that are kept: whose they are, how many, and what a name means."""

import os
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.evidence import Run
from probes.model.reach import Result
from tui import evidence
from tui.evidence import EvidenceError, folder, keep, load, names


def run(at: float = 1_800_000_000.0, probe: str = "http") -> Run:
    result = Result(
        probe="http",
        vantage="operator",
        kind="operator",
        target="https://x.test/",
        outcome="ok",
        tone="ok",
        said="ok",
        at=at,
    )
    return Run("", probe, "test", at, 0, (result,))


def test_a_run_is_its_owners_alone() -> None:
    """A file of mode 0600 in a folder of 0700, which reads back as it was; two of one second stand side by side."""
    kept = keep(run())
    path = folder() / f"{kept.name}.json"
    assert (path.stat().st_mode & 0o777, folder().stat().st_mode & 0o777) == (0o600, 0o700)
    assert load(kept.name) == kept
    again = keep(run())
    assert again.name != kept.name
    assert names() == sorted([kept.name, again.name], reverse=True)


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first; a file of somebody else in the folder stays."""
    monkeypatch.setattr(evidence, "MOST", 3)
    folder().mkdir(parents=True)
    (folder() / "notes.json").write_text("mine")
    for number in range(5):
        keep(run(1_800_000_000.0 + number))
    assert [name[:15] for name in names()] == ["20270115-080004", "20270115-080003", "20270115-080002"]
    assert (folder() / "notes.json").exists()


def test_a_link_is_never_followed() -> None:
    """A link that stands where the run would go is left alone."""
    folder().mkdir(parents=True)
    target = folder().parent / "target"
    name = keep(run()).name
    (folder() / f"{name}.json").unlink()
    (folder() / f"{name}.json").symlink_to(target)
    assert keep(run()).name == f"{name}-1"
    assert not target.exists()


def test_runs_are_named_in_many_ways(tmp_path: Path) -> None:
    """By name, by its beginning, by how long ago, or as a file; what is none is refused with one sentence."""
    first, second = keep(run(1_800_000_000.0)), keep(run(1_800_000_060.0, "plan default"))
    assert load("last") == second
    assert load("last-1") == first
    assert load(first.name[:15]) == first
    assert second.name.endswith("-plan-default")
    copy = tmp_path / "before.json"
    copy.write_bytes(msgspec.json.encode(first))
    assert load(str(copy)) == first
    for odd, why in (("last-2", "2 are kept"), ("2027", "beginning of 2"), ("nosuch", "no run"), ("../x", "no run")):
        with pytest.raises(EvidenceError, match=why):
            load(odd)


@given(content=st.binary(max_size=200))
def test_garbage_is_no_run(content: bytes) -> None:
    """Whatever a file holds, it is refused with one sentence."""
    path = Path(os.environ["XDG_STATE_HOME"]) / "garbage.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(EvidenceError, match="no run of probes"):
        load(str(path))
