"""Ground: what is read of nodes besides the diagnosis, so that a plan can be made by it. Reads only."""

import asyncio
from typing import Final

from probes.cluster import Cluster
from probes.rules.diagnose import diagnose
from probes.transports.base import TransportError
from runbooks.facts import Found
from runbooks.sight import members

_METRICS: Final = ("curl", "-sS", "--max-time", "3", "http://127.0.0.1:2381/metrics")
"""etcd's own metrics, on loopback without TLS (k3s --etcd-expose-metrics is for others' eyes only)."""
_LEADS: Final = "etcd_server_is_leader 1"


async def survey(cluster: Cluster) -> Found:
    """Find out which node's etcd leads; nobody, where there is one member or none, or where nobody could tell."""
    everyone, _ = members(diagnose(cluster.snapshot))
    if len(everyone) < 2:  # noqa: PLR2004 - one leads by itself
        return Found()

    async def leads(name: str) -> bool:
        try:
            transport = await cluster.wires.transport(name, cluster.snapshot.nodes.get(name))
            done = await transport.run(_METRICS, timeout=5.0)
        except TransportError:
            return False
        return any(line.strip() == _LEADS for line in done.stdout.splitlines())

    async with asyncio.TaskGroup() as tasks:
        asked = {name: tasks.create_task(leads(name)) for name in everyone}
    return Found(etcd_leader=next((name for name, task in asked.items() if task.result()), ""))
