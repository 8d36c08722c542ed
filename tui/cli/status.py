"""``underlay status``: the glance, once."""

import sys
import time

from probes.rules.diagnose import diagnose
from tui import __version__
from tui.advice import advice
from tui.cli.arguments import Arguments
from tui.cli.connect import connected, refuse_strangers
from tui.cli.grid import paper_for
from tui.cli.output import write
from tui.cli.place import Place
from tui.cli.status_document import document, encode
from tui.cli.status_text import render


async def run(arguments: Arguments, place: Place) -> int:
    """Observe once, print, and return the verdict as exit status."""
    async with connected(place) as cluster:
        snapshot = await cluster.observe(arguments.timeout)
    refuse_strangers(place.nodes, snapshot)
    judged = diagnose(snapshot, only=place.nodes, advice=advice(place.settings))
    if arguments.output == "json":
        write(encode(document(judged, __version__)) + "\n")
    else:
        write(render(judged, paper_for(sys.stdout), time.time()))
    return int(judged.verdict)
