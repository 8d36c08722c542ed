"""``underlay probe mesh``: every node to every node, every pod to every pod, and the way of artifacts."""

from collections.abc import Sequence
from typing import Any, Final

from probes.kube.errors import ApiError
from probes.model.reach import Result, percentile
from probes.reach import artifact
from probes.reach.artifact import Hop
from probes.reach.pairs import PAIRS, pairs
from probes.reach.sounding import sound
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds, reasons
from tui.cli.probe_findings import publish

_WIDEST: Final = 12
"""Places that a matrix shows; of more only the pairs that are not well are listed."""
TAKE_SECONDS: Final = 5.0
"""For one artifact: Flux's are small, and this one comes from within the cluster."""
_HEADS: Final = {"node": "nodes: the underlay", "pod": "pods: the overlay", "operator": "operator", "host": "hosts"}


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ping all pairs, take the artifact, print, and return the verdict as exit status."""
    if arguments.targets:
        raise PlaceError(
            "the mesh is between the cluster's own places: for others use probe ping, or --nodes for fewer"
        )
    plan, total = pairs(ground.offered.vantages)
    missing = dict(ground.offered.missing)
    hops = await hops_of(ground, missing) if "pod" in arguments.senders else []
    directions = sum(map(len, plan.values()))
    if not directions and not hops:
        raise PlaceError("there is no pair: a mesh needs more nodes than one")

    async def send(report: Report) -> None:
        await sound(plan, report, probe="mesh", packets=arguments.attempts)
        await artifact.take(hops, report, attempts=2, seconds=min(TAKE_SECONDS, arguments.timeout))

    found = await collected("mesh", directions + len(hops), send, ground)
    more: dict[str, Any] = {"directions": total, "searched": directions, "missing_vantages": missing}
    return await publish(
        arguments, ground, found, lambda paper: render(found, missing, directions, total, paper), **more
    )


async def hops_of(ground: Ground, missing: dict[str, str]) -> list[Hop]:
    """Find out between which pods artifacts travel, and what to ask for."""
    giver = artifact.giver_of(ground.snapshot)
    if giver is None:
        missing["source-controller"] = "no pod of it runs, so no artifact can be asked for"
        return []
    takers, unable = artifact.takers(ground.snapshot, ground.offered.vantages)
    missing.update(unable)
    service = await _read(ground, artifact.service_path(giver), "source-controller service", missing)
    source = artifact.source_path(ground.snapshot)
    path = artifact.artifact_path(await _read(ground, source, "artifact", missing)) if source else ""
    asked = artifact.urls(giver, service, path)
    return [Hop(taker, target, url, giver.node) for taker in takers for target, url in asked.items()]


async def _read(ground: Ground, path: str, what: str, missing: dict[str, str]) -> bytes | bytearray:
    try:
        return await ground.wires.api.get(path, timeout=5.0)
    except ApiError as error:
        missing[what] = str(error)
        return b""


def render(found: Sequence[Result], missing: dict[str, str], tried: int, total: int, paper: Paper) -> str:
    """Write a matrix for nodes and one for pods, then the way of artifacts, then what is not well in words."""
    hops = [each for each in found if each.target in artifact.TARGETS]
    pings = sorted((each for each in found if each.target not in artifact.TARGETS), key=lambda each: each.vantage)
    lines: list[str] = []
    for kind, head in _HEADS.items():
        own = [each for each in pings if each.kind == kind]
        if own:
            lines += ["", paper.paint(Cell(head, "title")), *_matrix(own, paper)]
    if hops:
        lines += ["", paper.paint(Cell("artifacts: source-controller to those that apply them", "title"))]
        lines += grid(paper, ("FROM", "TO", "VERDICT", "p50 ms", "KIB"), [_hop(each) for each in hops], flexible=2)
    if total > tried:
        lines += ["", f"a sample: {tried} of {total} directions (at most {PAIRS} are tried), spread evenly"]
    lines += reasons(found, paper)
    for name, why in missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    said = "a cell: median milliseconds there and back, of packets of 84 bytes and of the device's MTU, whole (DF)"
    return "\n".join([*lines, "", *wrap(said, paper.width)]).strip("\n") + "\n"


def _matrix(found: Sequence[Result], paper: Paper) -> list[str]:
    senders = list(dict.fromkeys(each.vantage for each in found))
    receivers = sorted({each.target for each in found})
    if max(len(senders), len(receivers)) > _WIDEST:
        well = sum(each.tone == "ok" for each in found)
        rows = [[Cell(each.vantage), Cell(each.target), _cell(each, paper)] for each in found if each.tone != "ok"]
        shown = grid(paper, ("FROM", "TO", "VERDICT"), rows, flexible=2) if rows else []
        return [f"{well} of {len(found)} directions are well", *shown]
    cells = {(each.vantage, each.target): _cell(each, paper) for each in found}
    rows = [
        [Cell(sender), *(cells.get((sender, receiver), Cell(paper.glyphs.none, "muted")) for receiver in receivers)]
        for sender in senders
    ]
    return grid(paper, ("FROM \\ TO", *receivers), rows)


def _cell(each: Result, paper: Paper) -> Cell:
    said = milliseconds(percentile(each.times, 0.5)) if each.tone == "ok" else each.said
    return Cell(f"{paper.symbol(each.tone)} {said}", each.tone)


def _hop(each: Result) -> list[Cell]:
    body = max((attempt.body for attempt in each.attempts), default=0)
    return [
        Cell(each.vantage),
        Cell(f"{each.target} on {each.peer}"),
        Cell(each.said, each.tone),
        Cell(milliseconds(percentile(each.times, 0.5))),
        Cell(f"{body / 1024:.0f}"),
    ]
