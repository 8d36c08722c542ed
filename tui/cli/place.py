"""Where a cluster is and how its hosts are reached: command line over settings over defaults."""

from pathlib import Path

import msgspec

from tui.cli.arguments import Arguments
from tui.settings import ContextSettings, Settings, SettingsError, load


class PlaceError(Exception):
    """There is no telling where the cluster is; its text is one sentence for the operator."""


class Place(msgspec.Struct, frozen=True):
    """Where a cluster is and how its hosts are reached."""

    kubeconfig: Path | None = None
    """None: $KUBECONFIG, else the usual files."""
    context: str = ""
    """Empty: the current one."""
    ssh_config: Path | None = None
    settings: Settings = Settings()
    nodes: tuple[str, ...] = ()
    """Only these nodes; empty: all."""
    demo: str = ""
    """The incident of the demo cluster; empty for a real one."""

    def hosts(self, context: str) -> ContextSettings:
        """Tell how the hosts of a context are reached."""
        return self.settings.context(context)


def place_of(arguments: Arguments) -> Place:
    """Tell where the command line says the cluster is; raises PlaceError."""
    made_first = arguments.command == "init" and arguments.config is not None and not arguments.config.exists()
    try:
        settings = Settings() if made_first else load(arguments.config)
    except SettingsError as error:
        raise PlaceError(str(error)) from error
    return Place(
        kubeconfig=arguments.kubeconfig,
        context=arguments.context or "",
        ssh_config=arguments.ssh_config,
        settings=settings,
        nodes=arguments.nodes,
    )
