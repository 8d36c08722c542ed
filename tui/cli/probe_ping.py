"""``underlay probe ping``: small and full-size packets to every place, and what is lost of them."""

from collections.abc import Awaitable, Sequence

from probes.model.reach import Result, percentile
from probes.reach.pairs import PAIRS, Plan, Target, pairs
from probes.reach.sounding import sound
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds, reasons
from tui.cli.probe_findings import publish


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ping, print, and return the verdict as exit status."""
    plan, total = plan_of(arguments, ground)
    directions = sum(map(len, plan.values()))
    if not directions:
        raise PlaceError("there is nobody to ping: name a target, or more nodes than one")

    def send(report: Report) -> Awaitable[None]:
        return sound(plan, report, probe="ping", packets=arguments.attempts)

    found = await collected("ping", directions, send, ground)
    more = {"directions": total, "searched": len(found)}
    return await publish(arguments, ground, found, lambda paper: render(found, ground, total, paper), **more)


def plan_of(arguments: Arguments, ground: Ground) -> tuple[Plan, int]:
    """Tell who sends to whom: everybody to the targets named, else every pair; and how many there are altogether."""
    vantages = ground.offered.vantages
    if not arguments.targets:
        return pairs(vantages)
    if odd := [each for each in arguments.targets if "/" in each]:
        raise PlaceError(f"{odd[0]} is no host: echo goes to a host name or an address")
    targets = [Target(each, each) for each in arguments.targets]
    return dict.fromkeys(vantages, targets), len(vantages) * len(targets)


def render(found: Sequence[Result], ground: Ground, total: int, paper: Paper) -> str:
    """Write a row a direction."""
    header = ("FROM", "TO", "VERDICT", "p50 ms", "p95 ms", "SMALL", "FULL", "MTU")
    lines = grid(paper, header, [_row(each) for each in found], flexible=2)
    if total > len(found):
        lines += ["", f"a sample: {len(found)} of {total} directions (at most {PAIRS} are tried)"]
    lines += reasons(found, paper)
    lines += [line for name, why in ground.offered.missing.items() for line in _missing(name, why, paper)]
    lines += ["", *wrap("SMALL and FULL: lost of sent, of 84 bytes and of the device's MTU, whole (DF)", paper.width)]
    return "\n".join(lines).strip("\n") + "\n"


def _missing(name: str, why: str, paper: Paper) -> list[str]:
    return ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]


def _row(each: Result) -> list[Cell]:
    lost = {attempt.variant: attempt.packets for attempt in each.attempts if attempt.packets}
    return [
        Cell(each.vantage),
        Cell(each.target),
        Cell(each.said, each.tone),
        Cell(milliseconds(percentile(each.times, 0.5))),
        Cell(milliseconds(percentile(each.times, 0.95))),
        *(Cell(_share(lost.get(variant))) for variant in ("small", "full")),
        Cell(f"{each.way.dev} {each.way.mtu}" if each.way.dev else "·"),
    ]


def _share(packets: tuple[int, int] | None) -> str:
    return f"{packets[0] - packets[1]}/{packets[0]}" if packets and packets[0] else "·"
