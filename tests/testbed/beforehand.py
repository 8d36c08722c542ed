"""What a testbed takes minutes to make the first time is made beside the tests that need none."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

from tests.testbed import cache, state
from tests.testbed.cluster import available

_LOOK = 1.0
"""Seconds between two looks whether anybody still waits for it."""


class Making:
    """A process that makes it with what the machine has to spare, and no longer than somebody wants it."""

    def __init__(self) -> None:
        argv = ("nice", "-n", "19", sys.executable, "-m", "tests.testbed", "make", "--owner", str(os.getpid()))
        self._process = None if available() else subprocess.Popen(argv, start_new_session=True)

    def end(self) -> None:
        """End it, with the compilers that it started."""
        if self._process is not None and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def make(owner: int) -> None:
    """Make what is missing; with the owner gone, end this process and all of its group."""
    born = state.born(owner)

    def watch() -> None:
        while state.born(owner) == born:
            time.sleep(_LOOK)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    cache.ensure()
