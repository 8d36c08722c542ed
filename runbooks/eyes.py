"""Eyes: what the engine sees of the cluster while it runs, always anew and never from memory alone."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from probes.cluster import Cluster, Wires
from probes.kube.errors import ApiError, NotInstalled, Restricted, Unauthorized
from probes.model.snapshot import NODE
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis
from probes.transports.base import TransportError
from runbooks.reaching import reach
from runbooks.sight import Condition, Stood

_ASK: Final = 10.0
_PROBES: Final = 2
"""Side by side: a probe of full-size packets has a stream open on every node, and a node takes four of one login."""
_PULSE: Final = 0.5
"""Seconds between two questions whether the API is there."""
_PULSE_TIMEOUT: Final = 2.0


class Outages:
    """When the API did not answer."""

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._since: float | None = None

    def note(self, up: bool, now: float) -> None:  # noqa: FBT001 - up or not
        """Take what one question came to."""
        if self._since is not None:
            self.seconds += now - self._since
        if not up and self._since is None:
            self.count += 1
        self._since = None if up else now

    def __str__(self) -> str:
        if not self.count:
            return "the API answered all the time"
        times = "once" if self.count == 1 else f"{self.count} times"
        return f"the API did not answer {times}, for {self.seconds:.1f} s altogether"


class Eyes:
    """Looks at one cluster."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float] = time.time) -> None:
        self._cluster = cluster
        self._clock = clock
        self._diagnosis: Diagnosis | None = None
        self.outages = Outages()

    @property
    def wires(self) -> Wires:
        """How the cluster is reached."""
        return self._cluster.wires

    @property
    def now(self) -> Diagnosis:
        """What is known now, judged."""
        if self._diagnosis is None or self._diagnosis.snapshot is not self._cluster.snapshot:
            self._diagnosis = diagnose(self._cluster.snapshot, self._diagnosis)
        return self._diagnosis

    async def follow(self) -> None:
        """Keep looking until cancelled."""
        await self._cluster.follow(lambda _: None)

    async def pulse(self) -> None:
        """Ask the API twice a second whether it is there, until cancelled."""
        while True:
            try:
                await self.wires.api.get("/version", timeout=_PULSE_TIMEOUT)
            except (Unauthorized, Restricted, NotInstalled):
                self.outages.note(up=True, now=time.monotonic())  # a refusal is an answer
            except ApiError:
                self.outages.note(up=False, now=time.monotonic())
            else:
                self.outages.note(up=True, now=time.monotonic())
            await asyncio.sleep(_PULSE)

    async def look(self, names: Collection[str]) -> Diagnosis:
        """Ask some nodes anew and judge what is known then; what the API says is watched."""
        await self._cluster.ask(names, _ASK)
        return self.now

    async def reach(self, conditions: Sequence[Condition]) -> dict[str, Stood]:
        """Send the probes that conditions need, side by side."""
        room = asyncio.Semaphore(_PROBES)
        snapshot = self._cluster.snapshot

        async def one(condition: Condition) -> Stood:
            async with room:
                return await reach(condition, snapshot, self.wires)

        async with asyncio.TaskGroup() as tasks:
            sent = {each.key: tasks.create_task(one(each)) for each in conditions}
        return {key: task.result() for key, task in sent.items()}

    async def odd_pods(self, node: str, mtu: int) -> Collection[str]:
        """List the addresses of a node's pods whose eth0 has another MTU, as it says now; raises TransportError.

        From memory an address might by now be that of another pod.
        """
        since = self._clock()
        await self.look((node,))
        source = self._cluster.snapshot.source(f"{NODE}{node}")
        if source.status != "ok" or source.at is None or source.at < since:
            raise TransportError(source.reason or f"{node} has not answered")
        network = self._cluster.snapshot.networks.get(node)
        pods = (network.pod_netns or ()) if network is not None else ()
        return {each.local for pod in pods if pod.mtu not in {None, mtu} for each in pod.addresses}
