"""From a place to a Cluster: the API by kubeconfig, each node by SSH."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from probes.cluster import NODES, Cluster, Wires
from probes.kube.client import connect, is_plain
from probes.kube.errors import ApiError
from probes.kube.kubeconfig import read
from probes.model.kube import Node
from probes.model.snapshot import Snapshot
from probes.model.text import clean
from probes.transports.base import Transport
from probes.transports.local import LocalTransport, is_here
from probes.transports.ssh import SshPool, SshSettings
from probes.transports.sshconfig import SshConfig, read_ssh_config
from tui.cli.place import Place, PlaceError
from tui.settings import ContextSettings, HostSettings

_NAMED: Final = 20
"""Nodes that a message names."""


class Hosts:
    """The ways to the nodes of one context, one SSH pool for each way of logging in."""

    def __init__(self, place: Place, settings: ContextSettings) -> None:
        self._settings = settings
        self._config = place.ssh_config or (Path(settings.ssh_config).expanduser() if settings.ssh_config else None)
        self._pools: dict[tuple[str, str], SshPool] = {}
        self._read: SshConfig | None = None

    async def transport(self, name: str, node: Node | None) -> Transport:
        """Make the way to a node; raises TransportError where ssh's configuration cannot be honoured."""
        said = self._settings.nodes.get(name, HostSettings())
        key = (said.user or self._settings.user, said.jump or self._settings.jump)
        # Who sets a jump host or another host than init writes down has a reason not to be taken to be on the node.
        usual = not key[1] and said.host in {"", self.host_of(name, node)}
        if usual and node is not None and is_here(node.internal_ips, node.boot_id):
            return LocalTransport(name)
        pool = self._pools.get(key)
        if pool is None:
            made = SshSettings(config=self._config, user=key[0] or None, jump=key[1] or None)
            pool = self._pools[key] = SshPool(made)
        return pool.transport(said.host or self.host_of(name, node))

    def host_of(self, name: str, node: Node | None) -> str:
        """Tell what to call a node: its name where ssh's configuration has it, else its InternalIP, else its name."""
        if self._read is None:
            self._read = read_ssh_config(self._config)
        if self._read.names(name) or node is None or not node.internal_ips:
            return name
        return node.internal_ips[0]

    async def close(self) -> None:
        """End all connections."""
        for pool in self._pools.values():
            await pool.close()


def context_name(place: Place) -> str:
    """Tell which context a place is about; raises PlaceError where the kubeconfig cannot be used."""
    try:
        return read(place.kubeconfig).context(place.context or None).name
    except ApiError as error:
        raise PlaceError(str(error)) from error


def refuse_strangers(names: Sequence[str], snapshot: Snapshot) -> None:
    """Refuse names of nodes that the cluster has not, as far as it tells its nodes; raises PlaceError."""
    unknown = [name for name in names if snapshot.nodes and name not in snapshot.nodes]
    if unknown:
        there = sorted(snapshot.nodes)
        more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
        said = f"the cluster has no node {', '.join(map(clean, unknown))}"
        raise PlaceError(f"{said}; it has {', '.join(there[:_NAMED])}{more}")


@asynccontextmanager
async def connected(place: Place, *, watch: bool = False, known: Snapshot | None = None) -> AsyncIterator[Cluster]:
    """Make the Cluster of a place, and end its connections; raises PlaceError where the kubeconfig cannot be used.

    ``known``: what ``glimpse`` found.
    """
    try:
        api = connect(read(place.kubeconfig), place.context or None, watch=watch)
    except ApiError as error:
        raise PlaceError(str(error)) from error
    settings = place.settings.context(api.context)
    hosts = Hosts(place, settings)
    if place.ssh_config is not None and not place.ssh_config.is_file():
        await api.close()
        raise PlaceError(f"{place.ssh_config} is no file; give --ssh-config a configuration of ssh, or leave it out")
    names = () if place.demo else tuple(settings.nodes)
    try:
        yield Cluster(Wires(api, hosts.transport, names=names, only=place.nodes), known=known)
    finally:
        await hosts.close()
        await api.close()


async def glimpse(place: Place, timeout: float) -> Snapshot | None:
    """Read which nodes there are, before the client that follows them is imported; none where that cannot be soon.

    What is wrong with the kubeconfig or the API is told by who connects in earnest.
    """
    try:
        kubeconfig = read(place.kubeconfig)
        if not is_plain(kubeconfig.context(place.context or None)):
            return None
        async with connected(place) as cluster:
            found = await cluster.read({NODES}, timeout)
    except (ApiError, PlaceError):
        return None
    return found if found.source(NODES).status == "ok" else None
