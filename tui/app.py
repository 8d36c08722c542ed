"""UnderlayApp: holds the newest diagnosis of one cluster and the screens that show it."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, ClassVar, Final

import msgspec
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme
from textual.timer import Timer
from textual.worker import Worker, WorkerError

import themes
from probes.model.flux import ObjectRef
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import Advice
from probes.rules.finding import Diagnosis
from tui import commands
from tui.defects import admit
from tui.format import UNICODE, Glyphs
from tui.garbage import Garbage
from tui.judging import Pace, judge
from tui.kept import KeepingApp
from tui.probed import Probed, beside
from tui.probing import Probing
from tui.remembered import Remembered, keep
from tui.repairs import Repairs
from tui.screens import OVERVIEW, Entry, find, make, screen_of
from tui.screens.base import LiveScreen, Reads
from tui.trail import Place, Trail
from tui.widgets.bars import PlainBars

Publish = Callable[[Snapshot], None]
_SETTLING: Final = 1.0
"""Seconds after which the screens show what came."""
_RETRY: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until observation begins anew where it ended against all expectation."""
_GRACE: Final = 3.0
"""Seconds that connections have to close when the app ends."""
_KEEPING: Final = 1.0
"""Seconds after which a change of the screens' look is written down."""
_DEEPEST: Final = 12
"""Screens upon one another."""


class CannotStart(Exception):
    """There is no cluster to observe; its text is one sentence for the operator."""


