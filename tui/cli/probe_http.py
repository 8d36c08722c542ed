"""``underlay probe http``: HTTP/1.1 against HTTP/2, phase by phase, from every vantage."""

from collections.abc import Awaitable, Sequence
from typing import Final
from urllib.parse import urlsplit

from probes.model.reach import Result, percentile
from probes.reach.fetch import TARGETS, fetch
from probes.reach.http import PHASES
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds
from tui.cli.probe_findings import publish
from tui.cli.versions import side_by_side

_PHASE_HEADS: Final = ("dns", "tcp", "tls", "wait", "body")
"""Short for PHASES."""


async def run(arguments: Arguments, ground: Ground) -> int:
    """Ask, print, and return the verdict as exit status."""
    targets = urls(arguments.targets, ground)
    vantages = ground.offered.vantages

    def send(report: Report) -> Awaitable[None]:
        return fetch(vantages, targets, report, attempts=arguments.attempts, seconds=arguments.timeout)

    found = await collected("HTTP", len(targets) * len(vantages), send, ground)
    return await publish(arguments, ground, found, lambda paper: render(found, ground, paper))


def urls(targets: Sequence[str], ground: Ground) -> list[str]:
    """Take the targets named, a host by itself as https; else the URLs of the cluster's Flux sources, once a host."""
    if targets:
        named = [each if "://" in each else f"https://{each}/" for each in targets]
    else:
        by_host: dict[str, str] = {}
        for each in sorted(ground.snapshot.flux.values(), key=lambda each: each.ref):
            url = each.url.replace("oci://", "https://", 1)
            if each.source is None and url.startswith(("http://", "https://")):
                by_host.setdefault(_host(url), f"https://{_host(url)}/v2/" if each.url.startswith("oci://") else url)
        named = list(by_host.values())[:TARGETS]
    if not named:
        raise PlaceError("there is nothing to ask for: no Flux source has an http URL, so name one or more URLs")
    if odd := [each for each in named if not each.startswith(("http://", "https://")) or not _host(each)]:
        raise PlaceError(f"{odd[0][:60]} is no URL that HTTP can ask for: give http://HOST/… or https://HOST/…")
    if len(named) > TARGETS:
        raise PlaceError(f"{len(named)} URLs are too many for one run: give at most {TARGETS}")
    return list(dict.fromkeys(named))


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if port else parts.hostname or ""


def render(found: Sequence[Result], ground: Ground, paper: Paper) -> str:
    """Write a grid a target, a row a vantage, with the median of every phase."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        lines += ["", paper.paint(Cell(target, "title"))]
        rows = [_row(each) for each in side_by_side(each for each in found if each.target == target)]
        header = ("FROM", "VERDICT", "HTTP", "LOST", *_PHASE_HEADS, "p50", "p95 ms")
        lines += grid(paper, header, rows, flexible=1)
        reasons: dict[str, list[str]] = {}
        for each in found:
            if each.target == target and each.reason:
                reasons.setdefault(each.reason, []).append(each.vantage)
        for reason, names in reasons.items():
            lines += wrap(paper.text(f"{', '.join(names)}: {reason}"), paper.width)
        answered = [each for each in found if each.target == target and each.facts["spoken"]]
        if answered and not any(each.facts["full-size segments"] == "yes" for each in answered):
            lines += wrap("its body is small: no full-size segments flowed but those of the certificates", paper.width)
    for name, why in ground.offered.missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    return "\n".join(lines).strip("\n") + "\n"


def _row(each: Result) -> list[Cell]:
    # Of what never came through: how far it came.
    good = [attempt for attempt in each.attempts if attempt.well] or each.attempts
    medians = [
        milliseconds(percentile([attempt.seconds[phase] for attempt in good if phase in attempt.seconds], 0.5))
        for phase in PHASES
    ]
    return [
        Cell(each.vantage),
        Cell(each.said, each.tone),
        Cell(each.facts["spoken"] or "·"),
        Cell(f"{each.lost}/{each.sent}" if each.sent else "·"),
        *(Cell(median) for median in medians),
        Cell(milliseconds(percentile(each.times, 0.5))),
        Cell(milliseconds(percentile(each.times, 0.95))),
    ]
