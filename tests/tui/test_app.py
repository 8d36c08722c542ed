"""The App: what it shows before, while and after anything is known, and that nothing ends it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from textual.geometry import Region

from lab.cluster import LabCluster
from probes.model.flux import ObjectRef
from probes.model.kube import Condition
from probes.model.observation import Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from tests.probes.worlds import AT, healthy, with_network, with_node
from tests.tui.scripted import Script, Shown, failed, shown, without_vxlan
from tui import app as app_module
from tui import judging
from tui.app import CannotStart, UnderlayApp
from tui.cli.place import Place
from tui.cli.screen import Source
from tui.format import ASCII
from tui.remembered import Remembered, recall, state_home
from tui.screens.base import ReadFailed
from tui.widgets.lines import Lines


async def test_first_frame_claims_nothing() -> None:
    """Before any answer the screen is there, says that it is asking, and counts nothing."""
    async with shown() as screen:
        text = screen.text()
        assert "connecting" in text
        assert "asking for nodes" in text
        assert "READ-ONLY" in text
        assert "✔" not in text
        assert "critical" not in text


async def test_answer_is_shown() -> None:
    """A root cause is in the findings, in the node's row and in the mesh, beside what it should be."""
    async with shown(without_vxlan(healthy())) as screen:
        text = screen.text()
        assert "flannel.1 does not exist" in text
        assert "✖ missing" in text
        assert "✖ link gone" in text
        assert "critical" in screen.lines()[0]
        assert "✖ 0" not in screen.lines()[0]
        assert "1450" in text


async def test_burst_is_judged_once() -> None:
    """A hundred snapshots at once cost a diagnosis or two, and the last one is what is shown."""
    judged = 0

    def counting(*args: object, **options: object) -> object:
        nonlocal judged
        judged += 1
        return diagnose(*args, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "diagnose", counting)
        async with shown(healthy()) as screen:
            judged = 0
            for i in range(100):
                screen.script.tell(with_network(healthy(), "samwise", sysctls={"n": str(i)}))
            await screen.tell(without_vxlan(healthy()))
            assert judged <= 3
            assert "flannel.1 does not exist" in screen.text()


async def test_only_what_concerns_many_nodes_is_judged_in_a_thread() -> None:
    """A heartbeat of one node of many is judged at once; a peer that all of them have to know is not."""
    world = healthy([f"n{number:02}" for number in range(60)])
    async with shown(world) as screen:
        threads = 0
        run = asyncio.to_thread

        async def counted(*args: Any, **options: Any) -> Any:
            nonlocal threads
            threads += 1
            return await run(*args, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncio, "to_thread", counted)
            beaten = with_node(world, "n07", conditions=(Condition("Ready", "True", "KubeletReady", seen_at=AT + 1),))
            await screen.tell(beaten)
            assert threads == 0
            flannel = msgspec.structs.replace(world.nodes["n07"].flannel, vtep_mac="12:c6:65:89:b4:63")
            await screen.tell(with_node(beaten, "n07", flannel=flannel))
            assert threads == 1


async def test_unchanged_paints_nothing() -> None:
    """A look that finds everything as it was repaints no row of any pane."""
    async with shown(without_vxlan(healthy())) as screen:
        painted: list[object] = []

        def spying(self: Lines, *regions: Region, **options: bool) -> Lines:
            painted.append((self, regions))
            return super(Lines, self).refresh(*regions, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lines, "refresh", spying)
            before = screen.app.diagnosis.snapshot
            same = fold(before, [Observed("node/samwise", AT, before.networks["samwise"])])
            await screen.tell(same)
            await screen.pilot.pause()
            assert painted == []


