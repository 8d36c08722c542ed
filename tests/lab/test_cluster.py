"""The running demo: what it leaves, how fast it starts, and what importing it costs."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lab.cluster import LabCluster
from lab.folder import sweep
from probes.transports.hostconfig import host_config
from probes.transports.sshconfig import read_ssh_config


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


def demo_in_a_process(temporary: Path) -> subprocess.Popen[str]:
    """Start a demo in a process of its own, with its folder below ``temporary``."""
    code = (
        "import asyncio\nfrom lab.cluster import LabCluster\n"
        "async def main():\n    async with LabCluster('healthy'):\n"
        "        print('up', flush=True)\n        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_demo_told_to_end_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    """Ended by a signal, a demo removes its keys and still dies of that signal."""
    with demo_in_a_process(tmp_path) as process:
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        process.communicate(timeout=10)
    assert list(tmp_path.iterdir()) == []
    assert process.returncode == -number


def test_the_next_demo_clears_up_after_a_killed_one(tmp_path: Path) -> None:
    """What SIGKILL leaves behind goes when the next demo starts; a folder of a live process and others' stay."""
    with demo_in_a_process(tmp_path) as process:
        process.kill()
        process.communicate(timeout=10)
    assert len(list(tmp_path.iterdir())) == 1
    mine, other = tmp_path / f"underlay-demo-{os.getpid()}-x", tmp_path / "underlay-demo-notes"
    mine.mkdir()
    other.mkdir()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([mine, other])


async def test_two_demos_run_side_by_side() -> None:
    """Each demo cluster has ports and files of its own."""
    async with LabCluster("healthy") as one, LabCluster("healthy") as other:
        assert not {one.port, *one.ports.values()} & {other.port, *other.ports.values()}
        assert one.folder != other.folder


def test_listing_incidents_imports_no_server() -> None:
    """``lab.incidents()`` needs neither asyncssh nor aiohttp nor cryptography."""
    code = (
        "import sys, lab; lab.incidents(); "
        "print(sorted({'asyncssh', 'aiohttp', 'cryptography', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


async def test_nothing_is_sought_outside_this_machine() -> None:
    """A node without a server here is not sought at the address that it has in the demo's world."""
    async with LabCluster("healthy") as cluster:
        config = read_ssh_config(cluster.ssh_config)
        for alias in ("192.0.2.12", "10.0.0.9", "n00001", "gimli"):
            assert host_config(config, alias).hostname == "127.0.0.1"
