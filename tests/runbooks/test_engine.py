"""The engine's edges: what happens beside the steps ends a run in one sentence."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from probes.kube.errors import ApiError, ApiUnreachable, Restricted, Unauthorized
from runbooks import eyes as module
from runbooks.engine import Engine
from runbooks.eyes import Eyes
from runbooks.journal import JournalError


async def never(*_: object) -> None:
    await asyncio.Event().wait()


async def test_a_journal_that_fails_beside_the_steps_is_told_as_that() -> None:
    """A disk that is full is met by whoever writes next, the keeper of the lock too; it is no defect of underlay."""
    ended: list[str] = []

    async def steps() -> None:
        try:
            await never()
        finally:
            ended.append("steps")

    async def keep(_told: object) -> None:
        raise JournalError("/x.jsonl: cannot be written: No space left on device; nothing more is done")

    engine: Any = object.__new__(Engine)
    engine.plan, engine._abandon = SimpleNamespace(writes=True), False
    engine._eyes = SimpleNamespace(follow=never, pulse=never)
    engine._lock = SimpleNamespace(keep=keep)
    engine._steps, engine._begin = steps, lambda: asyncio.sleep(0)
    with pytest.raises(JournalError, match="No space left on device; nothing more is done"):
        await engine._observed()
    assert ended == ["steps"]


@pytest.mark.parametrize(
    ("error", "outages"), [(Restricted("no"), 0), (Unauthorized("no"), 0), (ApiUnreachable("gone"), 1)]
)
async def test_a_refusal_is_no_outage(error: ApiError, outages: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not read /version is answered all the same."""
    asked = asyncio.Event()

    class Api:
        async def get(self, _path: str, **_options: object) -> bytes:
            asked.set()
            raise error

    monkeypatch.setattr(module, "_PULSE", 0.001)
    looking = Eyes(SimpleNamespace(wires=SimpleNamespace(api=Api())))  # type: ignore[arg-type]
    pulse = asyncio.create_task(looking.pulse())
    async with asyncio.timeout(10):
        await asked.wait()
        asked.clear()
        await asked.wait()  # the first has been taken note of
    pulse.cancel()
    assert looking.outages.count == outages
