"""What is observed, listed once: pages, discovery, and failures as data."""

import ast
import importlib
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import probes.kube
from probes.kube import resources
from probes.kube.client import Api, connect
from probes.kube.discovery import priority
from probes.kube.kubeconfig import read
from probes.kube.resources import CORE, GROUPS, KINDS, Resource, fetch, fetch_all
from probes.model.flux import CONSUMER_KINDS, SOURCE_KINDS
from probes.model.observation import Failed, Listed, Observed
from probes.model.snapshot import RESOURCES, Snapshot, fold
from tests.probes.kube.conftest import WriteKubeconfig
from tests.probes.kube.fake import FakeApi, body, hang, refuse

NODES, LEASES = CORE[:2]
FLUX = "source.toolkit.fluxcd.io"
SOURCES = {resource.source for resource in CORE} | {kind.source for kind in KINDS}


@pytest.fixture
async def api(fake: FakeApi, write_kubeconfig: WriteKubeconfig) -> AsyncIterator[Api]:
    """Connect to the fake API."""
    opened = connect(read(write_kubeconfig(fake.url)))
    yield opened
    await opened.close()


def named(count: int) -> list[dict[str, Any]]:
    return [{"metadata": {"name": f"n{i}"}} for i in range(count)]


async def listed(api: Api, resource: Resource = NODES) -> dict[str, Any]:
    observed, *rest = await fetch(api, resource, clock=lambda: 7.0)
    assert not rest
    assert isinstance(observed, Observed)
    assert (observed.source, observed.at) == (resource.source, 7.0)
    assert isinstance(observed.fact, Listed)
    return observed.fact.items


async def failure(api: Api, resource: Resource = NODES, timeout: float = 5.0) -> Failed:
    (failed,) = await fetch(api, resource, timeout=timeout, clock=lambda: 7.0)
    assert isinstance(failed, Failed)
    assert (failed.source, failed.at) == (resource.source, 7.0)
    return failed


async def test_a_long_list_is_read_page_by_page(fake: FakeApi, api: Api) -> None:
    """1,200 objects come in three pages of at most 500, each asked for with the token of the one before."""
    fake.lists[LEASES.path] = named(1200)

    assert len(await listed(api, LEASES)) == 1200
    assert [asked.query for asked in fake.asked] == [
        {"limit": "500"},
        {"limit": "500", "continue": "500"},
        {"limit": "500", "continue": "1000"},
    ]


async def test_a_list_that_expires_on_the_way_is_begun_anew(fake: FakeApi, api: Api) -> None:
    """A 410 for a continue token makes the list start again, once; a second one is a failure."""
    fake.lists[NODES.path] = named(700)
    first_page = body(b'{"metadata":{"continue":"x"},"items":[{"metadata":{"name":"stale"}}]}')
    fake.once[NODES.path] = [first_page, refuse(410)]

    assert "stale" not in await listed(api)

    fake.once[NODES.path] = [first_page, refuse(410), first_page, refuse(410)]
    assert (await failure(api)).kind == "failed"


@pytest.mark.parametrize(("code", "kind"), [(401, "restricted"), (403, "restricted"), (404, "absent"), (500, "failed")])
async def test_a_refusal_is_data(fake: FakeApi, api: Api, code: int, kind: str) -> None:
    """Each refusal is a Failed of the kind that says what can be done."""
    fake.always[NODES.path] = refuse(code)

    assert (await failure(api)).kind == kind


async def test_a_server_that_hangs_or_went(fake: FakeApi, api: Api) -> None:
    """Silence is a timeout; the limit holds for all pages together."""
    fake.always[NODES.path] = hang(fake)

    assert (await failure(api, timeout=0.2)).kind == "timeout"


async def test_a_server_that_is_gone(write_kubeconfig: WriteKubeconfig) -> None:
    """No connection is unreachable, for every resource there is."""
    api = connect(read(write_kubeconfig("http://127.0.0.1:1")))

    observations = await fetch_all(api)

    assert {o.source for o in observations} == SOURCES
    assert {o.kind if isinstance(o, Failed) else "" for o in observations} == {"unreachable"}


@pytest.mark.parametrize("raw", [b"", b'{"items":[{"metadata"', b"<html>", b"[]"])
async def test_an_answer_that_is_no_list(fake: FakeApi, api: Api, raw: bytes) -> None:
    """A page that is cut or no list fails that resource and says which, in one sentence."""
    fake.always[NODES.path] = body(raw)

    failed = await failure(api)

    assert failed.kind == "failed"
    assert f"{NODES.path}: the list cannot be read" in failed.reason


async def test_an_unreadable_object_is_told_beside_the_others(fake: FakeApi, api: Api) -> None:
    """One broken object leaves the others, and is a Failed of a source of its own."""
    fake.lists[NODES.path] = [*named(2), {"metadata": {"name": "bad"}, "spec": 7}]

    good, bad = await fetch(api, NODES)

    assert isinstance(good, Observed)
    assert list(good.fact.items) == ["n0", "n1"]
    assert isinstance(bad, Failed)
    assert bad.source == "kube/nodes/unreadable objects"
    assert bad.reason.startswith("1 of 3 objects of nodes could not be read: bad cannot be read")


