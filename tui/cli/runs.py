"""``underlay runs``: list, show, resume and abort runs by their journals."""

import sys
import time

import msgspec

from runbooks.journal import Journal, JournalError, find, journals, progress, read
from runbooks.report import report
from tui.cli.arguments import Arguments
from tui.cli.connect import connected, context_name
from tui.cli.grid import Cell, grid, paper_for
from tui.cli.output import write
from tui.cli.place import Place, PlaceError
from tui.cli.running import runs_folder, take, who

_TONES = {"completed": "ok", "aborted": "muted", "": "critical"}


async def run(arguments: Arguments, place: Place) -> int:
    """Do what the command line says of runs; raises PlaceError."""
    try:
        if arguments.verb == "list":
            return _list(arguments)
        if not arguments.run_name:
            raise PlaceError(f"runs {arguments.verb} needs a run: `underlay runs list` lists them")
        path = find(runs_folder(), arguments.run_name)
        if arguments.verb == "show":
            records = read(path)
            if arguments.output == "json":
                write("".join(msgspec.json.encode(each).decode() + "\n" for each in records))
            else:
                write(report(records))
            return 0
        return await _go_on(arguments, place)
    except JournalError as error:
        raise PlaceError(str(error)) from error


async def _go_on(arguments: Arguments, place: Place) -> int:
    path = find(runs_folder(), arguments.run_name)
    far = progress(read(path))
    if not far.open:
        raise PlaceError(f"{far.plan.run} is {far.end}: there is nothing to {arguments.verb}")
    if context_name(place) != far.plan.context:
        raise PlaceError(f"{far.plan.run} is a run on {far.plan.context}: give --context {far.plan.context}")
    if arguments.unlock != far.plan.context:
        raise PlaceError(f"READ-ONLY: nothing was done. To {arguments.verb} it, give --unlock {far.plan.context}")
    async with connected(place, watch=True) as cluster:
        await cluster.observe(arguments.timeout)
        if cluster.snapshot.server != far.plan.server:
            raise PlaceError(
                f"{far.plan.run} ran against {far.plan.server}, and {far.plan.context} now is "
                f"{cluster.snapshot.server}: it is not resumed against another cluster"
            )
        journal, far = Journal.reopen(path, who=who(), at=time.time())
        abandon = arguments.verb == "abort"
        output = arguments.output
        return await take(far, journal, cluster, place, breaking=arguments.break_lock, output=output, abandon=abandon)


def _list(arguments: Arguments) -> int:
    rows, documents, broken = [], [], []
    for path in journals(runs_folder()):
        try:
            far = progress(read(path))
        except JournalError as error:
            broken.append(str(error))
            continue
        taken = f"{len(far.ended)}/{len(far.plan.steps)}"
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(far.began))
        end = far.end or "open"
        rows.append(
            [
                Cell(far.plan.run),
                Cell(far.plan.runbook),
                Cell(far.plan.context),
                Cell(began),
                Cell(end, _TONES.get(far.end or "", "warning")),
                Cell(taken),
                Cell(far.who),
            ]
        )
        documents.append({"run": far.plan.run, "runbook": far.plan.runbook, "end": end, "began": far.began})
    if arguments.output == "json":
        write(msgspec.json.encode(documents).decode() + "\n")
        return 0
    paper = paper_for(sys.stdout)
    lines = grid(paper, ("RUN", "RUNBOOK", "CONTEXT", "BEGUN", "END", "STEPS", "BY"), rows, flexible=6)
    write("".join(f"{line}\n" for line in (*(lines if rows else ("no runs yet",)), *broken)))
    return 0
