"""The Kubernetes API: lists, pages, watches, conflicts, refusals, and the audit."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from lab.cluster import LabCluster
from lab.kinds import BY_KIND
from lab.scale import churn, scale
from tests.lab.clients import Client, Json, connect, until

PODS = "/api/v1/pods"
NODES = "/api/v1/nodes"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
SOURCE = "/apis/source.toolkit.fluxcd.io/v1/namespaces/flux-system/gitrepositories/flux-system"
MERGE = "application/merge-patch+json"


class Watch:
    """The events of a watch, one at a time."""

    def __init__(self, content: Any) -> None:
        self._content = content

    async def next(self) -> Json:
        async with asyncio.timeout(5):
            line = await self._content.readline()
        assert line, "the watch ended"
        return dict(json.loads(line))


@asynccontextmanager
async def watching(client: Client, path: str, **params: str) -> AsyncIterator[Watch]:
    async with client.session.get(client.base + path, params={"watch": "true", **params}) as response:
        assert response.status == 200
        yield Watch(response.content)


async def test_without_a_certificate_nobody_is_answered(cluster: LabCluster) -> None:
    """k3s turns anonymous access off: without a client certificate even /readyz is 401, which means alive."""
    stranger = await connect(cluster, certificate=False)
    code, status = await stranger.get("/readyz")
    await stranger.session.close()
    assert (code, status["reason"]) == (401, "Unauthorized")


async def test_discovery_lists_what_is_served(client: Client) -> None:
    """Groups, versions and resources can be discovered; an unknown group is a 404 Status."""
    _, groups = await client.get("/apis")
    assert {"source.toolkit.fluxcd.io", "external-secrets.io"} <= {group["name"] for group in groups["groups"]}
    _, core = await client.get("/api/v1")
    assert {"nodes", "pods", "pods/eviction"} <= {item["name"] for item in core["resources"]}
    code, status = await client.get("/apis/no.such.group/v1")
    assert (code, status["kind"], status["reason"]) == (404, "Status", "NotFound")


async def test_operators_that_are_not_installed_and_kinds_that_are_forbidden() -> None:
    """An absent operator's group is a 404, a forbidden kind a 403 Status."""
    async with LabCluster("healthy", without={"external-secrets.io"}, forbidden={"pods"}) as cluster:
        client = await connect(cluster)
        absent, _ = await client.get("/apis/external-secrets.io/v1/externalsecrets")
        forbidden, status = await client.get(PODS)
        await client.session.close()
    assert absent == 404
    assert (forbidden, status["reason"]) == (403, "Forbidden")


async def test_pages_are_the_whole_list(client: Client) -> None:
    """Pages by limit and continue give every object once, with the revision of the first page throughout."""
    _, whole = await client.get(PODS)
    names, token, revisions = [], "", set()
    for _ in range(100):
        _, page = await client.get(f"{PODS}?limit=4" + (f"&continue={token}" if token else ""))
        names += [item["metadata"]["name"] for item in page["items"]]
        revisions.add(page["metadata"]["resourceVersion"])
        token = page["metadata"].get("continue", "")
        if not token:
            break
        assert page["metadata"]["remainingItemCount"] == len(whole["items"]) - len(names)
    assert names == [item["metadata"]["name"] for item in whole["items"]]
    assert len(revisions) == 1


