"""LiveScreen: a screen that shows the App's diagnosis; LiveApp: what a screen may ask of the App that shows it."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol

from textual import events, getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui import clipboard
from tui.chronicle import Chronicle
from tui.format import UNICODE, Glyphs
from tui.probing import Probing
from tui.remembered import Remembered
from tui.repairs import Repairs
from tui.screens.prompting import PromptingApp, PromptingScreen
from tui.widgets.footer import Keys
from tui.widgets.header import Header
from tui.widgets.pane import Pane
from tui.widgets.prompt import Prompt
from tui.widgets.sparkline import History


class ReadFailed(Exception):
    """What was asked for could not be read; its text is one sentence for the operator."""


class Reads(Protocol):
    """What is read only when somebody asks for it."""

    async def manifest(self, ref: ObjectRef) -> str:
        """Give an object as YAML, with what a Secret holds left out; raises ReadFailed."""

    async def journal(self, node: str) -> str:
        """Give the last lines of the journal of a node's k3s unit, oldest first; raises ReadFailed."""


class LiveApp(PromptingApp):
    """What a screen may ask of the App that shows it."""

    def __init__(
        self,
        *,
        glyphs: Glyphs = UNICODE,
        reads: Reads | None = None,
        repairs: Repairs | None = None,
        probing: Probing | None = None,
        clock: Callable[[], float] = time.time,
        ansi_color: bool | None = None,
    ) -> None:
        super().__init__(repairs=repairs, ansi_color=ansi_color)
        self.glyphs = glyphs
        self.reads = reads
        self.probing = probing
        self.clock = clock
        """Tells seconds since the epoch."""
        self.chronicle = Chronicle()
        """What happened since the App runs."""
        self.remembered = Remembered()
        """How the screens were left."""
        self.asked: dict[str, deque[str]] = {}
        """What was typed after ``/`` and ``:``."""

    @property
    def timeline(self) -> Sequence[Change]:
        """What changed since the App runs, oldest first."""
        return self.chronicle.timeline

    @property
    def history(self) -> Mapping[str, History]:
        """Values for sparklines: ``api`` is the API's latency in seconds, ``NODE/COUNTER`` a counter's growth."""
        return self.chronicle.history

    @property
    def since(self) -> Mapping[tuple[str, ObjectRef], float]:
        """When a finding was first seen, by code and subject: it began then or before."""
        return self.chronicle.since

    def head(self) -> None:
        """Let the header of the screen in front say how things are; there is none while underlay ends."""
        front = self.screen_stack[-1] if self.screen_stack else None
        if isinstance(front, LiveScreen):
            front.head()

    def help(self, screen: "LiveScreen") -> None:
        """Show every key that works on a screen."""
        raise NotImplementedError

    def go(self, name: str, ref: ObjectRef | None = None) -> None:
        """Show a screen of the catalog by its name, of an object where it is about one."""
        raise NotImplementedError

    def leave(self) -> None:
        """Go back to the screen beneath; from the lowest one, end underlay."""
        raise NotImplementedError

    def step(self, places: int) -> None:
        """Go to a place visited before (-1), after (1), or to the last one (0)."""
        raise NotImplementedError

    def remember(self, **changed: object) -> None:
        """Note how the screens are left, for the next time."""
        raise NotImplementedError

    def collect_now(self) -> None:
        """Ask every source again, now."""
        raise NotImplementedError

    def complete(self, text: str) -> str:
        """Complete what was typed after ``:``; empty where nothing fits."""
        raise NotImplementedError


