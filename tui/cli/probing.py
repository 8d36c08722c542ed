"""Probes for the screens: what is wanted becomes vantages and a proposal, and is sent once that was read."""

from collections.abc import Sequence
from typing import Final

import msgspec

from probes.cluster import Cluster
from probes.reach.survey import Offered, pod_vantage, survey
from probes.transports.base import TransportError
from probes.transports.local import LocalTransport
from probes.vantage import KINDS, Kind, Vantage
from tui.cli import proposals
from tui.cli.connect import Hosts
from tui.cli.ground import Ground
from tui.cli.place import Place
from tui.probing import CannotProbe, Proposal, Report, Wanted

_FEW: Final = 24
"""Nodes that one node is probed to, or that a target is asked for from, where there are more."""


class Prober:
    """Sends probes into one cluster, for as long as that is followed."""

    def __init__(self, cluster: Cluster, place: Place) -> None:
        self._cluster = cluster
        self._place = place
        self._settings = place.hosts(cluster.snapshot.context)
        self._hosts = Hosts(place, msgspec.structs.replace(self._settings, nodes=self._settings.vantages))

    async def close(self) -> None:
        """End the connections to further hosts."""
        await self._hosts.close()

    async def propose(self, wanted: Wanted) -> Proposal:
        """Find out what would be sent; sends nothing. Raises CannotProbe."""
        wanted = self._bounded(wanted)
        ground = await self._ground(wanted)
        made = [await proposals.KINDS[kind](wanted, ground) for kind in wanted.kinds]
        parts = [part for part in made if part.total]
        if not parts:
            reasons = [*ground.offered.missing.values(), "there is nothing to reach, or nowhere to send from"]
            raise CannotProbe(f"nothing can be sent: {reasons[0]}")

        async def send(report: Report) -> None:
            for part in parts:
                await part.send(report)

        return Proposal(wanted, proposals.sentence(parts), sum(part.total for part in parts), send)

    def _bounded(self, wanted: Wanted) -> Wanted:
        """Choose few of many nodes, where one node is probed from or a target is asked for from everywhere."""
        names = sorted(self._cluster.snapshot.nodes)
        replace = msgspec.structs.replace
        if wanted.targets:
            is_many = not wanted.sources and len(names) > _FEW
            return replace(wanted, sources=_sample(names, _FEW)) if is_many else wanted
        if wanted.sources and not wanted.destinations:
            others = [name for name in names if name not in wanted.sources]
            return replace(wanted, destinations=_sample(others, _FEW))
        return wanted

    async def _ground(self, wanted: Wanted) -> Ground:
        """List the vantages that are needed; raises CannotProbe."""
        # The demo's addresses are nobody's: nothing is sent to them from this machine's own network.
        kinds: list[Kind] = [kind for kind in KINDS if kind != "operator" or not self._place.demo]
        try:
            hosts = {name: await self._hosts.transport(name, None) for name in sorted(self._settings.vantages)}
            offered = await survey(
                self._cluster.snapshot,
                self._cluster.wires.transport,
                operator=LocalTransport("this machine"),
                hosts={} if wanted.sources else hosts,
                kinds=kinds,
                only={*wanted.sources, *wanted.destinations} if wanted.sources else (),
            )
        except TransportError as error:
            raise CannotProbe(str(error)) from error
        spoken = tuple(self._speaker(each, wanted.speaker) for each in offered.vantages)
        return Ground(self._cluster.snapshot, Offered(spoken, offered.missing), self._cluster.wires)

    def _speaker(self, vantage: Vantage, address: str) -> Vantage:
        """Take the pod that shall speak for its node, where it runs there."""
        if vantage.kind != "pod" or not address:
            return vantage
        found = pod_vantage(self._cluster.snapshot, vantage.node, vantage.transport, address)
        return found if isinstance(found, Vantage) else vantage


def _sample(names: Sequence[str], most: int) -> tuple[str, ...]:
    """Take some of many, evenly."""
    step = max(1, -(-len(names) // most))
    return tuple(names[::step])
