"""What a probe stands on: as much of the cluster as it needs, observed in one go, and the vantages that offers."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec

from probes.cluster import Cluster, Wires
from probes.model.plan import Plan
from probes.model.reach import Result
from probes.model.snapshot import KUBE, NODE, Snapshot
from probes.reach.survey import Offered, survey
from probes.transports.base import Transport, TransportError
from probes.transports.local import LocalTransport
from probes.vantage import KINDS
from tui.cli.arguments import Arguments
from tui.cli.connect import Hosts, connected
from tui.cli.place import Place, PlaceError
from tui.cli.probe_pods import EXEC, named_pods
from tui.settings import ContextSettings

_OUTWARD: Final = frozenset({"pmtu", "ping", "tcp", "tls", "http", "registry"})
"""Probes that need nothing of the cluster but their vantages, once their targets are named."""


class Ground(msgspec.Struct, frozen=True):
    """What a probe stands on: what is known of the cluster, and the vantages it offers."""

    snapshot: Snapshot
    offered: Offered
    wires: Wires
    plans: Mapping[str, Plan] = {}
    """Those of the settings, by name."""
    kept: list[Result] = []
    """What was found, for the run's evidence."""
    rest: Callable[[], Awaitable[Snapshot]] | None = None
    """Observes the whole cluster, where only what the vantages need was; None where that is done."""


@asynccontextmanager
async def grounded(arguments: Arguments, place: Place) -> AsyncIterator[Ground]:
    """Observe what a probe needs and list its vantages; connections last for as long as this is entered."""
    outward = arguments.probe in _OUTWARD and bool(arguments.targets)
    async with connected(place) as cluster:
        if outward:
            await _vantages_alone(cluster, arguments, place)
        else:
            await cluster.observe(arguments.timeout)
        snapshot = cluster.snapshot
        if unknown := [name for name in place.nodes if snapshot.nodes and name not in snapshot.nodes]:
            raise PlaceError(
                f"the cluster has no node {', '.join(unknown)}; it has {', '.join(sorted(snapshot.nodes))}"
            )
        settings = place.hosts(snapshot.context)
        hosts = Hosts(place, msgspec.structs.replace(settings, nodes=settings.vantages))
        try:
            offered = await survey(
                snapshot,
                cluster.wires.transport,
                operator=LocalTransport("this machine"),
                hosts=await _hosts(hosts, settings),
                # The demo's addresses are nobody's: nothing is sent to them from this machine's own network.
                kinds=[kind for kind in KINDS if kind in arguments.senders and not (place.demo and kind == "operator")],
                only=place.nodes,
                named=place.nodes or cluster.wires.names,
            )
            async with named_pods(arguments, place, snapshot) as named:
                offered = msgspec.structs.replace(offered, vantages=(*offered.vantages, *named))
                if not offered.vantages:
                    raise PlaceError(_nowhere(snapshot, offered))
                rest = partial(cluster.observe, arguments.timeout) if outward else None
                yield Ground(snapshot, offered, cluster.wires, settings.plans, rest=rest)
        finally:
            await hosts.close()


async def _vantages_alone(cluster: Cluster, arguments: Arguments, place: Place) -> None:
    """Observe what vantages need: nodes by the API, pods also by their nodes; this machine and hosts nothing at all."""
    senders = set(arguments.senders)
    names_pods = any(each.startswith(EXEC) for each in senders)
    sources = {f"{KUBE}nodes"} if {"node", "pod"} & senders else set()
    sources |= {f"{KUBE}pods"} if "pod" in senders or names_pods else set()
    snapshot = await cluster.read(sources, arguments.timeout)
    if "pod" in senders:
        names = place.nodes or snapshot.nodes or cluster.wires.names
        await cluster.ask([each for each in names if not snapshot.nodes or each in snapshot.nodes], arguments.timeout)


async def _hosts(hosts: Hosts, settings: ContextSettings) -> dict[str, Transport]:
    try:
        return {name: await hosts.transport(name, None) for name in sorted(settings.vantages)}
    except TransportError as error:
        raise PlaceError(str(error)) from error


def _nowhere(snapshot: Snapshot, offered: Offered) -> str:
    reasons = [
        *offered.missing.values(),
        *(s.reason for n, s in snapshot.sources.items() if s.reason and NODE not in n),
    ]
    return f"there is nowhere to probe from: {reasons[0] if reasons else 'no node is known'}"
