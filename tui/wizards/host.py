"""Host: the App's part in repairs. It holds the lock on writing and the one run, whichever screen is in front."""

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal

from textual import work
from textual.reactive import reactive
from textual.worker import Worker, WorkerError

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui.format import Span
from tui.repairs import Leftover, RepairFailed, Repairs
from tui.screens.base import LiveApp

if TYPE_CHECKING:
    from runbooks.plan import Plan
    from tui.repairs import Execution
    from tui.wizards.progress import Progress
    from tui.wizards.session import Session

_REST: Final = 20.0
"""Seconds that a run has to come to rest when underlay ends; its journal knows what it was at in any case."""


class WizardApp(LiveApp):
    """An App that can repair, once its operator has unlocked that."""

    progress: reactive["Progress | None"] = reactive(None, repaint=False, init=False)
    """Of the run that is under way, or that ended last."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.session: Session | None = None
        self._run_worker: Worker[None] | None = None
        self.left: tuple[Leftover, ...] = ()
        """What earlier runs left in the cluster and in the journals."""
        self._has_looked = False
        self._resting = False
        """Whether underlay ends as soon as the run rests."""

    def watch_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Look for what earlier runs left, once there is a cluster to look at."""
        if self.repairs is not None and not self._has_looked and diagnosis.views:
            self._has_looked = True
            self.look_left()

    def watch_progress(self) -> None:
        """Say in the header at once how the run stands."""
        self.head()

    @work(exclusive=True, group="left")
    async def look_left(self) -> None:
        """Look for what earlier runs left."""
        if self.repairs is None:
            return
        before, context = self.left, self.diagnosis.snapshot.context
        try:
            self.left = await self.repairs.leftovers()
        except RepairFailed as error:
            said = f"what earlier runs left could not be looked for: {error}"
            self.notify(said, severity="warning", timeout=20, markup=False)
            return
        for each in self.left:
            if each not in before and not self.is_running_repair:
                self.notify(
                    f"{each.text}; see :runs", title=f"left on {context}", severity="warning", timeout=30, markup=False
                )

    # What may be written.

    def unlock(self, typed: str) -> str:
        """Let runbooks write to the cluster whose context was typed; returns what is wrong, empty where nothing is."""
        context = self.diagnosis.snapshot.context
        if self.repairs is None:
            return "This underlay only reads: there is nothing here that changes a cluster."
        if not context:
            return "Which cluster this is, is not known yet."
        if typed != context:
            return f"That is not {context}."
        self.unlocked = True
        return ""

    def lock(self) -> str:
        """Let nothing write any more; returns what is wrong."""
        if self.is_running_repair:
            return "A run is under way: pause it or give it up first (:run)."
        self.unlocked = False
        return ""

    @property
    def is_running_repair(self) -> bool:
        """Whether a run is under way."""
        return self.progress is not None and self.progress.is_live

    def signs(self) -> tuple[Span, ...]:
        """Say for the header whether anything can be written, and how the run stands."""
        mode = Span(" UNLOCKED ", "unlocked") if self.unlocked else Span("READ-ONLY", "accent")
        progress = self.progress
        if progress is None or not progress.is_live:
            left = (Span(f"{self.glyphs.warning} :runs", "warning"), Span("  ")) if self.left else ()
            return (*left, mode)
        place = f"{self.glyphs.folded} run {max(progress.place + 1, 1)}/{len(progress.plan.steps)}"
        run = Span(f"{place} asks", "warning") if progress.ask is not None else Span(place, "accent")
        return (run, Span("  "), mode)

    # The one run.

    def repair(self, ref: ObjectRef | None, code: str = "") -> None:
        """Show the runbooks that fix a finding or apply to an object; the run, while one is under way."""
        if self.is_running_repair:
            self.show_run()
        elif self.repairs is not None:
            self.choose(ref, code)

    def choose(self, ref: ObjectRef | None, code: str) -> None:
        """Show runbooks to choose from."""
        raise NotImplementedError

    def review(self, runbook: str, ref: ObjectRef | None) -> None:
        """Show the plan of a runbook, of an object where it is about one."""
        raise NotImplementedError

    def show_run(self) -> None:
        """Bring the run to the front."""
        raise NotImplementedError

    def quit(self, status: int = 0) -> None:
        """End underlay; a run that is under way is not left by mistake."""
        raise NotImplementedError

    def name_run(self) -> str:
        """Draw a name for a run."""
        from runbooks.plan import run_name  # noqa: PLC0415 - imported long ago

        return run_name(self.clock(), secrets.randbits(16))

    def begin(self, plan: "Plan", typed: str) -> str:
        """Begin a run on the plan that its operator has confirmed; returns what is wrong, empty where nothing is."""
        if self.repairs is None or self.is_running_repair:
            return "a run is under way"
        if plan.writes and not self.unlocked:
            return "nothing may be written: unlock it first"
        try:
            execution = self.repairs.begin(plan)
        except RepairFailed as error:
            return str(error)
        self._carry_out(execution, typed)
        return ""

    def resume_run(self, run: str, *, breaking: str = "", abandon: bool = False) -> None:
        """Go on with a run that rests, or end it."""
        if self.is_running_repair:
            self.show_run()
        elif not self.unlocked:
            said = f"nothing is written until it is unlocked: :write {self.diagnosis.snapshot.context}"
            self.notify(said, severity="warning", markup=False)
        elif self.repairs is not None:
            repairs = self.repairs
            work = self._resume(repairs, run, breaking=breaking, abandon=abandon)
            self.run_worker(work, group="resume", exclusive=True)

    async def _resume(self, repairs: Repairs, run: str, *, breaking: str, abandon: bool) -> None:
        try:
            execution = await repairs.resume(run, breaking=breaking, abandon=abandon)
        except RepairFailed as error:
            self.notify(str(error), severity="error", timeout=20, markup=False)
            return
        self._carry_out(execution, None)

    def _carry_out(self, execution: "Execution", typed: str | None) -> None:
        from tui.wizards.session import Session  # noqa: PLC0415 - imported when it is opened

        session = self.session = Session(execution, self.clock, self._told)
        if typed is not None:
            session.consent(typed)
        self._told(session.progress)
        self._run_worker = self.run_worker(self._follow_run(session), group="run", exit_on_error=False)
        self.show_run()

    async def _follow_run(self, session: "Session") -> None:
        """Follow the run to its end; whatever goes wrong in it is said, and its journal has it."""
        try:
            await session.follow()
        except Exception as error:  # noqa: BLE001 - the edge of the engine: whatever it was, the screen stays
            session.broke(f"{type(error).__name__}: {error}")
        else:
            session.broke("")
        if not self._resting:
            self.look_left()

    def _told(self, progress: "Progress") -> None:
        if self.session is None or progress is self.session.progress:
            self.progress = progress

    def interrupt(self, how: Literal["pause", "abort"]) -> None:
        """Let the run rest, or give it up."""
        if self.session is not None:
            self.session.interrupt(how)

    # The way out.

    async def action_quit(self) -> None:
        """Stop the probe that is under way; where there is none, end underlay, as ctrl-c asks for."""
        if not self.stop_probe():
            self.quit()

    def exit(self, result: Any = None, return_code: int = 0, message: Any = None) -> None:
        """End, whoever asks for it: a run comes to rest first, for a bounded time; asked twice, at once."""
        if self._resting or not self.is_running_repair or self._run_worker is None:
            super().exit(result, return_code, message)
            return
        self._resting = True
        self.interrupt("pause")
        self.run_worker(self._exit_at_rest(self._run_worker, result, return_code, message), group="rest")

    async def _exit_at_rest(self, run: Worker[None], result: Any, return_code: int, message: Any) -> None:
        with suppress(WorkerError, TimeoutError):
            async with asyncio.timeout(_REST):
                await run.wait()
        super().exit(result, return_code, message)
