"""RepairingApp: what a screen may ask of the App about repairs."""

from textual.reactive import reactive

from probes.model.flux import ObjectRef
from tui.format import Span
from tui.repairs import Repairs
from tui.widgets.inorder import InOrderApp


class RepairingApp(InOrderApp):
    """An App under whose screens something can be repaired, where it is given what carries that out."""

    unlocked: reactive[bool] = reactive(default=False, repaint=False, init=False)
    """Whether runbooks may write; nothing else ever does."""

    def __init__(self, *, repairs: Repairs | None = None, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self.repairs = repairs

    def head(self) -> None:
        """Let the header of the screen in front say how things are."""
        raise NotImplementedError

    def watch_unlocked(self) -> None:
        """Say in the header at once whether anything can be written."""
        self.head()

    def signs(self) -> tuple[Span, ...]:
        """Say for the header whether anything can be written, and what is under way."""
        return (Span("READ-ONLY", "accent"),)

    def repair(self, ref: ObjectRef | None, code: str = "") -> None:
        """Show the runbooks that fix a finding of this code, or that apply to an object."""
        raise NotImplementedError

    def review(self, runbook: str, ref: ObjectRef | None) -> None:
        """Show the plan of a runbook, for an object where it was chosen for one."""
        raise NotImplementedError

    def unlock(self, typed: str) -> str:
        """Let runbooks write to the cluster whose context was typed; returns what is wrong, empty where nothing is."""
        raise NotImplementedError

    def lock(self) -> str:
        """Let nothing write any more; returns what is wrong, empty where nothing is."""
        raise NotImplementedError

    def resume_run(self, run: str, *, breaking: str = "", abandon: bool = False) -> None:
        """Go on with a run that rests; ``abandon``: take no further step, and end it.

        ``breaking``: the run whose lock is taken away, by its name.
        """
        raise NotImplementedError

    def show_run(self) -> None:
        """Bring the run that is under way, or that ended last, to the front."""
        raise NotImplementedError

    def quit(self, status: int = 0) -> None:
        """End underlay, unless something is under way that must not be left by mistake."""
        self.exit(status)
