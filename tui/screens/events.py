"""The events screen: pulls that fail, warning Events, external secrets, and what changed when."""

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType

from probes.rules.finding import Diagnosis
from tui.format import Glyphs
from tui.probing import Wanted
from tui.screens.overview_panes import OverviewPane
from tui.screens.paired import PairedScreen
from tui.views import events, timeline
from tui.views.describe import describe
from tui.views.findings import Since
from tui.views.probes_wanted import of_pulls
from tui.widgets.blocks import Block, Field, Fields, Paragraph
from tui.widgets.cells import spans_of
from tui.widgets.items import Listing
from tui.widgets.listpane import ListPane


class EventPane(ListPane, OverviewPane):
    """One of the lists."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("A", "sort('last')", "Sort by age", show=False, id="sort.age"),
    ]

    def __init__(self, number: int, *, glyphs: Glyphs) -> None:
        super().__init__(number, glyphs=glyphs, id=self.NAME.lower())

    def show(self, diagnosis: Diagnosis, now: float, since: Since) -> None:  # noqa: ARG002 - as every pane
        """Show the list."""
        listing = self.listing_of(diagnosis, now)
        self.badge = listing.badge
        self.set_listing(listing, now)

    def listing_of(self, diagnosis: Diagnosis, now: float) -> Listing:
        """Make the list."""
        raise NotImplementedError

    def wants(self) -> int:
        """Tell how many lines it would take."""
        return max(1, self.table.count()) + 3


class PullsPane(EventPane):
    """Image pulls that fail, by registry, image and node."""

    NAME = "Images"
    COLUMNS = events.PULLS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("R", "sort('registry')", "Sort by registry", show=False, id="sort.registry"),
        Binding("N", "sort('node')", "Sort by node", show=False, id="sort.node"),
        Binding("I", "sort('image')", "Sort by image", show=False, id="sort.image"),
    ]

    def listing_of(self, diagnosis: Diagnosis, now: float) -> Listing:
        """List the pulls."""
        return events.pulls(diagnosis, now, self.glyphs)

    def to_probe(self, diagnosis: Diagnosis) -> Wanted | None:
        """Ask the registry of the pull under the cursor, from its node."""
        key = self.table.cursor_key
        return of_pulls([row for row in diagnosis.pulls if events.pull_key(row) == key])


class WarningsPane(EventPane):
    """Warning Events."""

    NAME = "Events"
    COLUMNS = events.EVENTS

    def listing_of(self, diagnosis: Diagnosis, now: float) -> Listing:
        """List the Events."""
        return events.events(diagnosis, now, self.glyphs)


class SecretsPane(EventPane):
    """External secrets and their stores."""

    NAME = "Secrets"
    COLUMNS = events.SECRETS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("A", "sort('refreshed')", "Sort by age", show=False, id="sort.age"),
        Binding("N", "sort('ref')", "Sort by name", show=False, id="sort.name"),
    ]

    def listing_of(self, diagnosis: Diagnosis, now: float) -> Listing:
        """List them."""
        return events.secrets(diagnosis, now, self.glyphs)


class ChangesPane(EventPane):
    """What changed since underlay was opened."""

    NAME = "Changes"
    COLUMNS = timeline.COLUMNS
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("A", "sort('age')", "Sort by age", show=False, id="sort.age"),
        Binding("N", "sort('subject')", "Sort by subject", show=False, id="sort.subject"),
    ]

    def listing_of(self, diagnosis: Diagnosis, now: float) -> Listing:  # noqa: ARG002 - it is the App's
        """List the changes."""
        found = getattr(self.app, "timeline", ())
        return timeline.timeline(found, self.glyphs)


class EventsScreen(PairedScreen):
    """What was said and what changed."""

    NAME = "Events"
    KEPT = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "1", "list(1)", "Lists", key_display="1-4", id="events.lists", tooltip="Images, Events, Secrets, Changes"
        ),
        Binding("2", "list(2)", "Events", show=False, id="events.events"),
        Binding("3", "list(3)", "Secrets", show=False, id="events.secrets"),
        Binding("4", "list(4)", "Changes", show=False, id="events.changes"),
        Binding("o", "subject", "Go to it", id="events.open", tooltip="The screen of what it is about"),
    ]

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the four lists."""
        glyphs = self.app.glyphs
        return (
            PullsPane(1, glyphs=glyphs),
            WarningsPane(2, glyphs=glyphs),
            SecretsPane(3, glyphs=glyphs),
            ChangesPane(4, glyphs=glyphs),
        )

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Write up what is under the cursor: the whole of the row first, then what is known of its subject."""
        pane, glyphs = self.list, self.app.glyphs
        item = pane.item() if isinstance(pane, EventPane) else None
        if item is None or not isinstance(pane, EventPane):
            return (Paragraph("Nothing is selected.", "muted"),)
        if isinstance(pane, PullsPane):
            found = next((row for row in diagnosis.pulls if events.pull_key(row) == item.row.key), None)
            return events.pull_document(diagnosis, found, glyphs) if found else ()
        if isinstance(pane, SecretsPane) and item.ref:
            return describe(diagnosis, item.ref, self.app.timeline, None, glyphs)
        now = self.app.clock()
        fields = tuple(
            Field(column.title.lower() or "said", tuple(spans_of(cell, now)))
            for column, cell in zip(pane.COLUMNS, item.row.cells, strict=True)
            if any(span.text for span in spans_of(cell, now))
        )
        return (Fields(fields),)

    def action_subject(self) -> None:
        """Open what it is about."""
        if subject := self.list.subject():
            self.app.open(subject)
