"""Reaching: the probes that a gate asks for, sent between the very places it is about."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from probes.cluster import Wires
from probes.kube.errors import ApiError
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from probes.reach.asking import ask
from probes.reach.pairs import Target
from probes.reach.paths import search
from probes.reach.resolvers import SERVICE_PATH, coredns, questions, service_address
from probes.reach.survey import pod_vantage
from probes.transports.base import TransportError
from probes.vantage import Vantage
from runbooks.asking import ask_node, ask_url
from runbooks.conditions import KINDS
from runbooks.sight import Condition, Stood

_OTHERS: Final = 16
"""Other nodes that one is held against; of more, an even sample is."""
_SECONDS: Final = 2
_ATTEMPTS: Final = 2


async def reach(condition: Condition, snapshot: Snapshot, wires: Wires) -> Stood:
    """Send the probe of a condition and say what it comes to; a host that cannot be asked makes it unknown."""
    send = PROBES[KINDS[condition.kind].probe]
    try:
        return await send(condition, snapshot, wires)
    except TransportError as error:
        return Stood("unknown", str(error))


def _sample(node: str, snapshot: Snapshot) -> list[str]:
    others = sorted(name for name in snapshot.networks if name != node)
    step = max(1, -(-len(others) // _OTHERS))
    return others[::step]


async def _place(node: str, snapshot: Snapshot, wires: Wires) -> Vantage | None:
    """Give a pod's network on a node, else the node's own with the address of its overlay device."""
    way = await wires.transport(node, snapshot.nodes.get(node))
    pod = pod_vantage(snapshot, node, way)
    if isinstance(pod, Vantage):
        return pod
    network = snapshot.networks.get(node)
    for link in (network.links or ()) if network is not None else ():
        if link.vxlan is not None:
            for address in link.addresses:
                if address.scope in {"global", ""} and ipaddress.ip_address(address.local).is_private:
                    return Vantage("node", node, way, node=node, address=address.local)
    return None


async def _path_mtu(condition: Condition, snapshot: Snapshot, wires: Wires) -> Stood:
    """Search both directions between a node's pods and those of the others; the largest packet has to pass."""
    node = condition.node
    mine = await _place(node, snapshot, wires)
    if mine is None:
        return Stood("unknown", f"{node} has neither a pod nor an overlay address to send from")
    others = _sample(node, snapshot)
    places: dict[str, Vantage] = {}
    lost: list[str] = []
    for name in others:
        try:
            place = await _place(name, snapshot, wires)
        except TransportError:
            place = None
        if place is None:
            lost.append(name)
        else:
            places[name] = place
    if not others:
        return Stood("held", "there is no other node")
    plan = {place: [Target(node, mine.address, node)] for place in places.values()}
    plan[mine] = [Target(name, place.address, name) for name, place in places.items()]
    found: list[Result] = []
    await search(plan, found.append)
    return _sum_up(node, found, lost, {name: _device_mtu(snapshot, name) for name in snapshot.networks})


def _device_mtu(snapshot: Snapshot, node: str) -> int:
    """Give the MTU of a node's overlay device, by which its own kernel tells larger pods what fits."""
    network = snapshot.networks.get(node)
    mtus = [link.mtu for link in (network.links if network else None) or () if link.vxlan and link.mtu]
    return min(mtus, default=1 << 16)


def _sum_up(node: str, found: Sequence[Result], lost: Sequence[str], devices: Mapping[str, int]) -> Stood:
    def passes(each: Result) -> bool:
        """Count a pod in whose node tells it the device's MTU, for it is older than that, and one that remembers.

        What a pod's kernel learned of the overlay it learned of a node's device (no router tells of the overlay); it
        keeps that for ten minutes, sends no more, and all that it sends passes.
        """
        told = each.sizes if each.outcome == "told" else None
        fits = told is not None and (not told.by or (told.mtu or 0) >= devices.get(each.node, 1 << 16))
        return each.outcome in {"ok", "unassessed"} or fits

    bad = [each for each in found if not passes(each)]
    if bad:
        failing = tuple(sorted(f"{each.node} to {each.peer}" for each in bad))
        why = f": {bad[0].reason}" if bad[0].reason else ""
        return Stood("waiting", f"{', '.join(failing[:3])}: {bad[0].said}{why}", failing)
    unknown = [*lost, *(f"{each.node} to {each.peer}" for each in found if each.outcome == "unassessed")]
    if unknown:
        return Stood("unknown", f"not probed: {', '.join(unknown[:3])}")
    sizes = [each.sizes.mtu or 0 for each in found if each.sizes is not None]
    return Stood("held", f"{min(sizes, default=0)} bytes both ways, {len(found)} directions of {node}")


async def _names(condition: Condition, snapshot: Snapshot, wires: Wires) -> Stood:
    """Ask CoreDNS, by its service and by its pods, from the node and from a pod of it."""
    node = condition.node
    try:
        service = service_address(await wires.api.get(SERVICE_PATH, timeout=5.0))
    except ApiError as error:
        return Stood("unknown", str(error))
    cluster = coredns(snapshot, service)
    if not cluster:
        return Stood("unknown", "there is no CoreDNS to ask")
    way = await wires.transport(node, snapshot.nodes.get(node))
    vantages = [Vantage("node", node, way, node=node)]
    pod = pod_vantage(snapshot, node, way)
    vantages += [pod] if isinstance(pod, Vantage) else []
    found: list[Result] = []
    plan = {each: questions(each, (), cluster, ()) for each in vantages}
    async with asyncio.timeout(60):
        await ask(plan, found.append, attempts=_ATTEMPTS, seconds=_SECONDS)
    bad = [each for each in found if each.outcome not in {"ok", "slow", "unassessed"}]
    if bad:
        failing = tuple(sorted(f"{each.vantage} asking {each.called}" for each in bad))
        return Stood("waiting", f"{', '.join(failing[:2])}: {bad[0].said}", failing)
    if odd := [each for each in found if each.outcome == "unassessed"]:
        return Stood("unknown", odd[0].reason)
    return (
        Stood("held", f"{len(found)} of {len(found)} ways to ask answer") if found else Stood("unknown", "nobody asked")
    )


PROBES: Final[dict[str, Callable[[Condition, Snapshot, Wires], Awaitable[Stood]]]] = {
    "path-mtu": _path_mtu,
    "names": _names,
    "http": ask_url,
    "read": ask_node,
}
"""By Kind.probe, how it is sent."""
