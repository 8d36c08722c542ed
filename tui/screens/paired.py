"""Paired screen: a list above, and a document about what is under its cursor below."""

from collections.abc import Iterable
from typing import ClassVar, Final, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from tui.probing import Wanted
from tui.screens.base import LiveScreen
from tui.screens.overview import pane_bar
from tui.screens.overview_panes import OverviewPane
from tui.views.probes_wanted import wanted_of
from tui.widgets.blocks import Block
from tui.widgets.document import Document
from tui.widgets.documentpane import DocumentPane
from tui.widgets.listpane import ListPane
from tui.widgets.spanline import SpanLines

_LEAST: Final = 5
"""Lines of the list: its frame, its header and two rows."""
_CHROME: Final = 3
"""Lines of header, breadcrumbs and keys."""


class PairedScreen(LiveScreen):
    """A list and the document about what is under its cursor; tab goes from one to the other, z shows one alone."""

    DEFAULT_CSS = """
    PairedScreen ListTable, PairedScreen Matrix { height: 1fr; }
    PairedScreen #bar { background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "other", "Other pane", show=False, id="paired.other", tooltip="From the list to its text, back"),
        Binding("shift+tab", "other", "Other pane", show=False, id="paired.other-back"),
        Binding("z", "zoom", "Zoom", id="paired.zoom", tooltip="This pane alone, or both"),
    ]

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self.lists: tuple[OverviewPane, ...] = ()
        self.active = 0
        """The place of the list that is shown."""
        self.document: DocumentPane
        self._alone: Literal["", "list", "document"] = ""
        """What is shown alone; empty: both."""
        self._is_placed = ref is None

    @property
    def list(self) -> OverviewPane:
        """The list that is shown."""
        return self.lists[self.active]

    def make_lists(self) -> tuple[OverviewPane, ...]:
        """Make the lists, of which one is shown at a time."""
        raise NotImplementedError

    def blocks(self, diagnosis: Diagnosis) -> Iterable[Block]:
        """Write up what is under the cursor."""
        raise NotImplementedError

    def place(self) -> bool:
        """Put the cursor on what the screen was opened for; false where it is not in the list yet."""
        return True

    def body(self) -> ComposeResult:
        """Put the list above the document."""
        self.lists = self.make_lists()
        self.document = DocumentPane(glyphs=self.app.glyphs, id="document")
        self.document.folds_faults = False  # what is right explains what is wrong
        if len(self.lists) > 1:
            yield SpanLines(glyphs=self.app.glyphs, id="bar", ground="muted")
        yield from self.lists
        yield self.document

    def on_mount(self) -> None:
        """Begin in the list, at what was asked for."""
        super().on_mount()
        self._arrange()
        self.set_focus(self.list.lines)

    def renew(self, ref: ObjectRef | None) -> None:
        """Be about another object: begin in the first list, at what was asked for."""
        super().renew(ref)
        self.active, self._alone, self._is_placed = 0, "", ref is None
        self._arrange()
        self.set_focus(self.list.lines)

    def _arrange(self) -> None:
        """Show what is to be in sight, each told for itself: a class of the screen would style it all anew."""
        for place, pane in enumerate(self.lists):
            pane.display = place == self.active and self._alone != "document"
        self.document.display = self._alone != "list"
        self.share()

    def show(self, diagnosis: Diagnosis) -> None:
        """Show the list and what its cursor is on."""
        for pane in self.lists:
            pane.show(diagnosis, self.app.clock(), self.app.since)
        if not self._is_placed:
            self._is_placed = self.place()
        self._say()
        self.share()
        self.write()

    def _say(self) -> None:
        """Say which lists there are, and how bad each is."""
        if len(self.lists) > 1 and self.size.width:
            line = pane_bar(self.lists, self.active + 1, self.size.width, self.app.glyphs)
            self.query_one("#bar", SpanLines).set_lines([line])

    def write(self) -> None:
        """Write up what is under the cursor now."""
        about = self.list.subject()
        self.document.set_document(self.blocks(self.app.diagnosis), self.app.clock(), about=about)

    def share(self) -> None:
        """Give the list what it needs, half of the screen at most."""
        if not self.size.height:
            return
        if self._alone == "list":
            self.list.styles.height = "1fr"
            return
        chrome = _CHROME + (len(self.lists) > 1)
        most = max(_LEAST, (self.size.height - chrome) // 2)
        wanted = max(_LEAST, min(self.list.wants(), most))
        if self.list.styles.height is None or self.list.styles.height.value != wanted:
            self.list.styles.height = wanted

    def on_resize(self) -> None:
        """Share out another size."""
        self._say()
        self.share()

    def subject(self) -> ObjectRef | None:
        """Tell what is under the cursor of the list."""
        return self.list.subject() or self.ref

    def to_probe(self) -> Wanted | None:
        """Tell what is to be probed for what is under the cursor of the list."""
        return self.list.to_probe(self.app.diagnosis) or wanted_of(self.app.diagnosis, self.subject())

    def crumbs(self) -> tuple[str, ...]:
        """Tell where this is."""
        return (self.NAME,)

    def action_other(self) -> None:
        """Go from the list to the document, or back."""
        is_reading = isinstance(self.focused, Document)
        if self._alone:
            self._alone = "list" if is_reading else "document"
            self._arrange()
        self.set_focus(self.list.lines if is_reading else self.document.document)

    def action_list(self, number: int) -> None:
        """Show another list."""
        if 1 <= number <= len(self.lists):
            self.active = number - 1
            self._alone = "list" if self._alone else ""
            self._arrange()
            self.set_focus(self.list.lines)
            self._say()
            self.write()

    def action_zoom(self) -> None:
        """Show the pane that has the keys alone, or both again."""
        here: Literal["list", "document"] = "document" if isinstance(self.focused, Document) else "list"
        self._alone = "" if self._alone else here
        self._arrange()

    def on_list_pane_moved(self) -> None:
        """Write up what is under the cursor now, and offer its keys."""
        self.write()
        self.moved()

    def on_list_pane_opened(self, event: ListPane.Opened) -> None:
        """Read what was chosen."""
        event.stop()
        self.read()

    def on_document_pane_opened(self, event: DocumentPane.Opened) -> None:
        """Open what a line stands for."""
        event.stop()
        self.opened(event.key)

    def read(self) -> None:
        """Go to the document."""
        if self._alone:
            self._alone = "document"
            self._arrange()
        self.set_focus(self.document.document)

    def opened(self, key: str) -> None:
        """Hear that a line of the document was opened."""
