"""The findings pane: root causes with what they explain beneath, and what the one under the cursor is."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.rules.finding import Diagnosis, Finding
from tui.format import UNICODE, Glyphs
from tui.probing import Wanted
from tui.screens.overview_panes import FRAME, OverviewPane
from tui.views import findings
from tui.views.findings import Since
from tui.views.probes_wanted import of_finding
from tui.widgets.filter import Filter
from tui.widgets.listpane import ListPane, ListTable
from tui.widgets.spanline import SpanLines
from tui.widgets.table import Table

_LOOKED_AT: Final = 20
"""Findings of which the longest sets how many lines are kept for telling one."""


class _FindingsTable(ListTable):
    """Findings; space folds what a root cause explains."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "fold", "Fold", id="findings.fold", tooltip="Hide or show what this explains"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to fold only where there is something beneath."""
        if action == "fold":
            return isinstance(self.parent, FindingsPane) and self.parent.is_foldable
        return super().check_action(action, parameters)

    def action_fold(self) -> None:
        """Fold what is under the cursor."""
        if isinstance(self.parent, FindingsPane):
            self.parent.fold()


class FindingsPane(ListPane, OverviewPane):
    """Root causes first, with what they explain beneath."""

    NAME = "Findings"
    LEAST_DETAIL = 3
    MOST_DETAIL = 9
    COLUMNS = findings.COLUMNS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("S", "sort('since')", "Sort by since", show=False, id="sort.since"),
        Binding("N", "sort('subject')", "Sort by subject", show=False, id="sort.subject"),
    ]

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE, has_detail: bool = False) -> None:
        super().__init__(number, glyphs=glyphs, id="findings")
        self.table = _FindingsTable(self.COLUMNS, glyphs=glyphs)
        self.detail = SpanLines(glyphs=glyphs, id="detail")
        self._has_detail = has_detail
        self._toggled: set[str] = set()
        self._room: int | None = None
        self._last: tuple[Diagnosis, float, Since] | None = None
        self.is_foldable = False
        """Whether the finding under the cursor explains others."""

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:
        """Show the findings, if they are others or began at another time."""
        before, self._last = self._last, (diagnosis, now, since)
        if before is None or not diagnosis.findings or not findings.are_same(diagnosis, before[0]):
            self._draw()

    def _draw(self) -> None:
        if self._last is None:
            return
        diagnosis, now, since = self._last
        listing = findings.findings(diagnosis, self.glyphs, since, self._folded(diagnosis))
        self.badge = listing.badge
        if self.has_class("-bare"):  # the names of the panes are worth more than how many are folded
            listing = listing._replace(note="")
        self.set_listing(listing, now)
        self.explain()

    def give_room(self, lines: int) -> None:
        """Tell how many lines there are for findings: where not all fit, causes come folded."""
        if lines != self._room:
            self._room = lines
            self._draw()

    def _folded(self, diagnosis: Diagnosis) -> frozenset[str]:
        """Tell which causes are folded: what was toggled, and all where they do not fit and nothing is sought."""
        causes = findings.causes(diagnosis)
        is_tight = self._room is not None and causes.total > self._room and not self.filter.text
        return (causes.keys if is_tight else frozenset()) ^ (self._toggled & causes.keys)

    def set_filter(self, wanted: Filter) -> None:
        """Leave out what is not wanted; what is sought may be folded away."""
        self.filter = wanted
        self._draw()

    def renew(self) -> None:
        """Be as if just made, with nothing folded that fits."""
        self._toggled.clear()
        super().renew()

    def code(self) -> str:
        """Name the finding under the cursor."""
        return finding.code if (finding := self._finding()) else ""

    def _finding(self) -> Finding | None:
        key = self.table.cursor_key
        return findings.finding_at(self._last[0], key) if key and self._last else None

    def compose(self) -> ComposeResult:
        """Hold the table, and beneath it what the finding under the cursor is."""
        yield from super().compose()
        if self._has_detail:
            yield self.detail

    def wants_detail(self) -> int:
        """Tell how many lines the longest of the first findings takes to be told."""
        if self._last is None or not self.size.width:
            return self.LEAST_DETAIL
        keys = [row.key for row in self.table.rows[:_LOOKED_AT]]
        found = [finding for key in keys if (finding := findings.finding_at(self._last[0], key))]
        told = [len(findings.detail(each, self.size.width, self.MOST_DETAIL, self.glyphs)) for each in found]
        return max(told, default=0)

    def explain(self) -> None:
        """Say what the finding under the cursor is, as far as there is room beneath the table."""
        finding = self._finding()
        if self.is_foldable != bool(finding and finding.symptoms):
            self.is_foldable = not self.is_foldable
            self.screen.refresh_bindings()
        if not self._has_detail or not self.size.height:
            return
        rows = max(1, self.table.count()) + 1
        room = min(self.MOST_DETAIL, self.size.height - rows)
        if finding is None or room < self.LEAST_DETAIL:
            self.detail.set_lines([])
            return
        lines = findings.detail(finding, self.size.width, room, self.glyphs)
        # Of one height whatever the cursor is on: a pane whose rows jump cannot be read.
        self.detail.set_lines([*lines, *[()] * (room - len(lines))])

    def on_resize(self) -> None:
        """Use the room there is."""
        self.explain()

    def on_table_row_highlighted(self, event: Table.RowHighlighted) -> None:
        """Say what is under the cursor."""
        super().on_table_row_highlighted(event)
        self.explain()

    def to_probe(self, diagnosis: Diagnosis) -> Wanted | None:
        """Probe what the finding under the cursor is to be verified by."""
        return of_finding(diagnosis, finding) if (finding := self._finding()) else None

    def fold(self) -> None:
        """Fold or unfold what the finding under the cursor explains."""
        key = self.table.cursor_key
        if key is not None and self._last is not None:
            self._toggled ^= {key}
            self._draw()

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 1 + FRAME
