"""What the table costs in a real terminal: run it with ``python tests/bench/table.py``.

It starts itself in a pseudo terminal of 160x50, types keys, changes rows, and counts bytes and milliseconds.
"""

import argparse
import asyncio
import fcntl
import itertools
import os
import pty
import resource
import select
import statistics
import struct
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).parents[2]))

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

import themes
from tui.format import Span, aged, mtu, status
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.narrow import NarrowApp
from tui.widgets.table import Table

NAMES = ("NODE", "ROLE", "READY", "UPLINK", "FLANNEL.1", "ENV", "CNI0", "PODS", "8472", "PEERS", "VERSION", "SEEN")
COLUMNS = [Column(name.lower(), name, most=16, right=name in {"PODS", "SEEN"}) for name in NAMES]
CHANGES = 20
NOW = 1_800_000_000.0


def row(i: int, version: int) -> Row:
    """Make a row of twelve cells; its version changes two of them."""
    found = 1400 if version % 2 else 1450
    return Row(
        f"node-{i}",
        (
            Span(f"node-{i:04d}"),
            Span("server" if i % 7 == 0 else "agent"),
            status("ok"),
            Span("eno1 1500"),
            mtu(found, 1450),
            Span("1450"),
            Span("1450"),
            Span(f"1450 ×{i % 110}"),
            status("ok"),
            Span("2/2" if found == 1450 else "1/2"),
            Span("v1.34.1+k3s1", "muted"),
            Ticking(NOW - i % 50, aged),
        ),
    )


class Bench(NarrowApp):
    """An app of one table, driven by keys: c changes a row, v the visible ones, t ticks, q quits."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "change(1)"),
        Binding("v", "change(50)"),
        Binding("t", "tick"),
        Binding("a", "append"),
        Binding("s", "slow"),
        Binding("q", "quit"),
    ]

    def __init__(self, count: int) -> None:
        super().__init__()
        for theme in themes.load().values():
            self.register_theme(theme)
        self.theme = themes.DEFAULT
        self.rows = [row(i, 0) for i in range(count)]
        self.version = 0
        self.ticks = 0

    def compose(self) -> ComposeResult:
        """Show the table alone."""
        table = Table(COLUMNS)
        table.set_rows(self.rows, NOW)
        yield table

    def action_change(self, count: int) -> None:
        """Change the first rows."""
        self.version += 1
        self.rows[1 : count + 1] = [row(i, self.version) for i in range(1, count + 1)]
        self.query_one(Table).set_rows(self.rows)

    def action_append(self) -> None:
        """Add a row at the end."""
        self.rows.append(row(len(self.rows), 0))
        self.query_one(Table).set_rows(self.rows)

    def action_tick(self) -> None:
        """Let a second pass."""
        self.ticks += 1
        self.query_one(Table).tick(NOW + self.ticks)

    @work
    async def action_slow(self) -> None:
        """Change what is visible 20 times a second for 5 s, and tell the loop's worst lateness and the cpu used."""
        loop, worst = asyncio.get_running_loop(), 0.0
        start, used = loop.time(), time.process_time()
        for i in range(100):
            due = start + i / 20
            await asyncio.sleep(max(0.0, due - loop.time()))
            worst = max(worst, loop.time() - due)
            self.action_change(50)
        self.exit(message=f"LATE {worst * 1000:.1f} CPU {(time.process_time() - used) / (loop.time() - start):.3f}")


class Terminal:
    """The other end of the pseudo terminal."""

    def __init__(self, rows: int, width: int = 160, height: int = 50) -> None:
        self.started = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor", TEXTUAL_ANIMATIONS="none")
            os.environ.pop("NO_COLOR", None)
            os.execv(sys.executable, [sys.executable, __file__, "--app", str(rows)])  # noqa: S606 - ourselves
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def read(self, quiet: float = 0.3, limit: float = 20, rate: float = 0) -> tuple[bytes, float]:
        """Read until nothing comes for ``quiet`` seconds: what came, and when the last of it did."""
        found, last, end = b"", time.perf_counter(), time.perf_counter() + limit
        while time.perf_counter() < end:
            ready, _, _ = select.select([self.fd], [], [], quiet)
            if not ready:
                break
            try:
                chunk = os.read(self.fd, 1024 if rate else 65536)
            except OSError:  # Linux says EIO where the other end is gone
                break
            if rate:
                time.sleep(len(chunk) / rate)
            found += chunk
            last = time.perf_counter()
        return found, last

    def wait(self, text: bytes) -> float:
        """Read until a text has come."""
        found, end = b"", time.perf_counter() + 30
        while text not in found and time.perf_counter() < end:
            found += os.read(self.fd, 65536)
        return time.perf_counter() - self.started

    def key(self, key: str) -> tuple[int, float]:
        """Type a key: the bytes it caused and the seconds until the last of them."""
        start = time.perf_counter()
        os.write(self.fd, key.encode())
        found, last = self.read(quiet=0.15)
        return len(found), last - start

    def close(self, key: str = "q", rate: float = 0) -> bytes:
        """Type a last key and read to the end."""
        os.write(self.fd, key.encode())
        found, _ = self.read(quiet=8, limit=60, rate=rate)
        os.waitpid(self.pid, 0)
        os.close(self.fd)
        return found


def figures(name: str, press: Callable[[], tuple[int, float]]) -> None:
    """Print the median bytes and the median and worst milliseconds of some presses."""
    taken = [press() for _ in range(CHANGES)]
    size, delays = statistics.median(n for n, _ in taken), sorted(s * 1000 for _, s in taken)
    print(f"{name:34} {size:8.0f} B   median {statistics.median(delays):6.1f} ms   worst {delays[-1]:6.1f} ms")


def measure(count: int) -> None:
    """Print all figures."""
    starts = []
    for _ in range(3):
        terminal = Terminal(count)
        starts.append(terminal.wait(b"node-0040") * 1000)
        terminal.read()
        terminal.close()
    print(f"{count} rows, 12 columns, 160x50: start to paint {min(starts):.0f} ms (of 3)")
    terminal = Terminal(count)
    terminal.wait(b"node-0040")
    terminal.read(quiet=1)
    figures("one row changes", lambda: terminal.key("c"))
    figures("all visible rows change", lambda: terminal.key("v"))
    figures("a second passes, 48 ages visible", lambda: terminal.key("t"))
    figures("a row is added out of sight", lambda: terminal.key("a"))
    figures("cursor down", lambda: terminal.key("j"))
    figures("page down", lambda: terminal.key("\x1b[6~"))
    ends = itertools.cycle("Gg")
    figures("last, first", lambda: terminal.key(next(ends)))
    terminal.close()
    for name, rate in (("fast terminal", 0.0), ("30 KiB/s", 30 * 1024.0)):
        terminal = Terminal(count)
        terminal.wait(b"node-0040")
        terminal.read(quiet=1)
        said = terminal.close("s", rate)
        tail = said[said.rfind(b"LATE") :].decode(errors="replace").split("\x1b")[0].strip()
        print(f"50 rows change 20 times a second, {name}: {len(said) // 1024} KiB, {tail}")
    print(f"largest resident size of a run: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--app", type=int, help="run the application itself with so many rows")
    options = parser.parse_args()
    if options.app:
        Bench(options.app).run()
    else:
        measure(options.rows)
