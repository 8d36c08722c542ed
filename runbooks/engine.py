"""Engine: takes a plan step by step, and yields what happens. Only it holds writers.

Fail-stop: whatever goes wrong, nothing that comes after it is begun. What it writes down goes to disk first.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from probes.cluster import Cluster
from probes.kube.errors import ApiError, ApiTimeout, ApiUnreachable
from probes.kube.kubeconfig import Context
from probes.transports.base import Transport, TransportError
from runbooks import events
from runbooks.actions import Uncordon
from runbooks.conditions import KINDS
from runbooks.conflicts import conflicts
from runbooks.desk import Desk, Interrupt, Stopped
from runbooks.events import AnyEvent, Ask, Driver, End, LockHeld, RunEnded, RunStarted, StepEnded
from runbooks.eyes import Eyes
from runbooks.gates import words
from runbooks.journal import Based, Journal, JournalError, Progress
from runbooks.lock import TTL, Lock, LockLost, LockRefused
from runbooks.plan import Plan, PlannedStep
from runbooks.sight import Stood
from runbooks.stepping import PATIENCE, Stepping
from runbooks.waiting import PACE, Waiting
from runbooks.writers.api import ApiWriter, Conflict
from runbooks.writers.hands import ON_NODES, Hands
from runbooks.writers.node import NodeRefused

_READY: Final = 15.0
_TOLD: Final = 3
"""Conditions that were excused, and are named at the end."""


class Settings(msgspec.Struct, frozen=True):
    """How an engine keeps time, in seconds."""

    ttl: int = TTL
    pace: float = PACE
    patience: float = PATIENCE


class Access(msgspec.Struct, frozen=True):
    """How a cluster is written to: the kubeconfig's context, and how it is read anew."""

    context: Context
    reload: Callable[[], Context]


