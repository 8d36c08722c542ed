"""The runbooks screen: those that fix what it was opened for first, and why the others would not help."""

from collections.abc import Iterable

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs
from tui.repairs import Repairs
from tui.screens.overview_panes import OverviewPane
from tui.screens.paired import PairedScreen
from tui.views import runbooks
from tui.views.findings import Since
from tui.widgets.blocks import Block, Paragraph
from tui.widgets.listpane import ListPane


class RunbooksPane(ListPane, OverviewPane):
    """Runbooks, the most fitting first."""

    NAME = "Runbooks"
    COLUMNS = runbooks.COLUMNS

    def __init__(
        self, number: int, wanted: runbooks.Wanted, repairs: Repairs | None, *, glyphs: Glyphs = UNICODE
    ) -> None:
        super().__init__(number, glyphs=glyphs, id="runbooks")
        self.wanted = wanted
        self._repairs = repairs

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:  # noqa: ARG002 - as every pane
        """Show the runbooks as they fit a diagnosis."""
        if self._repairs is not None:
            listing = runbooks.runbooks(self._repairs.catalog(), diagnosis, self.wanted, self.glyphs)
            self.set_listing(listing, now)

    def fit(self, diagnosis: Diagnosis) -> runbooks.Fit | None:
        """Tell how the runbook under the cursor fits."""
        ref = self.subject()
        if ref is None or self._repairs is None:
            return None
        found = runbooks.fits(self._repairs.catalog(), diagnosis, self.wanted)
        return next((fit for fit in found if fit.runbook.name == ref.name), None)

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 3


class RunbooksScreen(PairedScreen):
    """What can be done about it."""

    NAME = "Runbooks"

    def __init__(self, ref: ObjectRef | None = None, code: str = "") -> None:
        super().__init__(ref)
        self.wanted = runbooks.Wanted(ref, code)
        self._is_placed = True

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the list."""
        return (RunbooksPane(0, self.wanted, self.app.repairs, glyphs=self.app.glyphs),)

    def crumbs(self) -> tuple[str, ...]:
        """Tell what they are for."""
        wanted = " ".join(part for part in (self.wanted.code, self.ref.name if self.ref else "") if part)
        return (self.NAME, wanted) if wanted else (self.NAME,)

    def subject(self) -> ObjectRef | None:
        """Tell what they are for."""
        return self.ref

    def write(self) -> None:
        """Write up the runbook under the cursor, from its first line."""
        self.document.set_document(self.blocks(self.app.diagnosis), self.app.clock(), about=self.list.subject())

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Write the runbook under the cursor up."""
        fit = self.list.fit(diagnosis) if isinstance(self.list, RunbooksPane) else None
        if fit is None:
            return (Paragraph(self.list.line() or "There is no runbook to show.", "muted"),)
        return tuple(runbooks.runbook_blocks(fit, diagnosis, self.app.glyphs))

    def on_list_pane_opened(self, event: ListPane.Opened) -> None:
        """Show the plan of the runbook that was chosen."""
        event.stop()
        event.prevent_default()  # else the screen that this one is made of goes to the text as well
        self.app.review(event.ref.name, self.ref)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Lead no further runbooks from here."""
        return False if action == "repair" else super().check_action(action, parameters)
