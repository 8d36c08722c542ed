"""The demo cluster under a watch: what happens in its world is told, as on real nodes."""

import asyncio
from typing import Any

from lab.cluster import LabCluster
from probes.model.changes import Change, changes
from probes.model.snapshot import Snapshot
from tui.cli.connect import connected
from tui.cli.place import Place


async def _watch(lab: LabCluster, act: Any, wanted: set[tuple[str, str]]) -> list[Change]:
    """Act once every node has answered, then collect changes until the wanted ones have come."""
    told: list[Change] = []
    place = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo=lab.name)
    async with asyncio.timeout(20), connected(place, watch=True) as cluster:
        last = cluster.snapshot
        acted = False
        done = asyncio.Event()

        def publish(snapshot: Snapshot) -> None:
            nonlocal last, acted
            told.extend(changes(last, snapshot))
            last = snapshot
            listening = all(machine.listeners for machine in lab.world.nodes.values())
            if not acted and listening and len(snapshot.networks) == len(lab.world.nodes):
                acted = True
                told.clear()
                act()
            if acted and wanted <= {(change.subject, change.what) for change in told}:
                done.set()

        async with asyncio.TaskGroup() as tasks:
            following = tasks.create_task(cluster.follow(publish))
            await done.wait()
            following.cancel()
    return told


async def test_a_changed_mtu_is_told() -> None:
    """A link of the world that changes is told by the kernel's monitor and collected."""
    async with LabCluster("healthy") as lab:
        gimli = lab.world.nodes["gimli"]
        told = await _watch(lab, lambda: gimli.kernel.set_mtu("flannel.1", 1400), {("gimli", "flannel.1 mtu")})
    assert [(c.before, c.after) for c in told if c.what == "flannel.1 mtu"] == [("1450", "1400")]


async def test_a_restarted_unit_is_told() -> None:
    """A restart of k3s that changes nothing in the kernel is told by the journal."""
    async with LabCluster("healthy") as lab:
        wanted = {("gimli", "k3s-agent InvocationID")}
        told = await _watch(lab, lambda: lab.world.restart_unit("gimli"), wanted)
    assert wanted <= {(c.subject, c.what) for c in told}


async def test_watching_writes_nothing() -> None:
    """No request to the API but reads, and no node changed."""
    async with LabCluster("healthy") as lab:
        await _watch(
            lab, lambda: lab.world.nodes["gimli"].kernel.set_mtu("flannel.1", 1400), {("gimli", "flannel.1 mtu")}
        )
        assert lab.audit == []
