"""``underlay probe runs``: the runs of probes that are kept."""

import sys
import time
from collections import Counter

import msgspec

from probes.model.evidence import Run
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, grid, paper_for
from tui.cli.output import write
from tui.cli.place import PlaceError
from tui.evidence import EvidenceError, load, names
from tui.format import age

_TONES = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}
_SAID = {0: "well", 1: "told", 2: "failing", 3: "nothing concluded"}


def show(arguments: Arguments) -> int:
    """List what is kept, the newest first; a file that cannot be read is said to be so."""
    if arguments.targets:
        raise PlaceError("probe runs takes no target: underlay probe compare BEFORE AFTER holds two runs side by side")
    rows, found = [], []
    now = time.time()
    for name in names():
        try:
            run = load(name)
        except EvidenceError as error:
            rows.append([Cell(name), Cell(str(error), "unknown"), *([Cell("·")] * 4)])
            continue
        found.append(run)
        rows.append(_row(run, now))
    if arguments.output == "json":
        told = [
            {"name": r.name, "probe": r.probe, "context": r.context, "at": r.at, "exit_status": r.exit_status}
            for r in found
        ]
        write(msgspec.json.encode({"schema": "underlay/runs/v1", "runs": told}).decode() + "\n")
        return 0
    paper = paper_for(sys.stdout)
    if not rows:
        write("no run is kept yet: every underlay probe keeps one\n")
        return 0
    lines = grid(paper, ("RUN", "VERDICT", "CONTEXT", "AGE", "FROM", "RESULTS"), rows, flexible=5)
    write("\n".join(lines) + "\n")
    return 0


def _row(run: Run, now: float) -> list[Cell]:
    counts = Counter(each.tone for each in run.results)
    said = ", ".join(f"{count} {tone}" for tone, count in sorted(counts.items()))
    return [
        Cell(run.name),
        Cell(_SAID.get(run.exit_status, "?"), _TONES.get(run.exit_status, "unknown")),
        Cell(run.context),
        Cell(age(max(0.0, now - run.at))),
        Cell(str(len({each.vantage for each in run.results}))),
        Cell(said),
    ]
