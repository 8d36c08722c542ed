"""Composition root: settings and arguments -> a cluster, real or embedded -> a command."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from tui.cli import arguments
from tui.cli.output import OutputError, abandon

if TYPE_CHECKING:
    from probes.model.snapshot import Snapshot
    from tui.cli.place import Place


def main(argv: Sequence[str] | None = None) -> int:
    """Run underlay as its command line says; returns the exit status, and no traceback reaches the user."""
    parsed = arguments.parse(list(sys.argv[1:] if argv is None else argv))
    try:
        return _run(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        abandon()  # the reader (head, a pager) has gone
        return 141
    except OutputError as error:
        abandon()
        sys.stderr.write(f"underlay: {error}\n")
        return 3
    except Exception as error:  # noqa: BLE001 - Python's own status for this is 1, which would say: warnings
        import time  # noqa: PLC0415

        from tui.defects import admit  # noqa: PLC0415

        sys.stderr.write(f"underlay: {admit(error, time.time())}\n")
        return 3


def _run(parsed: arguments.Arguments) -> int:
    # Start-up is measured: what a command does not need is not imported before it.
    import asyncio  # noqa: PLC0415

    from tui.cli.place import PlaceError, place_of  # noqa: PLC0415

    async def run() -> int:
        if parsed.command == "screen":
            place_of(parsed)  # what is wrong with the settings is said before the screen is taken
            return await _screen(parsed)
        command = import_module(f"tui.cli.{parsed.command}")
        async with _place(parsed) as place:
            return int(await command.run(parsed, place))

    try:
        return asyncio.run(run())
    except PlaceError as error:
        sys.stderr.write(f"underlay: {error}\n")
        return 3


@asynccontextmanager
async def _place(parsed: arguments.Arguments) -> "AsyncIterator[Place]":
    """Tell where the cluster is; a demo cluster exists for as long as this is entered. Raises PlaceError."""
    from tui.cli.place import Place, PlaceError, place_of  # noqa: PLC0415

    place = place_of(parsed)
    if parsed.demo is None:
        yield place
        return
    import os  # noqa: PLC0415

    from lab.cluster import LabCluster  # noqa: PLC0415
    from lab.reading import IncidentError  # noqa: PLC0415

    try:
        demo = LabCluster(parsed.demo)
    except IncidentError as error:
        raise PlaceError(str(error)) from error
    async with demo as lab:
        # The servers that the demo's nodes reach show certificates of the demo's own authority.
        os.environ["SSL_CERT_FILE"] = str(lab.trusted)
        yield Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, nodes=place.nodes, demo=parsed.demo)


async def _screen(parsed: arguments.Arguments) -> int:
    """Show the screens; everything that takes long to import comes after their first frame."""
    import asyncio  # noqa: PLC0415
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415

    import themes  # noqa: PLC0415
    from tui.advice import advice  # noqa: PLC0415
    from tui.app import CannotStart, UnderlayApp  # noqa: PLC0415
    from tui.cli.place import Place, PlaceError, place_of  # noqa: PLC0415
    from tui.cli.screen import Source  # noqa: PLC0415
    from tui.format import choose_glyphs  # noqa: PLC0415
    from tui.remembered import recall  # noqa: PLC0415
    from tui.settings import config_home  # noqa: PLC0415

    source = Source(lambda: _place(parsed), ("lab.cluster",) if parsed.demo is not None else ())

    async def follow(publish: "Callable[[Snapshot], None]") -> None:
        try:
            await source.follow(publish)
        except PlaceError as error:
            raise CannotStart(str(error)) from error

    said: list[str] = []
    app = UnderlayApp(
        follow,
        reads=source,
        probing=source,
        repairs=source,
        collect=source.collect,
        context=parsed.context or (f"demo-{parsed.demo}" if parsed.demo is not None else ""),
        only=parsed.nodes,
        advice=advice((place_of(parsed) if parsed.demo is None else Place()).settings),
        glyphs=choose_glyphs(os.environ, sys.stderr.encoding or "", ascii_only=os.environ.get("UNDERLAY_ASCII") == "1"),
        palette=themes.load(config_home() / "themes", said.append),
        remembered=recall(),
        theme=parsed.theme,
        environ=os.environ,
        notices=said,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):  # a lost link, or an end that was asked for: leave all clean
        loop.add_signal_handler(number, app.exit, 128 + number)
    status = await app.run_async()
    if app.failure:
        sys.stderr.write(f"underlay: {app.failure}\n")
    return app.return_code or 0 if status is None else int(status)


if __name__ == "__main__":
    sys.exit(main())
