"""Review screen: the plan of a run, made anew with each parameter, read whole before any of it begins."""

from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.suggester import Suggester

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from runbooks.facts import Found
from runbooks.runbook import Parameter, Runbook
from tui import clipboard
from tui.format import Span, status
from tui.repairs import RepairFailed
from tui.saving import NotSaved, save
from tui.widgets.askbar import AskBar
from tui.widgets.blocks import Bullet
from tui.widgets.documentpane import DocumentPane
from tui.wizards import planned
from tui.wizards.asking import AskingScreen
from tui.wizards.drafting import Draft, begin_with, differs
from tui.wizards.planned import PARAMETER, READABLE

_BEGIN: Final = "begin"


class _Names(Suggester):
    """Completes the last of names with commas between."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._names = names

    async def get_suggestion(self, value: str) -> str | None:
        """Complete what was typed."""
        before, comma, last = value.rpartition(",")
        found = next((name for name in self._names if last and name.startswith(last) and name != last), None)
        return f"{before}{comma}{found}" if found else None


class ReviewScreen(AskingScreen):
    """Everything that a run would do, before it does any of it."""

    NAME = "Plan"
    BINDINGS: ClassVar[list[BindingType]] = [
        # These work here as anywhere; the line of keys is for what is asked.
        Binding("slash", "prompt('/')", "Filter", show=False, key_display="/", id="filter"),
        Binding("colon", "prompt(':')", "Command", show=False, key_display=":", id="command"),
        Binding("y", "begin", "Begin", id="review.begin", tooltip="Unlocks writing first, where it is locked"),
        Binding("e", "parameters", "Parameters", id="review.parameters", tooltip="Go to them; enter changes one"),
        Binding("c", "copy", "Copy", id="copy", tooltip="The whole plan, its commands uncut"),
        Binding("ctrl+s", "save", "Save", id="text.save", tooltip="To a file that only you may read"),
        Binding("d", "look('describe')", "Describe", show=False, id="describe"),
        Binding("l", "look('journal')", "Journal", show=False, id="journal"),
        Binding("ctrl+z", "faults", "Faults", show=False, id="faults"),
    ]

    def __init__(self, runbook: Runbook, ref: ObjectRef | None) -> None:
        super().__init__(ref)
        self._runbook = runbook
        self._draft: Draft
        self._found: Found | None = None
        self._unread = ""
        """Why something that a plan goes by could not be read."""
        self._made_of: Diagnosis | None = None

    def body(self) -> ComposeResult:
        """Put the plan above the line in which something is given."""
        self._pane = DocumentPane(glyphs=self.app.glyphs, id="plan")
        self._pane.add_class("-bare")  # the breadcrumbs say what it is
        self._pane.folds_faults = False
        self._bar = AskBar(glyphs=self.app.glyphs)
        yield self._pane
        yield self._bar

    def on_mount(self) -> None:
        """Read what the plan goes by, and make it."""
        given = begin_with(self._runbook, self.ref, self.app.diagnosis)
        self._draft = Draft(self._runbook, given, run=self.app.name_run(), now=self.app.clock())
        super().on_mount()
        self._pane.document.focus()
        self.read()

    @work(exclusive=True, group="found")
    async def read(self) -> None:
        """Read what a plan needs to know besides the diagnosis."""
        repairs = self.app.repairs
        try:
            self._found = await repairs.found(self._runbook, self.app.diagnosis) if repairs else Found()
        except RepairFailed as error:
            self._found, self._unread = Found(), str(error)
        self._make()

    def crumbs(self) -> tuple[str, ...]:
        """Tell which runbook it is of."""
        return ("Runbooks", self._runbook.name, self.NAME)

    def subject(self) -> ObjectRef | None:
        """Tell what it was opened for."""
        return self.ref

    def show(self, diagnosis: Diagnosis) -> None:
        """Show what there is; another diagnosis makes another plan with the next second."""
        if self._made_of is None:
            self._draft.make(diagnosis, Found())
            self._draw()

    def tick(self, now: float) -> None:
        """Follow the cluster: what is read is what would be done now."""
        super().tick(now)
        if self._found is not None and self._made_of is not self.app.diagnosis and not self._bar.purpose:
            self._make()

    def _make(self) -> None:
        if self._found is not None:
            self._made_of = self.app.diagnosis
            self._draft.make(self._made_of, self._found)
            self._draw()

    def _draw(self) -> None:
        draft, glyphs = self._draft, self.app.glyphs
        is_reading = self._found is None
        wrong = "reading what it goes by" if is_reading and draft.plan is not None else draft.wrong
        plan = None if is_reading else draft.plan
        blocks = planned.review(self._runbook, plan, wrong, draft.entered, self.context, glyphs)
        unread = (Bullet(status("unknown", glyphs), f"not read: {self._unread}"),) if self._unread else ()
        self._pane.set_document((*unread, *blocks), self.app.clock())
        self._say()
        self.refresh_bindings()

    @property
    def context(self) -> str:
        """The context of the cluster that is shown."""
        return self.app.diagnosis.snapshot.context

    def _say(self) -> None:
        """Say below what begins it."""
        plan = self._draft.plan
        if plan is None or self._found is None:
            self._bar.ask([])
        elif len(plan.steps) > READABLE:
            said = f"{len(plan.steps)} steps are more than anybody reads here: give fewer nodes"
            self._bar.ask([(Span(" "), status("critical", self.app.glyphs, said))])
        elif typed := self._typed():
            why = "unlocks writing and begins; each step is confirmed by itself" if not self.app.unlocked else "begins"
            self._bar.ask(
                [
                    (
                        Span(" y", "accent"),
                        Span(", then type ", "muted"),
                        Span(typed, "accent"),
                        Span(f": {why}", "muted"),
                    )
                ]
            )
        else:
            self._bar.ask([(Span(" y", "accent"), Span(" begins; each step is confirmed by itself", "muted"))])

    def _typed(self) -> str:
        """Tell what is to be typed to begin."""
        plan = self._draft.plan
        asks = plan is not None and plan.writes and (not self.app.unlocked or bool(plan.consents))
        return self.context if asks else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to begin only what can be."""
        match action:
            case "begin":
                plan = self._draft.plan if self._found is not None else None
                return plan is not None and len(plan.steps) <= READABLE
            case "parameters":
                return bool(self._runbook.parameters)
            case "repair":
                return False
        return super().check_action(action, parameters)

    def action_parameters(self) -> None:
        """Go to the parameters."""
        lines = self._pane.document.lines
        place = next((i for i, line in enumerate(lines) if line.key.startswith(PARAMETER)), 0)
        self._pane.document.move_to(place)

    def on_document_pane_opened(self, event: DocumentPane.Opened) -> None:
        """Change the parameter that was chosen."""
        event.stop()
        self._change(event.key)

    def _change(self, key: str) -> None:
        parameter = self._draft.parameter(key.removeprefix(PARAMETER)) if key.startswith(PARAMETER) else None
        if parameter is not None:
            self._open(key, f"{parameter.name}:", self._draft.text(parameter.name), self._suggester(parameter))

    def _suggester(self, parameter: Parameter) -> Suggester:
        match parameter.type:
            case "node" | "nodes":
                return _Names(tuple(self.app.diagnosis.views))
            case "bool":
                return _Names(("yes", "no"))
            case _:
                return _Names(parameter.choices)

    def on_ask_bar_changed(self, event: AskBar.Changed) -> None:
        """Hold what is typed against what is asked for."""
        event.stop()
        if event.purpose.startswith(PARAMETER):
            name = event.purpose.removeprefix(PARAMETER)
            self._bar.complain(self._draft.complaint(name, event.text, self.app.diagnosis))

    def on_ask_bar_given(self, event: AskBar.Given) -> None:
        """Take what was typed."""
        event.stop()
        if event.purpose == _BEGIN:
            self._begin(event.text)
            return
        name = event.purpose.removeprefix(PARAMETER)
        if wrong := self._draft.complaint(name, event.text, self.app.diagnosis):
            self._bar.complain(wrong)
            return
        self._draft.give(name, event.text)
        self._close()
        self._make()

    def action_begin(self) -> None:
        """Begin the run; first unlock writing, where it is locked."""
        if typed := self._typed():
            why = "unlock writing and begin" if not self.app.unlocked else "begin"
            self._open(_BEGIN, f"type {typed} to {why}:")
        else:
            self._begin("")

    def _begin(self, typed: str) -> None:
        wanted = self._typed()
        if typed != wanted:
            self._bar.complain(f"that is not {wanted}")
            return
        before = self._draft.plan
        self._make()
        if differs(before, self._draft.plan) or self._draft.plan is None:
            self._close()
            said = "the cluster changed meanwhile, and the plan with it: read it again"
            self.notify(said, severity="warning", timeout=10, markup=False)
            return
        if wanted and not self.app.unlocked and (wrong := self.app.unlock(typed)):
            self._bar.complain(wrong)
            return
        self._close()
        self.app.pop_screen()
        if wrong := self.app.begin(self._draft.plan, typed):
            self.app.notify(wrong, severity="error", markup=False)

    def copied(self) -> str:
        """Give the whole plan, its commands uncut."""
        return planned.text(self._draft.plan) if self._draft.plan is not None else self._pane.text()

    def action_copy(self) -> None:
        """Copy the whole plan."""
        self.notify(clipboard.copy(self.app, self.copied()), timeout=3, markup=False)

    def action_save(self) -> None:
        """Save the whole plan."""
        try:
            path = save(f"plan-{self._runbook.name}", self.copied(), self.app.clock())
        except NotSaved as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.notify(f"saved as {path}", timeout=8, markup=False)

    def on_list_pane_moved(self) -> None:
        """Offer to change what is under the cursor."""
        self.moved()
