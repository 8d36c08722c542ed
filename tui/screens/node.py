"""The node screen: one node's packet path, its peers and every fact behind them."""

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from probes.rules.glance import node_ref
from tui.screens.base import LiveScreen
from tui.views.node import node_document
from tui.views.peers import pair_of
from tui.widgets.documentpane import DocumentPane


class _NodePane(DocumentPane):
    """A node written up."""

    NAME: ClassVar[str] = "Node"


class NodeScreen(LiveScreen):
    """One node, the packet path first."""

    NAME = "Nodes"

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._counters: Mapping[str, int] | None = None
        self._pane: _NodePane

    def body(self) -> ComposeResult:
        """Hold the document."""
        self._pane = _NodePane(glyphs=self.app.glyphs, id="node")
        self._pane.add_class("-bare")  # the breadcrumbs say whose it is
        yield self._pane

    def on_mount(self) -> None:
        """Read from the first line."""
        super().on_mount()
        self._pane.document.focus()

    def show(self, diagnosis: Diagnosis) -> None:
        """Write the node up anew; lines that say the same are not painted."""
        name = self.ref.name if self.ref else next(iter(diagnosis.views), "")
        network = diagnosis.snapshot.networks.get(name)
        if self._counters is None and network is not None:
            self._counters = network.counters
        self._pane.entitle(name)
        blocks = node_document(diagnosis, name, self.app.timeline, self._counters, self.app.glyphs, self.app.history)
        self._pane.set_document(blocks, self.app.clock(), about=node_ref(name))

    def on_document_pane_opened(self, event: DocumentPane.Opened) -> None:
        """Open the peer that a line stands for, or what a finding is about."""
        event.stop()
        if pair := pair_of(event.key):
            name = self.ref.name if self.ref else ""
            self.app.open(node_ref(pair[1] if pair[0] == name else pair[0]))
        elif event.key.startswith("finding ") and self.ref:
            self.app.go("findings", self.ref)

    def on_list_pane_moved(self) -> None:
        """Offer the keys of what is under the cursor now."""
        self.moved()
