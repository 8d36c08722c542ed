"""Asking screen: a screen with a line below it in which something is typed."""

from textual import getters
from textual.suggester import Suggester

from tui.screens.base import LiveScreen
from tui.widgets.askbar import AskBar
from tui.widgets.documentpane import DocumentPane
from tui.wizards.host import WizardApp


class AskingScreen(LiveScreen):
    """A document, and below it the line in which something is given; while it is open, keys are typed."""

    app = getters.app(WizardApp)

    _pane: DocumentPane
    _bar: AskBar

    def _open(self, purpose: str, label: str, text: str = "", suggester: Suggester | None = None) -> None:
        self.add_class("-asking")
        self._bar.open(purpose, label, text, suggester)

    def _close(self) -> None:
        self.remove_class("-asking")
        if self._bar.purpose:
            self._bar.close()
            self._pane.document.focus(scroll_visible=False)

    def on_ask_bar_dismissed(self, event: AskBar.Dismissed) -> None:
        """Type nothing after all."""
        event.stop()
        self.remove_class("-asking")
        self._pane.document.focus(scroll_visible=False)
        self._dismissed()

    def _dismissed(self) -> None:
        """Show what is so now that nothing was typed."""
