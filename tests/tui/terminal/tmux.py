"""A real terminal: tmux on a server of its own, whose screen is read and whose keys are typed."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from lab.folder import private_folder

ROOT: Final = Path(__file__).parents[3]
PATIENCE: Final = 20.0
"""Seconds that anything may take: far more than it does, on a machine that does other things as well."""
_LOOK: Final = 0.03
"""Seconds between two looks at the screen."""
_STILL: Final = 0.15
"""Seconds without a change after which a screen counts as whole."""
_ENDED: Final = "ended with"
_PREFIX: Final = "underlay-tmux-"
_SERVER: Final = re.compile(rf"tmux\0-u\0-S\0[^\0]*/{_PREFIX}([0-9]{{1,10}})-\w+/socket\0.*\0?new-session\0", re.DOTALL)
"""The command line of a test's server, with the process that the test ran in."""


class Tmux:
    """A program in a terminal of its own for as long as it is entered; then the terminal is gone, and it is too.

    The shell that runs it stays after its end and says how that was.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        width: int = 80,
        height: int = 24,
        term: str = "xterm-256color",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._argv = list(argv)
        self._size = (width, height)
        self._environ = {"TERM": term, "LC_ALL": "C.UTF-8", **(environ or {})}

    def __enter__(self) -> Self:
        """Start the server and the program."""
        _end_servers()
        self._kept = ExitStack()
        self._folder = self._kept.enter_context(private_folder(_PREFIX))
        home = Path(self._folder, "home")
        home.mkdir()
        # The server's environment is its panes': nothing of whoever runs the tests, such as NO_COLOR or SSH_CONNECTION.
        self._own = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        said = [f"{name}={value}" for name, value in self._environ.items()]
        program = shlex.join(["env", *said, *self._argv])
        line = f"cd {shlex.quote(str(ROOT))} && {program}; echo {_ENDED} $?; stty -a; exec cat"
        width, height = self._size
        self._tmux("new-session", "-d", "-s", "t", "-x", str(width), "-y", str(height), "sh", "-c", line)
        self.shell = int(self.tell("pane_pid"))
        self.server = int(self.tell("pid"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the server: whoever still runs in it is hung up on."""
        if error is not None and alive(self.server):
            error.add_note(f"the screen was:\n{self.screen()}")
        programs = self.descendants()
        self.hang_up()
        until(lambda: not any(map(alive, (self.server, *programs))))
        for each in filter(alive, programs):
            end(each)
        self._kept.close()  # only now: a program writes how its screens were left as it ends

    def _tmux(self, *argv: str) -> str:
        line = ["tmux", "-u", "-S", f"{self._folder}/socket", "-f", "/dev/null", *argv]
        done = subprocess.run(line, env=self._own, capture_output=True, text=True, timeout=PATIENCE, check=True)
        return done.stdout

    def tell(self, name: str) -> str:
        """Look up one of tmux's own variables, such as ``alternate_on`` or ``cursor_flag``."""
        return self._tmux("display-message", "-p", "-t", "t", f"#{{{name}}}").strip()

    def screen(self, *, styles: bool = False) -> str:
        """Read the screen, its styles as escape sequences if they are wanted."""
        return self._tmux("capture-pane", "-p", *(["-e"] if styles else []), "-t", "t")

    def type(self, *keys: str) -> None:
        """Type keys by tmux's names: ``Enter``, ``C-z``, ``S-Tab``; a single character is itself."""
        for key in keys:
            self._tmux("send-keys", "-t", "t", *(["-l", key] if len(key) == 1 else [key]))

    def write(self, text: str) -> None:
        """Type a text."""
        self._tmux("send-keys", "-t", "t", "-l", text)

    def resize(self, width: int, height: int) -> None:
        """Give the terminal another size."""
        self._tmux("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def hang_up(self) -> None:
        """End the terminal as a lost link does: its programs get SIGHUP."""
        with suppress(subprocess.CalledProcessError):  # there is no server any more
            self._tmux("kill-server")

    def until(self, wanted: str | Callable[[str], bool], seconds: float = PATIENCE) -> str:
        """Wait until the screen holds a text, or is as a function wants it; returns the screen."""
        found = ""

        def is_there() -> bool:
            nonlocal found
            found = self.screen()
            return wanted in found if isinstance(wanted, str) else wanted(found)

        if not until(is_there, seconds):
            raise AssertionError(f"not within {seconds:.0f} s: {wanted}; the screen is:\n{found}")
        return found

    def settled(self) -> str:
        """Wait until the screen stays as it is for a while, but for its clocks, and read it."""
        shown, since = "", 0.0

        def is_still() -> bool:
            nonlocal shown, since
            screen = self.screen()
            if _without_digits(screen) != _without_digits(shown):
                since = time.monotonic()
            shown = screen
            return time.monotonic() - since > _STILL

        until(is_still)
        return shown

    def status(self) -> int:
        """Wait for the program's end and tell its exit status."""
        screen = self.until(lambda text: _ENDED in text and "cchar" not in text)
        return int(screen.partition(_ENDED)[2].split()[0])

    def descendants(self) -> list[int]:
        """List the processes that run in the terminal."""
        return descendants(self.shell)


def _end_servers() -> None:
    """End servers of tests that were killed before they could, with what runs in them."""
    for entry in Path("/proc").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            line = (entry / "cmdline").read_text(encoding="utf-8", errors="replace") if entry.name.isdecimal() else ""
            found = _SERVER.match(line)
            if found and not alive(int(found[1])):
                os.kill(int(entry.name), signal.SIGTERM)


def underlay(*argv: str) -> list[str]:
    """Make the command line of underlay as it is in this checkout."""
    return [sys.executable, "-m", "tui", *argv]


def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> bool:
    """Wait for something to become so, for so long; tells whether it did."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(_LOOK)
    return True


def alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in {"Z", "X"}


def descendants(pid: int) -> list[int]:
    """List the processes that a process started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError):
                stat = (entry / "stat").read_text(encoding="utf-8")
                parents.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def end(pid: int) -> None:
    """Kill a process that a test started and that should have ended by itself."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _without_digits(text: str) -> str:
    return "".join(char for char in text if not char.isdecimal())
