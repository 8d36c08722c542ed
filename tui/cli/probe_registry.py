"""``underlay probe registry``: image registries, stage by stage up to a blob at the host that it lies on."""

from collections.abc import Awaitable, Sequence
from typing import Final

from probes.model.reach import Result, percentile
from probes.model.snapshot import Snapshot
from probes.reach.registries import IMAGES, ask_registries
from probes.reach.registry import Image, parse_image
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds
from tui.cli.probe_findings import publish

_PHASES: Final = {
    "dns": "dns",
    "connect": "tcp",
    "tls": "tls",
    "challenge": "/v2/",
    "token": "token",
    "manifest": "head",
    "blob": "blob",
}


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ask, print, and return the verdict as exit status."""
    images = chosen(arguments.targets, ground.snapshot)
    vantages = ground.offered.vantages

    def send(report: Report) -> Awaitable[None]:
        return ask_registries(vantages, images, report, attempts=arguments.attempts, seconds=arguments.timeout)

    found = await collected("registries", len(images) * len(vantages), send, ground)
    return await publish(arguments, ground, found, lambda paper: render(found, ground, paper))


def chosen(targets: Sequence[str], snapshot: Snapshot) -> list[Image]:
    """Take the images and registries named; else one image of each registry that the cluster pulls from.

    Raises PlaceError.
    """
    try:
        named = [parse_image(each) for each in targets]
    except ValueError as error:
        raise PlaceError(str(error)) from error
    if not named:
        by_host: dict[str, Image] = {}
        for text in _own(snapshot):
            try:
                image = parse_image(text)
            except ValueError:
                continue
            by_host.setdefault(image.host, image)
        named = list(by_host.values())[:IMAGES]
    if not named:
        raise PlaceError("there is no registry to ask: no pod and no Flux source names an image, so name one or more")
    if len(named) > IMAGES:
        raise PlaceError(f"{len(named)} images are too many for one run: give at most {IMAGES}")
    return list(dict.fromkeys(named))


def _own(snapshot: Snapshot) -> list[str]:
    """List the images of the cluster: those that fail first, then its pods' and its Flux sources'."""
    failing = sorted({each.image for each in snapshot.pull_events.values() if each.image})
    pods = sorted({container.image for pod in snapshot.pods.values() for container in pod.containers})
    flux = sorted(
        {each.url.removeprefix("oci://").partition("/")[0] for each in snapshot.flux.values() if "oci://" in each.url}
    )
    return [*failing, *pods, *flux]


def render(found: Sequence[Result], ground: Ground, paper: Paper) -> str:
    """Write a grid an image, a row a vantage, with the median of every stage."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        here = [each for each in found if each.target == target]
        lines += ["", paper.paint(Cell(paper.text(target), "title"))]
        header = ("FROM", "VERDICT", "LOST", *_PHASES.values(), "p95 ms")
        lines += grid(paper, header, [_row(each) for each in here], flexible=1)
        said: dict[str, list[str]] = {}
        for each in here:
            for text in _notes(each):
                said.setdefault(text, []).append(each.vantage)
        for text, names in said.items():
            who = "everywhere" if len(names) == len(here) > 1 else ", ".join(names)
            lines += wrap(paper.text(f"{who}: {text}"), paper.width)
    for name, why in ground.offered.missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    return "\n".join(lines).strip("\n") + "\n"


def _notes(each: Result) -> list[str]:
    facts = each.facts
    notes = [each.reason] if each.reason else []
    if host := facts.get("blob-host"):
        notes.append(f"its blobs come from {host}")
    if limit := facts.get("rate-limit"):
        notes.append(f"rate limit: {limit}")
    return notes


def _row(each: Result) -> list[Cell]:
    medians = [
        milliseconds(percentile([a.seconds[phase] for a in each.attempts if phase in a.seconds], 0.5))
        for phase in _PHASES
    ]
    return [
        Cell(each.vantage),
        Cell(each.said, each.tone),
        Cell(f"{each.lost}/{each.sent}" if each.sent else "·"),
        *map(Cell, medians),
        Cell(milliseconds(percentile(each.times, 0.95))),
    ]
