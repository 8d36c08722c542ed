"""The findings screen: root causes with what they explain, and the evidence of the one under the cursor."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis, Finding
from tui.screens.findings_pane import FindingsPane
from tui.screens.overview_panes import OverviewPane
from tui.screens.paired import PairedScreen
from tui.views.finding_detail import cause_of, finding_document
from tui.views.findings import finding_at, finding_key
from tui.widgets.blocks import Block, Paragraph


class FindingsScreen(PairedScreen):
    """What is wrong, and why anybody should believe it."""

    NAME = "Findings"
    KEPT = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "subject", "Go to it", id="findings.open", tooltip="The screen of what the finding is about"),
    ]

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the list."""
        return (FindingsPane(0, glyphs=self.app.glyphs),)

    def place(self) -> bool:
        """Put the cursor on the first finding about what was opened."""
        if not isinstance(self.list, FindingsPane):
            return True
        key = next((item.row.key for item in self.list.listing.items if item.ref == self.ref), None)
        return key is not None and self.list.table.move_to_key(key)

    def finding(self, diagnosis: Diagnosis) -> Finding | None:
        """Tell which finding is under the cursor."""
        key = self.list.table.cursor_key if isinstance(self.list, FindingsPane) else None
        return finding_at(diagnosis, key) if key else None

    def code(self) -> str:
        """Name the finding that is shown, wherever the keys are."""
        finding = self.finding(self.app.diagnosis)
        return finding.code if finding else ""

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Give its evidence."""
        finding = self.finding(diagnosis)
        if finding is None:
            return (Paragraph("There is no finding to show evidence of.", "muted"),)
        return finding_document(finding, self.app.glyphs, cause=cause_of(diagnosis, finding))

    def write(self) -> None:
        """Write up what is under the cursor now: two findings may be about one object."""
        super().write()
        finding = self.finding(self.app.diagnosis)
        key = finding_key(finding) if finding else ""
        if key != self._written:
            self._written = key
            self.document.document.move_to(0, quiet=True)

    _written = ""

    def renew(self, ref: ObjectRef | None) -> None:
        """Be about another finding."""
        super().renew(ref)
        self._written = ""

    def opened(self, key: str) -> None:
        """Go to the finding that a line of the document stands for."""
        if isinstance(self.list, FindingsPane):
            self.list.table.move_to_key(key)

    def action_subject(self) -> None:
        """Open what the finding is about."""
        if subject := self.list.subject():
            self.app.open(subject)
