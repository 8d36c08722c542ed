"""Overview: the answer first, then nodes, overlay, Flux and probes; one pane at a time where there is little room."""

from collections.abc import Sequence
from typing import ClassVar, Final, Literal

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus
from textual.widget import Widget

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui.format import Glyphs, Span, fit, width
from tui.probed import Probed
from tui.screens.base import LiveScreen
from tui.screens.findings_pane import FindingsPane
from tui.screens.overview_panes import ChangesPane, FluxPane, NodesPane, OverlayPane, OverviewPane
from tui.screens.probes_panes import TargetsPane
from tui.views.findings import severity_span, short_subject
from tui.widgets.listpane import ListPane
from tui.widgets.pane import Pane
from tui.widgets.spanline import SpanLines

NARROW: Final = 100
"""Columns below which one pane is shown at a time."""
LOW: Final = 34
"""Lines below which likewise."""
_ON_TOP: Final = 2
"""Root causes that stay in sight where one pane is shown at a time."""
_CHROME: Final = 4
"""Lines of a single pane's screen that are no rows: header, panes, columns and keys."""
_NOTE_GAP: Final = 2
"""Cells between the panes' names and what is to be known of the one in sight."""
_LEAST: Final = 4
"""Lines of a pane: its frame, its header and one row."""
_RECENT: Final = 5
"""Lines of what changed that go before symptoms that are unfolded and the telling of a finding."""


