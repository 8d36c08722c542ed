"""Run screen: a run as it goes, a question at a time; what is sent, what was seen, and what the operator may do."""

import asyncio
from typing import ClassVar, Final

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis
from runbooks.events import Answer, Ask, Choice
from tui import clipboard
from tui.format import Span
from tui.screens.base import LiveScreen
from tui.widgets.askbar import AskBar
from tui.widgets.documentpane import DocumentPane
from tui.widgets.spanline import SpanLines
from tui.wizards import planned
from tui.wizards.host import WizardApp
from tui.wizards.planned import STEP
from tui.wizards.progress import Progress
from tui.wizards.running import ask_lines, end_blocks, hint, run_blocks, so_now, state_line

_ANSWERS: Final[dict[str, Choice]] = {
    "confirm": "confirm",
    "skip": "skip",
    "wait": "wait",
    "override": "override",
}


class RunScreen(LiveScreen):
    """The run that is under way, or that ended last."""

    app = getters.app(WizardApp)

    NAME = "Run"
    DWELL: ClassVar[float] = 0.4
    """Seconds that a question must have been asked before a key answers it: a key pressed twice answers one."""
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
        self._pane: DocumentPane
        self._bar: AskBar
        self._state: SpanLines
        self._unfolded = False
        self._following = True
        self._last = ""
        """The step that was the current one when the run was drawn last."""
        self._asked: Ask | None = None
        self._asked_at = 0.0

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

    def on_screen_resume(self) -> None:
        """Show what happened meanwhile."""
        super().on_screen_resume()
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

    def _question(self, progress: Progress) -> None:
        """Ask what is asked, and forget what was typed for a question that is none any more."""
        if progress.ask is not self._asked:
            self._asked = progress.ask
            self._asked_at = asyncio.get_running_loop().time()
            if self._bar.purpose != "abort":
                self._close()
        lines: list[tuple[Span, ...]] = []
        if self._bar.purpose == "abort":
            said = "; ".join(so_now(progress))
            lines = [(Span(f" Give the run up? Now: {said}", "warning"),)]
        elif progress.ask is not None:
            lines = ask_lines(progress, self.size.width, self.app.glyphs)
            lines += [hint(progress.ask)] if progress.ask.typed and not self._bar.purpose else []
        elif progress.stopping:
            how = "comes to rest" if progress.stopping == "pause" else "is given up"
            lines = [(Span(f" It {how} as soon as it is known whether what was sent has happened.", "warning"),)]
        self._bar.ask(lines)

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

    def _is_settled(self) -> bool:
        return asyncio.get_running_loop().time() - self._asked_at >= self.DWELL

    def action_answer(self, choice: str) -> None:
        """Answer the question, once what has to be typed was typed."""
        progress = self.app.progress
        ask = progress.ask if progress else None
        if ask is None or not self._is_settled():
            return
        if choice == "confirm" and ask.typed:
            self._open("confirm", f"type {ask.typed} to confirm:")
        elif choice == "override":
            self._open("override", f"type {ask.typed} to go on all the same:" if ask.typed else "why go on:")
        elif choice == "skip":
            self._open("skip", "why skip it:")
        else:
            self._give(Answer(_ANSWERS[choice]))

    def _open(self, purpose: str, label: str) -> None:
        self.add_class("-asking")
        self._bar.open(purpose, label)
        self._draw()

    def _close(self) -> None:
        self.remove_class("-asking")
        if self._bar.purpose:
            self._bar.close()
            self._pane.document.focus(scroll_visible=False)

    def _give(self, answer: Answer) -> None:
        session = self.app.session
        wrong = session.give(answer) if session is not None else "there is no run"
        if wrong:
            self._bar.complain(wrong)
        else:
            self._close()

    def on_ask_bar_dismissed(self, event: AskBar.Dismissed) -> None:
        """Type nothing after all."""
        event.stop()
        self.remove_class("-asking")
        self._pane.document.focus(scroll_visible=False)
        self._draw()

    def on_ask_bar_given(self, event: AskBar.Given) -> None:
        """Take what was typed."""
        event.stop()
        ask = self.app.progress.ask if self.app.progress else None
        match event.purpose:
            case "abort":
                self._abort(event.text)
            case "break":
                self._break(event.text)
            case "confirm":
                self._give(Answer("confirm", typed=event.text))
            case "skip":
                self._give(Answer("skip", reason=event.text))
            case "override" if ask is not None and ask.typed and event.text != ask.typed:
                self._bar.complain(f"that is not {ask.typed}")
            case "override" if ask is not None and ask.typed:
                self._open("override-reason", "why go on:")
            case "override" | "override-reason" if ask is not None:
                self._give(Answer("override", typed=ask.typed, reason=event.text))

    def _abort(self, typed: str) -> None:
        if typed != "abort":
            self._bar.complain("type abort to give it up, or press esc")
            return
        self._close()
        self.app.interrupt("abort")

    def action_stop(self, how: str) -> None:
        """Let the run rest; to give it up has to be typed."""
        if how == "pause":
            self.app.interrupt("pause")
        else:
            self._open("abort", "type abort to give it up:")

    def action_resume(self) -> None:
        """Go on from where it rests."""
        if self.app.progress is not None:
            self.app.resume_run(self.app.progress.plan.run)

    def _holder(self) -> str:
        """Tell which other run holds the cluster's lock."""
        mine = self.app.progress.plan.run if self.app.progress else ""
        return next((each.run for each in self.app.left if each.kind == "lock" and each.run not in {"", mine}), "")

    def action_break(self) -> None:
        """Take the lock away from the run that holds it, once its name was typed, and go on."""
        self._open("break", f"type {self._holder()} to take the lock from it:")

    def _break(self, typed: str) -> None:
        holder = self._holder()
        if typed != holder or not holder:
            self._bar.complain(f"that is not {holder}")
        elif self.app.progress is not None:
            self._close()
            self.app.resume_run(self.app.progress.plan.run, breaking=holder)

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
