"""A scripted cluster under the real App: snapshots are published when a test says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from textual.pilot import Pilot

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition
from probes.model.observation import Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from tests.probes.worlds import AT, healthy, with_network
from tui.app import UnderlayApp
from tui.format import UNICODE, Glyphs

PATIENCE = 10.0
LOOK = 0.02


class Script:
    """A source that follows nothing and publishes what it is told to."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Snapshot | Exception] = asyncio.Queue()
        self.begun = 0
        self.collected = 0

    async def follow(self, publish: Callable[[Snapshot], None]) -> None:
        self.begun += 1
        while True:
            told = await self._queue.get()
            if isinstance(told, Exception):
                raise told
            publish(told)

    def collect(self) -> None:
        self.collected += 1

    def tell(self, told: Snapshot | Exception) -> None:
        self._queue.put_nowait(told)


class Shown:
    """The App on a screen of a certain size."""

    def __init__(self, app: UnderlayApp, pilot: Pilot[int], script: Script) -> None:
        self.app = app
        self.pilot = pilot
        self.script = script

    def text(self) -> str:
        """Read the screen as it would be painted now."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    def lines(self) -> list[str]:
        return self.text().splitlines()

    async def until(self, wanted: str | Callable[[], bool]) -> str:
        """Wait until the screen says something, or something is so."""

        def is_so() -> bool:
            return wanted in self.text() if isinstance(wanted, str) else wanted()

        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while not is_so():
            assert loop.time() < end, f"not within {PATIENCE:.0f} s: {wanted}; the screen is:\n{self.text()}"
            await asyncio.sleep(LOOK)
            await self.pilot.pause()
        return self.text()

    async def press(self, *keys: str) -> str:
        """Press keys, and read what is on the screen then."""
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()
        return await self.settled()

    async def settled(self) -> str:
        """Wait until two looks in a row see the same, and read that."""
        before = ""
        for _ in range(round(PATIENCE / LOOK)):
            now = self.text()
            if now == before:
                return now
            before = now
            await asyncio.sleep(LOOK)
            await self.pilot.pause()
        return before

    async def tell(self, snapshot: Snapshot) -> str:
        """Publish a snapshot and wait until it is judged."""
        self.script.tell(snapshot)
        await self.until(lambda: self.app.diagnosis.snapshot is snapshot)
        return await self.settled()


@asynccontextmanager
async def shown(
    snapshot: Snapshot | None = None,
    *,
    width: int = 120,
    height: int = 40,
    glyphs: Glyphs = UNICODE,
    now: float = AT + 5,
    **options: object,
) -> AsyncIterator[Shown]:
    """Show a snapshot, or nothing yet, at a moment that stands still."""
    script = Script()
    app = UnderlayApp(script.follow, collect=script.collect, glyphs=glyphs, **options)  # type: ignore[arg-type]
    app.clock = lambda: now
    async with app.run_test(size=(width, height), notifications=True) as pilot:
        made = Shown(app, pilot, script)
        if snapshot is not None:
            await made.tell(snapshot)
        yield made


def without_vxlan(snapshot: Snapshot, name: str = "samwise") -> Snapshot:
    """Take flannel.1 away from a node, and with it what the kernel had for its peers."""
    links = tuple(link for link in snapshot.networks[name].links or () if link.ifname != "flannel.1")
    return with_network(snapshot, name, links=links, neighbors=(), fdb=(), udp=())


def flux_object(kind: str, name: str, *, ready: str = "True", message: str = "fine", **fields: object) -> FluxObject:
    condition = Condition("Ready", ready, "Succeeded" if ready == "True" else "Failed", message, changed_at=AT - 60)
    made = FluxObject(ObjectRef(kind, "flux-system", name), conditions=(condition,))
    return msgspec.structs.replace(made, **fields)


def with_flux(snapshot: Snapshot, *objects: FluxObject) -> Snapshot:
    """Install Flux with these objects."""
    items = {f"{each.ref.kind}/{each.ref.namespace}/{each.ref.name}": each for each in objects}
    return fold(snapshot, [Observed("kube/flux/GitRepository", AT, Listed(items))])


def failed(snapshot: Snapshot, source: str, kind: str, reason: str = "it did not answer") -> Snapshot:
    """Let a source fail."""
    return fold(snapshot, [Failed(source, AT + 1, reason, kind)])


def source_tree() -> Snapshot:
    """Give a healthy cluster a Flux source with a stale consumer and a suspended one, and a source that fails."""
    git = flux_object("GitRepository", "home", revision="main@sha1:aaaaaaaaaaaa", artifact_at=AT - 7200)
    stale = flux_object("Kustomization", "apps", revision="main@sha1:bbbbbbbbbbbb", source=git.ref)
    asleep = flux_object("Kustomization", "infra", revision="main@sha1:aaaaaaaaaaaa", source=git.ref, suspended=True)
    helm = flux_object("HelmRepository", "charts", ready="False", message="i/o timeout", artifact_at=AT - 90)
    return with_flux(healthy(), git, stale, asleep, helm)
