"""The Flux screen: sources and what they feed, and the object under the cursor written up."""

from collections.abc import Iterable

from probes.rules.finding import Diagnosis
from tui.screens.overview_panes import FluxPane, OverviewPane
from tui.screens.paired import PairedScreen
from tui.views.flux import key_of
from tui.views.flux_detail import flux_document, ref_of
from tui.widgets.blocks import Block, Paragraph


class FluxScreen(PairedScreen):
    """Flux as a tree, and why one of its objects is as it is."""

    NAME = "Flux"
    KEPT = True

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the tree."""
        return (FluxPane(0, glyphs=self.app.glyphs),)

    def place(self) -> bool:
        """Put the cursor on the object that was opened."""
        return bool(self.ref and isinstance(self.list, FluxPane) and self.list.table.move_to_key(key_of(self.ref)))

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Write the object up."""
        ref = self.list.subject()
        if ref is None:
            return (Paragraph("Nothing is selected.", "muted"),)
        return flux_document(diagnosis, ref, self.app.glyphs)

    def opened(self, key: str) -> None:
        """Go to the object that a line of the document stands for."""
        ref = ref_of(key)
        if ref and isinstance(self.list, FluxPane):
            self.list.table.move_to_key(key_of(ref))
