"""Cluster: owns the sources of one cluster and folds what they observe into the next Snapshot."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from typing import Any, Final

import msgspec

from probes.collectors.asking import collect, hints
from probes.kube.client import Api
from probes.kube.reflector import follow_kinds, follow_resource
from probes.kube.resources import CORE, fetch, fetch_kinds
from probes.model.kube import Node
from probes.model.observation import Failed, Observed
from probes.model.snapshot import NODE, Snapshot, fold
from probes.transports.base import TimedOut, Transport, TransportError, Unreachable

Observation = Observed[Any] | Failed

POLL: Final = 30.0
"""Seconds between two collections of a node that says nothing changed: a safety net."""
SETTLE: Final = 0.05
"""Seconds in which further changes join the first: flannel's restart makes dozens."""
_RETRY: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds between tries of a node that does not answer."""
_QUEUE: Final = 10_000


class Wires(msgspec.Struct, frozen=True):
    """How one cluster is reached."""

    api: Api
    transport: Callable[[str, Node | None], Awaitable[Transport]]
    """Makes the way to a node from its name and what the API says of it, where it says anything."""
    names: tuple[str, ...] = ()
    """Nodes that are asked without waiting for the API to name them."""
    only: tuple[str, ...] = ()
    """Ask no other nodes than these; empty: all."""


class Cluster:
    """The sources of one cluster, and the newest snapshot of what they observed."""

    def __init__(self, wires: Wires, *, clock: Callable[[], float] = time.time) -> None:
        self._wires = wires
        self._clock = clock
        self.snapshot = Snapshot(context=wires.api.context, server=wires.api.server, at=clock())

    async def observe(self, timeout: float) -> Snapshot:
        """Ask every source once, all side by side; whoever has not answered after ``timeout`` seconds has failed."""
        deadline = asyncio.get_running_loop().time() + timeout
        asked: set[str] = set()

        def ask(names: Iterable[str], tasks: asyncio.TaskGroup) -> None:
            for name in self._allowed(names) - asked:
                asked.add(name)
                tasks.create_task(self._observe_node(name, deadline))

        async def core(resource: Any, tasks: asyncio.TaskGroup) -> None:
            self._fold(await fetch(self._wires.api, resource, timeout=timeout, clock=self._clock))
            if resource.source == "kube/nodes":
                ask(self.snapshot.nodes, tasks)

        async def kinds() -> None:
            self._fold(await fetch_kinds(self._wires.api, timeout, self._clock))

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kinds())
            for resource in CORE:
                tasks.create_task(core(resource, tasks))
            ask(self._wires.names, tasks)
        self._note_latency()
        return self.snapshot

    async def follow(self, publish: Callable[[Snapshot], None]) -> None:
        """Follow every source until cancelled; ``publish`` gets each new snapshot, and returns at once."""
        queue: asyncio.Queue[Observation] = asyncio.Queue(_QUEUE)
        followed: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            for resource in CORE:
                tasks.create_task(follow_resource(self._wires.api, resource, queue.put))
            tasks.create_task(follow_kinds(self._wires.api, queue.put))
            self._follow_nodes(self._wires.names, followed, tasks, queue)
            while True:
                batch = [await queue.get()]
                while not queue.empty():
                    batch.append(queue.get_nowait())
                before = self.snapshot
                self._fold(batch)
                self._note_latency()
                if self.snapshot.nodes is not before.nodes:
                    self._follow_nodes(self.snapshot.nodes, followed, tasks, queue)
                publish(self.snapshot)

    def _fold(self, observations: Iterable[Observation]) -> None:
        self.snapshot = fold(self.snapshot, observations)

    def _note_latency(self) -> None:
        if self.snapshot.api_latency != self._wires.api.latency:
            self.snapshot = msgspec.structs.replace(self.snapshot, api_latency=self._wires.api.latency)

    def _allowed(self, names: Iterable[str]) -> set[str]:
        wanted = set(names)
        return wanted & set(self._wires.only) if self._wires.only else wanted

    async def _observe_node(self, name: str, deadline: float) -> None:
        left = max(0.0, deadline - asyncio.get_running_loop().time())
        self._fold([await self._ask_node(name, left)])

    async def _ask_node(self, name: str, timeout: float) -> Observation:
        source = f"{NODE}{name}"
        try:
            async with asyncio.timeout(timeout):
                transport = await self._wires.transport(name, self.snapshot.nodes.get(name))
                network = await collect(transport, timeout=timeout)
            return Observed(source, self._clock(), network)
        except TimeoutError:
            return Failed(source, self._clock(), f"{name} did not answer within {timeout:.0f} s", "timeout")
        except TransportError as error:
            return Failed(source, self._clock(), str(error), _kind(error))

    def _follow_nodes(
        self,
        names: Iterable[str],
        followed: dict[str, asyncio.Task[None]],
        tasks: asyncio.TaskGroup,
        queue: asyncio.Queue[Observation],
    ) -> None:
        """Begin to follow nodes that have come and end with those that have gone."""
        wanted = self._allowed([*names, *self._wires.names])
        for name in wanted - followed.keys():
            followed[name] = tasks.create_task(self._follow_node(name, queue), name=f"follow {name}")
        for name in followed.keys() - wanted:
            followed.pop(name).cancel()

    async def _follow_node(self, name: str, queue: asyncio.Queue[Observation]) -> None:
        changed = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(name, changed))
            failures = 0
            while True:
                changed.clear()
                observation = await self._ask_node(name, _COLLECT)
                await queue.put(observation)
                failures = failures + 1 if isinstance(observation, Failed) else 0
                await self._wait(changed, failures)

    async def _wait(self, changed: asyncio.Event, failures: int) -> None:
        """Wait until the node says that something changed, or it is time to look again."""
        delay = _RETRY[min(failures, len(_RETRY)) - 1] if failures else POLL
        try:
            # Spread over a fifth, so that nodes which failed together do not come back together.
            async with asyncio.timeout(delay * random.uniform(0.9, 1.1)):  # noqa: S311 - no secret
                await changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SETTLE)

    async def _listen(self, name: str, changed: asyncio.Event) -> None:
        """Hold a channel open on which the node says that something changed."""
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


_COLLECT: Final = 10.0
"""Seconds for one collection."""


def _kind(error: TransportError) -> str:
    if isinstance(error, TimedOut):
        return "timeout"
    return "unreachable" if isinstance(error, Unreachable) else "failed"