async def test_it_never_ends_by_itself() -> None:
    """An observation that breaks is told of and begins anew; what was known stays on the screen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app_module, "_RETRY", (0.01,))
        async with shown(without_vxlan(healthy())) as screen:
            screen.script.tell(RuntimeError("the wire broke"))
            await screen.until(lambda: screen.script.begun == 2)
            assert "flannel.1 does not exist" in screen.text()
            assert screen.app.is_running
            assert "flannel.1 does not exist" not in await screen.tell(healthy())


async def test_defect_of_a_rule_is_admitted() -> None:
    """Where judging itself fails the screen stays as it was and says so; the next snapshot is judged again."""
    async with shown(without_vxlan(healthy())) as screen:
        with pytest.MonkeyPatch.context() as patch:

            def broken(*_args: object, **_options: object) -> object:
                raise KeyError("a defect")

            patch.setattr(judging, "diagnose", broken)
            screen.script.tell(healthy())
            await screen.until("could not be judged")
            assert "flannel.1 does not exist" in screen.text()
        assert "flannel.1 does not exist" not in await screen.tell(healthy())


async def test_no_cluster_ends_it_with_a_sentence() -> None:
    """Where there is no telling which cluster is meant the app ends with status 3 and says why."""
    async with shown() as screen:
        screen.script.tell(CannotStart("the kubeconfig has no context named x"))
        await screen.until(lambda: screen.app.return_value is not None)
        assert screen.app.return_value == 3
        assert "no context named x" in screen.app.failure


async def test_states_look_different() -> None:
    """Loading, restricted, failed, empty and stale each say so in words and a sign of their own."""
    said = set()
    for kind in ("restricted", "unreachable"):
        async with shown(failed(Snapshot(), "kube/nodes", kind, f"because of {kind}")) as screen:
            said.add(next(line for line in screen.lines()[10:] if f"because of {kind}" in line))
    assert any("⊘ not allowed to see nodes" in line for line in said)
    assert any("✖ nodes are not known" in line for line in said)
    async with shown(failed(healthy(), "kube/nodes", "unreachable"), now=AT + 40) as screen:
        assert "API stale 40s" in screen.lines()[0]
        assert "samwise" in screen.text()
        assert "unreachable: as it was 40s ago" in screen.text()
    async with shown(healthy(), now=AT + 400) as screen:
        assert "stale 6m40s" in screen.lines()[0]


async def test_lost_node_keeps_its_row() -> None:
    """A node that stops answering keeps its last facts, with their age and a sign, and counts as unassessed."""
    async with shown(failed(healthy(), "node/samwise", "timeout"), now=AT + 30) as screen:
        row = next(line for line in screen.lines() if "samwise" in line and "1450" in line)
        assert "◷ 30s" in row
        assert "? 1 unassessed" in screen.lines()[0]


async def test_themes_are_remembered() -> None:
    """:theme takes effect at once and is there the next time; NO_COLOR goes before it."""
    async with shown(healthy()) as screen:
        await screen.press("colon", *"theme light", "enter")
        assert screen.app.theme == "underlay-light"
    assert recall() == Remembered(theme="underlay-light")
    assert json.loads((state_home() / "view.json").read_text())["theme"] == "underlay-light"
    async with shown(remembered=recall()) as screen:
        assert screen.app.theme == "underlay-light"
    async with shown(remembered=recall(), environ={"NO_COLOR": "1"}) as screen:
        assert screen.app.theme == "underlay-plain"
    async with shown(environ={"TERM": "linux"}) as screen:
        assert screen.app.theme == "underlay-16"


async def test_unknown_theme_is_told() -> None:
    """A theme that does not exist is named, with those that do, and changes nothing."""
    async with shown(healthy()) as screen:
        await screen.press("colon", *"theme neon", "enter")
        assert "high-contrast" in await screen.until("Themes:")
        assert screen.app.theme == "underlay-dark"


async def test_animations_end_over_ssh() -> None:
    """Over SSH nothing is animated."""
    async with shown(environ={"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}) as screen:
        assert screen.app.animation_level == "none"


async def test_ascii() -> None:
    """Where the terminal has no Unicode not one character is foreign, and every sign is there in words."""
    async with shown(without_vxlan(healthy()), glyphs=ASCII) as screen:
        assert screen.text().isascii()
        assert "XX missing" in screen.text()
        text = await screen.press("question_mark")
        assert text.isascii()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (10, 3), (30, 8), (80, 24), (120, 40), (160, 50), (400, 100)])
async def test_any_size(width: int, height: int) -> None:
    """No size of terminal breaks it, and none is left behind by another."""
    async with shown(without_vxlan(healthy()), width=width, height=height) as screen:
        await screen.press("2", "z", "3", "4", "5", "z", "1", "question_mark", "escape")
        for size in ((80, 24), (width, height), (160, 50), (5, 2), (width, height)):
            await screen.pilot.resize_terminal(*size)
            await screen.pilot.pause()
        assert all(len(line) <= width for line in screen.lines())


async def test_hostile_strings_are_harmless() -> None:
    """Markup in what a cluster says is text; control characters never reach the screen."""
    evil = "[red]x[/nope][@click=app.quit]\x1b[2J\x07\u202e"
    snapshot = failed(healthy(), "node/samwise", "timeout", evil)
    async with shown(snapshot, width=200) as screen:
        text = screen.text()
        assert "[red]x[/nope][@click=app.quit]" in text
        assert not set(text) & {"\x1b", "\x07", "\u202e"}


@asynccontextmanager
async def demo(incident: str, width: int = 120, height: int = 40) -> AsyncIterator[tuple[Shown, LabCluster]]:
    """Show a demo cluster over real protocols."""
    async with LabCluster(incident) as lab:

        @asynccontextmanager
        async def place() -> AsyncIterator[Place]:
            yield Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo=incident)

        source = Source(place)
        app = UnderlayApp(source.follow, reads=source, collect=source.collect)
        async with app.run_test(size=(width, height), notifications=True) as pilot:
            yield Shown(app, pilot, Script()), lab


async def test_demo_incident_is_told_and_followed() -> None:
    """The overview tells the incident by itself, and a change on a node is on the screen and in the changes."""
    async with demo("flannel-missing-after-upgrade") as (screen, lab):
        await screen.until("flannel.1 does not exist")
        await screen.until("gladius")
        await screen.until("● live")
        lab.world.nodes["gladius"].kernel.set_mtu("flannel.1", 1400)
        await screen.until("1400≠1450")
        await screen.until("flannel.1 mtu")


async def test_refresh_asks_nodes_again() -> None:
    """ctrl-r asks every node again at once and keeps what is known meanwhile."""
    async with demo("healthy") as (screen, _):
        app = screen.app

        def all_seen() -> dict[str, float | None]:
            return {row.name: row.seen_at for row in app.diagnosis.nodes}

        await screen.until(lambda: bool(all_seen()) and None not in all_seen().values())
        before = all_seen()
        await screen.press("ctrl+r")
        assert all_seen().keys() == before.keys()
        await screen.until(lambda: all((all_seen()[name] or 0) > (before[name] or 0) for name in before))


async def test_lost_api_is_stale_then_live() -> None:
    """While the API is gone its age is told and nothing vanishes; when it is back the screen is live again."""
    async with shown(healthy()) as screen:
        text = await screen.tell(failed(healthy(), "kube/nodes", "unreachable"))
        assert "API stale" in text
        assert "samwise" in text
        assert "● live" in await screen.tell(healthy())


async def test_reads_on_demand() -> None:
    """An object is read as YAML when asked for; before there is a connection that is said in a sentence."""
    async with demo("healthy") as (screen, _):
        assert screen.app.reads is not None
        source = screen.app.reads
        await screen.until(lambda: bool(screen.app.diagnosis.nodes))
        name = screen.app.diagnosis.nodes[0].name

        assert "kind: Node" in await source.manifest(ObjectRef("Node", "", name))
    with pytest.raises(ReadFailed, match="no connection"):
        await source.manifest(ObjectRef("Node", "", name))
