"""A defect of underlay's own: told in one sentence, and no value of a variable is printed or kept."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from probes.model.snapshot import Snapshot
from tui.app import UnderlayApp


async def _follow(publish: Callable[[Snapshot], None]) -> None:
    publish(Snapshot(context="test"))
    await asyncio.Event().wait()


class _Broken(UnderlayApp):
    """An app whose refresh has a defect, with a secret in sight of it."""

    def action_break(self) -> None:
        held = "t0ps3cret"
        raise LookupError(f"no such thing, {len(held)} characters")


async def test_a_defect_ends_the_screens_with_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal gets no traceback with the values of variables; the trace is kept for its reader alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    app = _Broken(_follow)

    async def drive(pilot: Pilot[object]) -> None:
        await pilot.pause()
        app.call_later(app.action_break)

    async with asyncio.timeout(20):
        await app.run_async(headless=True, auto_pilot=drive)
    said = capsys.readouterr()
    assert app.return_code == 3
    assert app.failure.startswith("this is a defect, please report it: LookupError: no such thing, 9 characters (")
    (kept,) = (tmp_path / "underlay" / "saved").iterdir()
    assert str(kept) in app.failure
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "action_break" in kept.read_text()
    assert "t0ps3cret" not in said.out + said.err + app.failure
