"""The mesh screen: what every node has for every other, and both directions of the pair under the cursor."""

from collections.abc import Iterable

from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis
from tui.screens.overview_panes import OverlayPane, OverviewPane
from tui.screens.paired import PairedScreen
from tui.views.peers import pair_document
from tui.widgets.blocks import Block, Paragraph
from tui.widgets.listpane import ListPane


class MeshScreen(PairedScreen):
    """The overlay as a matrix, and one pair of it leg by leg."""

    NAME = "Overlay"
    KEPT = True

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the matrix."""
        return (OverlayPane(0, glyphs=self.app.glyphs),)

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Spell out the pair."""
        pair = self.list.matrix.cursor_pair if isinstance(self.list, OverlayPane) else None
        if pair is None:
            return (Paragraph("There is no pair of nodes to compare.", "muted"),)
        return pair_document(diagnosis, *pair, self.app.glyphs)

    def on_list_pane_opened(self, event: ListPane.Opened) -> None:
        """Open the node it is seen from."""
        event.stop()
        self.app.open(event.ref)

    def opened(self, key: str) -> None:
        """Open the node that a leg was looked up on."""
        self.app.open(node_ref(key.partition("/")[0]))
