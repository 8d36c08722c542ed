"""``init``: a settings file that can be used as it is, and that takes nothing away from whoever wrote in it."""

import asyncio
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster import LabCluster
from tui.__main__ import main
from tui.settings import ContextSettings, HostSettings, Settings, dump, load

CONTEXT = "demo-healthy"


class Ground:
    """A demo cluster that serves in a loop of its own thread, and a folder for settings."""

    def __init__(self, lab: LabCluster, folder: Path) -> None:
        self.lab = lab
        self.file = folder / "underlay" / "config.yaml"

    def init(self, *options: str) -> int:
        where = ("--kubeconfig", str(self.lab.kubeconfig), "--ssh-config", str(self.lab.ssh_config))
        return main(["init", *where, "--config", str(self.file), *options])

    def written(self) -> ContextSettings:
        return load(self.file).context(CONTEXT)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Serve a healthy demo cluster beside the test, as another process would."""
    loop = asyncio.new_event_loop()
    lab = LabCluster("healthy")
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(lab.__aenter__())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield Ground(lab, tmp_path)
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            runner.run(lab.__aexit__(None, None, None))


def test_a_file_that_is_named_need_not_be_there(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """init makes the file that --config names, folder included, for its owner only; every node answers."""
    assert ground.init() == 0
    nodes = ground.written().nodes
    assert nodes == {name: HostSettings(host=name) for name in ground.lab.world.nodes}
    assert stat.S_IMODE(ground.file.stat().st_mode) == 0o600
    assert stat.S_IMODE(ground.file.parent.stat().st_mode) == 0o700
    said = capsys.readouterr().out
    assert said.startswith(f"wrote {ground.file}\n")
    assert said.count("✔") == len(nodes)
    assert [path.name for path in ground.file.parent.iterdir()] == ["config.yaml"]


def test_what_is_there_is_not_overwritten(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """A second init says that there is a file already, and how to write it anew."""
    ground.init()
    before = ground.file.read_text()
    assert ground.init() == 3
    assert "--force" in capsys.readouterr().err
    assert ground.file.read_text() == before


def test_force_keeps_what_was_written_by_hand(ground: Ground) -> None:
    """Written anew, a context keeps its hosts and vantages by hand, other contexts stay, and so does the old file."""
    name = next(iter(ground.lab.world.nodes))
    by_hand = ContextSettings(
        nodes={name: HostSettings(host="by-hand", user="ops")}, vantages={"gw": HostSettings(host="192.0.2.1")}
    )
    other = ContextSettings(user="root")
    ground.file.parent.mkdir()
    ground.file.write_text(dump(Settings({CONTEXT: by_hand, "other": other})))
    before = ground.file.read_text()

    assert ground.init("--force", "--vantage", "hypervisor=pve") == 1

    assert ground.written().nodes[name] == by_hand.nodes[name]
    assert ground.written().vantages == {**by_hand.vantages, "hypervisor": HostSettings(host="pve")}
    assert load(ground.file).context("other") == other
    assert ground.file.with_name("config.yaml.old").read_text() == before


def test_nodes_are_tried_as_they_are_written_down(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """--user and --jump hold for the try as well: what answers now is what will answer with this file."""
    assert ground.init("--jump", "nowhere.invalid", "--timeout", "5") == 1
    assert ground.written().jump == "nowhere.invalid"
    said = capsys.readouterr().out
    assert "✔" not in said
    assert "is reached by way of nowhere.invalid" in said


def test_nodes_that_were_not_asked_do_not_fail(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """With --nodes all nodes are written down, those are tried, and the others count for nothing."""
    name, *others = ground.lab.world.nodes
    assert ground.init("--nodes", name) == 0
    assert ground.written().nodes.keys() == {name, *others}
    assert capsys.readouterr().out.count("not asked") == len(others)
    assert ground.init("--force", "--nodes", "nobody") == 3
    assert "the cluster has no node nobody; it has" in capsys.readouterr().err


def test_the_demo_leaves_no_settings_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What exists for a moment only is not written into anybody's settings."""
    file = tmp_path / "config.yaml"
    assert main(["--demo", "init", "--config", str(file)]) == 3
    assert "leave --demo out" in capsys.readouterr().err
    assert not file.exists()


def test_a_folder_that_cannot_be_written_is_said(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    """A file in place of the folder is one sentence, and nothing is left lying about."""
    ground.file.parent.write_text("")
    assert ground.init() == 3
    said = capsys.readouterr().err
    assert said.startswith("underlay: ")
    assert "cannot be written" in said
