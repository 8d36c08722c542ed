"""The wizard with the real engine beneath it, on the demo cluster: over SSH and the API, with a lock and a journal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from lab.cluster import LabCluster
from lab.kinds import BY_KIND
from runbooks.engine import Settings
from runbooks.journal import Answered, AnyRecord, Intended, progress, read
from runbooks.lock import Lock
from runbooks.writers.api import ApiWriter
from tests.tui import scripted
from tests.tui.scripted import Script, Shown
from tui.app import UnderlayApp
from tui.cli import carrying
from tui.cli.place import Place
from tui.cli.running import access_of, own_runbooks, runs_folder
from tui.cli.screen import Source
from tui.screens.runs import ReportScreen, RunsScreen
from tui.wizards.review import ReviewScreen
from tui.wizards.run import RunScreen

INCIDENT = "flannel-missing-after-upgrade"
CONTEXT = f"demo-{INCIDENT}"
NODE = "eq14-001"
TWICE = """\
name: twice
title: Say who was here, then restart k3s
fixes: [vxlan-link-missing]
parameters:
  nodes: {type: nodes, from: found-nodes, about: which}
steps:
  - for-each: node
    of: nodes
    steps:
      - name: say who was here
        annotate: {target: {kind: Node, name: "${node}"}, annotations: {underlay.test/by: "${run}"}}
        why: to be seen
      - name: restart k3s
        restart-unit: {node: "${node}", unit: "${node.unit}"}
        why: flannel makes its device when k3s starts
        clears: [vxlan-link-missing]
        gate: {must: [unit-restarted, overlay]}
"""


@pytest.fixture(autouse=True)
def _own_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a short runbook on the operator's shelf; let a gate be looked at often, and a question answered at once."""
    own_runbooks().mkdir(parents=True)
    (own_runbooks() / "twice.yaml").write_text(TWICE)
    monkeypatch.setattr(carrying, "SETTINGS", Settings(pace=0.2))
    monkeypatch.setattr(scripted, "PATIENCE", 60.0)
    monkeypatch.setattr(RunScreen, "DWELL", 0.0)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Shown, LabCluster, Place]]:
    """Open the screens on the demo cluster, with what really carries runbooks out, on the plan."""
    async with LabCluster(INCIDENT) as lab:
        where = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config)

        @asynccontextmanager
        async def place() -> AsyncIterator[Place]:
            yield where

        source = Source(place)
        app = UnderlayApp(source.follow, reads=source, repairs=source, collect=source.collect, context=CONTEXT)
        async with app.run_test(size=(160, 50), notifications=True) as pilot:
            shown = Shown(app, pilot, Script())
            await shown.until("flannel.1 does not exist")
            app.review("twice", None)
            await shown.until(lambda: isinstance(app.screen, ReviewScreen))
            await shown.until("2 steps on 1 node")
            yield shown, lab, where


def keys(text: str) -> list[str]:
    return [{"-": "minus", " ": "space"}.get(char, char) for char in text]


async def begin(shown: Shown) -> None:
    """Unlock writing by the context's name, and wait for the first question."""
    await shown.press("y", *keys(CONTEXT), "enter")
    await shown.until(lambda: asks(shown, "01-annotate"))


def asks(shown: Shown, step: str) -> bool:
    progress = shown.app.progress
    return progress is not None and progress.ask is not None and progress.ask.step.startswith(step)


async def confirm_restart(shown: Shown) -> None:
    await shown.until(lambda: asks(shown, "02-restart-unit"))
    await shown.press("y", *keys(NODE), "enter")


def records() -> list[AnyRecord]:
    """Read the one journal there is."""
    (path,) = runs_folder().glob("*.jsonl")
    return read(path)


def node_of(lab: LabCluster) -> tuple[str, str]:
    """Tell which start of k3s the node's is, and who was there."""
    meta = lab.world.store.get(BY_KIND["Node"], "", NODE).obj["metadata"]
    return lab.world.nodes[NODE].unit.invocation_id, meta.get("annotations", {}).get("underlay.test/by", "")


def locks(lab: LabCluster) -> list[str]:
    leases = lab.world.store.objects(BY_KIND["Lease"], "kube-system")
    return [each["spec"]["holderIdentity"] for each in leases if each["metadata"]["name"] == "underlay"]


