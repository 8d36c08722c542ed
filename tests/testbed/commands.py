"""Programs the testbed runs, and waits with an end."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

TICK_SECONDS = 0.05
MKDIR_ATTEMPTS = 20


class TestbedError(Exception):
    """What went wrong, where, and what to do, in one sentence."""

    __test__ = False


def run(
    argv: Sequence[str],
    *,
    timeout: float = 60,
    check: bool = True,
    text: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run one program without a terminal; TestbedError with its last words if it fails or takes too long (s)."""
    try:
        done = subprocess.run(
            argv,
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            env={**os.environ, **(env or {})},
            cwd=cwd,
        )
    except FileNotFoundError:
        raise TestbedError(f"{argv[0]} is not installed on this machine") from None
    except subprocess.TimeoutExpired:
        raise TestbedError(f"{' '.join(argv)[:200]} did not end within {timeout:g} s") from None
    if check and done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip())[-1500:]
        raise TestbedError(f"{' '.join(argv)[:200]} ended with {done.returncode}: {words}")
    return done


def make_folder(path: Path) -> None:
    """Make a folder and those above it, while another testbed may be removing an empty one above."""
    for _ in range(MKDIR_ATTEMPTS):
        with suppress(FileNotFoundError):
            path.mkdir(parents=True, exist_ok=True)
            return
    raise TestbedError(f"{path} cannot be made: what is above it keeps vanishing")


def remove_if_empty(path: Path) -> None:
    """Remove a folder shared with other testbeds, if it holds nothing any more."""
    with suppress(OSError):
        path.rmdir()


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Look at a condition until it holds; TestbedError naming it after `timeout` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TestbedError(f"{what}: not within {timeout:g} s")
        time.sleep(TICK_SECONDS)
