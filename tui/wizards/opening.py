"""Opening: which screen of a repair comes to the front, and when."""

from probes.model.flux import ObjectRef
from tui.wizards.host import WizardApp


class OpeningApp(WizardApp):
    """An App that opens the screens of a repair; they know of its host alone."""

    def review(self, runbook: str, ref: ObjectRef | None) -> None:
        """Show the plan of a runbook, of an object where it is about one."""
        from tui.wizards.review import ReviewScreen  # noqa: PLC0415 - imported when it is opened

        if self.is_running_repair:
            self.notify("one run at a time: this one is under way", severity="warning", markup=False)
            self.show_run()
        elif self.repairs is not None and (found := self.repairs.catalog().runbooks.get(runbook)) is not None:
            self.push_screen(ReviewScreen(found, ref))

    def show_run(self) -> None:
        """Bring the run to the front."""
        from tui.wizards.run import RunScreen  # noqa: PLC0415 - imported when it is opened

        if self.progress is None:
            return
        if any(isinstance(screen, RunScreen) for screen in self.screen_stack):
            while not isinstance(self.screen, RunScreen):
                self.pop_screen()
        else:
            self.push_screen(RunScreen())

    def quit(self, status: int = 0) -> None:
        """End underlay; a run that is under way is not left by mistake."""
        if not self.is_running_repair:
            self.exit(status)
            return
        from tui.wizards.leaving import LeavingScreen  # noqa: PLC0415 - seldom opened

        if not isinstance(self.screen, LeavingScreen):
            self.push_screen(LeavingScreen(ends=True))
