"""Text screens: an object described, as YAML, or the journal of its unit; to read, search, save and copy."""

from collections.abc import Iterable
from typing import ClassVar, Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from probes.rules.manual import pages
from tui import clipboard
from tui.saving import NotSaved, save
from tui.screens.base import LiveScreen, ReadFailed
from tui.views.describe import describe, facts_yaml
from tui.views.explain import page_document
from tui.widgets.blocks import Block, Paragraph
from tui.widgets.documentpane import DocumentPane
from tui.widgets.verbatim import Verbatim

_NOBODY: Final = ObjectRef("", "", "")


class TextScreen(LiveScreen):
    """One long text about an object."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy", id="copy", tooltip="The whole text, to the clipboard of the terminal (OSC 52)"),
        Binding("ctrl+s", "save", "Save", id="text.save", tooltip="To a file that only you may read"),
        # These lead to other texts of the same object: they work, but the line of keys is for this one's.
        Binding("d", "look('describe')", "Describe", show=False, id="describe", tooltip="All that is known of it"),
        Binding("y", "look('yaml')", "YAML", show=False, id="yaml", tooltip="The object as the API has it"),
        Binding("l", "look('journal')", "Journal", show=False, id="journal", tooltip="The journal of the node's unit"),
        Binding("ctrl+z", "faults", "Faults", show=False, id="faults", tooltip="Only what is not as it should be"),
    ]

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self.about = ref or _NOBODY
        self._pane: DocumentPane

    def body(self) -> ComposeResult:
        """Hold the text."""
        self._pane = DocumentPane(glyphs=self.app.glyphs, id="text")
        self._pane.add_class("-bare")  # the breadcrumbs say what it is
        yield self._pane

    def on_mount(self) -> None:
        """Read from the first line."""
        super().on_mount()
        self._pane.document.focus()

    def crumbs(self) -> tuple[str, ...]:
        """Tell what this is a text of."""
        return (self.NAME, f"{self.about.kind} {self.about.name}")

    def subject(self) -> ObjectRef | None:
        """Tell whose text this is."""
        return self.ref

    def fill(self, blocks: Iterable[Block]) -> None:
        """Show the text."""
        self._pane.set_document(blocks, self.app.clock(), about=self.ref)

    def copied(self) -> str:
        """Give the whole text."""
        return self._pane.text()

    def action_copy(self) -> None:
        """Copy the whole text, as much of it as a terminal takes."""
        self.notify(clipboard.copy(self.app, self.copied()), timeout=4, markup=False)

    def action_save(self) -> None:
        """Save the whole text."""
        name = f"{self.NAME.lower()}-{self.about.kind}-{self.about.name}"
        try:
            path = save(name, self.copied() + "\n", self.app.clock())
        except NotSaved as error:
            self.notify(str(error), severity="error", markup=False)
        else:
            self.notify(f"saved as {path}", timeout=8, markup=False)


class DescribeScreen(TextScreen):
    """All that is known of an object; it follows what is observed."""

    NAME = "Describe"

    def show(self, diagnosis: Diagnosis) -> None:
        """Write the object up anew."""
        self.fill(describe(diagnosis, self.about, self.app.timeline, None, self.app.glyphs))


class ExplainScreen(TextScreen):
    """What a finding means, how to see it by hand and how to repair it: what ``underlay explain`` prints."""

    NAME = "Explain"

    def crumbs(self) -> tuple[str, ...]:
        """Tell which finding this is of."""
        return (self.NAME, self.about.name)

    def subject(self) -> ObjectRef | None:
        """Tell that a code is no object to be looked at."""
        return None

    def show(self, diagnosis: Diagnosis) -> None:  # noqa: ARG002 - a page is the same whatever is observed
        """Show the page."""
        page = pages().get(self.about.name)
        self.fill(page_document(page) if page else (Paragraph(f"There is no finding {self.about.name}.", "critical"),))


class ReadScreen(TextScreen):
    """A text that is read from the cluster when it is asked for."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("w", "wrap", "Wrap", id="text.wrap", tooltip="Long lines broken, or cut at the edge"),
        Binding("left", "shift(-8)", "Left", show=False, id="text.left"),
        Binding("right", "shift(8)", "Right", show=False, id="text.right"),
    ]
    WRAPS: ClassVar[bool] = True
    FROM_END: ClassVar[bool] = False
    """The newest is at the end."""

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._said = ""
        self._wraps = self.WRAPS
        self._shift = 0

    async def ask(self) -> str:
        """Read the text; raises ReadFailed."""
        raise NotImplementedError

    def on_mount(self) -> None:
        """Begin to read."""
        super().on_mount()
        self.fill((Paragraph(f"{self.app.glyphs.loading} asking", "muted"),))
        self.read()

    @work(exclusive=True, group="read")
    async def read(self) -> None:
        """Read the text, and show it or why there is none."""
        try:
            said = await self.ask()
        except ReadFailed as error:
            self.fill((Paragraph(str(error), "critical"),))
            return
        self._said = said
        self._draw()
        if self.FROM_END:
            self.call_after_refresh(self._pane.document.action_last)

    def _draw(self) -> None:
        self.fill((Verbatim(self._said, wraps=self._wraps, shift=self._shift),))

    def copied(self) -> str:
        """Give the whole text as it was read."""
        return self._said or super().copied()

    def action_wrap(self) -> None:
        """Break long lines, or cut them at the edge."""
        self._wraps = not self._wraps
        self._shift = 0
        self._draw()
        self.notify(
            "long lines are broken" if self._wraps else "long lines are cut: left and right go along", timeout=2
        )

    def action_shift(self, cells: int) -> None:
        """Go along lines that are cut."""
        if not self._wraps and self._said:
            self._shift = max(0, self._shift + cells)
            self._draw()

    def action_collect(self) -> None:
        """Read it again."""
        self.read()


class YamlScreen(ReadScreen):
    """The object as the API has it and, below, what was observed of it."""

    NAME = "YAML"

    async def ask(self) -> str:
        """Read the object, and write down what is known of it."""
        known = facts_yaml(self.app.diagnosis, self.about)
        parts = []
        try:
            if self.app.reads is not None:
                parts.append(await self.app.reads.manifest(self.about))
        except ReadFailed as error:
            parts.append(f"# {error}\n")
        if known:
            parts.append(f"# what underlay observed\n{known}")
        if not parts:
            raise ReadFailed(f"nothing is known of {self.about.kind} {self.about.name}")
        return "---\n".join(parts)


class JournalScreen(ReadScreen):
    """The last lines of the journal of a node's k3s."""

    NAME = "Journal"
    WRAPS = False
    FROM_END = True

    async def ask(self) -> str:
        """Read the journal."""
        if self.app.reads is None:
            raise ReadFailed("no node can be asked here")
        said = await self.app.reads.journal(self.about.name)
        return said or "-- No entries --"
