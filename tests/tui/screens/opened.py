"""A screen of the App over a snapshot, for tests that press keys and read what is shown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from probes.model.flux import ObjectRef
from probes.model.snapshot import Snapshot
from tests.tui.views.said import NOW
from tui.app import Publish, UnderlayApp
from tui.format import UNICODE, Glyphs
from tui.screens.base import LiveScreen, ReadFailed

SIZES = [(80, 24), (120, 40), (160, 50)]


class Reads:
    """Answers what is asked on request, or fails with one sentence."""

    def __init__(self, text: str = "", failure: str = "") -> None:
        self.text = text
        self.failure = failure
        self.asked: list[str] = []

    async def manifest(self, ref: ObjectRef) -> str:
        return self._say(f"manifest {ref.kind} {ref.name}")

    async def journal(self, node: str) -> str:
        return self._say(f"journal {node}")

    def _say(self, what: str) -> str:
        self.asked.append(what)
        if self.failure:
            raise ReadFailed(self.failure)
        return self.text


class Source:
    """A source of snapshots: each that is given is published."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self._publish: Publish | None = None

    async def follow(self, publish: Publish) -> None:
        self._publish = publish
        publish(self.snapshot)
        await asyncio.Event().wait()

    def give(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        assert self._publish is not None
        self._publish(snapshot)


class Shown:
    """The App with a screen in front."""

    def __init__(self, app: UnderlayApp, pilot: Pilot[int], source: Source) -> None:
        self.app = app
        self.pilot = pilot
        self.source = source

    @property
    def screen(self) -> LiveScreen:
        assert isinstance(self.app.screen, LiveScreen)
        return self.app.screen

    def text(self) -> str:
        """Read the whole screen, as a terminal has it."""
        width, height = self.app.size
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text[:width] for strip in strips[:height])

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait until something is so, for a bounded time that a busy machine may need."""
        for _ in range(750):
            if wanted():
                return
            await self.pilot.pause(0.02)
        raise AssertionError(self.text())

    async def says(self, text: str) -> None:
        """Wait until the screen says something."""
        await self.until(lambda: text in self.text())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()


@asynccontextmanager
async def opened(
    snapshot: Snapshot,
    screen: str,
    ref: ObjectRef | None = None,
    size: tuple[int, int] = (120, 40),
    *,
    reads: Reads | None = None,
    glyphs: Glyphs = UNICODE,
) -> AsyncIterator[Shown]:
    """Open a screen of the catalog once the snapshot has arrived."""
    source = Source(snapshot)
    app = UnderlayApp(source.follow, reads=reads, glyphs=glyphs)
    app.clock = lambda: NOW
    async with app.run_test(size=size) as pilot:
        shown = Shown(app, pilot, source)
        await shown.until(lambda: app.diagnosis.snapshot is snapshot)
        app.go(screen, ref)
        await shown.until(lambda: isinstance(app.screen, LiveScreen) and app.screen.NAME != "Overview")
        await pilot.pause()
        yield shown
