"""Without a command: one cluster as the screens need it, followed, asked anew and read on demand."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

from probes.model.flux import ObjectRef
from probes.model.snapshot import Snapshot
from probes.rules.finding import Diagnosis
from tui.cli.place import Place
from tui.probing import CannotProbe, Proposal, Wanted
from tui.repairs import Leftover, PastRun, RepairFailed
from tui.screens.base import ReadFailed

if TYPE_CHECKING:
    from probes.cluster import Cluster
    from probes.onrequest import OnRequest
    from runbooks.facts import Found
    from runbooks.plan import Plan
    from runbooks.runbook import Runbook
    from runbooks.shelf import Catalog
    from tui.cli.carrying import Carried
    from tui.cli.probing import Prober

_FIRST: Final = ("tui.cli.connect", "probes.kube.plain")
_HEAVY: Final = (
    *("probes.kube.official", "kubernetes.aio.client", "asyncssh", "probes.onrequest"),
    *("tui.cli.probing", "tui.cli.carrying"),
)
"""What is imported beside the running screens, so that the first frame does not wait for it; half a second."""
_ALONE: Final = 0.3
"""Seconds that the first look at the cluster has before the rest is imported, which would slow it down."""
_SOON: Final = 5.0
"""Seconds that what needs a connection waits for one that is about to be made."""
_GLIMPSE: Final = 1.0
"""Seconds for the first look at the cluster."""


async def _import(*names: str) -> None:
    for name in names:
        await asyncio.to_thread(import_module, name)


async def _first_look(place: Place, publish: Callable[[Snapshot], None]) -> Snapshot | None:
    """Show which nodes there are before what follows them is imported; returns that, or none where it takes longer."""
    from tui.cli.connect import glimpse  # noqa: PLC0415 - not before the first frame

    looking = asyncio.create_task(_looked(glimpse(place, _GLIMPSE), publish))
    try:
        await asyncio.wait({looking}, timeout=_ALONE)
        await _import(*_HEAVY)
        return await looking
    finally:
        looking.cancel()


async def _looked(look: Awaitable[Snapshot | None], publish: Callable[[Snapshot], None]) -> Snapshot | None:
    found = await look
    if found is not None:
        publish(found)
    return found


class Source:
    """One cluster, connected to when it is first followed."""

    def __init__(self, place: Callable[[], AbstractAsyncContextManager[Place]], heavy: Sequence[str] = ()) -> None:
        """``place`` tells where the cluster is, for which it needs modules that are ``heavy`` to import."""
        self._place = place
        self._heavy = heavy
        self._asked, self._ready = asyncio.Event(), asyncio.Event()
        self._request: OnRequest | None = None
        self._prober: Prober | None = None
        self._at: tuple[Place, Cluster] | None = None
        self._shelf: Catalog | None = None

    def collect(self) -> None:
        """Ask every source again, now."""
        self._asked.set()

    async def follow(self, publish: Callable[[Snapshot], None]) -> None:
        """Follow until cancelled; raises PlaceError where there is no telling where the cluster is."""
        await _import(*self._heavy, *_FIRST)
        async with self._place() as place:
            known = await _first_look(place, publish)
            from probes.onrequest import OnRequest  # noqa: PLC0415 - not before the first frame
            from tui.cli.connect import connected  # noqa: PLC0415 - likewise
            from tui.cli.probing import Prober  # noqa: PLC0415 - likewise

            async with connected(place, watch=True, known=known) as cluster:
                self._request = OnRequest(cluster.wires, lambda: cluster.snapshot)
                prober = self._prober = Prober(cluster, place)
                self._at = place, cluster
                self._ready.set()
                try:
                    while True:
                        await self._follow_until_asked(cluster, publish)
                finally:
                    self._ready.clear()
                    self._request = self._prober = self._at = None
                    await prober.close()

    async def _follow_until_asked(self, cluster: "Cluster", publish: Callable[[Snapshot], None]) -> None:
        """Follow until everything shall be asked anew: what is known stays, and keeps its age."""
        self._asked.clear()
        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(cluster.follow(publish))
            await self._asked.wait()
            following.cancel()

    async def _soon(self) -> None:
        """Wait for a connection that is about to be made: nodes are seen some moments before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SOON):
                await self._ready.wait()

    async def manifest(self, ref: ObjectRef) -> str:
        """Give an object as YAML; raises ReadFailed."""
        return await self._read(lambda request: request.manifest(ref))

    async def journal(self, node: str) -> str:
        """Give the end of the journal of a node's k3s; raises ReadFailed."""
        return await self._read(lambda request: request.journal(node))

    async def propose(self, wanted: Wanted) -> Proposal:
        """Find out what a probe would send; raises CannotProbe."""
        await self._soon()
        if self._prober is None:
            raise CannotProbe("there is no connection to the cluster yet")
        return await self._prober.propose(wanted)

    async def _read(self, ask: "Callable[[OnRequest], Awaitable[str]]") -> str:
        await self._soon()
        if self._request is None:
            raise ReadFailed("there is no connection to the cluster yet")
        from probes.onrequest import NotRead  # noqa: PLC0415 - imported long ago

        try:
            return await ask(self._request)
        except NotRead as error:
            raise ReadFailed(str(error)) from error

    # What carries runbooks out.

    def _there(self) -> "tuple[Place, Cluster]":
        if self._at is None:
            raise RepairFailed("there is no connection to the cluster yet")
        return self._at

    def catalog(self) -> "Catalog":
        """Give the runbooks there are, as they were when one was first asked for."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        if self._shelf is None:
            self._shelf = carrying.shelf()
        return self._shelf

    async def found(self, runbook: "Runbook", diagnosis: Diagnosis) -> "Found":  # noqa: ARG002 - the cluster's own is newer
        """Read what a plan needs to know besides the diagnosis; raises RepairFailed."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        await self._soon()
        return await carrying.found(runbook, self._there()[1])

    def begin(self, plan: "Plan") -> "Carried":
        """Begin a run; raises RepairFailed."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        return carrying.begin(plan, self._there()[0])

    async def resume(self, run: str, *, breaking: str = "", abandon: bool = False) -> "Carried":
        """Go on with a run, or end it; raises RepairFailed."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        await self._soon()
        return carrying.resume(run, self._there()[0], breaking=breaking, abandon=abandon)

    async def runs(self) -> tuple[PastRun, ...]:
        """List the runs there were; raises RepairFailed."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        return await carrying.runs()

    async def report(self, run: str) -> str:
        """Give the report of a run; raises RepairFailed."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        return await carrying.told(run)

    async def leftovers(self) -> tuple[Leftover, ...]:
        """List what earlier runs left; raises RepairFailed."""
        from tui.cli import carrying  # noqa: PLC0415 - not before the first frame

        await self._soon()
        return await carrying.leftovers(self._there()[1])
