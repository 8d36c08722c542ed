"""``underlay probe pull``: images pulled by the containerd of named nodes, with the operator's consent."""

from collections.abc import Awaitable, Sequence

from probes.model.reach import Result, percentile
from probes.reach.registry import Image, parse_image
from runbooks.pulls import IMAGES, Consent, pull_images, shown
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds
from tui.cli.probe_findings import publish


async def run(arguments: Arguments, ground: Ground) -> int:
    """Pull, print, and return the verdict as exit status; raises PlaceError without consent."""
    images = _images(arguments.targets)
    nodes = [each for each in ground.offered.vantages if each.kind == "node" and each.name in arguments.nodes]
    if not nodes:
        raise PlaceError("pulling is done on nodes that you name, and that are reached by SSH: give --nodes A,B")
    names = tuple(each.name for each in nodes)
    if not arguments.write_images:
        commands = "; ".join(shown(image) for image in images)
        raise PlaceError(
            f"a pull writes to the image store of {', '.join(names)}, up to {arguments.attempts} times: `{commands}`; "
            "the image stays there. Give --write-images to have it done"
        )
    tries, seconds = arguments.attempts, 12 * arguments.timeout

    def send(report: Report) -> Awaitable[None]:
        return pull_images(Consent(names), nodes, images, report, attempts=tries, seconds=seconds)

    found = await collected("pulls", len(images) * len(nodes), send, ground)
    return await publish(arguments, ground, found, lambda paper: render(found, paper))


def _images(targets: Sequence[str]) -> list[Image]:
    try:
        images = [parse_image(each) for each in targets]
    except ValueError as error:
        raise PlaceError(str(error)) from error
    if not images or not all(image.name for image in images):
        raise PlaceError("give the images to pull: underlay probe pull REGISTRY/NAME:TAG --nodes A,B")
    if len(images) > IMAGES:
        raise PlaceError(f"{len(images)} images are too many for one run: give at most {IMAGES}")
    return list(dict.fromkeys(images))


def render(found: Sequence[Result], paper: Paper) -> str:
    """Write a grid an image, a row a node."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        here = [each for each in found if each.target == target]
        lines += ["", paper.paint(Cell(paper.text(target), "title"))]
        rows = [
            [
                Cell(each.vantage),
                Cell(each.said, each.tone),
                Cell(f"{each.lost}/{each.sent}" if each.sent else "·"),
                Cell(each.facts.get("was there", "·")),
                Cell(milliseconds(percentile(each.times, 0.5))),
                Cell(milliseconds(percentile(each.times, 0.95))),
            ]
            for each in here
        ]
        lines += grid(paper, ("ON", "VERDICT", "LOST", "WAS THERE", "p50", "p95 ms"), rows, flexible=1)
        for each in here:
            if each.reason:
                lines += wrap(paper.text(f"{each.vantage}: {each.reason}"), paper.width)
        if any(each.facts.get("was there") == "yes" for each in here):
            lines += wrap("where the image was there only its manifest is asked for: no blob flowed", paper.width)
    return "\n".join(lines).strip("\n") + "\n"
