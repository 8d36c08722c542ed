"""The screen of probes: every newest result by place, and the one under the cursor try by try."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.model.reach import WORST
from probes.rules.finding import Diagnosis
from tui.probed import Probed
from tui.screens.overview_panes import OverviewPane
from tui.screens.paired import PairedScreen
from tui.screens.probes_panes import MeshPane, PathsPane, PmtuPane, ProbesPane, TargetsPane
from tui.views.findings import finding_at
from tui.views.probes_detail import judged, result_document, side_by_side
from tui.views.probes_wanted import TARGETS, place_of
from tui.widgets.blocks import Block, Heading, Paragraph


class ProbesScreen(PairedScreen):
    """What was probed, from where, and what came of it."""

    NAME = "Probes"
    SHOWS_PROBES = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "list(1)", "Lists", key_display="1-3", id="probes.lists", tooltip="Targets, path MTU, mesh"),
        Binding("2", "list(2)", "Path MTU", show=False, id="probes.pmtu"),
        Binding("3", "list(3)", "Mesh", show=False, id="probes.mesh"),
    ]

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._panes: tuple[ProbesPane, ...] = ()

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the matrices."""
        glyphs = self.app.glyphs
        self._panes = (TargetsPane(1, glyphs=glyphs), PmtuPane(2, glyphs=glyphs), MeshPane(3, glyphs=glyphs))
        return self._panes

    def probed(self, probed: Probed) -> None:
        """Show new results, and write up the one under the cursor."""
        for pane in self._panes:
            pane.tell(probed, self.app.clock())
        if self.ref is not None and not self._is_placed:
            self._is_placed = self.place()
        self._say()
        self.share()
        self.write()
        self.moved()

    def place(self) -> bool:
        """Put the cursor on the result that was asked for."""
        if self.ref is None or self.ref.kind != "Probe":
            return True
        of, row, column = place_of(self.ref)
        kinds = [(TARGETS,), *(pane.KINDS for pane in self._panes if isinstance(pane, PathsPane))]
        number = next((number for number, each in enumerate(kinds, 1) if of in each), 0)
        if number and self.active != number - 1:
            self.action_list(number)
        return (not row and not column) or self._pane.look_at(row, column)

    def look_at(self, ref: ObjectRef) -> None:
        """Put the cursor on a result, as soon as it is there."""
        self.ref, self._is_placed = ref, False
        self._is_placed = self.place()
        self.write()

    @property
    def _pane(self) -> ProbesPane:
        return self._panes[self.active]

    def subject(self) -> ObjectRef | None:
        """Tell which node is probed from."""
        return self._pane.subject()

    def write(self) -> None:
        """Write up what is under the cursor now."""
        self.document.set_document(self.blocks(self.app.diagnosis), self.app.clock(), about=self._pane.place())

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Write up what is under the cursor: held against the same from elsewhere, then try by try."""
        pane = self._pane
        if isinstance(pane, TargetsPane):
            return self._target(pane, diagnosis)
        return self._path(pane, diagnosis) if isinstance(pane, PathsPane) else ()

    def _target(self, pane: TargetsPane, diagnosis: Diagnosis) -> list[Block]:
        glyphs, probed = self.app.glyphs, self.app.probed
        if pane.spot is None:
            return [Paragraph("There is nothing to probe.", "muted")]
        spot, vantage = pane.spot
        if not spot.target:
            every = [each for each in probed.latest.values() if each.probe == spot.probe and each.vantage == vantage]
            every.sort(key=lambda each: (-WORST[each.tone], each.target))
            said = "Not run: p says what it would send from there." if not every else ""
            if said:
                return [Paragraph(said, "muted")]
            return [*side_by_side(every, glyphs, to=True), *judged(diagnosis, every, glyphs)]
        keys = [spot.key(name) for name in pane.targets.vantages]
        every = [probed.latest[key] for key in keys if key in probed.latest]
        blocks: list[Block] = [Heading(f"{spot.probe} {spot.target} {spot.asked}".rstrip())]
        blocks += [*side_by_side(every, glyphs), *judged(diagnosis, every, glyphs)]
        found = probed.latest.get(spot.key(vantage))
        if found is None:
            return [*blocks, Paragraph(f"Not run from {vantage}: p says what it would send.", "muted")]
        return [*blocks, Heading(f"From {vantage}"), *result_document(found, probed, diagnosis, glyphs)]

    def _path(self, pane: PathsPane, diagnosis: Diagnosis) -> list[Block]:
        glyphs, pair = self.app.glyphs, pane.matrix.cursor_pair
        if pair is None:
            return [Paragraph("There is no path to probe.", "muted")]
        if pair[0] == pair[1]:
            return [Paragraph("A node reaches itself without a network.", "muted")]
        there, here = pane.paths.pair(*pair).results, pane.results_here
        if not here:
            return [Paragraph(f"Not run from {pair[0]} to {pair[1]}: p says what it would send.", "muted")]
        blocks = [*side_by_side(here, glyphs, to=True)]
        blocks += judged(diagnosis, here, glyphs)
        for each in sorted(there, key=lambda each: -WORST[each.tone]):
            blocks.append(Heading(f"{each.vantage} {glyphs.arrow} {each.target}"))
            blocks += result_document(each, self.app.probed, diagnosis, glyphs)
        return blocks

    def opened(self, key: str) -> None:
        """Open the finding that a line of the document tells of."""
        finding = finding_at(self.app.diagnosis, key)
        if finding is not None:
            self.app.go("findings", finding.subject)