class LiveScreen(PromptingScreen):
    """A screen that shows the newest diagnosis under one header, over one line of keys."""

    app = getters.app(LiveApp)

    DEFAULT_CSS = """
    LiveScreen { background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "repair", "Repair", id="repair", tooltip="The runbooks that fix it, or the run under way"),
        Binding("e", "explain", "Explain", id="explain", tooltip="What the finding means, how to verify and repair it"),
        Binding(
            "slash", "prompt('/')", "Filter", key_display="/", id="filter", tooltip="Regular expression; ! inverts"
        ),
        Binding("colon", "prompt(':')", "Command", key_display=":", id="command", tooltip="Go anywhere by name"),
        Binding("ctrl+z", "faults", "Faults", id="faults", tooltip="Only what is not as it should be"),
        Binding("d", "look('describe')", "Describe", id="describe", tooltip="All that is known of it"),
        Binding("y", "look('yaml')", "YAML", id="yaml", tooltip="The object as the API has it"),
        Binding("l", "look('journal')", "Journal", id="journal", tooltip="The journal of the node's unit"),
        Binding("c", "copy", "Copy", show=False, id="copy", tooltip="The row under the cursor, to the clipboard"),
        Binding("ctrl+r", "collect", "Refresh", show=False, id="refresh", tooltip="Ask every source again, now"),
        Binding("question_mark", "help", "Help", key_display="?", id="help", tooltip="Every key that works here"),
        Binding("escape", "back", "Back", show=False, id="back", tooltip="Stop the probe, clear the filter, leave"),
        Binding("q", "leave", "Back", show=False, id="leave", tooltip="To the screen before; on the overview, quit"),
        Binding(
            "left_square_bracket",
            "step(-1)",
            "Earlier",
            show=False,
            key_display="[",
            id="earlier",
            tooltip="The place visited before this one",
        ),
        Binding(
            "right_square_bracket",
            "step(1)",
            "Later",
            show=False,
            key_display="]",
            id="later",
            tooltip="The place visited after this one",
        ),
        Binding("minus", "step(0)", "Last", show=False, key_display="-", id="last", tooltip="Where you were before"),
    ]

    NAME: ClassVar[str] = ""
    """What it is called on the screen."""
    KEPT: ClassVar[bool] = False
    """Whether it outlives being left and is renewed when gone to again: making one takes longer than a key may."""
    focused: reactive[Widget | None] = reactive(None, repaint=False)
    """What has the keys; Textual would draw the whole screen anew where that changes."""

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__()
        self.ref = ref
        """The object that it is about, or that the cursor shall be on."""
        self.entry = ""
        """Its name in the catalog."""
        self._ticking: Timer | None = None
        self._shown: Diagnosis | None = None
        self._offered: tuple[Pane | None, str, bool] | None = None
        """For what the keys at the bottom were written."""

    def renew(self, ref: ObjectRef | None) -> None:
        """Be about another object, as if just made: called where a kept screen is gone to again, before it is shown."""
        self.ref = ref
        self._shown = None
        self.query_one(Prompt).leave()
        for pane in self.panes():
            pane.renew()

    # What subclasses say.

    def body(self) -> ComposeResult:
        """Make what is between header and keys."""
        yield from ()

    def show(self, diagnosis: Diagnosis) -> None:
        """Show a diagnosis: called at mount, on each new one while the screen is in front, and when it comes back."""

    def tick(self, now: float) -> None:
        """Let visible ages say what is true now: called at most once a second, with seconds since the epoch."""
        for pane in self.panes():
            if pane.display:
                pane.tick(now)

    def subject(self) -> ObjectRef | None:
        """Tell what is under the cursor."""
        pane = self.pane()
        found = pane.subject() if pane else None
        return found or self.ref

    def code(self) -> str:
        """Name the finding under the cursor; empty where there is none."""
        pane = self.pane()
        return pane.code() if pane else ""

    def crumbs(self) -> tuple[str, ...]:
        """Tell where this is, below the context: ``("Nodes", "samwise")``; empty on the overview."""
        return (self.NAME, *((self.ref.name,) if self.ref else ()))

    def copied(self) -> str:
        """Give the text that ``c`` copies."""
        pane = self.pane()
        return pane.line() if pane else ""

    # What it does by itself.

    def compose(self) -> ComposeResult:
        """Put the body between header and keys."""
        yield Header(glyphs=self.app.glyphs)
        yield from self.body()
        yield from self.compose_probe()
        yield Prompt(glyphs=self.app.glyphs, complete=self.app.complete, asked=self.app.asked)

    def on_mount(self) -> None:
        """Begin to follow the diagnosis and the clock; Textual calls this again for each class that has one too."""
        if self._ticking is not None:
            return
        self.watch(self.app, "diagnosis", self._follow, init=False)
        self._ticking = self.set_interval(1.0, self._tick)
        self._follow(self.app.diagnosis)
        self.follow_probes()

    def on_screen_resume(self, event: events.ScreenResume) -> None:
        """Show what happened meanwhile; its styles are as they were, a theme's change reaches it wherever it is."""
        event.refresh_styles = event.refresh_styles and self._ticking is None
        if self._ticking:
            self._ticking.resume()
        if self._shown is self.app.diagnosis:
            self.head()  # what the App says there may have changed while another screen was in front
        self._follow(self.app.diagnosis)
        self.show_probes()

    def on_screen_suspend(self) -> None:
        """Rest while another screen is in front; a kept one may be in front again by now."""
        if self._ticking and not self.is_active:
            self._ticking.pause()

    def set_focus(self, widget: Widget | None, scroll_visible: bool = True, from_app_focus: bool = False) -> None:  # noqa: FBT001, FBT002 - the signature is Textual's
        """Say in the same frame which keys work now; Textual would say it in the next one."""
        super().set_focus(widget, scroll_visible, from_app_focus)
        for pane in self.panes():
            pane.follow_focus()
        if self.is_mounted and self.is_active:
            self.query_one(Keys).update_keys(self)

    def _follow(self, diagnosis: Diagnosis) -> None:
        if not self.is_active or not self.is_mounted:
            return
        if diagnosis is self._shown:
            return
        self._shown = diagnosis
        with self.app.batch_update():
            self.head()
            self.show(diagnosis)

    def head(self) -> None:
        """Say in the header how things are."""
        if self.is_mounted and self.is_active:
            self.query_one(Header).show(self.app.diagnosis, self.app.clock(), self.crumbs(), self.app.signs())

    def _tick(self) -> None:
        if self.is_active:
            now = self.app.clock()
            self.head()
            self.tick(now)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what works here."""
        match action, parameters:
            case "probe", _:
                return self.app.probing is not None and self.to_probe() is not None
            case "look", ("journal",):
                subject = self.subject()
                return subject is not None and subject.kind == "Node" and self.app.reads is not None
            case "look", ("yaml",):
                return self.subject() is not None and self.app.reads is not None
            case "explain", _:
                return bool(self.code())
            case ("look", _) | ("subject", _):
                return self.subject() is not None
            case "repair", _:
                return self.app.repairs is not None
            case ("prompt", ("/",)) | ("faults", _):
                return any(True for _ in self.panes())
        return True

    def action_look(self, what: str) -> None:
        """Show the object under the cursor as text."""
        if subject := self.subject():
            self.app.go(what, subject)

    def action_explain(self) -> None:
        """Show what the finding under the cursor means."""
        if code := self.code():
            self.app.go("explain", ObjectRef("Code", "", code))

    def action_repair(self) -> None:
        """Show the runbooks for what is under the cursor."""
        self.app.repair(self.subject(), self.code())

    def action_copy(self) -> None:
        """Copy the row under the cursor."""
        if text := self.copied():
            self.notify(clipboard.copy(self.app, text), timeout=3, markup=False)

    def action_collect(self) -> None:
        """Ask every source again."""
        self.app.collect_now()

    def action_help(self) -> None:
        """Show every key that works here."""
        self.app.help(self)

    def action_back(self) -> None:
        """Stop the probe that is under way, else clear the filter; where there is none, leave."""
        pane = self.pane()
        if self.app.stop_probe():
            return
        if pane and pane.filter.says:
            pane.set_filter(type(pane.filter)())
        elif len(self.app.screen_stack) > 1:
            self.app.leave()

    def action_leave(self) -> None:
        """Go back; on the overview, end underlay."""
        self.app.leave()

    def action_step(self, places: int) -> None:
        """Go through the places visited."""
        self.app.step(places)

    def moved(self) -> None:
        """Offer other keys where something else is under the cursor: of a list of nodes each has the same."""
        subject = self.subject()
        kind = (self.pane(), subject.kind if subject else "", bool(self.code()))
        if kind != self._offered:
            self._offered = kind
            self.refresh_bindings()
