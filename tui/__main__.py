"""Composition root: settings and arguments -> a cluster, real or embedded -> a command."""

import sys
from collections.abc import Sequence
from importlib import import_module

from tui.cli import arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run underlay as its command line says; returns the exit status, and no traceback reaches the user."""
    parsed = arguments.parse(list(sys.argv[1:] if argv is None else argv))
    try:
        return _run(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, a pager) has gone; devnull keeps the interpreter from complaining of it at exit.
        sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115 - lives until the process ends
        return 141


def _run(parsed: arguments.Arguments) -> int:
    # Start-up is measured: what a command does not need is not imported before it.
    import asyncio  # noqa: PLC0415

    from tui.cli.place import Place, PlaceError, place_of  # noqa: PLC0415

    command = import_module(f"tui.cli.{parsed.command}")

    async def run() -> int:
        place = place_of(parsed)
        if parsed.demo is None:
            return int(await command.run(parsed, place))
        from lab.cluster import LabCluster  # noqa: PLC0415
        from lab.reading import IncidentError  # noqa: PLC0415

        try:
            demo = LabCluster(parsed.demo)
        except IncidentError as error:
            raise PlaceError(str(error)) from error
        async with demo as lab:
            there = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, nodes=place.nodes, demo=parsed.demo)
            return int(await command.run(parsed, there))

    try:
        return asyncio.run(run())
    except PlaceError as error:
        sys.stderr.write(f"underlay: {error}\n")
        return 3


if __name__ == "__main__":
    sys.exit(main())