class Engine:
    """One run of one plan; ``cluster`` is observed by it and by nobody else meanwhile."""

    def __init__(
        self,
        progress: Progress,
        journal: Journal,
        driver: Driver,
        cluster: Cluster,
        access: Access,
        *,
        who: str,
        breaking: str = "",
        abandon: bool = False,
        settings: Settings = Settings(),  # noqa: B008 - frozen
    ) -> None:
        """``progress``: how far the journal is. ``breaking``: the run whose lock is taken away, by its name.

        ``abandon``: take no further step, uncordon what this run cordoned, and end it.
        """
        self.plan: Plan = progress.plan
        self._progress = progress
        self._journal = journal
        self._breaking = breaking
        self._abandon = abandon
        self._cluster = cluster
        self._settings = settings
        self._desk = Desk(driver, journal, time.time)
        self._eyes = Eyes(cluster)
        self._api = ApiWriter(access.context, access.reload)
        self._lock = Lock(self._api, self.plan.run, who, ttl=settings.ttl)
        self._hands = Hands(self._api, cluster.wires.api, self._transport, self.plan.run, odd_pods=self._eyes.odd_pods)
        self._baseline: dict[str, Stood] = dict(self.plan.baseline) | dict(progress.baseline or {})
        self._ended = dict(progress.ended)
        self._excused = dict(progress.excused)
        self._touched = {self._step(each).node for each in progress.intended} - {""}

    @property
    def journal(self) -> Path:
        """Where the run is written down."""
        return self._journal.path

    def interrupt(self, what: Interrupt) -> None:
        """Have the run pause or abort as soon as it is known what became of what was sent."""
        self._desk.interrupt(what)

    async def run(self) -> AsyncGenerator[AnyEvent, None]:
        """Run, or go on; the last event is a RunEnded. Close it with ``aclosing``: that ends the run where it is."""
        working = asyncio.ensure_future(self._work())
        try:
            while True:
                event = await self._desk.events.get()
                yield event
                if isinstance(event, RunEnded):
                    break
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await self._api.close()
            self._journal.close()

    async def _work(self) -> None:
        desk = self._desk
        end: End = "failed"
        text = ""
        try:
            desk.tell(RunStarted(desk.clock(), self.plan.run, bool(self._progress.intended), str(self.journal)))
            await self._observed()
            end = "completed"
        except Stopped as stopped:
            end, text = stopped.end, str(stopped)
        except JournalError as error:
            text = str(error)
        except Exception as error:  # noqa: BLE001 - the edge of a run: its end is told, whatever it is
            text = f"underlay itself failed ({type(error).__name__}: {error}): please report it"
        left = await self._leave(end)
        ended = RunEnded(desk.clock(), end, self._state(end, text), left)
        with contextlib.suppress(JournalError):
            desk.tell(ended)
            return
        desk.events.put_nowait(ended)

    async def _observed(self) -> None:
        """Take the steps while the cluster is followed, the API's pulse felt and the lock kept."""
        stopped: Stopped | JournalError | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(self._eyes.follow()), tasks.create_task(self._eyes.pulse())]
                try:
                    await self._begin()
                    if self.plan.writes:
                        beside.append(tasks.create_task(self._lock.keep(self._lock_told)))
                    await (self._give_up() if self._abandon else self._steps())
                except (Stopped, JournalError, ApiError, Conflict, LockLost) as error:
                    stopped = error if isinstance(error, Stopped | JournalError) else Stopped("failed", str(error))
                    # Raised below, outside the group that would wrap it
                finally:
                    for task in beside:
                        task.cancel()
        except* JournalError as group:  # of the lock's keeper, which writes down each renewal
            stopped = stopped or JournalError(str(group.exceptions[0]))
        if stopped is not None:
            raise stopped

    async def _begin(self) -> None:
        """See the cluster, see that nobody else is at work, have the consent, take the lock, note the baseline."""
        await self._see()
        if self.plan.writes:
            await self._agree()
            await self._take_lock()
        await self._note_baseline()

    async def _agree(self) -> None:
        """Refuse where somebody else is rolling; have the operator agree to what nobody can avoid or tell."""
        found = await conflicts(self._api, self.plan.run)
        if found.rolling:
            raise Stopped("refused", f"{'; '.join(found.rolling)}. Nothing was begun")
        if self._progress.intended or self._ended or self._abandon:
            return
        says = (*self.plan.consents, *(f"not known: {each}" for each in found.unknown), *found.leftovers)
        typed = self.plan.context if self.plan.consents or found.unknown else ""
        await self._desk.ask(Ask("start", "", f"Begin {self.plan.title}?", ("confirm", "abort"), typed, says))

    async def _see(self) -> None:
        """Wait until every node of the plan has answered or failed, and the API has."""
        deadline = time.monotonic() + _READY
        wanted = [f"node/{name}" for name in self.plan.nodes] + ["kube/nodes", "kube/leases"]
        while time.monotonic() < deadline:
            snapshot = self._cluster.snapshot
            if all(snapshot.source(name).status != "loading" for name in wanted):
                return
            await self._desk.rest(0.1)

    async def _take_lock(self) -> None:
        desk = self._desk
        try:
            await self._lock.take(breaking=self._breaking, waiting=lambda why: desk.say("", why))
        except LockRefused as error:
            raise Stopped("refused", str(error)) from error
        except (ApiUnreachable, ApiTimeout) as error:
            says = (str(error), "no lock can be taken and nobody else's be seen; it is taken once the API is back")
            text = "The API is away. Go on without the lock?"
            await desk.ask(Ask("start", "", text, ("confirm", "abort"), self.plan.context, says))
            self._lock.lax = True
            return
        except (ApiError, Conflict) as error:
            raise Stopped("refused", f"the cluster's lock cannot be taken: {error}") from error
        desk.tell(LockHeld(desk.clock(), self._lock.holder, self._lock.ends))

    async def _note_baseline(self) -> None:
        if self._progress.baseline is not None:
            return
        probing = {
            each.key: each
            for step in self.plan.steps
            for each in (step.gate.conditions if step.gate else ())
            if not each.absolute and KINDS[each.kind].probe
        }
        stood = await self._eyes.reach(list(probing.values())) if probing else {}
        self._baseline |= stood
        self._desk.write(Based(self._desk.clock(), stood))
        for key, found in stood.items():
            if found.state != "held":
                self._desk.say("", f"no better before the run, and so excused: {words(probing[key])}: {found.seen}")

    async def _steps(self) -> None:
        waiting = Waiting(
            self._eyes,
            self._desk,
            baseline=lambda: self._baseline,
            findings=frozenset(self.plan.findings),
            pace=self._settings.pace,
        )
        stepping = Stepping(self.plan, self._desk, self._hands, self._lock, waiting, patience=self._settings.patience)
        for number, step in enumerate(self.plan.steps, 1):
            if step.id in self._ended:
                continue
            self._desk.check()
            if step.node and isinstance(step.action, ON_NODES):
                self._touched.add(step.node)
            try:
                self._excused[step.id] = await stepping.take(
                    number, step, self._progress.intended.get(step.id), happened=step.id in self._progress.happened
                )
            except Stopped as stopped:
                if stopped.end == "failed":
                    self._desk.tell(StepEnded(self._desk.clock(), step.id, "failed", str(stopped)))
                raise
            self._ended[step.id] = "done"

    async def _give_up(self) -> None:
        """Take back what this run may take back: its cordons, each as the operator decides."""
        for name in await self._hands.objects.cordoned_by_us(self.plan.nodes):
            text = f"Uncordon {name}, which this run cordoned?"
            answer = await self._desk.ask(Ask("step", "", text, ("confirm", "skip"), typed=name))
            if answer.choice == "confirm":
                await self._lock.assure()
                await self._hands.objects.begin(Uncordon(name))
        raise Stopped("aborted", "ended by the operator")

    async def _leave(self, end: End) -> tuple[str, ...]:
        """Clean up after a run that is over, give the lock back; gives what is left behind."""
        left: list[str] = []
        if not self.plan.writes:
            return ()
        try:
            cordoned = await self._hands.objects.cordoned_by_us(self.plan.nodes)
            left += [f"{name} is cordoned by this run; once it is well: kubectl uncordon {name}" for name in cordoned]
        except (ApiError, Conflict) as error:
            left.append(f"whether this run left a node cordoned cannot be told: {error}")
        if end in {"completed", "aborted"}:
            for name in sorted(self._touched):
                try:
                    await (await self._hands.node(name)).clean_up()
                except (TransportError, NodeRefused) as error:
                    left.append(f"units underlay-{self.plan.run}-* on {name} could not be let go of: {error}")
        try:
            await self._lock.release()
        except (ApiError, Conflict) as error:
            left.append(f"the lock could not be given back ({error}); it ends by itself in {self._settings.ttl} s")
        return tuple(left)

    def _state(self, end: End, text: str) -> str:
        """Say what is so now, and what is safe."""
        outages = f"{self._eyes.outages} during the run"
        match end:
            case "completed":
                return f"{_behind(len(self.plan.steps))}{_still(self._excused)}; {outages}."
            case "refused":
                return f"{text}."
            case _:
                so_far = _taken([step for step in self.plan.steps if step.id in self._ended], len(self.plan.steps))
                again = "" if end == "aborted" else f"; `underlay runs resume {self.plan.run}` goes on from here"
                return f"{text}. {so_far}; no further step was begun{again}; {outages}."

    def _step(self, name: str) -> PlannedStep:
        return next(step for step in self.plan.steps if step.id == name)

    def _lock_told(self, why: str) -> None:
        now = self._desk.clock()
        self._desk.tell(events.LockLost(now, why) if why else LockHeld(now, self._lock.holder, self._lock.ends))

    async def _transport(self, name: str) -> Transport:
        return await self._cluster.wires.transport(name, self._cluster.snapshot.nodes.get(name))


def _behind(steps: int) -> str:
    """Say that all steps are done or were not needed."""
    said = {1: "Its one step is", 2: "Both steps are"}.get(steps, f"All {steps} steps are")
    return f"{said} behind us"


def _taken(steps: Sequence[PlannedStep], of: int) -> str:
    """Say how far a run came that did not come to its end."""
    if not steps:
        return "no step was finished"
    last = steps[-1].name + (f" on {steps[-1].node}" if steps[-1].node else "")
    return f"{len(steps)} of {of} steps were taken, the last: {last}"


def _still(excused: Mapping[str, tuple[str, ...]]) -> str:
    """Say what gates let pass because it was no better before the run; empty where it is nothing."""
    said = list(dict.fromkeys(each for words in excused.values() for each in words))
    more = f" and {len(said) - _TOLD} more" if len(said) > _TOLD else ""
    return f"; no better than before the run: {'; '.join(said[:_TOLD])}{more}" if said else ""