async def test_flux_is_found_in_the_version_it_has(fake: FakeApi, api: Api) -> None:
    """Each kind is listed in the most stable, newest version that serves it, and absent kinds are said to be absent."""
    fake.groups[FLUX] = {
        "v1beta2": [("gitrepositories", "GitRepository"), ("ocirepositories", "OCIRepository")],
        "v1": [("gitrepositories", "GitRepository")],
        "v1beta1": [("ocirepositories", "OCIRepository")],
    }
    fake.groups["apps"] = {"v1": [("deployments", "Deployment")]}
    fake.lists[f"/apis/{FLUX}/v1/gitrepositories"] = [{"metadata": {"name": "fleet", "namespace": "flux-system"}}]
    fake.lists[f"/apis/{FLUX}/v1beta2/ocirepositories"] = []

    observations = {o.source: o for o in await fetch_all(api)}

    git = observations["kube/flux/GitRepository"]
    assert isinstance(git, Observed)
    assert git.fact.items["GitRepository/flux-system/fleet"].api_version == f"{FLUX}/v1"
    assert isinstance(observations["kube/flux/OCIRepository"], Observed)
    bucket = observations["kube/flux/Bucket"]
    assert isinstance(bucket, Failed)
    assert (bucket.kind, bucket.reason) == (
        "absent",
        "Bucket (source.toolkit.fluxcd.io) is not installed; it comes with Flux source-controller",
    )
    assert "/apis/apps/v1" not in fake.paths()


async def test_a_group_that_will_not_say_what_it_has(fake: FakeApi, api: Api) -> None:
    """Where a group's discovery fails, its kinds are unknown, and those of other groups are not."""
    fake.groups[FLUX] = {"v1": []}
    fake.always[f"/apis/{FLUX}/v1"] = refuse(503, "not ready")

    observations = {o.source: o for o in await fetch_all(api)}

    git, secret = observations["kube/flux/GitRepository"], observations["kube/secrets/ExternalSecret"]
    assert isinstance(git, Failed)
    assert (git.kind, "not ready" in git.reason) == ("failed", True)
    assert isinstance(secret, Failed)
    assert secret.kind == "absent"


def test_versions_in_the_order_of_kubernetes() -> None:
    """Stable goes before beta before alpha before what is no version, and newer before older."""
    versions = ["v1alpha1", "v2", "foo", "v1beta2", "v10", "v1", "v1beta10", "v2alpha1"]

    assert sorted(versions, key=priority, reverse=True) == [
        "v10", "v2", "v1", "v1beta10", "v1beta2", "v2alpha1", "v1alpha1", "foo",
    ]  # fmt: skip


def test_the_table_meets_the_snapshot() -> None:
    """Every source fills a field of Snapshot, every field has a source, and every Flux kind of the model is there."""
    assert {source.split("/")[1] for source in SOURCES} == set(RESOURCES)
    assert {k.kind for k in KINDS if k.field == "flux"} == {*SOURCE_KINDS, *CONSUMER_KINDS}
    assert {k.group for k in KINDS} == GROUPS


async def test_what_is_fetched_can_be_folded(fake: FakeApi, api: Api) -> None:
    """All observations together make a snapshot, with the state of each source."""
    fake.lists[NODES.path] = named(3)
    fake.always["/api/v1/pods"] = refuse(403)

    snapshot = fold(Snapshot(), await fetch_all(api))

    assert sorted(snapshot.nodes) == ["n0", "n1", "n2"]
    assert snapshot.resource("nodes").status == "ok"
    assert snapshot.resource("pods").status == "restricted"
    assert snapshot.resource("flux").status == "absent"


def test_nothing_in_kube_writes() -> None:
    """No module of probes.kube names a verb of HTTP or of the official client that changes anything."""
    verbs = {"POST", "PUT", "PATCH", "DELETE", "post", "patch", "delete"}
    for path in Path(probes.kube.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant):
                assert node.value not in verbs, path.name
            if isinstance(node, ast.Attribute):
                assert node.attr not in verbs, path.name


async def test_only_gets_reach_the_server(fake: FakeApi, api: Api) -> None:
    """Whatever is fetched, the API sees no method but GET."""
    fake.lists[NODES.path] = named(3)
    fake.groups[FLUX] = {"v1": [("gitrepositories", "GitRepository")]}
    await fetch_all(api)

    assert {asked.method for asked in fake.asked} == {"GET"}


def test_a_plain_kubeconfig_imports_nothing_heavy(write_kubeconfig: WriteKubeconfig) -> None:
    """Reading a cluster through the plain client loads neither the official client nor aiohttp."""
    path = write_kubeconfig("https://192.0.2.10", {"token": "t"})
    code = (
        "import sys\n"
        "from probes.kube import client, kubeconfig, reflector, resources\n"
        "client.connect(kubeconfig.read(sys.argv[1]))\n"
        "heavy = {'kubernetes', 'aiohttp', 'httpx', 'asyncssh', 'pydantic', 'pyroute2', 'textual', 'rich'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or None)\n"
    )
    root = Path(probes.kube.__file__).parents[2]

    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=root, capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert importlib.import_module("probes.kube.resources") is resources
