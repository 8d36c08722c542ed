"""The other end of a pseudo terminal: it types keys, counts bytes, reads as slowly as told, and knows the screen."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import pyte

from lab.folder import private_folder

_CHUNK: Final = 65536
_LIMIT: Final = 60.0


class Terminal:
    """A program in a pseudo terminal; ``screen`` is what is on it as far as it was read with ``seen``.

    The program is told two file descriptors: ``UNDERLAY_BENCH_ORDERS`` to read orders from, a JSON list a line, and
    ``UNDERLAY_BENCH_ANSWERS`` to write JSON lines to.
    """

    def __init__(
        self, argv: Sequence[str], *, width: int = 160, height: int = 50, environ: Mapping[str, str] | None = None
    ) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        given = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}
        self._end = ExitStack()
        state = self._end.enter_context(private_folder("underlay-bench-"))
        given |= {"XDG_STATE_HOME": str(state)}  # how screens were left is nobody's business here
        given |= {"UNDERLAY_BENCH_ORDERS": str(orders), "UNDERLAY_BENCH_ANSWERS": str(answers), **(environ or {})}
        for name in ("NO_COLOR", "SSH_CONNECTION", "SSH_TTY"):
            given.pop(name, None)
        self.began = time.perf_counter()
        self.pid, self.fd = pty.fork()
        if not self.pid:
            for descriptor in (orders, answers):
                os.set_inheritable(descriptor, True)  # noqa: FBT003 - os's own
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup had it ignored: this terminal's loss must end it
            os.execvpe(argv[0], list(argv), given)  # noqa: S606 - a program of ours
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        os.close(orders)
        os.close(answers)
        self._lines = os.fdopen(self._answers, encoding="utf-8")

    def read(self, seconds: float, *, quiet: float | None = None, rate: float = 0.0) -> tuple[bytes, float]:
        """Read for so long, or until nothing came for ``quiet`` seconds: what came, and when the last of it did.

        ``rate``: bytes a second, as a slow link takes them; 0 for as fast as they come.
        """
        found, now = bytearray(), time.perf_counter()
        last, end = now, now + seconds
        while now < end:
            wait = min(end - now, quiet if quiet is not None else end - now)
            ready, _, _ = select.select([self.fd], [], [], wait)
            if not ready:
                if quiet is not None:
                    break
            else:
                try:
                    chunk = os.read(self.fd, 1024 if rate else _CHUNK)
                except OSError:  # Linux says EIO where the other end is gone
                    break
                found += chunk
                last = time.perf_counter()
                if rate:
                    time.sleep(len(chunk) / rate)
            now = time.perf_counter()
        return bytes(found), last

    def burst(self, seconds: float, quiet: float) -> tuple[bytes, float]:
        """Wait so long for something to come, then read until it was quiet: what came, and when the last of it did."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        return self.read(seconds, quiet=quiet) if ready else (b"", time.perf_counter())

    def seen(self, wanted: str | Callable[[str], bool], seconds: float = _LIMIT) -> float:
        """Read until a text is on the screen, or it is as a function wants it; when, by ``time.perf_counter``."""
        last = time.perf_counter()
        end = last + seconds
        while not (wanted in self.text() if isinstance(wanted, str) else wanted(self.text())):
            found, last = self.burst(min(1.0, seconds), 0.002)
            self._stream.feed(found)
            if time.perf_counter() > end:
                raise SystemExit(f"never seen: {wanted!r}; the screen is:\n{self.text()}")
        return last

    def text(self) -> str:
        """Tell what is on the screen."""
        return "\n".join(self.screen.display)

    def show(self, found: bytes) -> None:
        """Put what was read onto the screen."""
        self._stream.feed(found)

    def type(self, keys: str) -> None:
        """Type keys, as the bytes that a terminal sends for them."""
        os.write(self.fd, keys.encode())

    def order(self, *words: object) -> Any:
        """Give an order and wait for its answer; the terminal is not read meanwhile."""
        self.tell(*words)
        return self.answer()

    def tell(self, *words: object) -> None:
        """Give an order."""
        os.write(self._orders, json.dumps(words).encode() + b"\n")

    def answer(self) -> Any:
        """Wait for the answer to an order."""
        return json.loads(self._lines.readline())

    def has_answer(self) -> bool:
        """Tell whether an answer waits."""
        return bool(select.select([self._answers], [], [], 0)[0])

    def cpu(self) -> float:
        """Tell the seconds of processor time that it used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self) -> float:
        """Tell its resident size in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def close(self) -> None:
        """Hang up, and see that it ended."""
        os.close(self._orders)
        os.close(self.fd)
        end = time.monotonic() + 10
        while os.waitpid(self.pid, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                print("  it did not end when it was hung up on")
                break
            time.sleep(0.02)
        self._lines.close()
        self._end.close()
