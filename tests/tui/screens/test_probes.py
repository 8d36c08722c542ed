"""Probes on the screens: every key that has to do with them, over a cluster that answers what it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from probes.model.kube import Pod
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from tests.probes import worlds
from tests.tui.results import URL, http, pmtu
from tests.tui.scripted import Shown, flux_object, shown, with_flux
from tui.probing import CannotProbe, Proposal, Report, Wanted
from tui.screens.overview import OverviewScreen
from tui.screens.probes import ProbesScreen

SIZES = [(80, 24), (120, 40), (160, 50)]


class Probing:
    """Proposes what it is asked for, and reports what it is told to, when it is told to."""

    def __init__(self, *results: Result, refusal: str = "") -> None:
        self.results = results
        self.refusal = refusal
        self.asked: list[Wanted] = []
        self.sent: list[Wanted] = []
        self.stopped = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def propose(self, wanted: Wanted) -> Proposal:
        self.asked.append(wanted)
        if self.refusal:
            raise CannotProbe(self.refusal)

        async def send(report: Report) -> None:
            self.sent.append(wanted)
            for each in self.results[:1]:
                report(each)
            try:
                await self.hold.wait()
            except asyncio.CancelledError:
                self.stopped += 1
                raise
            for each in self.results[1:]:
                report(each)

        ways = " ".join((*wanted.sources, "to", *wanted.destinations, *wanted.targets))
        return Proposal(wanted, f"{' and '.join(wanted.kinds)} from {ways}", len(self.results), send)


def world() -> Snapshot:
    """Three nodes, a source on GitHub, and its controller on samwise."""
    snapshot = with_flux(worlds.healthy(), flux_object("GitRepository", "fleet", url=URL))
    pod = Pod("flux-system", "source-controller-1", node="samwise", phase="Running", ips=("10.42.1.5",))
    pods = {"flux-system/source-controller-1": msgspec.structs.replace(pod, app="source-controller")}
    return msgspec.structs.replace(snapshot, pods=pods)


@asynccontextmanager
async def probing(found: Probing, width: int = 120, height: int = 40) -> AsyncIterator[Shown]:
    async with shown(world(), width=width, height=height, probing=found) as screen:
        yield screen


def is_there(screen: Shown) -> bool:
    return isinstance(screen.app.screen, ProbesScreen)


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_nothing_is_sent_before_it_was_read(width: int, height: int) -> None:
    """P says what it would send; esc sends nothing, enter sends it, and its results come in on the screen of probes."""
    found = Probing(pmtu("samwise", "boromir", 1500), pmtu("pod@samwise", "boromir", 1400, "silent"))
    async with probing(found, width, height) as screen:
        await screen.press("2", "j", "p")
        text = await screen.until("↵ send  esc leave")
        assert "send pmtu and ping from samwise" in text
        assert found.sent == []
        assert "↵ send" not in await screen.press("escape")
        assert found.sent == []
        assert isinstance(screen.app.screen, OverviewScreen)
        await screen.press("p")
        await screen.until("↵ send")
        await screen.press("enter")
        await screen.until(lambda: is_there(screen))
        text = await screen.until("✔ 1500 ✖ 1400")
        assert "2 Path MTU ✖ 1" in text
        assert "silent above 1400" in text
        assert len(found.sent) == 1


async def test_p_again_sends_too() -> None:
    """The key that asks is also an answer: pressed twice it sends."""
    found = Probing(pmtu("boromir", "samwise", 1500))
    async with probing(found) as screen:
        await screen.press("2", "p")
        await screen.until("↵ send")
        await screen.press("p")
        await screen.until(lambda: len(found.sent) == 1)


async def test_progress_and_stop() -> None:
    """A run says how far it is on every screen; esc ends it at once, and what came stays."""
    found = Probing(pmtu("samwise", "boromir", 1500), pmtu("samwise", "theoden", 1500))
    found.hold.clear()
    async with probing(found) as screen:
        await screen.press("2", "j", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        await screen.until("… probing 1/2  ✔ 1")
        await screen.press("q")
        assert isinstance(screen.app.screen, OverviewScreen)
        assert "probing 1/2" in screen.text()
        await screen.press("p")
        await screen.until("A probe is under way: esc stops it.")
        await screen.press("escape")
        await screen.until(lambda: found.stopped == 1)
        await screen.until(lambda: "probing" not in screen.lines()[-1])
        run = screen.app.probed.run
        assert run is not None
        assert (run.state, run.done) == ("stopped", 1)
        await screen.until("stopped: ✔ 1")
        assert screen.app.is_running


async def test_ctrl_c_stops_a_probe_before_it_ends_anything() -> None:
    """Ctrl-c ends the probe that is under way; pressed again it ends underlay."""
    found = Probing(pmtu("samwise", "boromir", 1500))
    found.hold.clear()
    async with probing(found) as screen:
        await screen.press("2", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        await screen.until("probing 1/1")
        await screen.press("ctrl+c")
        await screen.until(lambda: found.stopped == 1)
        assert screen.app.is_running
        await screen.until(lambda: not screen.app.is_probing)
        await screen.pilot.press("ctrl+c")
        await screen.until(lambda: not screen.app.is_running)


async def test_ending_underlay_ends_its_probe() -> None:
    """Whoever quits while a probe is under way leaves nothing of it."""
    found = Probing(pmtu("samwise", "boromir", 1500))
    found.hold.clear()
    async with probing(found) as screen:
        await screen.press("2", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        await screen.until("probing 1/1")
        screen.app.exit(0)
        await screen.until(lambda: found.stopped == 1)


async def test_what_cannot_be_sent_says_why() -> None:
    """A refusal is one sentence; nothing is asked."""
    async with probing(Probing(refusal="nothing can be sent: samwise refuses the login")) as screen:
        await screen.press("2", "j", "p")
        assert "↵ send" not in await screen.until("samwise refuses the login")


async def test_without_anything_that_sends_the_key_is_not_there() -> None:
    """Where nothing can be sent, as from a recording, no key offers it."""
    async with shown(world()) as screen:
        assert "p probe" not in await screen.press("2")
        assert "p probe" not in await screen.press("5")


async def test_what_is_probed_is_what_is_selected() -> None:
    """A node, a pair of the mesh, a Flux source and a row of probes each ask for their own."""
    found = Probing()
    async with probing(found, 160, 50) as screen:

        async def asked(*keys: str) -> Wanted:
            count = len(found.asked)
            await screen.press(*keys, "p")
            await screen.until(lambda: len(found.asked) == count + 1)
            await screen.until("↵ send")
            await screen.press("escape")
            return found.asked[-1]

        assert (await asked("2", "j")).sources == ("samwise",)
        pair = await asked("3", "right")
        assert (pair.kinds, pair.sources, pair.destinations) == (("pmtu",), ("boromir",), ("samwise",))
        source = await asked("4")
        assert (source.kinds, source.sources, source.targets) == (("http", "git", "tls", "tcp"), ("samwise",), (URL,))
        paths = await asked("5")
        assert (paths.kinds, paths.sources) == (("pmtu",), ("boromir",))
        row = await asked("5", "j", "right")
        assert (row.kinds, row.sources, row.targets) == (("http",), (), (URL,))


async def test_probe_all() -> None:
    """P asks for all of a list: every path and every target, or every direction."""
    found = Probing()
    async with probing(found) as screen:
        await screen.press("5", "P")
        await screen.until("↵ send")
        assert (found.asked[-1].kinds, found.asked[-1].targets) == (("pmtu", "ping", "http"), (URL,))
        await screen.press("escape", "colon", *"probes", "enter")
        await screen.until(lambda: is_there(screen))
        for key, kind in (("2", "pmtu"), ("3", "mesh")):
            await screen.press(key, "P")
            await screen.until("↵ send")
            assert (found.asked[-1].kinds, found.asked[-1].sources) == ((kind,), ())
            await screen.press("escape")


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_the_contrast_is_on_one_screen(width: int, height: int) -> None:
    """Works from here and by HTTP/1.1, fails from the pod by HTTP/2: at every size both rows are in sight at once."""
    found = Probing(http("samwise"), http("pod@samwise", h2="tls"), http("boromir"))
    async with probing(found, width, height) as screen:
        await screen.press("4", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        text = await screen.until("✖ tls 3/3")
        rows = [line for line in text.splitlines() if "github.com h" in line]
        assert "✔ 80" in rows[0]
        assert "✖ tls 3/3" in rows[1]
        assert "only HTTP/2 fails, at tls" in text


async def test_down_to_the_tries() -> None:
    """Enter goes from a cell to all there is of it; z gives it the whole screen, esc leads back."""
    found = Probing(http("pod@samwise", h2="tls"))
    async with probing(found) as screen:
        await screen.press("4", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        await screen.until("✖ tls 3/3")
        text = await screen.press("enter", "z")
        for wanted in ("What it means", "Would be wrong if", "Tries", "203.0.113.10", "Measured over"):
            assert wanted in text, wanted
        assert "github.com h1" not in text
        await screen.press("z", "q")
        assert isinstance(screen.app.screen, OverviewScreen)
        await screen.press("5", "j", "enter")
        await screen.until(lambda: is_there(screen))
        assert "From boromir" in screen.text() or "Not run from boromir" in screen.text()


async def test_only_faults() -> None:
    """ctrl-z leaves the rows in which something is not well; esc brings the others back."""
    found = Probing(http("samwise", h2="tls"), pmtu("samwise", "boromir", 1500))
    async with probing(found) as screen:
        await screen.press("4", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        await screen.until("✖ tls 3/3")
        text = await screen.press("ctrl+z")
        assert "github.com h2" in text
        assert "github.com h1" not in text
        assert "github.com h1" in await screen.press("escape")


async def test_an_empty_cluster_says_so() -> None:
    """Before anything is known the list says what it waits for."""
    async with shown(None, probing=Probing()) as screen:
        screen.app.go("probes")
        await screen.until("asking for nodes")


async def test_what_packets_showed_is_found() -> None:
    """Once a run has ended its results are judged beside the state: the finding is in the list and under the result."""
    found = Probing(pmtu("samwise", "boromir", 1500), pmtu("pod@samwise", "boromir", None, "inconclusive"))
    async with probing(found) as screen:
        await screen.press("2", "j", "p")
        await screen.until("↵ send")
        await screen.press("enter")
        text = await screen.until("vxlan-port-dropped")
        assert "✔ 1500 ✖ dead" in text
        assert "Would be wrong if" in text
        await screen.press("q", "1")
        assert "pods get no packet of any size across" in await screen.until("Cluster overlay")
