"""The first look at a cluster: its nodes are on the screen before the client that follows them is imported."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab.cluster import LabCluster
from tui.cli.connect import connected, glimpse
from tui.cli.place import Place


def place_of(lab: LabCluster) -> Place:
    return Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo="healthy")


async def test_it_names_the_nodes_and_they_are_followed_at_once() -> None:
    """What it found is gone on from: the nodes are asked without waiting for the API to name them anew."""
    async with LabCluster("healthy") as lab:
        known = await glimpse(place_of(lab), 10)
        assert known is not None
        assert set(known.nodes) == {"galadriel", "gimli", "legolas"}
        assert known.sources.keys() == {"kube/nodes"}
        async with connected(place_of(lab), watch=True, known=known) as cluster:
            await lab.pause_api()
            seen = asyncio.Event()
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                following = tasks.create_task(
                    cluster.follow(lambda snapshot: seen.set() if len(snapshot.networks) == 3 else None)
                )
                await seen.wait()
                following.cancel()
            assert cluster.snapshot.source("kube/nodes").at == known.source("kube/nodes").at


@pytest.mark.parametrize("kind", ["refused", "silent", "exec", "broken"])
async def test_whoever_connects_in_earnest_tells_what_is_wrong(kind: str, tmp_path: Path) -> None:
    """An API that does not answer, or is reached by a plugin, is left to the client that tells of it; soon."""

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    ended = asyncio.Event()
    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1] if kind != "refused" else 1
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}}
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": user if kind == "exec" else {}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text("{" if kind == "broken" else yaml.safe_dump(document), encoding="utf-8")
    async with server:
        async with asyncio.timeout(10):
            assert await glimpse(Place(kubeconfig=path), 0.2) is None
        ended.set()


def test_it_imports_no_client_that_is_slow_to_import() -> None:
    """The official client and asyncssh take longer to import than the look takes."""
    code = (
        "import sys\n"
        "import tui.cli.connect, probes.kube.plain, tui.cli.screen\n"
        "sys.exit(' '.join({'kubernetes', 'aiohttp', 'asyncssh', 'pydantic'} & set(sys.modules)) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
