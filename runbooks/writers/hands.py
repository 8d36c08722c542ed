"""Hands: one way to do any step and to tell whether it happened, whichever wire it goes by."""

import shlex
from collections.abc import Awaitable, Callable, Collection
from typing import Literal

import msgspec

from probes.kube.client import Api
from probes.transports.base import Transport
from runbooks.actions import AnyAction, Drain, RemoveFile, RestartUnit, Run, SetLinkMtu, WriteFile
from runbooks.plan import PlannedStep
from runbooks.sight import Mark
from runbooks.writers.api import ApiWriter
from runbooks.writers.node import Detached, NodeWriter, start_argv
from runbooks.writers.objects import ObjectWriter

ON_NODES = (Run, RestartUnit, SetLinkMtu, WriteFile, RemoveFile)


class Effect(msgspec.Struct, frozen=True):
    """What became of a step, by what is observed."""

    state: Literal["no", "running", "yes", "failed", "unsure"]
    """``no``: it was never begun. ``unsure``: by what is observed nobody can tell."""
    seen: str = ""
    said: tuple[str, ...] = ()
    """New lines of its command."""
    again: bool = False
    """Whether it has to be begun again to go on, as evictions have."""


def sends(run: str, step: PlannedStep) -> tuple[str, ...]:
    """Write what a step sends, exactly as it is sent."""
    if isinstance(step.action, ON_NODES):
        return (f"{step.node}: {shlex.join(start_argv(run, step))}",)
    return step.by_hand


class Hands:
    """Does steps of one run."""

    def __init__(
        self,
        api: ApiWriter,
        reads: Api,
        transport: Callable[[str], Awaitable[Transport]],
        run: str,
        *,
        odd_pods: Callable[[str, int], Awaitable[Collection[str]]],
    ) -> None:
        """``odd_pods``: addresses of a node's pods whose own MTU is another than that, by what it says now."""
        self._transport = transport
        self._run = run
        self._odd_pods = odd_pods
        self._said: dict[str, int] = {}
        self.objects = ObjectWriter(api, reads, run)

    async def node(self, name: str) -> NodeWriter:
        """Give the writer of a node; raises TransportError."""
        return NodeWriter(await self._transport(name), self._run)

    async def mark(self, step: PlannedStep, at: float) -> Mark:
        """Note what will tell whether a step happened; raises TransportError, ApiError, NodeRefused, ObjectRefused."""
        action = step.action
        if isinstance(action, ON_NODES):
            return await (await self.node(step.node)).mark(action, at)
        if isinstance(action, Drain):
            chosen = await self._odd_pods(action.node, action.keep_mtu) if action.keep_mtu is not None else ()
            pods = await self.objects.pods_to_evict(action, frozenset(chosen))
            return Mark(at, pods=tuple(pod["metadata"]["uid"] for pod in pods))
        return Mark(at)

    async def already(self, step: PlannedStep) -> bool:
        """Tell whether a step's effect is there before it was begun, so that there is nothing to do."""
        if isinstance(step.action, Run | RestartUnit | Drain):
            return False
        if isinstance(step.action, ON_NODES):
            return await (await self.node(step.node)).wanted(step, Mark()) is True
        return await self.objects.wanted(step.action)

    async def begin(self, step: PlannedStep, mark: Mark) -> tuple[str, ...]:
        """Begin a step; gives what is to be said of it. May be called again: nothing happens twice."""
        if isinstance(step.action, ON_NODES):
            await (await self.node(step.node)).begin(step)
            return ()
        if isinstance(step.action, Drain):
            evicting = await self.objects.evict(await self.objects.pods_of(step.action.node, mark.pods))
            return evicting.said
        if not await self.objects.wanted(step.action):
            await self.objects.begin(step.action)
        return ()

    async def forget(self, step: PlannedStep) -> None:
        """Let go of what a step that failed left, so that it can be begun anew."""
        if isinstance(step.action, ON_NODES):
            await (await self.node(step.node)).forget(step)

    async def look(self, step: PlannedStep, mark: Mark) -> Effect:
        """Tell what became of a step that was, or may have been, begun."""
        action: AnyAction = step.action
        if isinstance(action, ON_NODES):
            return await self._look_on_node(step, mark)
        if isinstance(action, Drain):
            left = await self.objects.pods_of(action.node, mark.pods)
            if left:
                return Effect("running", f"{len(left)} pods are still there", again=True)
            return Effect("yes", "every pod that was to go has gone")
        if await self.objects.wanted(action):
            return Effect("yes", "the object is as it should be")
        return Effect("no")

    async def _look_on_node(self, step: PlannedStep, mark: Mark) -> Effect:
        node = await self.node(step.node)
        unit = await node.look(step)
        if not unit.loaded:
            return await self._without_unit(node, step, mark)
        lines = await node.said(step, self._said.get(step.id, 0))
        self._said[step.id] = self._said.get(step.id, 0) + len(lines)
        if not unit.ended:
            return Effect("running", f"its unit is {unit.active}", lines)
        effect = _judge(await node.wanted(step, mark), unit)
        return msgspec.structs.replace(effect, said=lines)

    async def _without_unit(self, node: NodeWriter, step: PlannedStep, mark: Mark) -> Effect:
        """Tell what happened where there is no unit: it was never begun, or the node has booted since."""
        if not await node.rebooted(mark):
            return Effect("no")
        match step.action:
            case RestartUnit():
                return Effect("yes", "the node has booted since: its k3s was started anew")
            case Run():
                return Effect("unsure", "the node has booted since, and with that what tells has gone")
        return Effect("yes" if await node.wanted(step, mark) else "no", "the node has booted since")


def _judge(wanted: bool | None, unit: Detached) -> Effect:  # noqa: FBT001 - a third value among them
    """Judge by the state of what was to be changed; the unit's own result counts only where that cannot tell."""
    if wanted is True:
        return Effect("yes", "its effect is there")
    ended = f"its command ended with {unit.status or '?'} ({unit.result or 'no result'})"
    if wanted is False:
        return Effect("failed", f"{ended}, and its effect is not there")
    if unit.result == "success":
        return Effect("yes", ended)
    return Effect("failed", ended)
