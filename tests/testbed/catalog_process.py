"""A runbook from where the operator sits: `python -m tests.testbed.catalog_process SPEC`, SPEC in JSON.

``{"kubeconfig", "ssh_config", "runbook", "given": {NAME: VALUE}, "journals": FOLDER or null}``. Without a folder the
plan is printed. With one the run is taken, every question answered as planned, every event printed, a line each.
"""

import asyncio
import json
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import Any

import msgspec

from probes.cluster import Cluster
from runbooks.engine import Engine, Settings
from runbooks.events import Answer, Ask
from runbooks.journal import Journal, progress, read
from runbooks.shelf import catalog
from tui.cli.connect import connected
from tui.cli.place import Place, PlaceError
from tui.cli.run import make
from tui.cli.running import access_of

_SECONDS = 30.0
SETTINGS = Settings(ttl=30, pace=0.3, patience=60.0)


class Willing:
    """An operator who confirms what the plan said, types what is to be typed, and gives up where a gate stays shut."""

    async def answer(self, ask: Ask) -> Answer:
        """Confirm a beginning and a step; abort where something is not as planned."""
        if ask.about in {"start", "step"}:
            return Answer("confirm", ask.typed)
        sys.stderr.write(f"{ask.about} {ask.step}: {ask.text} {'; '.join(ask.says)}\n")
        return Answer("abort")


async def serve(spec: dict[str, Any]) -> None:
    """Observe, plan, and take the run where it is to be taken."""
    place = Place(kubeconfig=Path(spec["kubeconfig"]), ssh_config=Path(spec["ssh_config"]))
    async with connected(place, watch=True) as cluster:
        await cluster.observe(_SECONDS)
        planned = await make(catalog().runbooks[spec["runbook"]], spec["given"], cluster)
        if spec["journals"] is None:
            sys.stdout.write(msgspec.json.encode(planned).decode() + "\n")
            return
        journal = Journal.create(Path(spec["journals"]), planned, who="operator@testbed", at=time.time())
        await take(journal, cluster, place)


async def take(journal: Journal, cluster: Cluster, place: Place) -> None:
    """Take a run to its end."""
    far = progress(read(journal.path))
    engine = Engine(far, journal, Willing(), cluster, access_of(place), who="operator@testbed", settings=SETTINGS)
    async with aclosing(engine.run()) as events:
        async for event in events:
            sys.stdout.write(msgspec.json.encode(event).decode() + "\n")


def main() -> int:
    """Do it, or say in one sentence why not."""
    try:
        asyncio.run(serve(json.loads(sys.argv[1])))
    except PlaceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
