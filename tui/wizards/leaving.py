"""Leaving: a run that is under way is neither ended nor forgotten by a key that was meant for something else."""

from typing import ClassVar, Final

from textual import getters
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from tui.format import Span
from tui.widgets.blocks import Block, Bullet, Paragraph
from tui.widgets.spanline import SpanLines
from tui.wizards.host import WizardApp
from tui.wizards.running import so_now
from tui.wizards.signs import Hanging

_WIDTH: Final = 72


class LeavingScreen(ModalScreen[None]):
    """What is so now, and the ways on: stay, look around while it goes on, let it rest."""

    app = getters.app(WizardApp)

    DEFAULT_CSS = """
    LeavingScreen { align: center middle; background: $background 60%; }
    LeavingScreen > VerticalScroll {
        width: 76; max-width: 100%; height: auto; max-height: 100%;
        border: round $border; border-title-color: $tone-warning;
        background: $background; padding: 0 1; scrollbar-size-vertical: 1;
    }
    LeavingScreen.-ascii > VerticalScroll { border: ascii $border; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,s", "stay", "Stay", id="leaving.stay"),
        Binding("enter,g", "go_on", "Let it go on", id="leaving.go-on"),
        Binding("p", "pause", "Pause", id="leaving.pause"),
        Binding("ctrl+c", "at_once", "At once", show=False, priority=True, id="leaving.at-once"),
    ]

    body = getters.query_one(VerticalScroll)

    def __init__(self, *, ends: bool) -> None:
        """Tell by ``ends`` whether underlay itself is to be left, and not only the run's screen."""
        super().__init__()
        self._ends = ends

    def compose(self) -> ComposeResult:
        """Put the lines into a frame that scrolls."""
        with VerticalScroll():
            yield SpanLines(glyphs=self.app.glyphs)

    def on_mount(self) -> None:
        """Say how the run stands, and end with it where that was wished."""
        if self.app.glyphs.ok.isascii():
            self.add_class("-ascii")
        self.body.border_title = "A run is under way"
        self.watch(self.app, "progress", self._draw)
        self._draw()
        self.body.focus()

    def _draw(self) -> None:
        progress = self.app.progress
        if progress is None:
            return
        blocks: list[Block] = [Paragraph(f"{progress.plan.title}: run {progress.plan.run}", "header"), Paragraph("")]
        blocks += [Bullet(Span("so far:"), said) for said in so_now(progress)]
        blocks += [Paragraph("")]
        if progress.stopping and self._ends:
            blocks.append(Paragraph("It comes to rest as soon as it is known whether what was sent has happened."))
            keys = [("ctrl-c", "end underlay at once: what was sent goes on on its node, the journal knows it")]
        else:
            keys = [("esc", "stay")]
            if not self._ends:
                keys.append(("enter", "look around while it goes on; it waits for you where it asks; w comes back"))
            keys.append(("p", f"pause it{', then end underlay' if self._ends else ''}; :runs goes on with it later"))
        blocks += [Hanging((Span(f" {key:<7}", "accent"),), (Span(said),)) for key, said in keys]
        lines = [
            line for block in blocks for line in block.lines(min(_WIDTH, self.app.size.width - 4), self.app.glyphs)
        ]
        self.query_one(SpanLines).set_lines([line.spans(0.0, self.app.glyphs) for line in lines])

    def action_stay(self) -> None:
        """Go back to the run."""
        self.dismiss()

    def action_go_on(self) -> None:
        """Leave its screen while it goes on."""
        if not self._ends:
            self.dismiss()
            self.app.call_later(self.app.leave)

    def action_pause(self) -> None:
        """Let it rest, and end underlay then where that was wished."""
        if self._ends:
            self.app.exit(0)
        else:
            self.app.interrupt("pause")
            self.dismiss()

    def action_at_once(self) -> None:
        """Let it rest and end underlay; asked for again, without waiting."""
        if self._ends:
            self.app.exit(130)
        else:
            self.dismiss()
            self.app.quit()
