"""``underlay status``: the glance, once."""

import sys
import time

from probes.rules.diagnose import diagnose
from tui import __version__
from tui.cli.arguments import Arguments
from tui.cli.connect import connected
from tui.cli.grid import paper_for
from tui.cli.output import write
from tui.cli.place import Place, PlaceError
from tui.cli.status_document import document, encode
from tui.cli.status_text import render


async def run(arguments: Arguments, place: Place) -> int:
    """Observe once, print, and return the verdict as exit status."""
    async with connected(place) as cluster:
        snapshot = await cluster.observe(arguments.timeout)
    if unknown := [name for name in place.nodes if snapshot.nodes and name not in snapshot.nodes]:
        raise PlaceError(f"the cluster has no node {', '.join(unknown)}; it has {', '.join(sorted(snapshot.nodes))}")
    judged = diagnose(snapshot, only=place.nodes)
    if arguments.output == "json":
        write(encode(document(judged, __version__)) + "\n")
    else:
        write(render(judged, paper_for(sys.stdout), time.time()))
    return int(judged.verdict)
