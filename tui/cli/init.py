"""``underlay init``: a config.yaml from what is found, and whether each node answers."""

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from probes.model.snapshot import KUBE, NODE, Snapshot
from tui.cli.arguments import Arguments
from tui.cli.connect import Hosts, connected, context_name, refuse_strangers
from tui.cli.grid import Cell, grid, paper_for
from tui.cli.output import write as write_out
from tui.cli.place import Place, PlaceError
from tui.settings import FILE, ContextSettings, HostSettings, Settings, config_home, dump

_HEAD = """\
# underlay's settings, one entry a kubeconfig context. Made by: underlay init
# A node's host is an alias of ssh's configuration, a name or an address. user and jump are needed only where ssh's
# configuration does not say them. vantages are further hosts to probe from, such as the hypervisor or the gateway:
#   vantages:
#     hypervisor: {host: pve, user: root}
"""


async def run(arguments: Arguments, place: Place) -> int:
    """Look at the cluster, write the file, and print how each node is reached; 0 where all that were asked answer."""
    if place.demo:
        raise PlaceError("the demo cluster needs no settings, and init writes none for it: leave --demo out")
    file = arguments.config or config_home() / FILE
    if file.exists() and not arguments.force:
        raise PlaceError(f"{file} is there already; look at it, or have this context written anew with --force")
    place = told(place, arguments)
    async with connected(place) as cluster:
        snapshot = await cluster.observe(arguments.timeout)
    state = snapshot.source(f"{KUBE}nodes")
    if state.status != "ok":
        raise PlaceError(f"nothing is written, for the API does not tell its nodes: {state.reason}")
    refuse_strangers(place.nodes, snapshot)
    settings = found(snapshot, place)
    write(file, settings)
    _report(snapshot, settings.context(snapshot.context), file)
    asked = set(place.nodes or snapshot.nodes)
    return 0 if all(snapshot.source(f"{NODE}{name}").status == "ok" for name in asked) else 1


def told(place: Place, arguments: Arguments) -> Place:
    """Put what the command line says of hosts into the settings: so they are reached, and so it is written."""
    name = context_name(place)
    old = place.hosts(name)
    made = msgspec.structs.replace(
        old,
        user=arguments.user or old.user,
        jump=arguments.jump or old.jump,
        ssh_config=str(place.ssh_config.absolute()) if place.ssh_config else old.ssh_config,
        vantages=old.vantages | {vantage: HostSettings(host=host) for vantage, host in arguments.vantages},
    )
    settings = msgspec.structs.replace(place.settings, contexts=place.settings.contexts | {name: made})
    return msgspec.structs.replace(place, settings=settings)


def found(snapshot: Snapshot, place: Place) -> Settings:
    """Make the settings of what was found; other contexts and what was said by hand of this one stay."""
    old = place.hosts(snapshot.context)
    hosts = Hosts(place, old)
    nodes = {
        name: old.nodes.get(name, HostSettings(host=hosts.host_of(name, node)))
        for name, node in sorted(snapshot.nodes.items())
    }
    made = msgspec.structs.replace(old, nodes=nodes)
    return msgspec.structs.replace(place.settings, contexts=place.settings.contexts | {snapshot.context: made})


def write(file: Path, settings: Settings) -> None:
    """Write the file whole or not at all, for its owner only; what was there stays beside it as ``.old``."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        made = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(_HEAD + dump(settings))
            if file.exists():
                file.replace(file.with_name(f"{file.name}.old"))
            made.replace(file)
        finally:
            made.unlink(missing_ok=True)
    except OSError as error:
        raise PlaceError(f"{file} cannot be written: {error.strerror}; give another with --config") from error


def _report(snapshot: Snapshot, settings: ContextSettings, file: Path) -> None:
    paper = paper_for(sys.stdout)
    rows = []
    marks = {"ok": ("ok", ""), "loading": ("muted", " not asked")}
    for name, said in settings.nodes.items():
        token, words = marks.get(snapshot.source(f"{NODE}{name}").status, ("critical", ""))
        rows.append((Cell(name), Cell(said.host or "itself"), Cell(paper.symbol(token) + words, token)))
    lines = grid(paper, ("NODE", "HOST", "ANSWERS"), rows)
    reasons = [state.reason for name in settings.nodes if (state := snapshot.source(f"{NODE}{name}")).reason]
    write_out("\n".join([f"wrote {file}", "", *lines, *(["", *reasons] if reasons else []), ""]))