async def test_continue_token_expires_with_its_revision(cluster: LabCluster, client: Client) -> None:
    """After a compaction a continue token is answered 410 Expired; one that was made up is 400."""
    _, page = await client.get(f"{PODS}?limit=2")
    cluster.world.heartbeat("gimli")
    cluster.world.store.forget()
    code, status = await client.get(f"{PODS}?limit=2&continue={page['metadata']['continue']}")
    assert (code, status["reason"]) == (410, "Expired")
    code, _ = await client.get(f"{PODS}?limit=2&continue=bm9uc2Vuc2U=")
    assert code == 400


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("labelSelector=k8s-app=kube-dns", 1),
        ("labelSelector=app in (wiki,traefik)", 3),
        ("labelSelector=app notin (wiki),app", 11),
        ("labelSelector=!app", 1),
        ("labelSelector=app!=wiki", 12),
        ("fieldSelector=spec.nodeName=gimli", 6),
        ("fieldSelector=spec.nodeName=gimli,status.phase!=Succeeded,status.phase!=Failed", 6),
        ("fieldSelector=metadata.name=registry-cache-0", 1),
    ],
)
async def test_selectors(client: Client, query: str, count: int) -> None:
    """Label and field selectors select as the API's do."""
    _, found = await client.get(f"{PODS}?{query}")
    assert len(found["items"]) == count


async def test_selector_that_cannot_be_read_is_refused(client: Client) -> None:
    """A selector on a field that is not indexed is a 400 that names it."""
    code, status = await client.get(f"{PODS}?fieldSelector=spec.colour=red")
    assert (code, status["message"]) == (400, "field label not supported: spec.colour")


async def test_watch_replays_then_follows(cluster: LabCluster, client: Client) -> None:
    """A watch from a list's revision misses nothing: first what changed since the list, then live changes."""
    _, listed = await client.get(NODES)
    cluster.world.set_ready("gimli", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    revision = listed["metadata"]["resourceVersion"]
    async with watching(client, NODES, resourceVersion=revision) as watch:
        first = await watch.next()
        cluster.world.set_ready("gimli", "True", "KubeletReady", "kubelet is posting ready status")
        second = await watch.next()
    ready = [
        next(c["status"] for c in e["object"]["status"]["conditions"] if c["type"] == "Ready") for e in (first, second)
    ]
    assert [first["type"], second["type"], *ready] == ["MODIFIED", "MODIFIED", "Unknown", "True"]
    assert int(revision) < int(first["object"]["metadata"]["resourceVersion"])


async def test_bookmarks_carry_the_store_s_revision(cluster: LabCluster, client: Client) -> None:
    """A quiet watch gets bookmarks whose revision grows although nothing of its kind changed."""
    _, listed = await client.get(NODES)
    revision = listed["metadata"]["resourceVersion"]
    async with watching(client, NODES, resourceVersion=revision, allowWatchBookmarks="true") as watch:
        churn_before = cluster.world.store.revision
        await until(lambda: cluster.world.store.revision > churn_before)
        events = [await watch.next() for _ in range(8)]
    assert {event["type"] for event in events} == {"BOOKMARK"}
    assert int(events[-1]["object"]["metadata"]["resourceVersion"]) > int(revision)


async def test_watch_of_a_forgotten_revision_is_410(cluster: LabCluster, client: Client) -> None:
    """A watch from before the compaction gets one ERROR event with a 410 Status, and ends."""
    _, listed = await client.get(NODES)
    cluster.world.heartbeat("gimli")
    cluster.world.store.forget()
    async with watching(client, NODES, resourceVersion=listed["metadata"]["resourceVersion"]) as watch:
        event = await watch.next()
        with pytest.raises(AssertionError, match="the watch ended"):
            await watch.next()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_watch_list_ends_its_start_with_a_bookmark(client: Client) -> None:
    """sendInitialEvents gives all objects as ADDED, then a BOOKMARK annotated initial-events-end; alone it is 422."""
    params = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    async with watching(client, NODES, **params) as watch:
        events = [await watch.next() for _ in range(4)]
    assert [event["type"] for event in events] == ["ADDED", "ADDED", "ADDED", "BOOKMARK"]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    code, status = await client.get(f"{NODES}?watch=true&sendInitialEvents=true")
    assert (code, status["reason"]) == (422, "Invalid")


async def test_watch_through_a_selector(cluster: LabCluster, client: Client) -> None:
    """An object that comes into a selector is ADDED and one that leaves it DELETED."""
    _, listed = await client.get(NODES)
    params = {"resourceVersion": listed["metadata"]["resourceVersion"], "labelSelector": "mark=yes"}
    async with watching(client, NODES, **params) as watch:
        for value in ("yes", "no"):
            await client.send("PATCH", f"{NODES}/gimli", {"metadata": {"labels": {"mark": value}}}, MERGE)
        events = [await watch.next() for _ in range(2)]
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]
    assert cluster.world.store.get(BY_KIND["Node"], "", "gimli").obj["metadata"]["labels"]["mark"] == "no"


