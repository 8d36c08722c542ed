"""``underlay init``: a config.yaml from what is found, and whether each node answers."""

import os
import sys
import tempfile
from pathlib import Path

import msgspec

from probes.model.snapshot import NODE, Snapshot
from tui.cli.arguments import Arguments
from tui.cli.connect import Hosts, connected
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
    """Look at the cluster, write the file, and print how each node is reached; 0 only where all of them answer."""
    file = arguments.config or config_home() / FILE
    if file.exists() and not arguments.force:
        raise PlaceError(f"{file} is there already; look at it, or have this context written anew with --force")
    async with connected(place) as cluster:
        snapshot = await cluster.observe(arguments.timeout)
    state = snapshot.resource("nodes")
    if state.status != "ok":
        raise PlaceError(f"nothing is written, for the API does not tell its nodes: {state.reason}")
    settings = found(snapshot, place, arguments)
    write(file, settings)
    _report(snapshot, settings.context(snapshot.context), file)
    return 0 if all(snapshot.source(f"{NODE}{name}").status == "ok" for name in snapshot.nodes) else 1


def found(snapshot: Snapshot, place: Place, arguments: Arguments) -> Settings:
    """Make the settings of what was found; other contexts and what was said by hand of this one stay."""
    old = place.hosts(snapshot.context)
    hosts = Hosts(place, old)
    nodes = {
        name: old.nodes.get(name, HostSettings(host=hosts.host_of(name, node)))
        for name, node in sorted(snapshot.nodes.items())
    }
    ssh_config = str(place.ssh_config.absolute()) if place.ssh_config else old.ssh_config
    made = ContextSettings(
        user=arguments.user or old.user,
        jump=arguments.jump or old.jump,
        ssh_config=ssh_config,
        nodes=nodes,
        vantages=old.vantages | {name: HostSettings(host=host) for name, host in arguments.vantages},
    )
    return msgspec.structs.replace(place.settings, contexts=place.settings.contexts | {snapshot.context: made})


def write(file: Path, settings: Settings) -> None:
    """Write the file whole or not at all, for its owner only; what was there stays beside it as ``.old``."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(_HEAD + dump(settings))
        if file.exists():
            file.replace(file.with_name(f"{file.name}.old"))
        Path(made).replace(file)
    except OSError as error:
        raise PlaceError(f"{file} cannot be written: {error.strerror}; give another with --config") from error


def _report(snapshot: Snapshot, settings: ContextSettings, file: Path) -> None:
    paper = paper_for(sys.stdout)
    rows = []
    for name, said in settings.nodes.items():
        state = snapshot.source(f"{NODE}{name}")
        token = "ok" if state.status == "ok" else "critical"
        rows.append((Cell(name), Cell(said.host), Cell(paper.symbol(token), token)))
    lines = grid(paper, ("NODE", "HOST", "ANSWERS"), rows)
    reasons = [state.reason for name in settings.nodes if (state := snapshot.source(f"{NODE}{name}")).reason]
    write_out("\n".join([f"wrote {file}", "", *lines, *(["", *reasons] if reasons else []), ""]))
