"""Who listens to a reflector, and lets its pauses pass at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from probes.kube.watch import Rhythm
from probes.model.observation import Failed, Observed
from probes.model.snapshot import Snapshot, fold
from tests.probes.kube.fake import refuse

PATIENCE: Final = 10.0
NO_STREAMED_LISTS: Final = refuse(422, "sendInitialEvents is forbidden for watch unless WatchList is enabled")


class Told:
    """What a reflector said, folded as Cluster folds it, and the pauses it made."""

    def __init__(self) -> None:
        self.said: list[Observed[Any] | Failed] = []
        self.pauses: list[float] = []
        self.snapshot = Snapshot()
        self.held: asyncio.Event | None = None
        """Where it is set, a pause of a minute waits for it."""

    async def put(self, observation: Observed[Any] | Failed) -> None:
        self.said.append(observation)
        self.snapshot = fold(self.snapshot, [observation])

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if seconds >= 60 and self.held is not None:
            await self.held.wait()
            self.held.clear()
        await asyncio.sleep(0.001)

    def rhythm(self, **changes: Any) -> Rhythm:
        return Rhythm(clock=lambda: 7.0, sleep=self.sleep, random=lambda: 1.0, **changes)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - some conditions are the server's, which says nothing
                await asyncio.sleep(0.002)

    @property
    def failures(self) -> list[Failed]:
        return [said for said in self.said if isinstance(said, Failed)]

    @property
    def back_offs(self) -> list[float]:
        return [pause for pause in self.pauses if pause != Rhythm().gather]


@contextlib.asynccontextmanager
async def running(follow: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(follow)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def objects(*names: str) -> list[dict[str, Any]]:
    """Write objects that have little but a name."""
    return [{"metadata": {"name": name, "resourceVersion": "1"}} for name in names]