async def test_watch_ends_when_asked(client: Client) -> None:
    """timeoutSeconds ends the stream without an error."""
    async with watching(client, NODES, resourceVersion="0", timeoutSeconds="1") as watch:
        for _ in range(3):
            assert (await watch.next())["type"] == "ADDED"
        with pytest.raises(AssertionError, match="the watch ended"):
            await watch.next()


async def test_lease_is_taken_by_one(client: Client) -> None:
    """A second create is 409 AlreadyExists, an update with an old resourceVersion 409 Conflict, a deleted one 404."""
    lease = {"metadata": {"name": "underlay", "namespace": "kube-system"}, "spec": {"holderIdentity": "a"}}
    code, created = await client.send("POST", LEASES, lease)
    assert code == 201
    code, status = await client.send("POST", LEASES, lease)
    assert (code, status["reason"]) == (409, "AlreadyExists")
    created["spec"]["holderIdentity"] = "b"
    code, updated = await client.send("PUT", f"{LEASES}/underlay", created)
    assert (code, updated["spec"]["holderIdentity"]) == (200, "b")
    code, status = await client.send("PUT", f"{LEASES}/underlay", created)
    assert (code, status["reason"]) == (409, "Conflict")
    assert (await client.send("DELETE", f"{LEASES}/underlay", {}))[0] == 200
    assert (await client.get(f"{LEASES}/underlay"))[0] == 404


@pytest.mark.parametrize(
    ("media_type", "patch", "code"),
    [
        (MERGE, {"metadata": {"annotations": {"a/b": "1"}}}, 200),
        ("application/strategic-merge-patch+json", {"metadata": {"annotations": {"a/b": "1"}}}, 200),
        ("application/json-patch+json", [{"op": "add", "path": "/metadata/annotations/a~1b", "value": "1"}], 200),
        ("application/json-patch+json", [{"op": "test", "path": "/metadata/name", "value": "x"}], 422),
        ("application/json-patch+json", [{"op": "remove", "path": "/nowhere"}], 422),
        ("application/apply-patch+yaml", {}, 415),
    ],
)
async def test_patches(client: Client, media_type: str, patch: Any, code: int) -> None:
    """Merge, strategic merge and JSON patches change the object; others are refused with a Status."""
    got, body = await client.send("PATCH", f"{NODES}/gimli", patch, media_type)
    assert got == code
    assert code != 200 or body["metadata"]["annotations"]["a/b"] == "1"


async def test_strategic_patch_merges_conditions_by_type(client: Client) -> None:
    """A strategic patch of one condition keeps the others, as a kubelet relies on."""
    patch = {"status": {"conditions": [{"type": "Ready", "message": "patched"}]}}
    _, node = await client.send("PATCH", f"{NODES}/gimli/status", patch, "application/strategic-merge-patch+json")
    conditions = {condition["type"]: condition for condition in node["status"]["conditions"]}
    assert len(conditions) == 4
    assert (conditions["Ready"]["status"], conditions["Ready"]["message"]) == ("True", "patched")


