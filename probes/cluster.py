"""Cluster: owns the sources of one cluster and folds what they observe into the next Snapshot."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import aclosing
from typing import Any, Final

import msgspec

from probes.kube.client import Api
from probes.kube.resources import CORE, KINDS, Resource, fetch, locate
from probes.model.kube import Node
from probes.model.observation import Failed, Observed
from probes.model.snapshot import KUBE, NODE, Snapshot, fold
from probes.model.text import clean
from probes.rules.sources import AWAY, api_servers
from probes.transports.base import CommandRefused, TimedOut, Transport, TransportError, Unreachable

Observation = Observed[Any] | Failed

POLL: Final = 30.0
"""Seconds between two collections of a node that says nothing changed: a safety net."""
SETTLE: Final = 0.05
"""Seconds in which further changes join the first: flannel's restart makes dozens."""
_SETTLE_MOST: Final = 0.8
"""Seconds that this grows to, doubling, while a node does not come to rest: asking costs the node something too."""
_AT_REST: Final = 0.6
"""Seconds without a change after which the next one is a first one again, and asked about at once."""
_RETRY: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries of a node that does not answer."""
_APART: Final = 0.001
"""Seconds between two nodes that begin to be followed."""
_QUEUE: Final = 10_000
_COMMANDS: Final = 10.0
"""Seconds for the commands of one collection."""
_COLLECT: Final = 16.0
"""Seconds for one collection with all that precedes it; more than its parts have, so that theirs end them."""
_PATIENCE: Final = 2.0
"""Seconds, or a third of what there is, for the API to name nodes; then those that the operator chose are asked."""
NODES: Final = f"{KUBE}nodes"
"""The source that tells which nodes there are."""


class Wires(msgspec.Struct, frozen=True):
    """How one cluster is reached."""

    api: Api
    transport: Callable[[str, Node | None], Awaitable[Transport]]
    """Makes the way to a node from its name and what the API says of it, where it says anything."""
    names: tuple[str, ...] = ()
    """Nodes that are asked without waiting for the API to name them."""
    only: tuple[str, ...] = ()
    """Ask no other nodes than these, and these even where the API names nobody; empty: all."""


class Cluster:
    """The sources of one cluster, and the newest snapshot of what they observed."""

    def __init__(self, wires: Wires, *, clock: Callable[[], float] = time.time, known: Snapshot | None = None) -> None:
        """``known``: what was read of it just now, to go on from."""
        self._wires = wires
        self._clock = clock
        self._changed: dict[str, asyncio.Event] = {}
        """By node that is followed: set where it is to be asked again at once."""
        self._crowded: set[str] = set()
        """Nodes whose sshd would not start a command, perhaps because what listens there takes the only session."""
        self.snapshot = known or Snapshot(context=wires.api.context, server=wires.api.server, at=clock())

    @property
    def wires(self) -> Wires:
        """How it is reached, for what is read on request."""
        return self._wires

    async def observe(self, timeout: float) -> Snapshot:
        """Ask every source once, all side by side; whoever has not answered after ``timeout`` seconds has failed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        asked: set[str] = set()

        def left() -> float:
            return max(0.0, round(deadline - loop.time(), 2))

        def ask(names: Iterable[str]) -> None:
            for name in self._allowed(names) - asked:
                asked.add(name)
                tasks.create_task(self._observe_node(name, left(), timeout))

        async def ask_chosen() -> None:
            await asyncio.sleep(min(_PATIENCE, timeout / 3))
            if self.snapshot.source(NODES).status == "loading":
                ask(self._wires.only)

        async def read(resource: Resource) -> None:
            self._fold(await fetch(self._wires.api, resource, timeout=left(), clock=self._clock))
            if resource.source == NODES:
                ask(self._named())

        async def kinds() -> None:
            for resource in await self._locate(left()):
                tasks.create_task(read(resource))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kinds())
            reads = {resource.source: tasks.create_task(read(resource)) for resource in CORE}
            ask(self._wires.names)
            waiting = tasks.create_task(ask_chosen())
            await reads[NODES]
            waiting.cancel()
        self._note_latency()
        return self.snapshot

    async def read(self, sources: Collection[str], timeout: float) -> Snapshot:
        """Read some of the API's lists (CORE) and nothing else; gives the snapshot with what they say."""

        async def one(resource: Resource) -> None:
            self._fold(await fetch(self._wires.api, resource, timeout=timeout, clock=self._clock))

        async with asyncio.TaskGroup() as tasks:
            for resource in CORE:
                if resource.source in sources:
                    tasks.create_task(one(resource))
        return self.snapshot

    async def ask(self, names: Iterable[str], timeout: float) -> Snapshot:
        """Ask some nodes now, side by side, besides whatever is followed; gives the snapshot with their answers."""

        async def one(name: str) -> None:
            self._fold([await self._ask_node(name, timeout, timeout, timeout)])

        async with asyncio.TaskGroup() as tasks:
            for name in names:
                tasks.create_task(one(name))
        return self.snapshot

    async def follow(self, publish: Callable[[Snapshot], None]) -> None:
        """Follow every source until cancelled; ``publish`` gets each new snapshot, and returns at once.

        An error of ``publish`` ends this, and is raised as it is.
        """
        from probes.kube.reflector import follow_kinds, follow_resource  # noqa: PLC0415 - not needed to look once

        queue: asyncio.Queue[Observation] = asyncio.Queue(_QUEUE)
        followed: dict[str, asyncio.Task[None]] = {}
        refused: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            sources = [tasks.create_task(follow_resource(self._wires.api, each, queue.put)) for each in CORE]
            sources.append(tasks.create_task(follow_kinds(self._wires.api, queue.put)))
            self._follow_nodes(followed, tasks, queue)
            while refused is None:
                batch = [await queue.get()]
                while not queue.empty():
                    batch.append(queue.get_nowait())
                before = self.snapshot
                self._fold(batch)
                self._note_latency()
                if self._names_changed(before):
                    self._follow_nodes(followed, tasks, queue)
                    self._ask_servers()
                try:
                    publish(self.snapshot)
                except Exception as error:  # noqa: BLE001 - raised below, outside the group that would wrap it
                    refused = error
            for task in (*sources, *followed.values()):
                task.cancel()
        raise refused

    def _fold(self, observations: Iterable[Observation]) -> None:
        self.snapshot = fold(self.snapshot, observations)

    def _note_latency(self) -> None:
        if self.snapshot.api_latency != self._wires.api.latency:
            self.snapshot = msgspec.structs.replace(self.snapshot, api_latency=self._wires.api.latency)

    def _allowed(self, names: Iterable[str]) -> set[str]:
        wanted = set(names)
        return wanted & set(self._wires.only) if self._wires.only else wanted

    def _named(self) -> set[str]:
        """Tell which nodes there are: as the API says, and until it has said so, as the operator did."""
        if self.snapshot.source(NODES).at is not None:
            return self._allowed(self.snapshot.nodes)
        named = self._allowed(self._wires.names)
        return named if self.snapshot.source(NODES).status == "loading" else named | set(self._wires.only)

    def _ask_servers(self) -> None:
        """Ask the nodes behind an API that has just gone away: their k3s may be restarting."""
        if self.snapshot.source(NODES).status in AWAY:
            for name in api_servers(self.snapshot):
                if name in self._changed:
                    self._changed[name].set()

    def _names_changed(self, before: Snapshot) -> bool:
        """Tell whether _named may say something else than it did."""
        return self.snapshot.nodes is not before.nodes or self.snapshot.source(NODES) != before.source(NODES)

    async def _locate(self, timeout: float) -> list[Resource]:
        """Find which kinds the cluster has, and note those that it has not or would not tell of."""
        try:
            async with asyncio.timeout(timeout):
                located = await locate(self._wires.api, timeout=timeout)
        except TimeoutError:
            why = f"{self._wires.api.server} did not say within {timeout:g} s what it serves; try a longer --timeout"
            self._fold(Failed(kind.source, self._clock(), why, "timeout") for kind in KINDS)
            return []
        at = self._clock()
        self._fold(kind.absent(at) for kind in located.absent)
        self._fold(Failed(kind.source, at, str(error), error.kind) for kind, error in located.unknown)
        return located.present

    async def _observe_node(self, name: str, left: float, timeout: float) -> None:
        self._fold([await self._ask_node(name, left, left, timeout)])

    async def _ask_node(self, name: str, commands: float, left: float, timeout: float) -> Observation:
        """Collect a node's facts; seconds: for its commands, for all from now on, and as the operator knows it."""
        from probes.collectors.asking import collect  # noqa: PLC0415 - start-up is measured

        source = f"{NODE}{name}"
        try:
            async with asyncio.timeout(left):
                transport = await self._wires.transport(name, self.snapshot.nodes.get(name))
                network = await collect(transport, timeout=commands)
            return Observed(source, self._clock(), network)
        except TimeoutError:
            return Failed(source, self._clock(), f"{name} did not answer within {timeout:g} s", "timeout")
        except TransportError as error:
            if isinstance(error, CommandRefused):
                self._crowded.add(name)
            return Failed(source, self._clock(), str(error), _kind(error))
        except Exception as error:  # noqa: BLE001 - the edge of a source: one node's answer must not end the others
            why = clean(f"{type(error).__name__}: {error}")[:200]
            return Failed(source, self._clock(), f"{name}'s answer brought underlay to fail ({why}): please report it")

    def _follow_nodes(
        self, followed: dict[str, asyncio.Task[None]], tasks: asyncio.TaskGroup, queue: asyncio.Queue[Observation]
    ) -> None:
        """Begin to follow nodes that have come and end with those that have gone."""
        wanted = self._named()
        for place, name in enumerate(sorted(wanted - followed.keys())):
            following = self._follow_node(name, queue, after=place * _APART)
            followed[name] = tasks.create_task(following, name=f"follow {name}")
        for name in followed.keys() - wanted:
            followed.pop(name).cancel()

    async def _follow_node(self, name: str, queue: asyncio.Queue[Observation], after: float) -> None:
        changed = self._changed[name] = asyncio.Event()
        failures, settle = 0, SETTLE
        await asyncio.sleep(after)  # a thousand that begin at once would keep the screens waiting
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(name, changed))
            while True:
                changed.clear()
                observation = await self._ask_node(name, _COMMANDS, _COLLECT, _COLLECT)
                if name in self._crowded and not listening.done():
                    listening.cancel()  # facts go before events: from now on it is polled
                    await asyncio.sleep(SETTLE)
                    continue
                await queue.put(observation)
                failures = failures + 1 if isinstance(observation, Failed) else 0
                settle = await self._wait(changed, failures, settle)

    async def _wait(self, changed: asyncio.Event, failures: int, settle: float) -> float:
        """Wait until the node says that something changed, or it is time to look again.

        ``settle``: how long further changes may join this one; returns how long they may join the next.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        delay = _RETRY[min(failures, len(_RETRY)) - 1] if failures else POLL
        try:
            # Spread over a fifth, so that nodes which failed together do not come back together.
            async with asyncio.timeout(delay * random.uniform(0.9, 1.1)):  # noqa: S311 - no secret
                await changed.wait()
        except TimeoutError:
            return SETTLE
        if loop.time() - began > _AT_REST:
            settle = SETTLE
        await asyncio.sleep(settle)
        return min(2 * settle, _SETTLE_MOST)

    async def _listen(self, name: str, changed: asyncio.Event) -> None:
        """Hold a channel open on which the node says that something changed."""
        from probes.collectors.asking import hints  # noqa: PLC0415 - start-up is measured

        failures = 0
        while True:
            try:
                transport = await self._wires.transport(name, self.snapshot.nodes.get(name))
                async with aclosing(hints(transport)) as lines:
                    async for _ in lines:
                        failures = 0
                        changed.set()
            except TransportError:
                # The collection fails likewise and says so; events only make it faster.
                pass
            failures += 1
            await asyncio.sleep(_RETRY[min(failures, len(_RETRY)) - 1])
            # What happened while nobody listened is unknown.
            changed.set()


def _kind(error: TransportError) -> str:
    if isinstance(error, TimedOut):
        return "timeout"
    return "unreachable" if isinstance(error, Unreachable) else "failed"
