"""Document pane: a pane that holds one document; a filter looks for text in it."""

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.message import Message

from probes.model.flux import ObjectRef
from tui.format import UNICODE, Glyphs
from tui.widgets.blocks import Block
from tui.widgets.document import Document
from tui.widgets.filter import Filter
from tui.widgets.listpane import ListPane
from tui.widgets.pane import Pane


class DocumentPane(Pane):
    """A pane with one document."""

    DEFAULT_CSS = """
    DocumentPane { height: 1fr; }
    DocumentPane Document { height: 1fr; }
    """
    NAME: ClassVar[str] = ""

    class Opened(Message):
        """A line that stands for something was opened."""

        def __init__(self, pane: "DocumentPane", key: str) -> None:
            super().__init__()
            self.pane = pane
            self.key = key

    def __init__(self, number: int = 0, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:  # noqa: A002
        super().__init__(number, glyphs=glyphs, id=id)
        self.document = Document(glyphs=glyphs)
        self.about: ObjectRef | None = None
        """What it is written about."""
        self.folds_faults = True
        """Whether only faults are shown where only faults are wanted."""

    def compose(self) -> ComposeResult:
        """Hold the document."""
        yield self.document

    def set_document(self, blocks: Iterable[Block], now: float, *, about: ObjectRef | None = None) -> None:
        """Show a document; one about something else begins at its first line."""
        is_other, self.about = about != self.about, about
        self.document.set_blocks(blocks, now, is_other=is_other)

    def set_filter(self, wanted: Filter) -> None:
        """Look for a text, or show only what is not as it should be."""
        super().set_filter(wanted)
        self.document.show_faults(only=wanted.faults_only and self.folds_faults)
        found = self.document.look_for(wanted.pattern)
        many = f"{found} lines, n and N go through them" if found else "not found"
        self.say(f"{wanted.says}  {many}" if wanted.pattern is not None else wanted.says)

    def renew(self) -> None:
        """Be as if just made: whatever is written next is read from its first line."""
        self.about = None
        super().renew()

    def subject(self) -> ObjectRef | None:
        """Tell what it is about."""
        return self.about

    def line(self) -> str:
        """Give the text of the line under the cursor."""
        document = self.document
        if document.cursor >= document.count():
            return ""
        return document.lines[document.cursor].text(document.now, self.glyphs).strip()

    def text(self) -> str:
        """Give the whole text."""
        document = self.document
        return "\n".join(line.text(document.now, self.glyphs) for line in document.lines)

    def tick(self, now: float) -> None:
        """Let visible ages say what is true now."""
        self.document.tick(now)

    def on_document_line_selected(self, event: Document.LineSelected) -> None:
        """Tell what was opened."""
        event.stop()
        self.post_message(self.Opened(self, event.key))

    def on_document_line_highlighted(self, event: Document.LineHighlighted) -> None:
        """Tell that something else is under the cursor."""
        event.stop()
        self.post_message(ListPane.Moved())
