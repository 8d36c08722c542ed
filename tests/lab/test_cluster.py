"""The running demo: what it leaves, how fast it starts, and what importing it costs."""

import stat
import subprocess
import sys
import time

import pytest

from lab.cluster import LabCluster


async def test_files_are_private_and_gone_afterwards() -> None:
    """Kubeconfig and keys lie in a folder of mode 0700 and are readable by their owner only; nothing is left."""
    async with LabCluster("healthy") as cluster:
        folder = cluster.folder
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert cluster.context == "demo-healthy"
    assert not folder.exists()


async def test_failure_inside_leaves_nothing() -> None:
    """An error within the demo ends it as cleanly, and comes out as itself."""
    folders = []

    async def fail() -> None:
        async with LabCluster("healthy") as cluster:
            folders.append(cluster.folder)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await fail()
    assert not folders[0].exists()


async def test_three_nodes_start_within_half_a_second() -> None:
    """Starting API, certificates and three SSH servers takes less than 0.5 s; two demos can run side by side."""
    begin = time.perf_counter()
    async with LabCluster("healthy") as one:
        took = time.perf_counter() - begin
        async with LabCluster("healthy") as other:
            assert one.port != other.port
    assert took < 0.5


def test_listing_incidents_imports_no_server() -> None:
    """``lab.incidents()`` needs neither asyncssh nor aiohttp nor cryptography."""
    code = (
        "import sys, lab; lab.incidents(); "
        "print(sorted({'asyncssh', 'aiohttp', 'cryptography', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
