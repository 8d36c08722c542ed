"""What every screen has of its panes and of the line at the bottom: filters and commands that are typed."""

from collections.abc import Iterator

from textual import getters

from tui.screens.probes_host import ProbingApp, ProbingScreen
from tui.widgets.filter import BadFilter, parse_filter
from tui.widgets.pane import Pane
from tui.widgets.prompt import Prompt


class PromptingApp(ProbingApp):
    """An App that does what is typed."""

    def command(self, text: str) -> str:
        """Do what was typed after ``:``; returns what is wrong with it, empty where nothing is."""
        raise NotImplementedError


class PromptingScreen(ProbingScreen):
    """A screen of panes, on which filters and commands are typed."""

    app = getters.app(PromptingApp)

    _asking: Pane | None = None
    """The pane whose filter is typed."""

    _all_panes: tuple[Pane, ...] = ()

    def panes(self) -> Iterator[Pane]:
        """List the panes, in their order; a screen has the ones that it was composed of as long as it lives."""
        found = self._all_panes or tuple(self.query(Pane))
        if self.is_mounted:
            self._all_panes = found
        return iter(found)

    def pane(self) -> Pane | None:
        """Tell which pane has the keys; where there is only one, that one."""
        if self.focused is not None:
            for node in self.focused.ancestors_with_self:
                if isinstance(node, Pane):
                    return node
        panes = list(self.panes())
        return panes[0] if len(panes) == 1 else None

    def action_prompt(self, kind: str) -> None:
        """Open the line where a filter or a command is typed."""
        pane = self._asking = self.pane() or next(self.panes(), None)
        self.query_one(Prompt).ask(kind, pane.filter.text if pane and kind == "/" else "")

    def on_prompt_changed(self, event: Prompt.Changed) -> None:
        """Filter while it is typed."""
        event.stop()
        pane = self._asking
        if event.kind != "/" or pane is None:
            return
        try:
            pane.set_filter(parse_filter(event.text, faults_only=pane.filter.faults_only))
        except BadFilter as error:
            event.prompt.complain(f"no regular expression: {error}")

    def on_prompt_given(self, event: Prompt.Given) -> None:
        """Do what was typed."""
        event.stop()
        if event.kind == ":" and (wrong := self.app.command(event.text)):
            self.notify(wrong, severity="warning", markup=False)

    def action_faults(self) -> None:
        """Show only what is not as it should be, or everything again."""
        panes = list(self.panes())
        wanted = not all(pane.filter.faults_only for pane in panes)
        for pane in panes:
            pane.set_filter(pane.filter._replace(faults_only=wanted))
