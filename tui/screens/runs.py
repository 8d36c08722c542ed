"""The runs screen: every run there was, what it left, and the way to go on with it; and the report of one."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui.format import status
from tui.repairs import OPEN, Leftover, PastRun, RepairFailed
from tui.screens.base import ReadFailed
from tui.screens.overview_panes import OverviewPane
from tui.screens.paired import PairedScreen
from tui.screens.text import ReadScreen
from tui.views import runs
from tui.views.findings import Since
from tui.widgets.askbar import AskBar
from tui.widgets.blocks import Block, Paragraph
from tui.widgets.listpane import ListPane


class RunsPane(ListPane, OverviewPane):
    """Runs, those that can be gone on with first."""

    NAME = "Runs"
    COLUMNS = runs.COLUMNS

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:
        """Show nothing new: runs are read, not observed."""

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 3


class RunsScreen(PairedScreen):
    """What was done, and what is left to do."""

    NAME = "Runs"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "resume", "Resume", id="runs.resume", tooltip="Go on from where it rests"),
        Binding("a", "abort", "Abort", id="runs.abort", tooltip="Give it up; what is so then is said"),
    ]

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._runs: Sequence[PastRun] = ()
        self._left: Sequence[Leftover] = ()
        self._failure = ""
        self._bar: AskBar
        self._runs_pane: RunsPane

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the list."""
        self._runs_pane = RunsPane(0, glyphs=self.app.glyphs)
        return (self._runs_pane,)

    def body(self) -> ComposeResult:
        """Put a line to type into below."""
        yield from super().body()
        self._bar = AskBar(glyphs=self.app.glyphs)
        yield self._bar

    def on_mount(self) -> None:
        """Read what there is."""
        super().on_mount()
        self._runs_pane.table.placeholder = status("loading", self.app.glyphs, "reading")
        self.load()

    def on_screen_resume(self, _event: events.ScreenResume) -> None:  # Textual calls that of each class
        """Read what there is by now."""
        self.load()

    @work(exclusive=True, group="runs")
    async def load(self) -> None:
        """Read the journals, then what is left in the cluster."""
        repairs = self.app.repairs
        if repairs is None:
            return
        try:
            self._runs = await repairs.runs()
            self._tell()
            self._left = await repairs.leftovers()
            self._failure = ""
        except RepairFailed as error:
            self._failure = str(error)
        self._tell()

    def _tell(self) -> None:
        self._runs_pane.set_listing(runs.run_listing(self._runs, self.app.glyphs), self.app.clock())
        if not self._is_placed:
            self._is_placed = self.ref is not None and self._runs_pane.table.move_to_key(self.ref.name)
        self.share()
        self.write()
        self.refresh_bindings()

    def run(self) -> PastRun | None:
        """Tell which run is under the cursor."""
        ref = self.list.subject()
        return next((run for run in self._runs if ref is not None and run.run == ref.name), None)

    def subject(self) -> ObjectRef | None:
        """Tell nothing: a run is no object of the cluster."""
        return None

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Write up what is left, and the run under the cursor."""
        if self._failure:
            yield Paragraph(self._failure, "critical")
        yield from runs.run_blocks(self.run(), self._left, diagnosis.snapshot.context, self.app.glyphs)

    def moved(self) -> None:
        """Offer the keys of the run under the cursor: what can be done with one cannot with another."""
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to go on only with what can be."""
        if action in {"resume", "abort"}:
            run = self.run()
            mine = run is not None and run.context == self.app.diagnosis.snapshot.context
            return mine and run is not None and run.state in OPEN and run.state != "running"
        return super().check_action(action, parameters)

    def on_list_pane_opened(self, event: ListPane.Opened) -> None:
        """Read the report of the run that was chosen."""
        event.stop()
        event.prevent_default()  # else the screen that this one is made of goes to the text as well
        self.app.go("report", event.ref)

    def action_resume(self) -> None:
        """Go on with the run under the cursor; what has to be typed first is the context, where writing is locked."""
        self._type("resume", "unlock writing and go on")

    def action_abort(self) -> None:
        """Give the run under the cursor up."""
        self._type("abort", "unlock writing and give it up")

    def _type(self, purpose: str, what: str) -> None:
        run = self.run()
        if run is None:
            return
        if self.app.unlocked and purpose == "resume":
            self.app.resume_run(run.run)
            return
        wanted = run.run if self.app.unlocked else self.app.diagnosis.snapshot.context
        label = f"type {wanted} to {what if not self.app.unlocked else 'give it up'}:"
        self.add_class("-asking")
        self._bar.open(f"{purpose} {run.run}", label)

    def on_ask_bar_dismissed(self, event: AskBar.Dismissed) -> None:
        """Leave it as it is."""
        event.stop()
        self._close()

    def _close(self) -> None:
        self.remove_class("-asking")
        self._bar.close()
        self.set_focus(self.list.lines)

    def on_ask_bar_given(self, event: AskBar.Given) -> None:
        """Unlock, and do it."""
        event.stop()
        purpose, _, run = event.purpose.partition(" ")
        if not self.app.unlocked:
            if wrong := self.app.unlock(event.text):
                self._bar.complain(wrong)
                return
        elif event.text != run:
            self._bar.complain(f"that is not {run}")
            return
        self._close()
        self.app.resume_run(run, abandon=purpose == "abort")

    def action_collect(self) -> None:
        """Read it again."""
        self.load()


class ReportScreen(ReadScreen):
    """The whole of a run, as Markdown."""

    NAME = "Report"

    def crumbs(self) -> tuple[str, ...]:
        """Tell which run it is of."""
        return ("Runs", self.about.name, self.NAME)

    def subject(self) -> ObjectRef | None:
        """Tell nothing: a run is no object of the cluster."""
        return None

    async def ask(self) -> str:
        """Read the report."""
        if self.app.repairs is None:
            raise ReadFailed("there are no runs here")
        try:
            return await self.app.repairs.report(self.about.name)
        except RepairFailed as error:
            raise ReadFailed(str(error)) from error
