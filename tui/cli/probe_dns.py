"""``underlay probe dns``: every resolver, asked from every vantage."""

from collections.abc import Awaitable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

from probes.kube.errors import ApiError, NotInstalled
from probes.model.reach import Result, percentile
from probes.reach.asking import Question, ask
from probes.reach.dns import question
from probes.reach.resolvers import (
    COREFILE_PATH,
    INSIDE,
    SERVICE_PATH,
    coredns,
    inside_name,
    nameservers,
    own_resolvers,
    questions,
    service_address,
)
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, flux_hosts, milliseconds
from tui.cli.probe_findings import publish

SECONDS: Final = 2
"""For one question: a resolver that takes longer has lost it."""
_NAMES: Final = 4


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ask, print, and return the verdict as exit status."""
    missing = dict(ground.offered.missing)
    inside = await inside_of(ground, missing)
    asked = await plan(arguments.targets, ground, missing, inside)
    total = sum(map(len, asked.values()))
    if not total:
        raise PlaceError("there is nobody to ask: no resolver is known; name a host as target, or use --from node,pod")

    def send(report: Report) -> Awaitable[None]:
        return ask(asked, report, attempts=arguments.attempts, seconds=SECONDS)

    found = await collected("DNS", total, send, ground)
    found.sort(key=lambda each: each.asked != inside)
    return await publish(
        arguments, ground, found, lambda paper: render(found, missing, paper), missing_vantages=missing
    )


async def plan(
    targets: Sequence[str], ground: Ground, missing: dict[str, str], inside: str
) -> dict[Vantage, list[Question]]:
    """Tell whom each vantage asks for which names; what nobody can be asked for is noted. Raises PlaceError.

    ``targets``: the names; none: the hosts of the Flux sources. ``inside``: a name that the cluster has.
    """
    names = list(dict.fromkeys(targets or flux_hosts(ground.snapshot)))[:_NAMES]
    for name in names:
        try:
            question(name, 0)
        except ValueError as error:
            raise PlaceError(str(error)) from error
    service = await _service(ground, missing)
    cluster = coredns(ground.snapshot, service)
    asked = {}
    for vantage in ground.offered.vantages:
        own = own_resolvers(vantage, ground.snapshot)
        if vantage.kind == "operator":
            own = _here(missing)
        elif vantage.kind == "host":
            own = await _there(vantage, missing)
        asked[vantage] = questions(vantage, own, cluster, names, inside)
    return asked


async def _service(ground: Ground, missing: dict[str, str]) -> str:
    try:
        return service_address(await ground.wires.api.get(SERVICE_PATH, timeout=5.0))
    except ApiError as error:
        missing["kube-dns service"] = str(error)
        return ""


async def inside_of(ground: Ground, missing: dict[str, str]) -> str:
    """Give a name that the cluster has: its domain is what CoreDNS serves, usually cluster.local."""
    try:
        return inside_name(await ground.wires.api.get(COREFILE_PATH, timeout=5.0))
    except NotInstalled:  # another CoreDNS than k3s's own
        return INSIDE
    except ApiError as error:
        missing["the cluster's domain"] = f"{error}; cluster.local is taken for it"
        return INSIDE


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


def render(found: Sequence[Result], missing: Mapping[str, str], paper: Paper) -> str:
    """Write a grid a name, a row a vantage and resolver."""
    lines: list[str] = []
    for name in dict.fromkeys(each.asked for each in found):
        rows = [_row(each) for each in found if each.asked == name]
        lines += ["", paper.paint(Cell(paper.text(name), "title"))]
        lines += grid(paper, ("FROM", "ASKED", "WHO", "VERDICT", "p50 ms", "p95 ms", "LOST"), rows, flexible=2)
        reasons: dict[str, list[str]] = {}
        for each in found:
            if each.asked == name and each.reason:
                ends = f"{each.vantage} {paper.glyphs.arrow} {each.target}"
                reasons.setdefault(each.reason, []).append(ends)
        for reason, ends_alike in reasons.items():
            lines += wrap(paper.text(f"{', '.join(ends_alike)}: {reason}"), paper.width)
    for name, why in missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    return "\n".join(lines).strip("\n") + "\n"


def _row(each: Result) -> list[Cell]:
    return [
        Cell(each.vantage),
        Cell(each.target),
        Cell(each.called),
        Cell(each.said, each.tone),
        Cell(milliseconds(percentile(each.times, 0.5))),
        Cell(milliseconds(percentile(each.times, 0.95))),
        Cell(f"{each.lost}/{each.sent}" if each.sent else "·"),
    ]
