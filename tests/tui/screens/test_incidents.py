"""Every inner screen over the demo incidents, at three sizes: what is wrong is in sight, and nothing runs over."""

import asyncio
from functools import partial

import pytest

import lab
from lab.cluster import LabCluster
from probes.model.flux import ObjectRef
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from tests.tui.screens.opened import SIZES, Reads, Shown, opened
from tests.tui.views.said import said, widest
from tui.cli.connect import connected
from tui.cli.place import Place
from tui.format import ASCII, UNICODE
from tui.views.describe import describe
from tui.views.peers import pair_document

INCIDENTS = tuple(lab.incidents())


async def _observe(incident: str) -> Snapshot:
    async with LabCluster(incident) as demo:
        place = Place(kubeconfig=demo.kubeconfig, ssh_config=demo.ssh_config, demo=incident)
        async with connected(place) as cluster:
            return await cluster.observe(20)


@pytest.fixture(name="snapshots", scope="module")
def _snapshots() -> dict[str, Snapshot]:
    return {incident: asyncio.run(_observe(incident)) for incident in INCIDENTS}


def _is_in_front(shown: Shown, name: str) -> bool:
    return shown.screen.NAME.lower().startswith(name[:4])


@pytest.mark.parametrize(
    ("incident", "size"),
    [
        *((incident, SIZES[0]) for incident in INCIDENTS),
        *(("flannel-missing-after-upgrade", size) for size in SIZES[1:]),
    ],
)
async def test_screens_open(snapshots: dict[str, Snapshot], incident: str, size: tuple[int, int]) -> None:
    """Each screen opens on each incident, with its name in sight and a line of keys at the bottom."""
    snapshot = snapshots[incident]
    node = ObjectRef("Node", "", next(iter(snapshot.nodes)))
    async with opened(snapshot, "mesh", None, size, reads=Reads("text")) as shown:
        for name, ref in (
            ("node", node),
            ("flux", None),
            ("findings", None),
            ("events", None),
            ("describe", node),
            ("yaml", node),
            ("journal", node),
        ):
            shown.app.go(name, ref)
            await shown.until(partial(_is_in_front, shown, name))
            await shown.says("help")


@pytest.mark.parametrize("incident", INCIDENTS)
@pytest.mark.parametrize("cells", [60, 78, 118, 158])
def test_nothing_runs_over(snapshots: dict[str, Snapshot], incident: str, cells: int) -> None:
    """Whatever can be described fits into the width, in both character sets."""
    snapshot = snapshots[incident]
    judged = diagnose(snapshot)
    refs = [ObjectRef("Node", "", name) for name in snapshot.nodes]
    refs += [row.object.ref for row in judged.flux]
    refs += [item.ref for item in snapshot.secrets.values()]
    refs += [ObjectRef("Registry", "", row.registry) for row in judged.pulls]
    first, second = list(snapshot.nodes)[:2]
    for glyphs in (UNICODE, ASCII):
        for ref in refs:
            assert widest(describe(judged, ref, (), None, glyphs), cells, glyphs) <= cells
        assert widest(pair_document(judged, first, second, glyphs), cells, glyphs) <= cells


def test_the_path_tells_incident_four(snapshots: dict[str, Snapshot]) -> None:
    """flannel.1 is missing on one node, and on that node only."""
    judged = diagnose(snapshots["flannel-missing-after-upgrade"])
    told = {name: said(describe(judged, ObjectRef("Node", "", name)), 118) for name in judged.views}
    assert [name for name, text in told.items() if "✖ missing" in text] == ["eq14-001"]
    assert "older than the start of k3s" in told["eq14-001"]


def test_the_path_tells_a_half_done_mtu_change(snapshots: dict[str, Snapshot]) -> None:
    """The uplink was lowered and flannel kept its MTU: found and expected stand beside each other."""
    judged = diagnose(snapshots["flux-http2-vxlan"])
    told = [said(describe(judged, ObjectRef("Node", "", name)), 118) for name in judged.views]
    assert any("▲ 1450" in text and "expected 1400" in text and "1450-50" in text for text in told)