class UnderlayApp(KeepingApp):
    """One cluster, live; nothing that happens to it ends the app."""

    TITLE = "underlay"
    CSS = commands.PALETTE_CSS
    COMMANDS = {commands.Commands}  # noqa: RUF012 - Textual's own form
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "ctrl+c",
            "quit",
            "Quit",
            show=False,
            priority=True,
            id="quit",
            tooltip="Stop the probe; where there is none, end underlay",
        ),
        Binding("ctrl+p", "command_palette", "Palette", show=False, id="palette", tooltip="Every command by name"),
    ]

    def __init__(
        self,
        follow: Callable[[Publish], Awaitable[None]],
        *,
        reads: Reads | None = None,
        repairs: Repairs | None = None,
        probing: Probing | None = None,
        collect: Callable[[], None] | None = None,
        context: str = "",
        only: Collection[str] = (),
        advice: Advice = Advice(),  # noqa: B008 - a frozen value
        glyphs: Glyphs = UNICODE,
        palette: Mapping[str, Theme] | None = None,
        remembered: Remembered | None = None,
        theme: str = "",
        environ: Mapping[str, str] | None = None,
        notices: Collection[str] = (),
    ) -> None:
        """``follow`` observes until cancelled and publishes each new snapshot; ``collect`` asks everything anew.

        ``theme`` goes before the one that was remembered; ``notices`` are told once the first frame is there.
        """
        environ = environ or {}
        palette = themes.load() if palette is None else palette
        remembered = remembered or Remembered()
        asked = next((name for name in (theme, f"underlay-{theme}", remembered.theme) if name in palette), "")
        wanted = themes.choose(asked, environ)
        self._notices = [*notices, *([f"there is no theme {theme}"] if theme and asked == remembered.theme else [])]
        self._defaults = {k: v for k, v in palette[themes.DEFAULT].variables.items() if k.startswith("tone-")}
        super().__init__(glyphs=glyphs, reads=reads, repairs=repairs, probing=probing, ansi_color=palette[wanted].ansi)
        for each in palette.values():
            self.register_theme(each)
        self.theme = wanted
        if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
            self.animation_level = "none"
        ScrollBar.renderer = ScrollBarRender if glyphs is UNICODE else PlainBars
        self.remembered = remembered
        self.failure = ""
        """Why it ended by itself, for the operator; empty where it did not."""
        self._source = follow
        self._collect = collect
        self._only = only
        self._advice = advice
        self._newest = Snapshot(context=context)
        self._observing: Worker[None] | None = None
        self._pace = Pace()
        self._admitted: set[str] = set()
        self._trail = Trail(Place(OVERVIEW.name))
        self._keeping: Timer | None = None
        self.set_reactive(UnderlayApp.diagnosis, Diagnosis(self._newest))

    def get_default_screen(self) -> Screen[Any]:
        """Begin with the overview, before anything is known."""
        return make(OVERVIEW, None)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Give Textual's own themes our tones."""
        return self._defaults

    def on_mount(self) -> None:
        """Begin to observe."""
        for said in self._notices:
            self.notify(said, severity="warning", markup=False)
        self._observing = self.run_worker(self._observe(), group="observe", exit_on_error=False)
        self.run_worker(self._judge(), group="judge")

    async def on_unmount(self) -> None:
        """End what is sent and what observes, and wait until its connections are closed."""
        if self._keeping is not None:
            self._keep()
        await self.end_probe()
        if self._observing is not None:
            self._observing.cancel()
            with suppress(WorkerError, TimeoutError):
                async with asyncio.timeout(_GRACE):
                    await self._observing.wait()

    async def _observe(self) -> None:
        """Follow the cluster; should that end, begin again after a while."""
        failures = 0
        while True:
            try:
                await self._source(self._publish)
            except CannotStart as error:
                self.failure = str(error)
                self.exit(3)
                return
            except Exception as error:  # noqa: BLE001 - the edge of all sources: whatever it was, the screen stays
                why = f"{type(error).__name__}: {error}"
                self.notify(f"observation ended ({why}) and begins anew", severity="warning", markup=False)
            await asyncio.sleep(_RETRY[min(failures, len(_RETRY) - 1)])
            failures += 1

    def _publish(self, snapshot: Snapshot) -> None:
        self._newest = snapshot
        self._pace.arrived(snapshot, self.diagnosis.snapshot)

    async def _judge(self) -> None:
        """Diagnose the newest snapshot, the ones in between left out."""
        garbage = Garbage()
        while True:
            await self._pace.due()
            before, newest = self.diagnosis, beside(self._newest, self.probed)
            used = time.thread_time()
            try:
                after = await judge(newest, before, only=self._only, advice=self._advice)
                self.chronicle.note(before, after)
            except Exception as error:  # noqa: BLE001 - a defect in one rule must not take the screen from its operator
                self._admit(f"what was observed could not be judged ({type(error).__name__}: {error})")
            else:
                self.diagnosis = after
                if garbage.has_grown(newest):
                    self.set_timer(_SETTLING, garbage.settle)
            await self._pace.rest(time.thread_time() - used)

    def watch_probed(self, probed: Probed) -> None:
        """Judge anew once a run has ended: what packets showed may explain what is found."""
        if not probed.is_running and probed.latest:
            self._pace.hurry()

    def _admit(self, defect: str) -> None:
        """Tell of a defect of underlay's own, once."""
        if defect not in self._admitted:
            self._admitted.add(defect)
            self.notify(f"{defect}; what is shown is as it was before", severity="error", timeout=60, markup=False)

    def _fatal_error(self) -> None:
        """End with one sentence; Textual would print the values of every variable, a token among them."""
        error = self._exception or sys.exception()
        if error is not None:
            self.failure = admit(error, time.time())
        self._return_code = 3
        self._close_messages_no_wait()

    def open(self, ref: ObjectRef) -> None:
        """Show an object where its kind is shown, else describe it."""
        entry = screen_of(ref) or find("describe")
        if entry is not None:
            self._show(Place(entry.name, ref), entry)

    def go(self, name: str, ref: ObjectRef | None = None) -> None:
        """Show a screen of the catalog."""
        entry = find(name)
        if entry is not None:
            self._show(Place(entry.name, ref), entry)

    def choose(self, ref: ObjectRef | None, code: str) -> None:
        """Show the runbooks for a finding or an object."""
        from tui.screens.runbooks import RunbooksScreen  # noqa: PLC0415 - imported when it is opened

        screen = RunbooksScreen(ref, code)
        screen.entry = "runbooks"
        self._trail.visit(Place("runbooks", ref))
        self.push_screen(screen)

    def _show(self, place: Place, entry: Entry) -> None:
        self._trail.visit(place)
        if entry is OVERVIEW:
            self._unwind()
        elif len(self.screen_stack) > _DEEPEST:
            self.switch_screen(self.made(entry, place.ref))
        else:
            self.push_screen(self.made(entry, place.ref))

    def _unwind(self) -> None:
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def leave(self) -> None:
        """Go back to the screen beneath; from the lowest one, end underlay."""
        if len(self.screen_stack) == 1:
            self.quit()
            return
        self.pop_screen()
        beneath = self.screen
        if isinstance(beneath, LiveScreen) and beneath.entry:
            self._trail.visit(Place(beneath.entry, beneath.ref))

    def step(self, places: int) -> None:
        """Go to a place visited before, after, or last."""
        place = self._trail.step(places)
        entry = find(place.name) if place else None
        if place is None or entry is None:
            return
        self._unwind()
        if entry is not OVERVIEW:
            self.push_screen(self.made(entry, place.ref))

    def remember(self, **changed: object) -> None:
        """Note how the screens are left; it is written down once nobody has changed it for a while."""
        before, self.remembered = self.remembered, msgspec.structs.replace(self.remembered, **changed)
        if self.remembered != before:
            if self._keeping is not None:
                self._keeping.stop()
            self._keeping = self.set_timer(_KEEPING, self._keep)

    def _keep(self) -> None:
        self._keeping = None
        keep(self.remembered)

    def collect_now(self) -> None:
        """Ask every source again."""
        if self._collect:
            self._collect()
            self.notify("asking every source again", timeout=2, markup=False)

    def command(self, text: str) -> str:
        """Do what was typed after ``:``."""
        return commands.run(self, text)

    def complete(self, text: str) -> str:
        """Complete what was typed after ``:``."""
        return commands.complete(
            text,
            sorted(name.removeprefix("underlay-") for name in self.available_themes),
            repairs=self.repairs is not None,
        )
