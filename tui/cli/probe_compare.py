"""``underlay probe compare BEFORE AFTER``: what a change of the network did."""

import sys
from typing import Final

import msgspec

from probes.reach.comparing import Compared, Comparison, compare
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, paper_for, wrap
from tui.cli.output import write
from tui.cli.place import PlaceError
from tui.cli.probe import milliseconds
from tui.evidence import EvidenceError, load

_TONES: Final = {
    "better": "ok",
    "faster": "ok",
    "worse": "critical",
    "slower": "warning",
    "new": "unknown",
    "gone": "unknown",
}
WELL, STILL, WORSE, NOTHING = 0, 1, 2, 3


def show(arguments: Arguments) -> int:
    """Compare, print; 0: nothing is worse, all is well; 1: not all is; 2: something is worse; 3: nothing in common."""
    if len(arguments.targets) != 2:  # noqa: PLR2004 - before and after
        raise PlaceError(
            "give two runs: underlay probe compare BEFORE AFTER; underlay probe runs lists them, last is one"
        )
    try:
        before, after = (load(each) for each in arguments.targets)
    except EvidenceError as error:
        raise PlaceError(str(error)) from error
    found = compare(before, after)
    status = _status(found)
    if arguments.output == "json":
        told = {"schema": "underlay/compare/v1", "exit_status": status, "comparison": found}
        write(msgspec.json.encode(told).decode() + "\n")
    else:
        write(render(found, paper_for(sys.stdout)))
    return status


def _status(found: Comparison) -> int:
    common = [each for each in found.compared if each.change not in {"new", "gone"}]
    if not common:
        return NOTHING
    if any(each.change == "worse" for each in common):
        return WORSE
    return WELL if all(each.tones[1] == "ok" for each in common) else STILL


def render(found: Comparison, paper: Paper) -> str:
    """Write what of the networks changed, then every result that is not as it was; how many are is said."""
    arrow = paper.glyphs.arrow
    lines = [paper.paint(Cell(f"{found.before} {arrow} {found.after}", "title"))]
    for each in found.differences:
        was, now = each.before or "none", each.after or "none"
        lines += wrap(paper.text(f"{each.vantage}: {each.what} {was} {arrow} {now}"), paper.width)
    if not found.differences:
        lines.append("no vantage's MTU, default route, resolvers or chosen addresses changed")
    changed = [each for each in found.compared if each.change != "same"]
    if changed:
        header = ("CHANGE", "PROBE", "FROM", "TARGET", "BEFORE", "AFTER", "LOST", "p50 ms")
        lines += ["", *grid(paper, header, [_row(each, arrow) for each in changed], flexible=3)]
    same = len(found.compared) - len(changed)
    lines += ["", f"{same} of {len(found.compared)} results are as they were"]
    return "\n".join(lines) + "\n"


def _row(each: Compared, arrow: str) -> list[Cell]:
    lost = " ".join([each.lost[0] or "·", arrow, each.lost[1] or "·"])
    medians = " ".join([milliseconds(each.medians[0]), arrow, milliseconds(each.medians[1])])
    return [
        Cell(each.change, _TONES.get(each.change, "")),
        Cell(each.probe),
        Cell(each.vantage),
        Cell(each.target),
        Cell(each.before or "·"),
        Cell(each.after or "·"),
        Cell(lost),
        Cell(medians),
    ]
