"""``underlay probe plan [NAME]``: a named set of probes, repeated, held against what counts as success."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Final

from probes.model.plan import DEFAULT, Met, Plan, Step, assess, is_name, merged, wrong_with
from probes.model.reach import WORST, Result, percentile
from probes.reach.cloning import Repository, fetch_repositories
from probes.reach.fetch import fetch
from probes.reach.greeting import greet
from probes.reach.naming import look_up_names
from probes.reach.registries import ask_registries
from probes.reach.request import host_of
from probes.vantage import Vantage
from tui.cli import probe_git, probe_http, probe_registry
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import FAILING, NOTHING, OK, Progress, Report, in_order, milliseconds
from tui.cli.probe_findings import publish

_AT_ONCE: Final = 2
"""Probes side by side: a host takes four streams, and its node and pod each need one for a probe."""
_REASONS: Final = 12
"""Reasons that are written; all are in the JSON."""


async def run(arguments: Arguments, ground: Ground) -> int:
    """Run the rounds of a plan, print, and return the verdict as exit status."""
    name, plan = _plan(arguments, ground)
    steps = [_Step(each, arguments, ground) for each in plan.probes if not _idle(each, arguments, ground)]
    if not steps:
        raise PlaceError(f"the plan {name} has nothing to ask: no probe of it has a target here")
    vantages = len(ground.offered.vantages)
    progress = Progress(f"plan {name}", plan.repeat * vantages * sum(step.targets for step in steps))
    rounds: list[Result] = []

    def report(each: Result) -> None:
        rounds.append(each)
        progress.step()

    try:
        for number in range(plan.repeat):
            if number:
                await asyncio.sleep(plan.interval)
            await _round(steps, ground.offered.vantages, report, arguments.timeout)
    finally:
        progress.end()
    found = sorted(in_order(merged(rounds), ground), key=lambda each: each.probe)
    met = assess(plan, found, {node: _role(ground, node) for node in ground.snapshot.nodes})
    status = _status(met) if met else None
    return await publish(
        arguments,
        ground,
        found,
        lambda paper: render(name, plan, found, met, ground, paper),
        status,
        plan=name,
        criteria=met,
    )


def _plan(arguments: Arguments, ground: Ground) -> tuple[str, Plan]:
    if len(arguments.targets) > 1:
        raise PlaceError("give the name of one plan, or none for the default: underlay probe plan [NAME]")
    name = arguments.targets[0] if arguments.targets else "default"
    plans = {"default": DEFAULT, **ground.plans}
    if name not in plans or not is_name(name):
        raise PlaceError(f"there is no plan {name[:40]}: there are {', '.join(sorted(plans))}; config.yaml names them")
    if wrong := wrong_with(plans[name]):
        raise PlaceError(f"the plan {name} of config.yaml cannot be run: {wrong}")
    return name, plans[name]


def _idle(step: Step, arguments: Arguments, ground: Ground) -> bool:
    """Whether a step without targets has nothing of the cluster's own to ask."""
    if step.targets:
        return False
    try:
        _Step(step, arguments, ground)
    except PlaceError:
        return True
    return False


