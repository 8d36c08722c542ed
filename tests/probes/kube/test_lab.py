"""The whole Kubernetes side against the demo cluster: TLS, client certificate, paging, streamed lists."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lab.cluster import LabCluster
from probes.kube.client import Api, connect
from probes.kube.kubeconfig import read
from probes.kube.reflector import follow_kinds, follow_resource
from probes.kube.resources import CORE, fetch_all
from probes.model.observation import Failed, Observed
from probes.model.snapshot import Snapshot, fold


@contextlib.asynccontextmanager
async def connected(lab: LabCluster, *, watch: bool) -> AsyncIterator[Api]:
    """Connect to the demo cluster."""
    api = connect(read(lab.kubeconfig), watch=watch)
    try:
        yield api
    finally:
        await api.close()


def facts(snapshot: Snapshot) -> dict[str, Any]:
    """Take what does not change from one second to the next."""
    fields = ("nodes", "pods", "flux", "secrets")
    said: dict[str, Any] = {name: sorted(getattr(snapshot, name)) for name in fields}
    said["absent"] = sorted(name for name, state in snapshot.sources.items() if state.status == "absent")
    said["other"] = sorted({state.status for state in snapshot.sources.values()})
    return said


async def once(lab: LabCluster, *, watch: bool) -> Snapshot:
    async with connected(lab, watch=watch) as api:
        return fold(Snapshot(), await fetch_all(api))


async def test_all_ways_of_reading_agree() -> None:
    """Both clients, listing and following, see the same cluster; nothing of it was asked to change."""
    async with LabCluster("healthy") as lab:
        plain, official = await once(lab, watch=False), await once(lab, watch=True)
        followed = Snapshot()
        expected = set(plain.sources)
        done = asyncio.Event()

        async def put(observation: Observed[Any] | Failed) -> None:
            nonlocal followed
            followed = fold(followed, [observation])
            if set(followed.sources) == expected:
                done.set()

        async with connected(lab, watch=True) as api, asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(follow_resource(api, resource, put)) for resource in CORE]
            running.append(tasks.create_task(follow_kinds(api, put)))
            async with asyncio.timeout(20):
                await done.wait()
            for task in running:
                task.cancel()

        assert plain.nodes
        assert plain.flux
        assert facts(plain) == facts(official) == facts(followed)
        assert {state.status for state in plain.sources.values()} == {"ok", "absent"}
        assert lab.audit == []


async def test_what_may_not_be_read_is_restricted_and_the_rest_is_there() -> None:
    """A user who may not read pods sees everything else; without Flux its kinds are absent."""
    async with LabCluster("healthy", forbidden=["pods"], without=["source.toolkit.fluxcd.io"]) as lab:
        snapshot = await once(lab, watch=False)

    assert snapshot.resource("pods").status == "restricted"
    assert snapshot.source("kube/flux/GitRepository").status == "absent"
    assert snapshot.nodes


@pytest.mark.parametrize("watch", [False, True])
async def test_a_lab_that_has_gone_is_unreachable(watch: bool) -> None:  # noqa: FBT001
    """After the API is down every source is unreachable, in time."""
    async with LabCluster("healthy") as lab:
        kubeconfig = read(lab.kubeconfig)
        kubeconfig.context()
    api = connect(kubeconfig, watch=watch)
    async with asyncio.timeout(20):
        observations = await fetch_all(api)
    await api.close()

    assert {o.kind if isinstance(o, Failed) else "ok" for o in observations} == {"unreachable"}
