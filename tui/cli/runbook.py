"""``underlay runbook``: list, show and lint runbooks; needs no cluster."""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from runbooks.reading import RunbookError
from runbooks.runbook import Runbook
from runbooks.schema import parse
from runbooks.shelf import catalog, read_file
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, paper_for, wrap
from tui.cli.output import write
from tui.cli.place import Place
from tui.cli.running import own_runbooks


async def run(arguments: Arguments, _place: Place) -> int:
    """Do what the command line says of runbooks; lint's exit status is 1 where something is wrong."""
    if arguments.verb == "lint":
        return _lint(arguments)
    if arguments.verb == "show":
        from tui.cli.run import chosen  # noqa: PLC0415 - its engine is not needed to list and lint

        found = chosen(arguments.run_name)
        if arguments.output == "json":
            write(msgspec.json.encode(found).decode() + "\n")
        else:
            write("".join(f"{line}\n" for line in _shown(found, paper_for(sys.stdout))))
        return 0
    shelf = catalog(own_runbooks())
    if arguments.output == "json":
        write(msgspec.json.encode(list(shelf.runbooks.values())).decode() + "\n")
        return 0
    paper = paper_for(sys.stdout)
    rows = [
        [
            Cell(each.name),
            Cell("own" if "/" in each.file else "ours"),
            Cell("writes" if each.writes else "reads"),
            Cell(each.title),
        ]
        for each in shelf.runbooks.values()
    ]
    write("".join(f"{line}\n" for line in grid(paper, ("RUNBOOK", "WHOSE", "DOES", "TITLE"), rows, flexible=3)))
    write("".join(f"\n{error}\n" for error in shelf.errors))
    return 0


def _lint(arguments: Arguments) -> int:
    """Read files, else the operator's own runbooks, and say what is wrong with them."""
    files = [Path(arguments.run_name)] if arguments.run_name else sorted(own_runbooks().glob("*.yaml"))
    status = 0
    for file in files:
        try:
            found = parse(read_file(file), str(file))
            write(f"{file}: {found.name}: {sum(len(group.steps) for group in found.groups)} steps, nothing wrong\n")
        except RunbookError as error:
            write(f"{error}\n")
            status = 1
    if not files:
        write(f"there are no runbooks of yours in {own_runbooks()}\n")
    return status


def _shown(found: Runbook, paper: Paper) -> Iterator[str]:
    yield paper.paint(Cell(f"{found.name}: {found.title}", "title"))
    yield from wrap(found.about, paper.width) if found.about else ()
    if found.expect:
        yield from wrap(f"Expect: {found.expect}", paper.width)
    if found.fixes:
        yield from ("", *wrap(f"Fixes: {', '.join(found.fixes)}", paper.width))
    for code, why in found.leaves.items():
        yield from wrap(f"Does not clear {code}: {why}", paper.width)
    yield from ("", paper.paint(Cell("PARAMETERS", "title")))
    for each in found.parameters:
        default = (
            f" [{each.default}]" if each.default else f" [from the diagnosis: {each.source}]" if each.source else ""
        )
        yield from wrap(f"{each.name} ({each.type}){default}: {each.about}", paper.width)
    yield from ("", paper.paint(Cell("STEPS", "title")))
    for group in found.groups:
        if group.each:
            yield f"for each {group.each} of {group.of}:"
        for step in group.steps:
            yield from wrap(f"- {step.name} ({step.do}): {step.why or step.fields.get('text', '')}", paper.width)
