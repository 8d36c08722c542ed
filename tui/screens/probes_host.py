"""What every screen has of probes: the key that proposes one, the line that asks, and how far a run is."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar, Final

from textual import getters, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.screen import Screen
from textual.worker import Worker, WorkerError

from probes.model.flux import ObjectRef
from probes.model.snapshot import Snapshot
from probes.rules.finding import Diagnosis
from tui.format import Glyphs
from tui.probed import Probed, Run
from tui.probing import CannotProbe, Probing, Proposal, Wanted
from tui.screens import PROBES
from tui.screens.probes_line import ProbeLine, outcome, progress
from tui.screens.repairing import RepairingApp
from tui.sending import Sender
from tui.views.probes_wanted import wanted_of
from tui.widgets.footer import Keys
from tui.widgets.pane import Pane

_GRACE: Final = 3.0
"""Seconds that a run has to end everything that it started."""


class ProbingApp(RepairingApp):
    """An App that sends one probe at a time and keeps what comes of it."""

    diagnosis: reactive[Diagnosis] = reactive(Diagnosis(Snapshot()), repaint=False, init=False)
    """The newest; only the App itself assigns it."""
    probed: reactive[Probed] = reactive(Probed(), repaint=False, init=False)
    """The newest; only what is sent changes it."""
    glyphs: Glyphs
    clock: Callable[[], float]
    probing: Probing | None = None
    """Whatever sends probes; None where nothing does."""
    _sender: Sender | None = None
    _sending: Worker[None] | None = None

    def send_probe(self, proposal: Proposal) -> None:
        """Send what was proposed and show what comes of it, unless something is under way."""
        if self.is_probing:
            return
        if self._sender is None:
            self._sender = Sender(self._note, self.clock)
        self._sending = self.run_worker(self._sender.send(proposal), group="probe", exit_on_error=False)
        self.show_probed(proposal.wanted)

    def show_probed(self, wanted: Wanted) -> None:
        """Show where the results of a run come in, at the first of them."""
        ref, front = wanted.shown or PROBES, self.screen
        if isinstance(front, ProbingScreen) and front.SHOWS_PROBES:
            front.look_at(ref)
        else:
            self.open(ref)

    def open(self, ref: ObjectRef) -> None:
        """Show an object on the screen that its kind has."""
        raise NotImplementedError

    @property
    def is_probing(self) -> bool:
        """Whether a probe is under way."""
        return self._sending is not None and not self._sending.is_finished

    def stop_probe(self) -> bool:
        """End the probe that is under way, at once; tells whether there was any."""
        if self._sending is None or self._sending.is_finished:
            return False
        self._sending.cancel()
        return True

    async def end_probe(self) -> None:
        """End the probe that is under way, and wait until nothing is left of it."""
        if self.stop_probe() and self._sending is not None:
            with suppress(WorkerError, TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self._sending.wait()

    def _note(self, probed: Probed) -> None:
        ends = self.probed.is_running and not probed.is_running
        self.probed = probed
        if ends and probed.run is not None and self.is_running:
            self._tell_end(probed.run)

    def _tell_end(self, run: Run) -> None:
        """Say how a run ended, where that is not seen anyway."""
        front = self.screen
        is_seen = isinstance(front, ProbingScreen) and front.SHOWS_PROBES
        if run.state == "failed":
            self.notify(outcome(run, self.glyphs), severity="error", timeout=20, markup=False)
        elif not is_seen:
            self.notify(outcome(run, self.glyphs), timeout=8, markup=False)


class ProbingScreen(Screen[None]):
    """A screen on which a probe can be asked for."""

    app = getters.app(ProbingApp)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "probe", "Probe", id="probe", tooltip="Send packets for what is under the cursor; asks first"),
    ]
    SHOWS_PROBES: ClassVar[bool] = False
    """It shows what comes of probes."""

    def subject(self) -> ObjectRef | None:
        """Tell what is under the cursor."""
        return None

    def pane(self) -> Pane | None:
        """Tell which pane has the keys."""
        return None

    def to_probe(self) -> Wanted | None:
        """Tell what is to be probed for what is under the cursor; None where nothing is."""
        pane = self.pane()
        found = pane.to_probe(self.app.diagnosis) if pane else None
        return found or wanted_of(self.app.diagnosis, self.subject())

    def look_at(self, ref: ObjectRef) -> None:
        """Put the cursor on a result, where results are shown."""

    def compose_probe(self) -> ComposeResult:
        """Make the line that asks."""
        yield ProbeLine(glyphs=self.app.glyphs)

    def follow_probes(self) -> None:
        """Begin to follow what probes come to."""
        self.watch(self.app, "probed", self.show_probes, init=False)
        self.show_probes()

    def show_probes(self) -> None:
        """Show what probes came to, and how far the one is that is under way."""
        if self.is_active and self.is_mounted:
            probed = self.app.probed
            self.query_one(Keys).lead(progress(probed.run, self.app.size.width, self.app.glyphs))
            self.probed(probed)

    def probed(self, probed: Probed) -> None:
        """Hear of new results: at mount, as they come while the screen is in front, and when it comes back."""

    def action_probe(self) -> None:
        """Say what a probe of what is under the cursor would send, and ask."""
        self.ask_probe(self.to_probe())

    def ask_probe(self, wanted: Wanted | None) -> None:
        """Say what a probe would send, and ask."""
        if self.app.is_probing:
            self.notify("A probe is under way: esc stops it.", severity="warning", markup=False)
        elif wanted is None:
            self.notify("There is nothing to probe here.", markup=False)
        else:
            self._propose(wanted)

    @work(exclusive=True, group="propose")
    async def _propose(self, wanted: Wanted) -> None:
        if self.app.probing is None:
            return
        try:
            proposal = await self.app.probing.propose(wanted)
        except CannotProbe as error:
            self.notify(str(error), severity="warning", markup=False)
            return
        if self.is_current and self.is_mounted:
            self.query_one(ProbeLine).ask(proposal)

    def on_probe_line_accepted(self, event: ProbeLine.Accepted) -> None:
        """Send what was proposed."""
        event.stop()
        self.app.send_probe(event.proposal)
