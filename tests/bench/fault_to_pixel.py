"""From a fault on the testbed to its cell on the screen: real kernel, real sshd, real API, underlay in a terminal.

A run is a command that breaks something and the time from its return until the screen says so; a screen that said so
before the command returned took no time. Every fault is undone, and the screen waited for, before the next.
"""

import argparse
import math
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.tui_terminal import Terminal
from tests.testbed.cluster import Testbed, available

AIM: Final = 1.0
NODE: Final = "samwise"
_FDB: Final = re.compile(r"^(\S+) dst (\S+)", re.MULTILINE)


class Fault(NamedTuple):
    """Something to break and how the screen says so."""

    name: str
    breaks: Callable[[Testbed], object]
    undoes: Callable[[Testbed], object]
    row: str
    """What begins the line that says it."""
    says: str


def faults(testbed: Testbed) -> Iterator[Fault]:
    """List the faults, made for one testbed."""

    def on(*argv: str) -> Callable[[Testbed], object]:
        return lambda bed: bed.run_on(NODE, argv)

    def suspended(value: str) -> Callable[[Testbed], object]:
        patch = f'{{"spec":{{"suspend":{value}}}}}'
        where = ("-n", "flux-system", "patch", "gitrepository", "flux-system", "--type=merge", "-p", patch)
        return lambda bed: bed.kubectl(*where)

    found = _FDB.search(testbed.run_on(NODE, ("bridge", "fdb", "show", "dev", "flannel.1")).stdout)
    if found is None:
        raise SystemExit(f"{NODE} has no FDB entry to remove")
    entry = (found[1], "dev", "flannel.1", "dst", found[2])
    restart = ("systemctl", "restart", "k3s-agent")
    yield Fault("flannel.1 deleted", on("ip", "link", "del", "flannel.1"), on(*restart), NODE, "missing")
    mtu = ("ip", "link", "set", "flannel.1", "mtu")
    yield Fault("flannel.1's MTU changed", on(*mtu, "1400"), on(*mtu, "1450"), NODE, "1400")
    fdb = ("bridge", "fdb")
    yield Fault(
        "FDB entry removed", on(*fdb, "del", *entry), on(*fdb, "append", *entry, "self", "permanent"), NODE, "1/2"
    )
    unit = ("systemctl", "stop", "k3s-agent"), ("systemctl", "start", "k3s-agent")
    yield Fault("k3s-agent stopped", on(*unit[0]), on(*unit[1]), NODE, "inactive")
    yield Fault("Flux source suspended", suspended("true"), suspended("false"), "git flux-system", "suspended")


def is_said(fault: Fault, screen: str) -> bool:
    """Tell whether the line of a fault's subject says so."""
    cells = (cell.strip(" │├└─✔✖▲·") for line in screen.splitlines() for cell in line.split("││"))
    return any(cell.startswith(fault.row) and fault.says in cell for cell in cells)


def measure(testbed: Testbed, terminal: Terminal, fault: Fault) -> float:
    """Break it, wait for the screen, undo it, wait for the screen; the seconds that the first took."""
    fault.breaks(testbed)
    returned = time.perf_counter()
    seen = terminal.seen(lambda screen: is_said(fault, screen), 20)
    fault.undoes(testbed)
    testbed.wait_healthy()
    terminal.seen(lambda screen: not is_said(fault, screen), 40)
    terminal.show(terminal.read(5, quiet=0.8)[0])
    return max(0.0, seen - returned)


def tell(name: str, taken: list[float]) -> None:
    """Print median, p95 and the worst."""
    ordered = sorted(taken)
    high = ordered[max(0, math.ceil(len(ordered) * 0.95) - 1)]
    sign = "met   " if high < AIM else "MISSED"
    print(
        f"  {name:<26} {len(taken):>3} runs   p50 {statistics.median(taken) * 1000:5.0f} ms   p95 {high * 1000:5.0f} ms"
        f"   worst {ordered[-1] * 1000:5.0f} ms   {sign} aim p95 < {AIM * 1000:.0f} ms",
        flush=True,
    )


def main(runs: int) -> None:
    """Bring up a testbed and a terminal, break things by turns, print, take it down."""
    if reason := available():
        print(f"fault to pixel: not measured: {reason}")
        return
    testbed = Testbed(f"p{os.getpid()}", lease_seconds=2.0)
    testbed.up(owner=os.getpid())
    try:
        where = ("--kubeconfig", str(testbed.kubeconfig_of("underlay")), "--ssh-config", str(testbed.ssh_config))
        terminal = Terminal(testbed.operator_command([sys.executable, "-m", "tui", *where]))
        try:
            terminal.seen(NODE)
            terminal.seen("2/2")
            terminal.show(terminal.read(10, quiet=1.5)[0])
            every: list[float] = []
            kinds = list(faults(testbed))
            made: dict[str, list[float]] = {fault.name: [] for fault in kinds}
            for number in range(runs):
                fault = kinds[number % len(kinds)]
                made[fault.name].append(measure(testbed, terminal, fault))
                every.append(made[fault.name][-1])
            for name, taken in made.items():
                if taken:
                    tell(name, taken)
            tell("all of them", every)
        finally:
            terminal.close()
    finally:
        testbed.down()


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    main(parser.parse_args().runs)