async def test_eviction_heeds_disruption_budgets(cluster: LabCluster, client: Client) -> None:
    """A budget that allows none answers 429 with its cause; dryRun evicts nothing; otherwise the pod is gone."""
    store = cluster.world.store
    budget = {"metadata": {"name": "wiki", "namespace": "apps"}, "spec": {"selector": {"matchLabels": {"app": "wiki"}}}}
    store.create(BY_KIND["PodDisruptionBudget"], budget | {"status": {"disruptionsAllowed": 0}})
    pod = "/api/v1/namespaces/apps/pods"
    code, status = await client.send("POST", f"{pod}/wiki-6f7d9c5b44-d8p2k/eviction", {})
    assert (code, status["details"]["causes"][0]["reason"]) == (429, "DisruptionBudget")
    assert (await client.send("POST", f"{pod}/registry-cache-0/eviction?dryRun=All", {}))[0] == 201
    assert (await client.get(f"{pod}/registry-cache-0"))[0] == 200
    assert (await client.send("POST", f"{pod}/registry-cache-0/eviction", {}))[0] == 201
    assert (await client.get(f"{pod}/registry-cache-0"))[0] == 404


async def test_bodies_that_are_no_objects_are_refused(client: Client) -> None:
    """Broken JSON, a wrong name and a list where an object belongs are 4xx Statuses, never a 500."""
    async with client.session.post(client.base + LEASES, data=b"{") as response:
        assert (response.status, (await response.json())["kind"]) == (400, "Status")
    bodies: tuple[Any, ...] = (
        [],
        {"metadata": 3},
        {"metadata": {"name": "x", "namespace": "elsewhere"}},
        {"metadata": {}},
    )
    for body in bodies:
        code, status = await client.send("POST", LEASES, body)
        assert (code // 100, status["kind"]) == (4, "Status")


async def test_audit_knows_writes_from_reads(cluster: LabCluster, client: Client) -> None:
    """Reads, watches and access reviews leave no trace in the audit; every other request does, refused ones too."""
    await client.get(PODS)
    async with watching(client, NODES, resourceVersion="0") as watch:
        await watch.next()
    review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    assert (await client.send("POST", review, {"spec": {}}))[1]["status"] == {"allowed": True}
    assert cluster.audit == []
    await client.send("PATCH", SOURCE, {"metadata": {"annotations": {"x": "y"}}}, MERGE)
    await client.send("DELETE", f"{NODES}/nobody", {})
    assert [(entry.method, entry.code) for entry in cluster.audit] == [("PATCH", 200), ("DELETE", 404)]


async def test_api_comes_and_goes(cluster: LabCluster, client: Client) -> None:
    """A paused API refuses connections; resumed it answers on the same port with the same objects."""
    await client.get(NODES)
    await cluster.pause_api()
    fresh = await connect(cluster)
    with pytest.raises(OSError, match="Cannot connect"):
        await fresh.get(NODES)
    await cluster.resume_api()
    code, nodes = await fresh.get(NODES)
    await fresh.session.close()
    assert (code, len(nodes["items"])) == (200, 3)


async def test_large_world_is_served_in_pieces() -> None:
    """Ten thousand pods list whole while the loop is never held for long; churn is watched."""
    world = scale(1000, 10_000, 500)
    longest = 0.0
    loop = asyncio.get_running_loop()

    async def tick() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0.001)
            longest = max(longest, loop.time() - before)

    async with LabCluster("scale", world=world) as cluster, asyncio.TaskGroup() as group:
        client = await connect(cluster)
        ticking = group.create_task(tick())
        size = 0
        async with client.session.get(client.base + PODS) as response:
            async for chunk in response.content.iter_any():
                size += len(chunk)
        ticking.cancel()
        _, page = await client.get(f"{PODS}?limit=1")
        async with watching(client, PODS, resourceVersion=page["metadata"]["resourceVersion"]) as watch:
            for number in (1, 2, 3):
                churn(world, number)
            assert [(await watch.next())["type"] for _ in range(3)] == ["MODIFIED"] * 3
        await client.session.close()
    assert size > 5_000_000
    assert page["metadata"]["remainingItemCount"] == 9999
    assert longest < 0.25
