"""``underlay probe tls``: the certificates that servers show, from every vantage."""

from collections.abc import Awaitable, Sequence

from probes.model.reach import Result, percentile
from probes.reach.handshakes import TARGETS, handshakes
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds, reasons
from tui.cli.probe_findings import publish
from tui.cli.probe_tcp import CONNECTION_SECONDS, goals_of


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ask for certificates, print, and return the verdict as exit status."""
    goals = goals_of(arguments, ground, TARGETS)
    if plain := [each for each in goals if each.path]:
        raise PlaceError(f"http://{plain[0].name} shows no certificates: give HOST, HOST:PORT or https://HOST")
    vantages = ground.offered.vantages

    def send(report: Report) -> Awaitable[None]:
        return handshakes(
            vantages, goals, report, tries=arguments.attempts, seconds=min(CONNECTION_SECONDS, arguments.timeout)
        )

    found = await collected("TLS", len(goals) * len(vantages), send, ground)
    return await publish(arguments, ground, found, lambda paper: render(found, ground, paper))


def render(found: Sequence[Result], ground: Ground, paper: Paper) -> str:
    """Write a grid a server, a row a vantage, and what its certificate says."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        own = [each for each in found if each.target == target]
        lines += ["", paper.paint(Cell(target, "title"))]
        lines += grid(
            paper, ("FROM", "VERDICT", "VERSION", "ALPN", "LOST", "BYTES", "p50 ms"), list(map(_row, own)), flexible=1
        )
        for said in dict.fromkeys(_certificate(each) for each in own):
            lines += wrap(paper.text(said), paper.width) if said else []
    lines += reasons(found, paper)
    for name, why in ground.offered.missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    said = "believed or not by what this machine trusts; nodes, containerd and pods may trust others"
    return "\n".join([*lines, "", *wrap(said, paper.width)]).strip("\n") + "\n"


def _certificate(each: Result) -> str:
    if "expires" not in each.facts:
        return ""
    names, day = each.facts.get("names", "nobody"), each.facts["expires"][:10]
    return f"for {names}, until {day}, issued by {each.facts.get('issuer') or 'nobody who is named'}"


def _row(each: Result) -> list[Cell]:
    return [
        Cell(each.vantage),
        Cell(each.said, each.tone),
        *(Cell(each.facts.get(name, "·")) for name in ("version", "alpn")),
        Cell(f"{each.lost}/{each.sent}" if each.sent else "·"),
        Cell(each.facts.get("bytes", "·")),
        Cell(milliseconds(percentile(each.times, 0.5))),
    ]
