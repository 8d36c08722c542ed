"""``underlay probe tcp``: the same bytes in segments of the usual size and in small ones."""

from collections.abc import Awaitable, Sequence
from typing import Final
from urllib.parse import urlsplit

from probes.model.reach import Result, percentile
from probes.reach.exchanging import Goal
from probes.reach.experiment import TARGETS, experiment
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, flux_hosts, milliseconds, reasons
from tui.cli.probe_findings import publish

CONNECTION_SECONDS: Final = 4.0
"""For one connection: a server's second and third try at a lost segment fall into it."""
_PORTS: Final = {"https": 443, "http": 80}


async def run(arguments: Arguments, ground: Ground) -> int:
    """Try, print, and return the verdict as exit status."""
    goals = goals_of(arguments, ground, TARGETS)
    vantages = ground.offered.vantages

    def send(report: Report) -> Awaitable[None]:
        return experiment(
            vantages, goals, report, tries=arguments.attempts, seconds=min(CONNECTION_SECONDS, arguments.timeout)
        )

    found = await collected("TCP", len(goals) * len(vantages), send, ground)
    return await publish(arguments, ground, found, lambda paper: render(found, ground, paper))


def goals_of(arguments: Arguments, ground: Ground, most: int) -> list[Goal]:
    """Take the targets named, ``HOST``, ``HOST:PORT`` or a URL; else the hosts of the Flux sources, ``most`` of them.

    Raises PlaceError.
    """
    named = arguments.targets or list(dict.fromkeys(flux_hosts(ground.snapshot)))[:most]
    if not named:
        raise PlaceError("there is nobody to connect to: no Flux source names a host, so give HOST or HOST:PORT")
    if len(named) > most:
        raise PlaceError(f"{len(named)} targets are too many for one run: give at most {most}")
    return [goal(each) for each in named]


def goal(target: str) -> Goal:
    """Read a target; raises PlaceError."""
    try:
        parts = urlsplit(target if "://" in target else f"https://{target}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or parts.scheme not in _PORTS:
        raise PlaceError(
            f"{target[:60]} is nothing to connect to: give HOST, HOST:PORT, https://HOST or http://HOST/PATH"
        )
    shown = f"[{host}]" if ":" in host else host
    port = port or _PORTS[parts.scheme]
    return Goal(f"{shown}:{port}", host, port, (parts.path or "/") if parts.scheme == "http" else "")


def render(found: Sequence[Result], ground: Ground, paper: Paper) -> str:
    """Write a grid a target, a row a vantage."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        lines += ["", paper.paint(Cell(target, "title"))]
        rows = [_row(each) for each in found if each.target == target]
        lines += grid(paper, ("FROM", "VERDICT", "USUAL", "SMALL", "MSS", "RESENT", "p50 ms", "MTU"), rows, flexible=1)
    lines += reasons(found, paper)
    for name, why in ground.offered.missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    said = "USUAL and SMALL: stalled of tried, in segments of the usual size and of 1200 bytes, alternating"
    return "\n".join([*lines, "", *wrap(said, paper.width)]).strip("\n") + "\n"


def _row(each: Result) -> list[Cell]:
    groups = [[a for a in each.attempts if a.variant.startswith(name)] for name in ("usual", "mss")]
    resent = sum(attempt.counters.get("total_retrans", 0) for attempt in each.attempts)
    return [
        Cell(each.vantage),
        Cell(each.said, each.tone),
        *(Cell(f"{sum(not a.well for a in group)}/{len(group)}" if group else "·") for group in groups),
        Cell(each.facts.get("snd_mss", "·")),
        Cell(str(resent) if each.attempts else "·"),
        Cell(milliseconds(percentile(each.times, 0.5))),
        Cell(f"{each.way.dev} {each.way.mtu}" if each.way.dev else "·"),
    ]
