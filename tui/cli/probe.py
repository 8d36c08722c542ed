"""``underlay probe``: real packets from every vantage, held side by side."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from probes.model.evidence import Run
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from probes.reach.circumstances import look
from tui import __version__
from tui.cli.arguments import Arguments
from tui.cli.grid import Paper, wrap
from tui.cli.ground import Ground, grounded
from tui.cli.output import write
from tui.cli.place import Place
from tui.evidence import EvidenceError, keep

Report = Callable[[Result], None]
_REASONS: Final = 30
_ENDS: Final = 4
"""Directions that are named where more have the same to say."""
OK, TOLD, FAILING, NOTHING = 0, 1, 2, 3
"""Exit statuses."""


async def run(arguments: Arguments, place: Place) -> int:
    """Survey the vantages, send the probe, print; the exit status tells the verdict."""
    command = import_module(f"tui.cli.probe_{arguments.probe}")
    if arguments.probe in {"runs", "compare"}:
        return int(command.show(arguments))  # of what is kept: no cluster is asked
    with _ended_in_order() as told:
        try:
            async with grounded(arguments, place) as ground:
                status = int(await command.run(arguments, ground))
                await _keep(arguments, ground, status)
                return status
        except asyncio.CancelledError:
            if not told:
                raise
            return 128 + told[0]


async def _keep(arguments: Arguments, ground: Ground, status: int) -> None:
    """Keep a run's results with what the networks they were taken over are like; says where, beneath a table."""
    if not ground.kept:
        return
    looked = await look(ground.offered.vantages, ground.kept)
    run = Run(
        "",
        " ".join(["plan", *(arguments.targets or ["default"])]) if arguments.probe == "plan" else arguments.probe,
        ground.snapshot.context,
        time.time(),
        status,
        tuple(ground.kept),
        tuple(looked),
        dict(ground.offered.missing),
    )
    try:
        said = f"\nkept as {keep(run).name}; underlay probe compare holds it against another run\n"
    except EvidenceError as error:
        said = f"\n{error}\n"
    if arguments.output != "json":
        write("".join(f"{line}\n" for line in wrap(said, 100)))


@contextmanager
def _ended_in_order() -> Iterator[list[int]]:
    """Have SIGTERM and SIGHUP end a probe as ctrl-c does, with all that it started anywhere; gives which came."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    told: list[int] = []

    def end(number: int) -> None:
        told.append(number)
        if task is not None:
            task.cancel()

    numbers = (signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, end, number)
    try:
        yield told
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


class Progress:
    """One line on a terminal's standard error that says how far a probe is; nothing where that is no terminal."""

    def __init__(self, what: str, total: int) -> None:
        self._what = what
        self._total = total
        self._done = 0
        self._shown = sys.stderr is not None and sys.stderr.isatty()
        self._show()

    def step(self) -> None:
        """Note that one more is known."""
        self._done += 1
        self._show()

    def _show(self) -> None:
        if self._shown:
            sys.stderr.write(f"\r{self._what}: {self._done} of {self._total}\x1b[K")
            sys.stderr.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


async def collected(what: str, total: int, send: Callable[[Report], Awaitable[None]], ground: Ground) -> list[Result]:
    """Send a probe with a line that says how far it is; gives its results in order. ``total``: how many will come."""
    progress = Progress(what, total)
    found: list[Result] = []

    def report(each: Result) -> None:
        found.append(each)
        progress.step()

    try:
        await send(report)
    finally:
        progress.end()
    return in_order(found, ground)


def flux_hosts(snapshot: Snapshot) -> list[str]:
    """List the hosts of the Flux sources' URLs, those of http, oci and ssh alike."""
    found = []
    for each in sorted(snapshot.flux.values(), key=lambda each: each.ref):
        try:
            host = urlsplit(each.url).hostname if each.source is None else None
        except ValueError:
            continue
        if host and not host.endswith((".cluster.local", ".svc")):
            found.append(host)
    return found


def milliseconds(seconds: float | None) -> str:
    """Write a time; a middle dot where there is none."""
    if seconds is None:
        return "·"
    ms = seconds * 1000
    return f"{ms:.2f}" if ms < 10 else f"{ms:.0f}"  # noqa: PLR2004 - three digits are enough


def exit_status(tones: Iterable[str]) -> int:
    """Sum up tones: what fails counts most, and what is not known is never well."""
    told = set(tones)
    if "critical" in told:
        return FAILING
    if "warning" in told:
        return TOLD
    return OK if told == {"ok"} else NOTHING


def document(probe: str, ground: Ground, status: int, results: Sequence[Result], **more: Any) -> str:
    """Write what a probe found as JSON: one schema for every kind (probes.model.reach)."""
    written = {
        "schema": "underlay/probe/v1",
        "underlay": __version__,
        "probe": probe,
        "context": ground.snapshot.context,
        "exit_status": status,
        "results": results,
        "missing_vantages": ground.offered.missing,
    }
    return msgspec.json.encode(written | more).decode() + "\n"


def in_order(results: Iterable[Result], ground: Ground) -> list[Result]:
    """Sort results by target, then by vantage, from outside inwards."""
    order = {vantage.name: number for number, vantage in enumerate(ground.offered.vantages)}
    return sorted(results, key=lambda each: (each.target, each.asked, order.get(each.vantage, len(order))))


def reasons(found: Iterable[Result], paper: Paper) -> list[str]:
    """Write why results are as they are, once for all that have the same to say."""
    said: dict[str, list[str]] = {}
    for each in found:
        if each.reason:
            said.setdefault(each.reason, []).append(f"{each.vantage} {paper.glyphs.arrow} {each.target}")
    lines: list[str] = []
    for reason, ends in list(said.items())[:_REASONS]:
        more = f" and {len(ends) - _ENDS} more" if len(ends) > _ENDS else ""
        lines += wrap(paper.text(f"{', '.join(ends[:_ENDS])}{more}: {reason}"), paper.width)
    return ["", *lines] if lines else []
