"""``underlay probe pmtu``: the path MTU of every direction."""

from collections.abc import Awaitable, Sequence
from typing import Final

from probes.model.reach import Result, percentile
from probes.reach.pairs import PAIRS, Plan, Target, pairs
from probes.reach.paths import search
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds, reasons
from tui.cli.probe_findings import publish

_FOLD: Final = 30
"""Directions; where there are more, those that are well are summed up."""
_SHOWN: Final = 4
"""Paths that are named where more have the same to say."""


async def run(arguments: Arguments, ground: Ground) -> int:
    """Search, print, and return the verdict as exit status."""
    plan, total = _plan(arguments, ground)
    directions = sum(map(len, plan.values()))
    if not directions:
        raise PlaceError("there is no direction to search: name a target, or more nodes than one")

    def send(report: Report) -> Awaitable[None]:
        return search(plan, report, packets=max(2, arguments.attempts))

    paths = await collected("path MTU", directions, send, ground)
    paths.sort(key=lambda each: (_ORDER[each.kind], each.vantage, each.target))
    more = {"directions": total, "searched": len(paths)}
    return await publish(arguments, ground, paths, lambda paper: render(paths, ground, total, paper), **more)


_ORDER: Final = {"operator": 0, "node": 1, "pod": 2, "host": 3}


def _plan(arguments: Arguments, ground: Ground) -> tuple[Plan, int]:
    vantages = ground.offered.vantages
    if arguments.targets:
        if odd := [each for each in arguments.targets if "/" in each]:
            raise PlaceError(f"{odd[0]} is no host: path MTU is searched to a host name or an address")
        targets = [Target(each, each) for each in arguments.targets]
        return dict.fromkeys(vantages, targets), len(vantages) * len(targets)
    return pairs(vantages)


def render(paths: Sequence[Result], ground: Ground, total: int, paper: Paper) -> str:
    """Write what was found: a row a direction, then what the rows say together."""
    pods = {each.name: each.pod for each in ground.offered.vantages if each.pod}
    folded = len(paths) > _FOLD
    rows = [_row(path) for path in paths if not folded or path.outcome != "ok"]
    lines = []
    if folded:
        lines += _folded(paths)
    if rows:
        lines += grid(paper, ("FROM", "TO", "VERDICT", "p50 ms", "p95 ms", "LOST", "MTU"), rows, flexible=2)
    if total > len(paths):
        lines += ["", f"a sample: {len(paths)} of {total} directions (at most {PAIRS} are searched)"]
    lines += reasons(paths, paper)
    lines += ["", *_wrapped([f"not asked: {name}: {why}" for name, why in ground.offered.missing.items()], paper)]
    told = ", ".join(f"{name} in the network of {pod}" for name, pod in pods.items())
    lines += _wrapped([f"sent {told}"] if told else [], paper)
    lines += _wrapped(["each direction: there whole (DF); the reply, as long, may come back in fragments"], paper)
    return "\n".join(lines).strip("\n") + "\n"


def _folded(paths: Sequence[Result]) -> list[str]:
    counts: dict[tuple[str, int | None], int] = {}
    for path in paths:
        if path.outcome == "ok":
            counts[path.kind, path.sizes.mtu if path.sizes else None] = (
                counts.get((path.kind, path.sizes.mtu if path.sizes else None), 0) + 1
            )
    return [f"{kind}: {count} directions carry {mtu} bytes whole" for (kind, mtu), count in counts.items()] + [""]


def _row(path: Result) -> list[Cell]:
    return [
        Cell(path.vantage),
        Cell(path.target),
        Cell(path.said, path.tone),
        Cell(milliseconds(percentile(path.times, 0.5))),
        Cell(milliseconds(percentile(path.times, 0.95))),
        Cell(f"{path.lost}/{path.sent}" if path.sent else "·"),
        Cell(f"{path.way.dev} {path.way.mtu}" if path.way.dev else "·"),
    ]


def _listed(ends: Sequence[tuple[str, str]], paper: Paper) -> str:
    more = f" and {len(ends) - _SHOWN} more" if len(ends) > _SHOWN else ""
    return ", ".join(f"{a} {paper.glyphs.arrow} {b}" for a, b in ends[:_SHOWN]) + more


def _wrapped(texts: Sequence[str], paper: Paper) -> list[str]:
    return [line for text in texts for line in wrap(paper.text(text), paper.width)]