async def test_a_step_is_skipped_and_the_journal_is_listed_and_read() -> None:
    """What was skipped was not done, what was confirmed was; :runs lists the run, and its report has the reason."""
    async with opened() as (shown, lab, _):
        before, _ = node_of(lab)
        await begin(shown)
        await shown.press("s", *keys("nobody asks"), "enter")
        await confirm_restart(shown)
        await shown.until("The run is completed.")
        after, who = node_of(lab)
        assert (after != before, who) == (True, "")
        assert dict(progress(records()).ended) == {"01-annotate": "skipped", f"02-restart-unit-{NODE}": "done"}
        assert locks(lab) == []
        shown.app.go("runs")
        await shown.until(lambda: isinstance(shown.app.screen, RunsScreen) and "✔ completed" in shown.text())
        assert "2/2" in shown.text()
        await shown.press("enter")
        await shown.until(lambda: isinstance(shown.app.screen, ReportScreen) and "skip: nobody asks" in shown.text())


async def test_a_run_is_paused_listed_and_gone_on_with() -> None:
    """Paused between its steps it has given its lock back; gone on with, what is behind is neither asked nor done."""
    async with opened() as (shown, lab, _):
        before, _ = node_of(lab)
        await begin(shown)
        await shown.press("y")
        await shown.until(lambda: asks(shown, "02-restart-unit"))
        assert len(locks(lab)) == 1
        await shown.press("p")
        await shown.until("The run rests.")
        run = progress(records()).plan.run
        assert (node_of(lab), locks(lab)) == ((before, run), [])
        shown.app.go("runs")
        await shown.until(lambda: "▲ paused" in shown.text() and "1/2" in shown.text())
        await shown.press("r")
        await confirm_restart(shown)
        await shown.until("The run is completed.")
        assert node_of(lab)[0] != before
        said = records()
        assert [each.step for each in said if isinstance(each, Intended)] == [
            "01-annotate",
            f"02-restart-unit-{NODE}",
        ]
        assert [each.ask.step[:2] for each in said if isinstance(each, Answered)] == ["", "01", "02", "02"]


async def test_a_run_is_given_up_and_nothing_more_is_done() -> None:
    """abort, typed, ends it: what was done stays and is said, k3s was not restarted, and the lock is nobody's."""
    async with opened() as (shown, lab, _):
        before, _ = node_of(lab)
        await begin(shown)
        await shown.press("y")
        await shown.until(lambda: asks(shown, "02-restart-unit"))
        text = await shown.press("a")
        assert "done and verified: say who was here" in " ".join(text.split())
        await shown.press(*keys("abort"), "enter")
        await shown.until("The run was given up.")
        assert node_of(lab)[0] == before
        assert (progress(records()).end, locks(lab)) == ("aborted", [])


async def test_another_operators_lock_is_broken_by_its_name() -> None:
    """While another run renews its lock ours is refused; B and its name take the lock away, and that run hears it."""
    async with AsyncExitStack() as stack:
        shown, lab, place = await stack.enter_async_context(opened())
        access = access_of(place)
        api = ApiWriter(access.context, access.reload)
        stack.push_async_callback(api.close)
        theirs, heard = Lock(api, "0101-000009-cccc", "sam@bag-end", ttl=3), list[str]()
        await theirs.take()
        keeping = asyncio.ensure_future(theirs.keep(heard.append))
        await shown.press("y", *keys(CONTEXT), "enter")
        await shown.until("The run was refused.")
        assert "sam@bag-end is at work" in " ".join(shown.text().split())
        before, _ = node_of(lab)
        await shown.until(lambda: "Break the lock" in shown.lines()[-1] or "break" in shown.lines()[-1])
        await shown.press("B", *keys("0101-000009-cccc"), "enter")
        await shown.until("Begin Say who was here, then restart k3s?")
        await shown.press("y")
        await shown.until(lambda: asks(shown, "01-annotate"))
        await keeping
        await shown.press("s", *keys("not now"), "enter")
        await confirm_restart(shown)
        await shown.until("The run is completed.")
        assert "has taken the lock" in heard[-1]
        assert (node_of(lab)[0] != before, locks(lab)) == (True, [])
