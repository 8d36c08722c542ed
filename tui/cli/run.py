"""``underlay run``: a runbook's plan, and, once unlocked, the run itself, step by confirmed step."""

import secrets
import sys
import time
from collections.abc import Iterator, Mapping

import msgspec

from probes.cluster import Cluster
from probes.rules.diagnose import diagnose
from runbooks.ground import survey
from runbooks.journal import Journal, JournalError, journals, progress, read
from runbooks.parameters import PlanError
from runbooks.plan import Plan, plan, run_name
from runbooks.reading import RunbookError
from runbooks.runbook import Runbook
from runbooks.shelf import catalog
from tui.cli.arguments import Arguments
from tui.cli.connect import connected
from tui.cli.grid import paper_for, wrap
from tui.cli.output import write
from tui.cli.place import Place, PlaceError
from tui.cli.run_text import plan_text
from tui.cli.running import own_runbooks, runs_folder, take, who


async def run(arguments: Arguments, place: Place) -> int:
    """Print the plan; with the context's name given to --unlock, run it."""
    if place.nodes:
        raise PlaceError("a run looks at every node: leave --nodes out, and say with --node where it is to act")
    runbook = chosen(arguments.runbook)
    async with connected(place, watch=True) as cluster:
        await cluster.observe(arguments.timeout)
        planned = await make(runbook, given(arguments), cluster)
        if arguments.output == "json" and (arguments.plan or not arguments.unlock):
            write(msgspec.json.encode(planned).decode() + "\n")
            return 0
        paper = paper_for(sys.stdout)
        if arguments.output != "json":
            write("".join(f"{line}\n" for line in plan_text(planned, paper)))
            write("".join(f"{line}\n" for line in _left_open(planned)))
        if arguments.plan:
            return 0
        if planned.writes and arguments.unlock != planned.context:
            return _locked(arguments, planned)
        try:
            journal = Journal.create(runs_folder(), planned, who=who(), at=time.time())
            far = progress(read(journal.path))
        except JournalError as error:
            raise PlaceError(str(error)) from error
        return await take(far, journal, cluster, place, breaking=arguments.break_lock, output=arguments.output)


def _left_open(planned: Plan) -> Iterator[str]:
    """Tell of runs on this cluster that neither completed nor were aborted."""
    for path in journals(runs_folder()):
        try:
            far = progress(read(path))
        except JournalError as error:
            yield f"\n{error}"
            continue
        if far.open and far.plan.context == planned.context:
            taken = f"{len(far.ended)} of {len(far.plan.steps)} steps"
            yield f"\nNOTE: the run {far.plan.run} ({far.plan.runbook}) is {far.end or 'open'}, {taken} taken:"
            yield f"      underlay runs resume {far.plan.run}, or: underlay runs abort {far.plan.run}"


def _locked(arguments: Arguments, planned: Plan) -> int:
    """Say that nothing was begun, and how it is unlocked; an unlock of another context is an error."""
    if arguments.unlock:
        raise PlaceError(
            f"--unlock {arguments.unlock} is not the context that this would run on: that is {planned.context}"
        )
    said = f"READ-ONLY: nothing was begun. To run this, say so by the context's name: --unlock {planned.context}"
    write("\n" + "".join(f"{line}\n" for line in wrap(said, paper_for(sys.stdout).width)))
    return 0


def chosen(name: str) -> Runbook:
    """Find a runbook by its name; raises PlaceError."""
    try:
        shelf = catalog(own_runbooks())
    except RunbookError as error:
        raise PlaceError(str(error)) from error
    found = shelf.runbooks.get(name)
    if found is not None:
        return found
    broken = next((error for error in shelf.errors if f"/{name}.yaml" in error), "")
    raise PlaceError(broken or f"there is no runbook {name!r}; there are {', '.join(sorted(shelf.runbooks))}")


def given(arguments: Arguments) -> Mapping[str, str]:
    """Read --set and --node."""
    values = dict(arguments.values)
    if arguments.acting:
        values["nodes"] = ",".join(arguments.acting)
    return values


async def make(runbook: Runbook, values: Mapping[str, str], cluster: Cluster) -> Plan:
    """Make the plan of a run by what was just observed; raises PlaceError."""
    found = await survey(cluster, runbook)
    now = time.time()
    try:
        if "nodes" in values and not any(each.name == "nodes" for each in runbook.parameters):
            values = {("node" if key == "nodes" else key): value for key, value in values.items()}
        name = run_name(now, secrets.randbits(16))
        return plan(runbook, values, diagnose(cluster.snapshot), run=name, now=now, found=found)
    except PlanError as error:
        raise PlaceError(str(error)) from error
