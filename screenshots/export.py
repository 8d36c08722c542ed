"""Every screen over the demo incidents, as SVG files and as text: ``python -m screenshots.export``.

The clocks of the demo cluster and of the screens stand still, so that a picture differs only where a screen does.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from textual.worker import Worker

import themes
from lab.cluster import LabCluster
from lab.incident import names
from probes.model.flux import ObjectRef
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.facts import node_ref
from screenshots.recorded import Recorded, Stage, Unasked
from tui.app import Publish, UnderlayApp
from tui.cli.connect import connected
from tui.cli.place import Place
from tui.cli.probing import Prober
from tui.probed import told
from tui.probing import Wanted
from tui.views.probes_wanted import urls

FOLDER: Final = Path(__file__).parent
NOW: Final = 1_795_257_737.0
"""21 November 2026, 10:42:17 UTC."""
WIDE: Final = (160, 50)
NARROW: Final = (80, 24)
MAIN: Final = "flannel-missing-after-upgrade"
_PATIENCE: Final = 20.0
_FONTS: Final = re.compile(r"\s*@font-face \{.*?\n    \}", re.DOTALL)
_COMMENT: Final = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_LEFT: Final = re.compile(r"https?://(?!www\.w3\.org/)[^\s\"')]+\.(?:woff2?|ttf|css)")


@dataclass(frozen=True)
class Shot:
    """A screen to take a picture of."""

    name: str
    incident: str = MAIN
    screen: str = ""
    """Its name in the catalog; empty: the overview."""
    about: ObjectRef | None = None
    size: tuple[int, int] = WIDE
    theme: str = themes.DEFAULT
    keys: tuple[str, ...] = ()
    """Pressed once it is there."""
    stage: Stage | None = None
    """How far a repair is that is shown; none: nothing is repaired."""


def shots() -> Iterator[Shot]:
    """List every picture: the overview of each incident and in each theme, the other screens, and small terminals."""
    node = node_ref("eq14-001")
    for incident in names():
        yield Shot(f"overview-{incident}", incident)
        yield Shot(f"overview-{incident}-80x24", incident, size=NARROW)
    for theme in sorted(themes.load()):
        yield Shot(f"theme-{theme.removeprefix('underlay-')}", theme=theme, size=(120, 40))
    yield Shot("node", screen="node", about=node)
    yield Shot("node-80x24", screen="node", about=node, size=NARROW)
    yield Shot("mesh", screen="mesh")
    yield Shot("flux", screen="flux")
    yield Shot("findings", screen="findings")
    yield Shot("events", "registry-tls-timeouts", "events")
    yield Shot("probes", "flux-http2-vxlan", "probes")
    yield Shot("probes-80x24", "flux-http2-vxlan", "probes", size=NARROW)
    yield Shot("path-mtu", screen="probes", keys=("2", "right"))
    yield Shot("describe", screen="describe", about=node)
    yield Shot("help", keys=("question_mark",))
    yield Shot("repair-runbooks", keys=("w",), stage="plan")
    yield Shot("repair-plan", keys=("w", "enter"), stage="plan")
    yield Shot("repair-plan-80x24", keys=("w", "enter"), size=NARROW, stage="plan")
    yield Shot("repair-step-80x24", size=NARROW, stage="step")
    yield Shot("repair-gate", stage="gate")
    yield Shot("repair-report", screen="report", about=ObjectRef("Run", "", "1126-005327-5d98"), stage="plan")


async def observe(incident: str) -> Snapshot:
    """Observe a demo cluster whose clock stands still, as if every source had answered just now."""
    async with LabCluster(incident, clock=lambda: NOW) as lab:
        place = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo=incident)
        async with connected(place) as cluster:
            found = await cluster.observe(_PATIENCE)
    sources = {
        name: msgspec.structs.replace(state, at=None if state.at is None else NOW, since=NOW)
        for name, state in found.sources.items()
    }
    # Lists that were read side by side arrive in any order.
    listed = {name: dict(sorted(getattr(found, name).items())) for name in ("secrets", "secret_events", "pull_events")}
    still = {"at": NOW, "server": "https://127.0.0.1:6443", "api_latency": 0.004, "sources": sources}
    return msgspec.structs.replace(found, **still, **listed)


async def probe(incident: str) -> tuple[Result, ...]:
    """Send every probe of the list of targets in a demo cluster, as if all had come back just now."""
    found: list[Result] = []
    async with LabCluster(incident, clock=lambda: NOW) as lab:
        place = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo=incident)
        async with connected(place) as cluster:
            targets = urls(diagnose(await cluster.observe(_PATIENCE)))
            prober = Prober(cluster, place)
            try:
                await (await prober.propose(Wanted(("pmtu", "http"), targets=targets))).send(found.append)
            finally:
                await prober.close()
    found.sort(key=lambda each: each.key)
    return tuple(msgspec.structs.replace(each, at=NOW) for each in found)


class Picture:
    """What was on a screen."""

    def __init__(self, svg: str, text: str) -> None:
        self.svg = without_hosts(svg)
        self.text = text


async def take(shot: Shot, snapshot: Snapshot, results: Sequence[Result] = ()) -> Picture:
    """Show a screen without a terminal and take a picture of it once all is drawn."""

    async def follow(publish: Publish) -> None:
        publish(snapshot)
        await asyncio.Event().wait()

    recorded, unasked = Recorded(shot.stage or "plan", NOW), Unasked()
    app = UnderlayApp(
        follow,
        reads=unasked,
        repairs=recorded,
        probing=unasked,
        context=snapshot.context,
        theme=shot.theme,
    )
    app.clock = lambda: NOW
    async with app.run_test(size=shot.size) as pilot:
        async with asyncio.timeout(_PATIENCE):
            while not app.diagnosis.views:
                await pilot.pause()
        app.probed = told(app.probed, results)
        if shot.screen:
            app.go(shot.screen, shot.about)
            await pilot.pause()
        if shot.stage not in {None, "plan"}:
            app.unlock(snapshot.context)
            app.begin(recorded.plan, snapshot.context)
            async with asyncio.timeout(_PATIENCE):
                while app.progress is None or not app.progress.current:
                    await pilot.pause()
        await pilot.press(*shot.keys)
        await pilot.pause()
        if reading := _read_of(app):  # of none, Textual would wait for all that observes
            await app.workers.wait_for_complete(reading)
            await pilot.pause()
        await pilot.wait_for_scheduled_animations()
        return Picture(app.export_screenshot(title=f"underlay: {shot.name}"), _text(app))


def _read_of(app: UnderlayApp) -> list[Worker[object]]:
    """List what is still being read for the screen."""
    return [worker for worker in app.workers if worker.group in {"read", "found"}]


def _text(app: UnderlayApp) -> str:
    """Read the screen as a terminal has it; a screen under a modal one is not read."""
    strips = app.screen._compositor.render_strips()  # noqa: SLF001 - Textual has no public way to the text alone
    return "\n".join(strip.text.rstrip() for strip in strips) + "\n"


def without_hosts(svg: str) -> str:
    """Leave out the fonts that Rich links from a host of its choice, and its comment: a picture asks nobody."""
    left = _COMMENT.sub("", _FONTS.sub("", svg))
    if found := _LEFT.search(left):
        raise ValueError(f"the picture still asks for {found.group()}")
    return left.replace("<svg ", '<svg xml:space="preserve" ', 1)  # some viewers drop leading blanks without it


async def export(folder: Path, wanted: Sequence[str]) -> None:
    """Write the pictures, or those of some names."""
    observed: dict[str, Snapshot] = {}
    for shot in shots():
        if wanted and shot.name not in wanted:
            continue
        if shot.incident not in observed:
            observed[shot.incident] = await observe(shot.incident)
        results = await probe(shot.incident) if shot.screen == "probes" else ()
        picture = await take(shot, observed[shot.incident], results)
        file = folder / f"{shot.name}.svg"
        file.write_text(picture.svg, encoding="utf-8")
        sys.stdout.write(f"{file.name}\n")


def stand_still() -> None:
    """Let clock times be those of UTC."""
    os.environ["TZ"] = "UTC"
    time.tzset()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="pictures to take; default: all")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    stand_still()
    with tempfile.TemporaryDirectory() as state:
        os.environ["XDG_STATE_HOME"] = state  # how its operator left the screens stays as it is
        asyncio.run(export(options.folder, options.names))