class _Step:
    """A probe of a plan, ready to be sent; raises PlaceError for targets that it cannot ask."""

    def __init__(self, step: Step, arguments: Arguments, ground: Ground) -> None:
        self._seconds = arguments.timeout
        self.hosts: set[str]
        """Whose names are looked up."""
        self._work: Callable[[Sequence[Vantage], Report], list[Coroutine[None, None, None]]]
        if step.probe == "http":
            urls = probe_http.urls(step.targets, ground)
            self.targets, self.hosts = len(urls), set(map(host_of, urls))
            self._work = lambda vantages, report: [fetch(vantages, urls, report, attempts=1, seconds=self._seconds)]
        elif step.probe == "registry":
            images = probe_registry.chosen(step.targets, ground.snapshot)
            self.targets, self.hosts = len(images), {host_of(image.base) for image in images}
            self._work = lambda vantages, report: [
                ask_registries(vantages, images, report, attempts=1, seconds=self._seconds)
            ]
        else:
            found = probe_git.chosen(step.targets, ground.snapshot)
            self.targets, self.hosts = len(found), set(map(host_of, found))
            repositories = [Repository(url, ", ".join(names)) for url, names in found.items() if "ssh://" not in url]
            servers = [probe_git.unread(url, names) for url, names in found.items() if "ssh://" in url]
            self._work = lambda vantages, report: [
                fetch_repositories(vantages, repositories, report, attempts=1, seconds=self._seconds),
                greet(vantages, servers, report, attempts=1, seconds=self._seconds),
            ]

    async def send(self, vantages: Sequence[Vantage], report: Report) -> None:
        """Send it once from every vantage."""
        async with asyncio.TaskGroup() as tasks:
            for each in self._work(vantages, report):
                tasks.create_task(each)


async def _round(steps: Sequence[_Step], vantages: Sequence[Vantage], report: Report, seconds: float) -> None:
    """Look all names up once, then send every step: a name that does not resolve costs its time-out once."""
    named = await look_up_names(vantages, set().union(*(step.hosts for step in steps)), seconds=seconds)
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(step: _Step) -> None:
        async with room:
            await step.send(named, report)

    async with asyncio.TaskGroup() as tasks:
        for step in steps:
            tasks.create_task(one(step))


def _role(ground: Ground, name: str) -> str:
    return "server" if {"control-plane", "master"} & set(ground.snapshot.nodes[name].roles) else "agent"


def _status(met: Sequence[Met]) -> int:
    tones = {each.tone for each in met}
    if "critical" in tones:
        return FAILING
    return OK if tones == {"ok"} else NOTHING


def render(name: str, plan: Plan, found: Sequence[Result], met: Sequence[Met], ground: Ground, paper: Paper) -> str:
    """Write a row a target, with how many vantages are well and the worst of them; then what counts as success."""
    times = f", {plan.repeat} rounds" if plan.repeat > 1 else ""
    lines = [paper.paint(Cell(f"plan {name}{times}", "title"))]
    targets = dict.fromkeys((each.probe, each.target) for each in found)
    rows = [_row([each for each in found if (each.probe, each.target) == target]) for target in targets]
    lines += grid(paper, ("PROBE", "TARGET", "WELL", "WORST", "LOST", "p50", "p95 ms"), rows, flexible=1)
    for each in met:
        lines += ["", paper.paint(Cell(f"{paper.symbol(each.tone)} {each.text}", each.tone))]
        lines += wrap(paper.text(each.detail), paper.width)
    said: dict[str, list[str]] = {}
    for result in found:
        if result.reason:
            said.setdefault(f"{result.probe} {result.target}: {result.reason}", []).append(result.vantage)
    lines += [""] if said else []
    for text, names in list(said.items())[:_REASONS]:
        lines += wrap(paper.text(f"{', '.join(names[:4])}{' …' if len(names) > 4 else ''}: {text}"), paper.width)  # noqa: PLR2004
    for missing, why in ground.offered.missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {missing}: {why}"), paper.width)]
    return "\n".join(lines) + "\n"


def _row(here: Sequence[Result]) -> list[Cell]:
    worst = max(here, key=lambda each: WORST[each.tone])
    counts = Counter(each.tone for each in here)
    times = [time for each in here for time in each.times]
    who = f"{worst.vantage}: {worst.said}" if worst.tone != "ok" else "·"
    return [
        Cell(here[0].probe),
        Cell(here[0].target),
        Cell(f"{counts['ok']}/{len(here)}", "ok" if counts["ok"] == len(here) else worst.tone),
        Cell(who, worst.tone),
        Cell(f"{sum(each.lost for each in here)}/{sum(each.sent for each in here)}"),
        Cell(milliseconds(percentile(times, 0.5))),
        Cell(milliseconds(percentile(times, 0.95))),
    ]
