"""Ground: what is read of nodes besides the diagnosis, so that a plan can be made by it. Reads only."""

import asyncio
import secrets
from typing import Any, Final

from probes.cluster import Cluster, Wires
from probes.collectors import batch
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis
from probes.transports.base import TransportError
from runbooks.facts import Found
from runbooks.hosts import HostFacts, parse, steps
from runbooks.runbook import HOLE, Runbook
from runbooks.sight import members

_METRICS: Final = ("curl", "-sS", "--max-time", "3", "http://127.0.0.1:2381/metrics")
"""etcd's own metrics, on loopback without TLS (k3s --etcd-expose-metrics is for others' eyes only)."""
_LEADS: Final = "etcd_server_is_leader 1"
_AT_ONCE: Final = 16
_SECONDS: Final = 20.0


async def survey(cluster: Cluster, runbook: Runbook) -> Found:
    """Read what a runbook's plan needs: which node's etcd leads, and what the hosts have set where it goes by that."""
    diagnosis = diagnose(cluster.snapshot)
    async with asyncio.TaskGroup() as tasks:
        leader = tasks.create_task(_leader(cluster, diagnosis))
        hosts = tasks.create_task(_hosts(cluster, runbook, diagnosis))
    told = hosts.result()
    return Found(
        etcd_leader=leader.result(),
        host={name: each.facts for name, each in told.items()},
        files={name: each.files for name, each in told.items()},
    )


async def _leader(cluster: Cluster, diagnosis: Diagnosis) -> str:
    """Find out which node's etcd leads; nobody, where there is one member or none, or where nobody could tell."""
    everyone, _ = members(diagnosis)
    if len(everyone) < 2:  # noqa: PLR2004 - one leads by itself
        return ""

    async def leads(name: str) -> bool:
        try:
            transport = await cluster.wires.transport(name, cluster.snapshot.nodes.get(name))
            done = await transport.run(_METRICS, timeout=5.0)
        except TransportError:
            return False
        return any(line.strip() == _LEADS for line in done.stdout.splitlines())

    async with asyncio.TaskGroup() as tasks:
        asked = {name: tasks.create_task(leads(name)) for name in everyone}
    return next((name for name, task in asked.items() if task.result()), "")


def asks_hosts(runbook: Runbook) -> bool:
    """Tell whether a runbook goes by what the hosts have set, or writes files there."""
    steps_of = [step for group in runbook.groups for step in group.steps]
    texts = [text for step in steps_of for text in (*_texts(step.fields), *(only.text for only in step.only))]
    writes = any(step.do == "write-file" for step in steps_of)
    return writes or any(".host." in f".{name}" for text in texts for name, _, _ in HOLE.findall(text))


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, each in value.items() for text in (*_texts(key), *_texts(each))]
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []


async def _hosts(cluster: Cluster, runbook: Runbook, diagnosis: Diagnosis) -> dict[str, HostFacts]:
    """Ask the hosts; of one that does not answer there are no facts."""
    if not asks_hosts(runbook):
        return {}
    room = asyncio.Semaphore(_AT_ONCE)

    async def ask(name: str) -> HostFacts:
        async with room:
            return await read_host(diagnosis, name, cluster.wires)

    async with asyncio.TaskGroup() as tasks:
        asked = {name: tasks.create_task(ask(name)) for name in diagnosis.views}
    return {name: task.result() for name, task in asked.items()}


async def read_host(diagnosis: Diagnosis, name: str, wires: Wires) -> HostFacts:
    """Ask one host; no facts where it does not answer."""
    network = diagnosis.snapshot.networks.get(name)
    uplink = diagnosis.views[name].summary.uplink
    mac = next((link.address for link in (network.links if network else None) or () if link.ifname == uplink), "")
    nonce, asked = secrets.token_hex(16), steps(uplink or "lo")
    try:
        way = await wires.transport(name, diagnosis.snapshot.nodes.get(name))
        done = await way.run(("sh", "-s"), stdin=batch.script(asked, nonce), timeout=_SECONDS)
    except TransportError:
        return HostFacts({}, {})
    stdout, stderr = (text.encode("utf-8", "surrogatepass") for text in (done.stdout, done.stderr))
    return parse(batch.split(stdout, stderr, nonce, asked), uplink, mac)
