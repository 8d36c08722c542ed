"""Observing changes nothing: neither the API nor a node of a demo cluster has been written to afterwards."""

import asyncio

import pytest

import lab
from lab.cluster import LabCluster
from probes.model.snapshot import NODE, Snapshot
from tests.probes.wires import until
from tui.cli.connect import connected
from tui.cli.place import Place


@pytest.mark.parametrize("incident", lab.incidents())
async def test_observing_writes_nothing(incident: str) -> None:
    """Every incident asked once and then followed through a change: no request but GET, no command that changes."""
    async with LabCluster(incident) as cluster:
        place = Place(kubeconfig=cluster.kubeconfig, ssh_config=cluster.ssh_config, demo=incident)
        async with connected(place) as observed:
            once = await observed.observe(20)
        async with connected(place, watch=True) as observed:
            newest = [observed.snapshot]

            def publish(snapshot: Snapshot) -> None:
                newest[0] = snapshot

            def all_answer() -> bool:
                return all(newest[0].source(f"{NODE}{name}").status == "ok" for name in cluster.world.nodes)

            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(observed.follow(publish))
                await until(all_answer, "all nodes answer", 20)
                name = sorted(cluster.world.nodes)[0]
                seen = newest[0].networks[name]
                cluster.world.nodes[name].kernel.set_mtu("cni0", 1399)
                await until(lambda: newest[0].networks[name] is not seen, "the change is seen", 20)
                following.cancel()
        assert once.networks.keys() == cluster.world.nodes.keys()
        assert cluster.audit == []
        assert cluster.node_writes == {}
