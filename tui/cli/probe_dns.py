"""``underlay probe dns``: every resolver, asked from every vantage."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import msgspec

from probes.kube.errors import ApiError
from probes.reach.asking import Asked, Question, ask
from probes.reach.dns import question
from probes.reach.resolvers import (
    INSIDE,
    SERVICE_PATH,
    coredns,
    nameservers,
    own_resolvers,
    questions,
    service_address,
)
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage
from tui import __version__
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, paper_for, wrap
from tui.cli.output import write
from tui.cli.place import PlaceError
from tui.cli.probe import Ground, Progress, flux_hosts, milliseconds, percentile, verdict

_SECONDS: Final = 2
"""For one question: a resolver that takes longer has lost it."""
_NAMES: Final = 4
_TONES: Final = {"ok": "ok", "slow": "warning", "no-such-name": "warning", "unassessed": "unknown"}


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ask, print, and return the verdict as exit status."""
    missing = dict(ground.offered.missing)
    plan = await _plan(arguments, ground, missing)
    total = sum(map(len, plan.values()))
    if not total:
        raise PlaceError("there is nobody to ask: no resolver is known; name a host as target, or use --from node,pod")
    progress = Progress("DNS", total)
    found: list[Asked] = []

    def report(each: Asked) -> None:
        found.append(each)
        progress.step()

    try:
        await ask(plan, report, attempts=arguments.attempts, seconds=_SECONDS)
    finally:
        progress.end()
    order = {vantage.name: number for number, vantage in enumerate(ground.offered.vantages)}
    found.sort(key=lambda each: (each.question.name != INSIDE, each.question.name, order[each.vantage]))
    status = verdict(
        {str(each.found.outcome) for each in found},
        failing={"refused", "fails", "silent", "random"},
        told={"slow", "no-such-name"},
        fine={"ok"},
    )
    if arguments.output == "json":
        write(_document(found, ground, missing, status))
    else:
        write(render(found, missing, paper_for(sys.stdout)))
    return status


async def _plan(arguments: Arguments, ground: Ground, missing: dict[str, str]) -> dict[Vantage, list[Question]]:
    names = list(dict.fromkeys(arguments.targets or flux_hosts(ground.snapshot)))[:_NAMES]
    for name in names:
        try:
            question(name, 0)
        except ValueError as error:
            raise PlaceError(str(error)) from error
    service = await _service(ground, missing)
    cluster = coredns(ground.snapshot, service)
    plan = {}
    for vantage in ground.offered.vantages:
        own = own_resolvers(vantage, ground.snapshot)
        if vantage.kind == "operator":
            own = _here(missing)
        elif vantage.kind == "host":
            own = await _there(vantage, missing)
        plan[vantage] = questions(vantage, own, cluster, names)
    return plan


async def _service(ground: Ground, missing: dict[str, str]) -> str:
    try:
        return service_address(await ground.wires.api.get(SERVICE_PATH, timeout=5.0))
    except ApiError as error:
        missing["kube-dns service"] = str(error)
        return ""


def _here(missing: dict[str, str]) -> tuple[str, ...]:
    try:
        return nameservers(Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        missing["operator"] = f"/etc/resolv.conf cannot be read: {error.strerror}"
        return ()


async def _there(vantage: Vantage, missing: dict[str, str]) -> tuple[str, ...]:
    try:
        async with aclosing(volley(vantage, [Shot("file", ("cat", "/etc/resolv.conf"))], seconds=5)) as completed:
            async for each in completed:
                return nameservers(each.stdout)
    except TransportError as error:
        missing[vantage.name] = str(error)
    return ()


def _document(found: Sequence[Asked], ground: Ground, missing: Mapping[str, str], status: int) -> str:
    document: dict[str, Any] = {
        "schema": "underlay/probe/v1",
        "underlay": __version__,
        "probe": "dns",
        "context": ground.snapshot.context,
        "exit_status": status,
        "results": found,
        "missing_vantages": missing,
    }
    return msgspec.json.encode(document).decode() + "\n"


def render(found: Sequence[Asked], missing: Mapping[str, str], paper: Paper) -> str:
    """Write a grid a name, a row a vantage and resolver."""
    lines: list[str] = []
    for name in dict.fromkeys(each.question.name for each in found):
        rows = [_row(each) for each in found if each.question.name == name]
        lines += ["", paper.paint(Cell(paper.text(name), "title"))]
        lines += grid(paper, ("FROM", "ASKED", "WHO", "VERDICT", "p50 ms", "p95 ms", "LOST"), rows, flexible=2)
        reasons: dict[str, list[str]] = {}
        for each in found:
            if each.question.name == name and each.found.reason:
                ends = f"{each.vantage} {paper.glyphs.arrow} {each.question.resolver}"
                reasons.setdefault(each.found.reason, []).append(ends)
        for reason, ends_alike in reasons.items():
            lines += wrap(paper.text(f"{', '.join(ends_alike)}: {reason}"), paper.width)
    for name, why in missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    return "\n".join(lines).strip("\n") + "\n"


def _row(each: Asked) -> list[Cell]:
    found = each.found
    times = [reply.seconds for reply in each.replies if reply.seconds is not None]
    said = " ".join(["ok", *found.addresses[:1]]) if found.outcome == "ok" else found.outcome.replace("-", " ")
    return [
        Cell(each.vantage),
        Cell(each.question.resolver),
        Cell(each.question.called),
        Cell(said.replace("unassessed", "not assessed"), _TONES.get(found.outcome, "critical")),
        Cell(milliseconds(percentile(times, 0.5))),
        Cell(milliseconds(percentile(times, 0.95))),
        Cell(f"{found.asked - found.answered}/{found.asked}" if found.asked else "·"),
    ]
