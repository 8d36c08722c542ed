"""Timing whole processes by turns: this machine's speed drifts, so only ratios of neighbours are told."""

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent


class Run(NamedTuple):
    """What one process took."""

    wall: float
    cpu: float
    """User and system seconds, of its children as well."""


def run(argv: Sequence[str], *, timeout: float = 120, allowed: Sequence[int] = (0, 1, 2)) -> Run:
    """Run a process to its end; one that fails is no measurement."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, timeout=timeout, check=False, env=os.environ)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in allowed:
        raise SystemExit(f"{argv[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return Run(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def by_turns(ours: Sequence[str], theirs: Sequence[str], pairs: int) -> tuple[list[Run], list[Run]]:
    """Run two commands in turn, after one of each that does not count."""
    run(ours), run(theirs)
    made: tuple[list[Run], list[Run]] = ([], [])
    for _ in range(pairs):
        made[0].append(run(ours))
        made[1].append(run(theirs))
    return made


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Write the median of the pairs' ratios with its extremes."""
    ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"


def report(title: str, aim: str, ours: list[Run], theirs: list[Run]) -> None:
    """Print the ratios of wall and CPU time with the medians behind them."""
    wall = [r.wall for r in ours], [r.wall for r in theirs]
    cpu = [r.cpu for r in ours], [r.cpu for r in theirs]
    print(f"{title}: wall {ratio(*wall)}, cpu {ratio(*cpu)}; aim {aim}; {len(ours)} pairs")
    for name, runs in (("ours", ours), ("theirs", theirs)):
        medians = [statistics.median(values) * 1000 for values in zip(*runs, strict=True)]
        print(f"    {name:<7} wall {medians[0]:7.0f} ms   cpu {medians[1]:7.0f} ms")
