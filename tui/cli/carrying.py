"""Carrying: runbooks carried out for the screens by the engine, on a cluster of its own connections."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Final, Literal

import msgspec

from probes.cluster import Cluster
from probes.kube.errors import ApiError, NotInstalled
from probes.model.text import clean
from runbooks.actions import CORDONED_BY
from runbooks.engine import Engine
from runbooks.events import AnyEvent, Driver
from runbooks.facts import Found
from runbooks.ground import survey
from runbooks.journal import AnyRecord, Journal, JournalError, Progress, Told, find, journals, progress, read
from runbooks.lock import NAME, PATH
from runbooks.plan import Plan
from runbooks.reading import RunbookError
from runbooks.report import report
from runbooks.runbook import Runbook
from runbooks.shelf import Catalog, catalog
from tui.cli.connect import connected, context_name
from tui.cli.place import Place, PlaceError
from tui.cli.running import SETTINGS, access_of, own_runbooks, runs_folder, who
from tui.repairs import Leftover, PastRun, RepairFailed, RunState

_MOST: Final = 200
"""Runs that are listed, the newest."""


class Carried:
    """One run; its connections are its own, so that nothing that befalls the screens' cuts them."""

    def __init__(
        self, far: Progress, journal: Journal, place: Place, past: Sequence[AnyEvent], *, breaking: str, abandon: bool
    ) -> None:
        self.plan: Plan = far.plan
        self.past = past
        self._far = far
        self._journal = journal
        self._place = place
        self._breaking = breaking
        self._abandon = abandon
        self._engine: Engine | None = None
        self._early: Literal["", "pause", "abort"] = ""

    async def events(self, driver: Driver) -> AsyncGenerator[AnyEvent, None]:
        """Carry it out; ends with RunEnded."""
        async with AsyncExitStack() as stack:
            stack.callback(self._journal.close)
            cluster = await stack.enter_async_context(connected(self._place, watch=True))
            if cluster.snapshot.server != self.plan.server:
                raise RepairFailed(
                    f"{self.plan.run} is a run against {self.plan.server}, and this is {cluster.snapshot.server}: "
                    "it is not carried out on another cluster"
                )
            engine = self._engine = Engine(
                self._far,
                self._journal,
                driver,
                cluster,
                access_of(self._place),
                who=who(),
                breaking=self._breaking,
                abandon=self._abandon,
                settings=SETTINGS,
            )
            if self._early:
                engine.interrupt(self._early)
            async with aclosing(engine.run()) as events:
                async for event in events:
                    yield event

    def interrupt(self, how: Literal["pause", "abort"]) -> None:
        """Let it rest, or give it up."""
        if self._engine is None:
            self._early = how
        else:
            self._engine.interrupt(how)


def shelf() -> Catalog:
    """Give the runbooks there are, with what is wrong with those that cannot be used."""
    try:
        return catalog(own_runbooks())
    except RunbookError as error:
        return Catalog({}, (str(error),))


async def found(runbook: Runbook, cluster: Cluster) -> Found:
    """Read what a plan needs to know besides the diagnosis."""
    return await survey(cluster, runbook)


def begin(plan: Plan, place: Place) -> Carried:
    """Write a plan down in a journal of its own, to be carried out; raises RepairFailed."""
    if place.nodes:
        raise RepairFailed("a run looks at every node: open underlay without --nodes")
    try:
        journal = Journal.create(runs_folder(), plan, who=who(), at=time.time())
        return Carried(progress(read(journal.path)), journal, place, (), breaking="", abandon=False)
    except JournalError as error:
        raise RepairFailed(str(error)) from error


def resume(run: str, place: Place, *, breaking: str, abandon: bool) -> Carried:
    """Take a run up again, by the plan in its journal; raises RepairFailed."""
    if place.nodes:
        raise RepairFailed("a run looks at every node: open underlay without --nodes")
    try:
        path = find(runs_folder(), run)
        records = read(path)
        far = progress(records)
        if not far.open:
            raise RepairFailed(f"{far.plan.run} is {far.end}: there is nothing left of it to do")
        if context_name(place) != far.plan.context:
            raise RepairFailed(f"{far.plan.run} is a run on {far.plan.context}: open underlay on that one")
        journal, far = Journal.reopen(path, who=who(), at=time.time())
    except (JournalError, PlaceError) as error:
        raise RepairFailed(str(error)) from error
    past = [record.event for record in records if isinstance(record, Told)]
    return Carried(far, journal, place, past, breaking=breaking, abandon=abandon)


async def runs() -> tuple[PastRun, ...]:
    """List the runs that the journals tell of, the newest first."""
    return await asyncio.to_thread(_runs)


def _runs() -> tuple[PastRun, ...]:
    told = []
    for path in journals(runs_folder())[:_MOST]:
        try:
            told.append(_past(read(path)))
        except JournalError as error:
            now = path.stat().st_mtime
            told.append(PastRun(clean(path.stem), "", "", "", "interrupted", now, now, text=f"cannot be read: {error}"))
    return tuple(told)


def _past(records: Sequence[AnyRecord]) -> PastRun:
    far = progress(records)
    state: RunState = far.end or "interrupted"
    ends = [each.event for each in records if isinstance(each, Told)]
    left = next((getattr(event, "left", ()) for event in reversed(ends) if hasattr(event, "left")), ())
    return PastRun(
        run=far.plan.run,
        runbook=far.plan.runbook,
        title=far.plan.title,
        context=far.plan.context,
        state=state,
        started_at=far.began,
        seen_at=far.touched,
        nodes=far.plan.nodes,
        behind=len(far.ended),
        steps=len(far.plan.steps),
        text=clean(far.text),
        left=tuple(clean(each) for each in left) if far.end else (),
    )


async def told(run: str) -> str:
    """Give the report of a run; raises RepairFailed."""
    try:
        return await asyncio.to_thread(lambda: report(read(find(runs_folder(), run))))
    except JournalError as error:
        raise RepairFailed(str(error)) from error


async def leftovers(cluster: Cluster) -> tuple[Leftover, ...]:
    """List what earlier runs left: the lock, cordons and runs of this context that rest; raises RepairFailed."""
    context = cluster.snapshot.context
    left = [
        Leftover(
            "run",
            f"the run {each.run} ({each.runbook}) is {each.state}, {each.behind} of {each.steps} steps on",
            each.run,
        )
        for each in await runs()
        if each.context == context and each.state in {"paused", "interrupted", "failed"} and each.steps
    ]
    try:
        return (*await _lock(cluster), *await _cordons(cluster), *left)
    except ApiError as error:
        raise RepairFailed(str(error)) from error


async def _lock(cluster: Cluster) -> list[Leftover]:
    try:
        lease = msgspec.json.decode(await cluster.wires.api.get(f"{PATH}/{NAME}"))
    except NotInstalled:
        return []
    holder = clean(str((lease.get("spec") or {}).get("holderIdentity") or ""))
    return [Leftover("lock", f"the cluster's lock is held by {holder}", holder.partition(" ")[0])] if holder else []


async def _cordons(cluster: Cluster) -> list[Leftover]:
    nodes = msgspec.json.decode(await cluster.wires.api.get("/api/v1/nodes")).get("items") or []
    said = []
    for node in nodes:
        by = clean(str((node["metadata"].get("annotations") or {}).get(CORDONED_BY, "")))
        if by:
            said.append(Leftover("cordon", f"{clean(node['metadata']['name'])} is still cordoned by the run {by}", by))
    return said
