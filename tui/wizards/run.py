"""Run screen: a run as it goes, a question at a time; what is sent, what was seen, and what the operator may do."""

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis
from tui import clipboard
from tui.widgets.askbar import AskBar
from tui.widgets.documentpane import DocumentPane
from tui.widgets.spanline import SpanLines
from tui.wizards import planned
from tui.wizards.answering import AnsweringScreen
from tui.wizards.planned import STEP
from tui.wizards.running import end_blocks, run_blocks, state_line


class RunScreen(AnsweringScreen):
    """The run that is under way, or that ended last."""

    NAME = "Run"
    DEFAULT_CSS = """
    RunScreen #state { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        # These work here as anywhere; the line of keys is for what is asked.
        Binding("slash", "prompt('/')", "Filter", show=False, key_display="/", id="filter"),
        Binding("colon", "prompt(':')", "Command", show=False, key_display=":", id="command"),
        Binding(
            "y", "answer('confirm')", "Do it", id="run.confirm", tooltip="After the name was typed, where asked for"
        ),
        Binding("w", "answer('wait')", "Wait on", id="run.wait", tooltip="Give the gate its time once more"),
        Binding("s", "answer('skip')", "Skip", id="run.skip", tooltip="Leave this step out; the reason is kept"),
        Binding(
            "O", "answer('override')", "Go on all the same", id="run.override", tooltip="Although it does not hold"
        ),
        Binding("p", "stop('pause')", "Pause", id="run.pause", tooltip="Let it rest; :runs goes on with it"),
        Binding("a", "stop('abort')", "Abort", id="run.abort", tooltip="Give it up; what is so then is said"),
        Binding("r", "resume", "Resume", id="run.resume", tooltip="From where it rests"),
        Binding("B", "break", "Break the lock", id="run.break", tooltip="Of the run that holds it, by its name"),
        Binding("v", "report", "Report", id="run.report", tooltip="The whole run as Markdown"),
        Binding("o", "unfold", "Output", id="run.output", tooltip="All that the step said, or its last lines"),
        Binding("f", "follow", "Follow", show=False, id="run.follow", tooltip="Keep the current step in sight"),
        Binding("l", "look('journal')", "Journal", id="journal", tooltip="The journal of the step's node"),
        Binding("d", "look('describe')", "Describe", show=False, id="describe", tooltip="The step's node"),
        Binding("ctrl+z", "faults", "Faults", show=False, id="faults"),
    ]

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._state: SpanLines
        self._unfolded = False
        self._following = True
        self._last = ""
        """The step that was the current one when the run was drawn last."""

    def body(self) -> ComposeResult:
        """Put the run's state above its steps, and what it asks below."""
        self._state = SpanLines(glyphs=self.app.glyphs, id="state")
        self._pane = DocumentPane(glyphs=self.app.glyphs, id="run")
        self._pane.add_class("-bare")  # the breadcrumbs say what it is
        self._bar = AskBar(glyphs=self.app.glyphs)
        yield self._state
        yield self._pane
        yield self._bar

    def on_mount(self) -> None:
        """Follow the run."""
        super().on_mount()
        self._pane.document.focus()
        self.watch(self.app, "progress", self._draw, init=False)
        self.call_after_refresh(self._draw)

    def on_screen_resume(self, _event: events.ScreenResume) -> None:  # Textual calls that of each class
        """Show what happened meanwhile."""
        self._draw()

    def crumbs(self) -> tuple[str, ...]:
        """Tell which run this is."""
        progress = self.app.progress
        return (self.NAME, progress.plan.title) if progress else (self.NAME,)

    def subject(self) -> ObjectRef | None:
        """Tell which node the current step is of."""
        step = self.app.progress.planned if self.app.progress else None
        return node_ref(step.node) if step and step.node in self.app.diagnosis.views else None

    def show(self, diagnosis: Diagnosis) -> None:
        """Show a diagnosis: once the run has ended, what became of what it was for."""
        del diagnosis
        if self.app.progress is not None and not self.app.progress.is_live:
            self._draw()

    def tick(self, now: float) -> None:
        """Let times say what is true now."""
        super().tick(now)
        if self.app.progress is not None:
            self._state.set_lines([state_line(self.app.progress, now, self.app.glyphs)])

    def on_resize(self) -> None:
        """Fit into another size."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        progress = self.app.progress
        if progress is None or not self.is_mounted or not self.is_active:
            return
        glyphs, now = self.app.glyphs, self.app.clock()
        with self.app.batch_update():
            self._state.set_lines([state_line(progress, now, glyphs)])
            blocks = run_blocks(progress, glyphs, unfolded=self._unfolded)
            self._pane.set_document((*blocks, *end_blocks(progress, self.app.diagnosis, glyphs)), now)
            self._question(progress)
        if progress.current != self._last or not progress.is_live:
            self._last, self._following = progress.current, True
        if self._following:
            self.call_after_refresh(self._keep_in_sight)
        self.refresh_bindings()

    def _keep_in_sight(self) -> None:
        """Bring the current step to the screen, from its title or, where that is too long, up to its gate."""
        document, progress = self._pane.document, self.app.progress
        if progress is None or not self.is_active:
            return
        lines = document.lines
        if not progress.is_live:
            document.reveal(max(0, len(lines) - 1), len(lines) - 1, from_end=True)
            return
        first = next((i for i, line in enumerate(lines) if line.key == STEP + progress.current), 0)
        after = next((i for i in range(first + 1, len(lines)) if lines[i].key.startswith(STEP)), len(lines))
        step = progress.step(progress.current)
        document.reveal(first, after - 1, from_end=step.phase in {"acting", "happened"})

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the question allows, and what can be done without one."""
        progress = self.app.progress
        match action, parameters:
            case "answer", (choice,):
                return progress is not None and progress.ask is not None and choice in progress.ask.choices
            case "stop", _:
                return progress is not None and progress.is_live
            case "report", _:
                return progress is not None and not progress.is_live
            case "resume", _:
                return progress is not None and progress.can_go_on
            case "break", _:
                return progress is not None and progress.can_go_on and bool(self._holder())
            case "repair", _:
                return False
        return super().check_action(action, parameters)

    def action_unfold(self) -> None:
        """Show all that the step said, or its last lines."""
        self._unfolded = not self._unfolded
        self._draw()

    def action_follow(self) -> None:
        """Keep the current step in sight."""
        self._following = True
        self._draw()

    def on_list_pane_moved(self) -> None:
        """Stay where the operator reads."""
        self._following = False
        self.moved()

    def action_report(self) -> None:
        """Read the whole run as Markdown."""
        if self.app.progress is not None:
            self.app.go("report", ObjectRef("Run", "", self.app.progress.plan.run))

    def action_copy(self) -> None:
        """Copy the plan, its commands uncut."""
        if self.app.progress is not None:
            self.notify(clipboard.copy(self.app, planned.text(self.app.progress.plan)), timeout=3, markup=False)

    def action_back(self) -> None:
        """Leave; a run that is under way is not left by mistake."""
        if self._pane.filter.says:
            super().action_back()
        else:
            self.action_leave()

    def action_leave(self) -> None:
        """Leave; a run that is under way is not left by mistake."""
        from tui.wizards.leaving import LeavingScreen  # noqa: PLC0415 - opened when it is needed

        if self.app.is_running_repair:
            self.app.push_screen(LeavingScreen(ends=False))
        else:
            self.app.leave()