class OverviewScreen(LiveScreen):
    """The whole cluster at a glance."""

    NAME = "Overview"
    DEFAULT_CSS = """
    OverviewScreen #panes { height: 1fr; }
    OverviewScreen #lower { height: 1fr; min-height: 4; }
    OverviewScreen ListTable, OverviewScreen Matrix { height: 1fr; }
    OverviewScreen #left { width: auto; height: 100%; }
    OverviewScreen #overlay, OverviewScreen #changes { width: 1fr; }
    OverviewScreen #flux { width: 1fr; height: 100%; }
    OverviewScreen #causes, OverviewScreen #bar { display: none; }
    OverviewScreen #bar { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "pane(1)", show=False, id="overview.findings"),
        Binding("2", "pane(2)", show=False, id="overview.nodes"),
        Binding("3", "pane(3)", show=False, id="overview.overlay"),
        Binding("4", "pane(4)", show=False, id="overview.flux"),
        Binding("5", "pane(5)", show=False, id="overview.probes"),
        Binding("6", "pane(6)", show=False, id="overview.changes"),
        Binding(
            "tab",
            "turn(1)",
            "Pane",
            key_display="1-6",
            id="overview.next",
            tooltip="Findings, nodes, overlay, Flux, probes, changes; tab goes on by one",
        ),
        Binding("shift+tab", "turn(-1)", "Pane before", show=False, id="overview.previous"),
        Binding("z", "zoom", "Zoom", id="overview.zoom", tooltip="One pane alone, or all of them"),
    ]

    causes = getters.query_one("#causes", SpanLines)
    bar = getters.query_one("#bar", SpanLines)
    _lower = getters.query_one("#lower", Horizontal)
    _left = getters.query_one("#left", Vertical)

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._panes: tuple[OverviewPane, ...] = ()
        self._active = 1
        self._zoomed = False
        self._is_single = False
        """Whether one pane is shown at a time."""

    def body(self) -> ComposeResult:
        """Put the panes beneath one another, some of them beside one another."""
        glyphs = self.app.glyphs
        self._panes = (
            FindingsPane(1, glyphs=glyphs, has_detail=True),
            NodesPane(2, glyphs=glyphs),
            OverlayPane(3, glyphs=glyphs),
            FluxPane(4, glyphs=glyphs),
            TargetsPane(5, glyphs=glyphs),
            ChangesPane(6, glyphs=glyphs),
        )
        yield SpanLines(glyphs=glyphs, id="causes")
        yield SpanLines(glyphs=glyphs, id="bar", ground="muted")
        with Vertical(id="panes"):
            yield from self._panes[:2]
            with Horizontal(id="lower"):
                with Vertical(id="left"):
                    yield self._panes[2]
                    yield self._panes[5]
                yield self._panes[3]
            yield self._panes[4]

    def on_mount(self) -> None:
        """Begin where it was left."""
        super().on_mount()
        view = self.app.remembered
        self._zoomed = view.zoomed
        self.action_pane(view.pane if 1 <= view.pane <= len(self._panes) else 1)
        self._arrange()

    def crumbs(self) -> tuple[str, ...]:
        """Need none: this is where everything begins."""
        return ()

    def show(self, diagnosis: Diagnosis) -> None:
        """Show all panes, or the one that is in sight."""
        now = self.app.clock()
        for pane in self._panes:
            if isinstance(pane, ChangesPane):
                pane.tell(self.app.timeline, now)
            else:
                pane.show(diagnosis, now, self.app.since)
        self._say()
        self._share()

    def probed(self, probed: Probed) -> None:
        """Show what probes came to."""
        for pane in self._panes:
            if isinstance(pane, TargetsPane):
                pane.tell(probed, self.app.clock())
        self._say()
        self._share()

    def _say(self) -> None:
        glyphs = self.app.glyphs
        self.causes.set_lines(top_causes(self.app.diagnosis, self.size.width, glyphs))
        self.bar.set_lines([pane_bar(self._panes, self._active, self.size.width, glyphs)])

    def on_resize(self) -> None:
        """Fit into another size."""
        self._arrange()

    def _arrange(self) -> None:
        """Show all panes or one, as there is room and as is wanted.

        Each is told for itself: a class of the screen would let Textual style everything on it anew.
        """
        is_narrow = self.size.width < NARROW or self.size.height < LOW
        is_single = self._is_single = is_narrow or self._zoomed
        self.bar.display = is_single
        self.causes.display = is_narrow and self._active != 1
        for pane in self._panes:
            pane.display = not is_single or pane.number == self._active
            pane.set_class(is_single, "-bare")
        self._lower.display = not is_single or self._active in {3, 4, 6}
        self._left.display = not is_single or self._active in {3, 6}
        self._say()
        self._share()

    def _share(self) -> None:
        """Share out the lines: everything where it fits, else as fairly as can be, the findings first."""
        if not self.size.height:
            return
        found, nodes, mesh, flux, probes, changes = self._panes
        if self._is_single:
            if isinstance(found, FindingsPane):
                found.give_room(self.size.height - _CHROME)
            for pane in self._panes:
                _set(pane, "height", "1fr")
            _set(self._left, "width", "1fr")
            return
        _set(flux, "height", "100%")
        lower = max(flux.wants(), mesh.wants() + _LEAST)
        roomy = max(flux.wants(), mesh.wants() + _RECENT)
        lines, wanted = self.size.height - 2, 0
        if isinstance(found, FindingsPane):
            left = lines - nodes.wants() - probes.wants() - roomy
            found.give_room(max(self.size.height // 3, left - _LEAST + 1))
            wanted = found.wants_detail()
        heights = share_out(lines, [found.wants(), nodes.wants(), probes.wants(), lower])
        spare = min(wanted, heights[3] - roomy)
        if spare >= FindingsPane.LEAST_DETAIL:
            heights[0] += spare
            heights[3] -= spare
        _set(found, "height", heights[0])
        _set(nodes, "height", heights[1])
        _set(probes, "height", heights[2])
        upper, _ = share_out(heights[3], [mesh.wants(), max(_LEAST, changes.wants())])
        _set(mesh, "height", upper)
        _set(changes, "height", heights[3] - upper)
        if isinstance(mesh, OverlayPane):
            cells = max(self.size.width // 3, min(mesh.cells() + 3, self.size.width // 2))
            _set(self._left, "width", cells)

    def on_descendant_focus(self, event: DescendantFocus) -> None:
        """Know which pane has the keys."""
        for node in event.widget.ancestors_with_self:
            if isinstance(node, OverviewPane) and node.number != self._active:
                self._activate(node.number)

    def _activate(self, number: int) -> None:
        """Let a pane be the one in sight; where all are, nothing moves."""
        self._active = number
        if self._is_single:
            self._arrange()

    def action_pane(self, number: int) -> None:
        """Go to a pane."""
        self._activate(number)
        self.set_focus(self._panes[number - 1].lines, scroll_visible=False)
        self.app.remember(pane=number)

    def action_turn(self, places: int) -> None:
        """Go to the next pane."""
        self.action_pane((self._active - 1 + places) % len(self._panes) + 1)

    def action_zoom(self) -> None:
        """Show one pane alone, or all of them again."""
        self._zoomed = not self._zoomed
        self._arrange()
        self.app.remember(zoomed=self._zoomed)

    def on_list_pane_opened(self, event: ListPane.Opened) -> None:
        """Open what was chosen."""
        event.stop()
        if self._active == 1:
            self.app.go("findings", event.ref)
        else:
            self.app.open(event.ref)

    def on_list_pane_moved(self) -> None:
        """Offer the keys of what is under the cursor now."""
        self.moved()

    def on_pane_noted(self, event: Pane.Noted) -> None:
        """Say in the bar what a frame would say."""
        event.stop()
        self._say()


def _set(widget: Widget, side: Literal["width", "height"], wanted: int | str) -> None:
    """Give a widget a width or a height; what is as it was lays out nothing anew."""
    setattr(widget.styles, side, wanted)


def top_causes(diagnosis: Diagnosis, cells: int, glyphs: Glyphs) -> list[tuple[Span, ...]]:
    """Put the worst root causes into a line each; the rest is counted."""
    lines: list[tuple[Span, ...]] = []
    roots = diagnosis.findings
    for place, finding in enumerate(roots[:_ON_TOP]):
        sign = severity_span(finding.severity, glyphs)
        subject = Span(short_subject(finding.subject) + "  ", "header")
        fold = f"  {glyphs.folded}{len(finding.symptoms)}" if finding.symptoms else ""
        left = len(roots) - _ON_TOP
        more = f"  +{left} more" if left > 0 and place == _ON_TOP - 1 else ""
        tail = fold + more
        room = cells - width(subject.text) - width(sign.text) - width(tail) - 2
        lines.append(
            (
                Span(" "),
                Span(sign.text + " ", sign.tone),
                subject,
                Span(fit(finding.summary, max(0, room), glyphs)),
                Span(tail, "accent"),
            )
        )
    return lines


def pane_bar(panes: Sequence[OverviewPane], active: int, cells: int, glyphs: Glyphs) -> tuple[Span, ...]:
    """Put the panes into one line, each with how bad it is, and what is to be known of the one in sight.

    Where that does not fit, only the one in sight keeps its name.
    """
    note = panes[active - 1].note if panes else ""
    spans: list[Span] = []
    for gap, is_short in ((3, False), (2, False), (3, True)):
        spans = _tabs(panes, active, gap, is_short=is_short)
        if _cells(spans) + (width(note) + 2 if note else 0) <= cells:
            break
    room = cells - _cells(spans) - 1
    if note and room > _NOTE_GAP:
        said = note if width(note) <= room - _NOTE_GAP else fit(note, room - _NOTE_GAP, glyphs)
        spans += [Span(" " * (room - width(said)), "muted"), Span(said, "stale")]
    return tuple(spans)


def _tabs(panes: Sequence[OverviewPane], active: int, gap: int, *, is_short: bool) -> list[Span]:
    spans = [Span(" ", "muted")]
    for pane in panes:
        is_active = pane.number == active
        name = f"{pane.number} " if is_short and not is_active else f"{pane.number} {pane.NAME} "
        spans += [Span(name, "accent" if is_active else "muted"), pane.badge, Span(" " * gap, "muted")]
    return spans[:-1]


def _cells(spans: Sequence[Span]) -> int:
    return sum(width(span.text) for span in spans)


def share_out(lines: int, wants: Sequence[int]) -> list[int]:
    """Share lines among panes from top to bottom; nobody gets less than a row while anybody has more.

    The last takes what is left over.
    """
    given = [min(_LEAST, want) for want in wants]
    left = max(0, lines - sum(given))
    while left > 0:
        hungry = [i for i, want in enumerate(wants) if given[i] < want]
        if not hungry:
            break
        for i in hungry:
            if left > 0:
                given[i] += 1
                left -= 1
    given[-1] += left
    return given
