"""``underlay status``: the glance, once."""

import asyncio
import sys
import time
from importlib import import_module
from typing import Final

from tui import __version__
from tui.cli.arguments import Arguments
from tui.cli.connect import connected, refuse_strangers
from tui.cli.output import write
from tui.cli.place import Place

_MEANWHILE: Final = ("probes.transports.sshdial", "probes.rules.diagnose", "tui.advice", "tui.cli.grid")
"""What takes long to import, in the order in which it is needed: beside the asking, in which there is much waiting."""


async def run(arguments: Arguments, place: Place) -> int:
    """Observe once, print, and return the verdict as exit status."""
    printing = "tui.cli.status_document" if arguments.output == "json" else "tui.cli.status_text"
    async with connected(place) as cluster:
        imports = asyncio.create_task(asyncio.to_thread(lambda: [import_module(n) for n in (*_MEANWHILE, printing)]))
        snapshot = await cluster.observe(arguments.timeout)
        await imports
    from probes.rules.diagnose import diagnose  # noqa: PLC0415 - imported above
    from tui.advice import advice  # noqa: PLC0415 - likewise

    refuse_strangers(place.nodes, snapshot)
    judged = diagnose(snapshot, only=place.nodes, advice=advice(place.settings))
    if arguments.output == "json":
        from tui.cli.status_document import document, encode  # noqa: PLC0415 - likewise

        write(encode(document(judged, __version__)) + "\n")
    else:
        from tui.cli.grid import paper_for  # noqa: PLC0415 - likewise
        from tui.cli.status_text import render  # noqa: PLC0415 - likewise

        write(render(judged, paper_for(sys.stdout), time.time()))
    return int(judged.verdict)
