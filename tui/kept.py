"""Kept screens: one that is left waits to be gone to again; mounting and styling another takes longer than a key."""

from typing import TYPE_CHECKING, Any

from probes.model.flux import ObjectRef
from tui.screens import Entry, make
from tui.screens.base import LiveScreen
from tui.wizards.opening import OpeningApp

if TYPE_CHECKING:
    from tui.screens.help import HelpScreen


class KeepingApp(OpeningApp):
    """An App that keeps one screen of each kind that may be kept."""

    def __init__(self, **options: Any) -> None:
        self._kept: dict[str, LiveScreen] = {}
        """By their names in the catalog."""
        self._help: HelpScreen | None = None
        super().__init__(**options)

    def made(self, entry: Entry, ref: ObjectRef | None) -> LiveScreen:
        """Make a screen, or take the one that was kept unless it is among those that one comes back to."""
        kept = self._kept.get(entry.name)
        if kept is not None and kept not in self.screen_stack:
            kept.renew(ref)
            return kept
        made = make(entry, ref)
        if made.KEPT and kept is None:
            self._kept[entry.name] = made
            self.install_screen(made, entry.name)  # Textual ends only those that are not installed
        return made

    def help(self, screen: LiveScreen) -> None:
        """Show every key that works on a screen."""
        from tui.screens.help import HelpScreen, keys_of  # noqa: PLC0415 - seldom opened

        keys = keys_of(screen, self.glyphs)
        if self._help is None:
            self._help = HelpScreen(keys)
            self.install_screen(self._help, "help")
        else:
            self._help.renew(keys)
        self.push_screen(self._help)

    def refresh_css(self, animate: bool = True) -> None:  # noqa: FBT001, FBT002 - the signature is Textual's
        """Style everything anew, also the kept screens: Textual does it for those that one comes back to."""
        super().refresh_css(animate)
        for kept in (*self._kept.values(), self._help):
            if kept is not None and kept not in self.screen_stack:
                self.stylesheet.update(kept, animate=animate)
