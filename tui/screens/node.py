"""The node screen: one node's packet path, its peers and every fact behind them."""

from collections.abc import Mapping

from textual.app import ComposeResult

from probes.model.flux import ObjectRef
from probes.model.network import NodeNetwork
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis, NodeView
from tui.probing import Wanted
from tui.screens.base import LiveScreen
from tui.views.node import node_document
from tui.views.peers import pair_of
from tui.views.probes_wanted import between
from tui.widgets.documentpane import DocumentPane


class NodeScreen(LiveScreen):
    """One node, the packet path first."""

    NAME = "Nodes"
    KEPT = True

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._counters: Mapping[str, int] | None = None
        self._own: tuple[NodeView | None, NodeNetwork | None] | None = None
        self._is_behind = False
        self._pane: DocumentPane

    def body(self) -> ComposeResult:
        """Hold the document."""
        self._pane = DocumentPane(glyphs=self.app.glyphs, id="node")
        self._pane.add_class("-bare")  # the breadcrumbs say whose it is
        yield self._pane

    def on_mount(self) -> None:
        """Read from the first line."""
        super().on_mount()
        self._pane.document.focus()

    def renew(self, ref: ObjectRef | None) -> None:
        """Be about another node, read from the first line; its counters count from now."""
        super().renew(ref)
        self._counters, self._own, self._is_behind = None, None, False
        self.set_focus(self._pane.document)

    def show(self, diagnosis: Diagnosis) -> None:
        """Write the node up anew at once where it changed, else with the next tick: others' churn is not urgent."""
        name = self._node_name(diagnosis)
        network = diagnosis.snapshot.networks.get(name)
        own = (diagnosis.views.get(name), network)
        is_same = self._own is not None and all(new is old for new, old in zip(own, self._own, strict=True))
        self._own = own
        if is_same:
            self._is_behind = True
            return
        if self._counters is None and network is not None:
            self._counters = network.counters
        self._write(diagnosis)

    def tick(self, now: float) -> None:
        """Catch up with what changed on other nodes, and let ages say what is true now."""
        if self._is_behind:
            self._write(self.app.diagnosis)
        super().tick(now)

    def _node_name(self, diagnosis: Diagnosis) -> str:
        return self.ref.name if self.ref else next(iter(diagnosis.views), "")

    def _write(self, diagnosis: Diagnosis) -> None:
        self._is_behind = False
        name = self._node_name(diagnosis)
        blocks = node_document(diagnosis, name, self.app.timeline, self._counters, self.app.glyphs, self.app.history)
        self._pane.set_document(blocks, self.app.clock(), about=node_ref(name))

    def to_probe(self) -> Wanted | None:
        """Probe the peer that the line under the cursor is about; elsewhere, all peers."""
        pair = pair_of(self._pane.document.cursor_key)
        return (between(*pair) if pair and {*pair} <= self.app.diagnosis.views.keys() else None) or super().to_probe()

    def on_document_pane_opened(self, event: DocumentPane.Opened) -> None:
        """Open the peer that a line stands for, or what a finding is about."""
        event.stop()
        if pair := pair_of(event.key):
            name = self.ref.name if self.ref else ""
            self.app.open(node_ref(pair[1] if pair[0] == name else pair[0]))
        elif event.key == "finding" and self.ref:
            self.app.go("findings", self.ref)

    def on_list_pane_moved(self) -> None:
        """Offer the keys of what is under the cursor now."""
        self.moved()
