"""What the screens cost in a terminal of 160x50 over a large world: 1,000 nodes, 10,000 pods, 500 Flux objects.

Scripted: what the sources would have folded together (``tests/bench/world.py``); no wire is read. Real: the app with
all of its screens, judging, drawing, and a pseudo terminal that is read as a terminal reads it. The start of the whole
program is measured with a real API on loopback, all of whose nodes refuse SSH.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from lab.cluster import LabCluster
from lab.scale import scale
from tests.bench.tui_terminal import Terminal

NODES: Final = 1000
PODS: Final = 10_000
FLUX: Final = 500
ROWS: Final = 5000
_FIRST: Final = "n00000"
_PAGE, _PAGE_UP, _ESCAPE = "\x1b[6~", "\x1b[5~", "\x1b"
_QUIET: Final = 0.03
"""Seconds of silence after which a frame is over."""


class Press(NamedTuple):
    """What a key caused."""

    milliseconds: float
    """Until the last byte."""
    size: int


def told(what: str, value: str, aim: str = "", *, met: bool | None = None) -> None:
    """Print one figure beside what was aimed at."""
    sign = "" if met is None else "met   " if met else "MISSED"
    print(f"  {what:<56} {value:>28}   {sign} {aim}".rstrip(), flush=True)


@contextmanager
def running(nodes: int, pods: int, flux: int) -> Iterator[Terminal]:
    """Run the app over a scripted world."""
    counts = [str(count) for count in (nodes, pods, flux)]
    terminal = Terminal([sys.executable, "-m", "tests.bench.tui_app", *counts])
    try:
        yield terminal
    finally:
        terminal.close()


def start(terminal: Terminal) -> None:
    """Tell how long the first useful frame took; the world was made before the app was."""
    made, published = terminal.answer(), terminal.answer()
    first = terminal.seen(_FIRST)
    told("app made to first rows, from what the API says", f"{(first - made['app']) * 1000:.0f} ms")
    whole = terminal.seen(f"{NODES - 1}/{NODES - 1}", 120) - published["published"]
    told("all nodes answer at once to first row of them", f"{whole * 1000:.0f} ms", "aim 1000 ms", met=whole <= 1)
    settle(terminal)
    told("resident size; the world alone", f"{terminal.resident():.0f} MiB; {made['resident']:.0f} MiB")


def settle(terminal: Terminal) -> None:
    """Read until nothing but ages moves."""
    for _ in range(30):
        found, _ = terminal.read(1.0)
        terminal.show(found)
        if len(found) < 1500:  # the ages in sight
            return


def press(terminal: Terminal, key: str, last: float) -> tuple[Press, float]:
    """Press a key between two ticks: ages tick together, once a second, and ``last`` is when they last did."""
    found, end = terminal.read(0.02, quiet=0.01)
    last = end if found else last
    phase = (time.perf_counter() - last) % 1.0
    if phase > 0.75:  # the next tick would be taken for the key's
        found, end = terminal.read(1.5, quiet=1.3 - phase)
        found, end = (found, end) if found else terminal.read(1.0, quiet=1.0)
        last = end if found else last
        terminal.read(0.1, quiet=_QUIET)
    began = time.perf_counter()
    terminal.type(key)
    found, end = terminal.burst(2.0, _QUIET)
    terminal.show(found)
    return Press((end - began) * 1000, len(found)), last


def overview(terminal: Terminal, then: str = "") -> None:
    """Go back to the overview, whatever is in front, and type what is to be in front there."""
    for _ in range(10):
        settle(terminal)
        screen = terminal.text()
        if "3 Overlay" in screen and "esc closes" not in screen:
            break
        terminal.type(_ESCAPE)  # alone: with a key that follows at once it would be another key
    else:
        raise SystemExit(f"no way back to the overview; the screen is:\n{terminal.text()}")
    terminal.type(then)
    settle(terminal)


def presses(terminal: Terminal, keys: Sequence[str], times: int) -> list[Press]:
    """Press keys in turn; those that change nothing do not count."""
    made, last = [], time.perf_counter()
    for key in itertools.islice(itertools.cycle(keys), times):
        pressed, last = press(terminal, key, last)
        if key == _ESCAPE:  # Textual waits whether a sequence follows: not what is measured
            terminal.show(terminal.read(0.4)[0])
        else:
            made.append(pressed)
    return [each for each in made if each.size]


def figures(what: str, made: Sequence[Press], aim: float | None = 20.0) -> None:
    """Print median and p99 of some presses."""
    if not made:
        told(what, "nothing changed", met=False)
        return
    taken = sorted(each.milliseconds for each in made)
    high = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
    value = f"p50 {statistics.median(taken):.1f}  p99 {high:.1f} ms"
    size = statistics.median(each.size for each in made)
    shown = f"{what} ({len(made)}; {size:.0f} B)"
    told(shown, value, f"aim p99 {aim:.0f} ms" if aim else "", met=high <= aim if aim else None)


def keys(terminal: Terminal) -> None:
    """Tell how long keys take."""
    overview(terminal, "2")
    every = []
    moves: Sequence[tuple[str, Sequence[str], int]] = (
        ("cursor moves among 1,000 nodes", "jjjjjjkkkkkk", 120),
        ("pages", (_PAGE, _PAGE_UP), 20),
        ("last, first", "Gg", 10),
        ("another pane", "1234", 12),
    )
    for what, pressed, times in moves:
        made = presses(terminal, pressed, times)
        figures(what, made)
        every += made
    figures("all of these", every)
    overview(terminal, "2")
    others: Sequence[tuple[str, Sequence[str], int]] = (
        ("1,000 nodes sorted", "NNN", 6),
        ("a filter typed, letter by letter", ["/", "n", "0", "0", "[", "1", "-", "4", "]", "\r", _ESCAPE], 11),
        ("a node's screen, and back", "\rq", 8),
        ("help", ["?", _ESCAPE], 8),
    )
    for what, pressed, times in others:
        overview(terminal, "2")
        figures(what, presses(terminal, pressed, times))


def one_change(terminal: Terminal) -> None:
    """Tell what one change of one visible node costs on the wire, without and with findings that hang on it."""
    _change(terminal, "one node is cordoned: bytes", "cordon")
    _change(terminal, "one node's MTU changes: bytes, with what hangs on it", "one")


def _change(terminal: Terminal, what: str, order: str) -> None:
    overview(terminal, "2g")
    sizes, taken = [], []
    for _ in range(12):
        terminal.read(1.2, quiet=None)  # ends soon after a tick or long before one
        found, _ = terminal.burst(1.2, _QUIET)
        began = time.perf_counter()
        terminal.order(order, 2)
        found, end = terminal.burst(1.0, 0.15)
        if found:
            sizes.append(len(found))
            taken.append((end - began) * 1000)
    size = statistics.median(sizes)
    told(what, f"{size:.0f} B", "aim 400 B", met=size <= 400)
    told("  until it is on the screen", f"p50 {statistics.median(taken):.0f} ms  worst {max(taken):.0f} ms")


def idle(terminal: Terminal, seconds: float) -> None:
    """Tell what nothing costs."""
    overview(terminal, "1g")
    used, began = terminal.cpu(), time.perf_counter()
    found, _ = terminal.read(seconds)
    wall = time.perf_counter() - began
    share = (terminal.cpu() - used) / wall
    told("idle: share of a core", f"{share:.2%}", "aim < 1 %", met=share < 0.01)
    told("idle: bytes a minute (the ages that tick)", f"{len(found) / wall * 60:.0f} B")


def churn(terminal: Terminal, seconds: float) -> None:
    """Tell what a busy cluster costs: one node in a hundred answers anew each second, and as many pods restart."""
    overview(terminal, "1g")
    terminal.tell("churn", NODES // 100, NODES // 100, seconds)
    found = _until_answer(terminal, seconds + 30, 0.0)
    done = terminal.answer()
    share = done["cpu"] / done["wall"]
    told("1 % of nodes and pods change a second: share of a core", f"{share:.1%}", "aim 5 %", met=share <= 0.05)
    told("  latest that the loop was", f"{done['late'] * 1000:.0f} ms")
    told("  bytes a second", f"{len(found) / done['wall']:.0f} B")


def slow_link(terminal: Terminal, seconds: float) -> None:
    """Tell whether a terminal of 30 KiB/s holds up the loop while 20 rows in sight change 20 times a second."""
    overview(terminal, "2g")
    terminal.tell("churn", 20, 0, seconds, 20)
    found = _until_answer(terminal, seconds + 60, 30 * 1024.0)
    done = terminal.answer()
    late = done["late"] * 1000
    told("a terminal of 30 KiB/s: latest that the loop was", f"{late:.0f} ms", "aim 20 ms", met=late <= 20)
    told("  changes made; bytes a second", f"{done['steps']}; {len(found) / done['wall']:.0f} B")
    terminal.tell("churn", 20, 0, seconds / 2, 20)
    _until_answer(terminal, seconds + 60, 0.0)
    done = terminal.answer()
    told("  the same with a fast terminal", f"{done['late'] * 1000:.0f} ms")
    settle(terminal)


def _until_answer(terminal: Terminal, seconds: float, rate: float) -> bytes:
    found, end = bytearray(), time.perf_counter() + seconds
    while not terminal.has_answer() and time.perf_counter() < end:
        found += terminal.read(0.2, rate=rate)[0]
    return bytes(found)


def scroll() -> None:
    """Tell how long pages take in a list of 5,000 rows."""
    with running(3, 30, ROWS) as terminal:
        terminal.answer(), terminal.answer()
        terminal.seen("app-00001", 120)
        settle(terminal)
        terminal.type("4z")
        settle(terminal)
        made = presses(terminal, [_PAGE], 60)
        figures(f"pages through {ROWS:,} rows", made)
        figures("  line by line", presses(terminal, "j", 60))


def whole_start(folder: Path) -> None:
    """Tell how long the whole program takes to its first frame, and until it shows what a real API says."""
    ready, done = threading.Event(), threading.Event()
    where: list[str] = []

    async def serve() -> None:
        async with LabCluster("scale", world=scale(NODES, PODS, FLUX)) as lab:
            config = folder / "ssh_config"
            config.write_text("Host *\n  HostName 127.0.0.1\n  Port 1\n", encoding="utf-8")
            where.extend(("--kubeconfig", str(lab.kubeconfig), "--ssh-config", str(config)))
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        ready.wait(60)
        terminal = Terminal([sys.executable, "-m", "tui", *where])
        try:
            shown = terminal.seen("READ-ONLY") - terminal.began
            told("underlay started to its first frame", f"{shown * 1000:.0f} ms")
            useful = terminal.seen(_FIRST) - terminal.began
            told("  to the nodes, from a real API", f"{useful * 1000:.0f} ms", "aim 1000 ms", met=useful <= 1)
        finally:
            terminal.close()
    finally:
        done.set()
        thread.join(30)


def main(parts: Sequence[str], seconds: float, folder: Path) -> None:
    """Measure all, or only some parts."""
    print(f"{NODES:,} nodes, {PODS:,} pods, {FLUX:,} Flux objects; scripted snapshots, real app, 160x50")
    steps: dict[str, Callable[[Terminal], None]] = {
        "keys": keys,
        "one": one_change,
        "idle": lambda terminal: idle(terminal, seconds),
        "churn": lambda terminal: churn(terminal, seconds),
        "slow": lambda terminal: slow_link(terminal, seconds / 2),
    }
    if not parts or "start" in parts:
        whole_start(folder)
    if not parts or set(parts) & steps.keys():
        with running(NODES, PODS, FLUX) as terminal:
            start(terminal)
            for name, step in steps.items():
                if not parts or name in parts:
                    step(terminal)
            told("resident size in the end", f"{terminal.resident():.0f} MiB")
    if not parts or "scroll" in parts:
        scroll()


if __name__ == "__main__":
    import tempfile

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", help="start, keys, one, idle, churn, slow, scroll; none: all")
    parser.add_argument("--seconds", type=float, default=15.0, help="how long to look at idle and at churn")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        main(options.parts, options.seconds, Path(made))
