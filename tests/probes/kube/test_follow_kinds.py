"""Kinds that a cluster has, has not, or comes to have."""

import asyncio

from probes.kube.client import Api
from probes.kube.reflector import follow_kinds
from probes.kube.resources import CORE
from probes.model.observation import Failed
from tests.probes.kube.fake import FakeApi, bookmark, lines, refuse
from tests.probes.kube.told import NO_STREAMED_LISTS, Told, running

PATH = "/api/v1/nodes"
RESOURCE = CORE[0]
FLUX = "source.toolkit.fluxcd.io"
GIT = f"/apis/{FLUX}/v1/gitrepositories"


async def test_crds_that_come_and_go(fake: FakeApi, api: Api, told: Told) -> None:
    """Flux installed while we run is found and followed; removed, its objects go and it is absent, said once."""
    told.held = asyncio.Event()
    git = "kube/flux/GitRepository"
    fake.lists[GIT] = [{"metadata": {"name": "fleet", "namespace": "flux-system"}}]
    fake.watches[GIT] = [NO_STREAMED_LISTS, lines(end="open")]

    async with running(follow_kinds(api, told.put, told.rhythm())):
        await told.until(lambda: told.snapshot.source(git).status == "absent" and 60.0 in told.pauses)
        before = len(told.said)
        told.held.set()
        await told.until(lambda: told.pauses.count(60.0) == 2)
        assert len(told.said) == before

        fake.groups[FLUX] = {"v1": [("gitrepositories", "GitRepository")]}
        told.held.set()
        await told.until(lambda: list(told.snapshot.flux) == ["GitRepository/flux-system/fleet"])

        fake.groups.clear()
        told.held.set()
        await told.until(lambda: told.snapshot.source(git).status == "absent")
        assert not told.snapshot.flux


async def test_an_upgrade_changes_the_version_that_is_followed(fake: FakeApi, api: Api, told: Told) -> None:
    """When a newer version appears, the kind is followed in that one."""
    told.held = asyncio.Event()
    old = f"/apis/{FLUX}/v1beta2/gitrepositories"
    served = [("gitrepositories", "GitRepository")]
    fake.groups[FLUX] = {"v1beta2": served}
    for path in (old, GIT):
        fake.lists[path] = [{"metadata": {"name": "fleet", "namespace": "f", "resourceVersion": "1"}}]
        fake.watches[path] = [NO_STREAMED_LISTS]

    async with running(follow_kinds(api, told.put, told.rhythm())):
        await told.until(lambda: bool(told.snapshot.flux) and 60.0 in told.pauses)
        assert told.snapshot.flux["GitRepository/f/fleet"].api_version == f"{FLUX}/v1beta2"
        fake.groups[FLUX] = {"v1beta2": served, "v1": served}
        told.held.set()
        await told.until(lambda: told.snapshot.flux["GitRepository/f/fleet"].api_version == f"{FLUX}/v1")


async def test_discovery_that_fails_is_tried_again(fake: FakeApi, api: Api, told: Told) -> None:
    """While the groups cannot be listed every kind is as failed as that; then they are found."""
    fake.once["/apis"] = [refuse(500)]
    fake.groups[FLUX] = {"v1": [("gitrepositories", "GitRepository")]}
    fake.lists[GIT] = []
    fake.watches[GIT] = [lines(bookmark("1", initial_end=True))]

    async with running(follow_kinds(api, told.put, told.rhythm())):
        await told.until(lambda: told.snapshot.source("kube/flux/GitRepository").status == "ok")

    assert told.said[0] == Failed(
        "kube/flux/OCIRepository", 7.0, f"{fake.url}/apis answered 500: no; look at the API server's log", "failed"
    )
