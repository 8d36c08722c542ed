"""List pane: a pane that holds one table of items, filtered and sorted as its operator wants."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from probes.model.flux import ObjectRef
from tui.format import UNICODE, Glyphs, status
from tui.widgets.cells import Cell, Row
from tui.widgets.columns import Column
from tui.widgets.filter import Filter
from tui.widgets.items import Item, Listing
from tui.widgets.lines import Lines
from tui.widgets.pane import Pane
from tui.widgets.table import Table


class ListTable(Table):
    """The table of a pane; its key for opening stands in the line of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="lines.open", tooltip="The screen of what is under the cursor"),
    ]

    is_touched = False
    """Whether its operator has moved the cursor: until then it stays on the first row, whatever comes."""

    def move_to(self, index: int, *, quiet: bool = False) -> None:
        """Put the cursor on a line."""
        self.is_touched |= not quiet
        super().move_to(index, quiet=quiet)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open only what can be opened."""
        if action == "select" and isinstance(self.parent, ListPane):
            return self.parent.subject() is not None
        return super().check_action(action, parameters)


class ListPane(Pane):
    """A pane with one table; subclasses name its columns."""

    COLUMNS: ClassVar[Sequence[Column]] = ()
    SORT_KEYS: ClassVar[Mapping[str, Callable[[Cell], Any]]] = {}

    class Opened(Message):
        """An object was opened."""

        def __init__(self, ref: ObjectRef, key: str) -> None:
            super().__init__()
            self.ref = ref
            self.key = key
            """Of its row."""

    class Moved(Message):
        """Something else is under the cursor."""

        def can_replace(self, message: Message) -> bool:
            """Only the last of a burst counts."""
            return isinstance(message, ListPane.Moved)

    def __init__(self, number: int, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(number, glyphs=glyphs, id=id)
        self.table = ListTable(self.COLUMNS, sort_keys=self.SORT_KEYS, glyphs=glyphs)
        self.listing = Listing()
        self._items: dict[str, Item] = {}
        self._texts: dict[str, tuple[Row, str]] = {}
        """What rows say, while a filter looks through them."""

    def compose(self) -> ComposeResult:
        """Hold the table."""
        yield self.table

    @property
    def lines(self) -> Lines:
        """What takes the keys."""
        return self.table

    def set_listing(self, listing: Listing, now: float) -> None:
        """Show these items, those of them that are wanted."""
        self.listing = listing
        self._items = {item.row.key: item for item in listing.items}
        if self.filter.pattern is None or len(self._texts) > 2 * len(self._items):
            self._texts.clear()
        is_filtered = bool(self.filter.says)
        wanted = [item.row for item in listing.items if not is_filtered or self._wants(item)]
        if listing.items and not wanted:
            self.table.placeholder = status("none", self.glyphs, self.filter.nothing)
        elif not listing.items:
            self.table.placeholder = listing.nothing
        was_empty = not self.table.count()
        self.table.set_rows(wanted, now, of=len(self._items))
        if was_empty != (not wanted):
            self.post_message(self.Moved())
        if not self.table.is_touched and self.table.cursor:
            self.table.move_to(0, quiet=True)
            self.post_message(self.Moved())
        parts = [
            listing.note,
            self.filter.says,
            f"{len(wanted)} of {len(self._items)}" if is_filtered and listing.items else "",
        ]
        self.say("  ".join(part for part in parts if part))

    def _wants(self, item: Item) -> bool:
        """Tell whether an item is wanted; the texts of a thousand rows are not made for every key that is typed."""
        if self.filter.pattern is None:
            return self.filter.wants("", is_fault=item.is_fault)
        kept = self._texts.get(item.row.key)
        if kept is None or kept[0] is not item.row:
            kept = self._texts[item.row.key] = (item.row, item.steady_text())
        return self.filter.wants(kept[1], is_fault=item.is_fault)

    def set_filter(self, wanted: Filter) -> None:
        """Leave out what is not wanted."""
        super().set_filter(wanted)
        self.set_listing(self.listing, self.table.now)

    def renew(self) -> None:
        """Be as if just made, in the order in which rows are given."""
        self.table.marked = frozenset()
        self.table.sort_by(None)
        super().renew()
        self.table.move_to(0, quiet=True)
        self.table.is_touched = False

    def sort(self, column: str) -> None:
        """Order by a column, then the other way round, then as it was given."""
        match self.table.sorted_by:
            case (name, False) if name == column:
                self.table.sort_by(column, reverse=True)
            case (name, True) if name == column:
                self.table.sort_by(None)
            case _:
                self.table.sort_by(column)

    def item(self) -> Item | None:
        """Tell which item is under the cursor."""
        key = self.table.cursor_key
        return self._items.get(key) if key is not None else None

    def subject(self) -> ObjectRef | None:
        """Tell what is under the cursor."""
        item = self.item()
        return item.ref if item else None

    def line(self) -> str:
        """Give the text of the row under the cursor."""
        item = self.item()
        return item.text(self.table.now) if item else ""

    def tick(self, now: float) -> None:
        """Let visible ages say what is true now."""
        self.table.tick(now)

    def action_sort(self, column: str) -> None:
        """Order by a column."""
        self.sort(column)

    def on_table_row_selected(self, event: Table.RowSelected) -> None:
        """Tell what was opened."""
        event.stop()
        item = self._items.get(event.key)
        if item and item.ref:
            self.post_message(self.Opened(item.ref, event.key))

    def on_table_row_highlighted(self, event: Table.RowHighlighted) -> None:
        """Tell that something else is under the cursor."""
        event.stop()
        self.post_message(self.Moved())
