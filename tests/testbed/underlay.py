"""underlay as its operator runs it: a process in the testbed's operator namespace."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.testbed.cluster import Testbed

ROOT = Path(__file__).parent.parent.parent


def argv(testbed: Testbed, command: str, *options: str, user: str = "underlay") -> list[str]:
    """Make the command line of an underlay command against the testbed."""
    where = ("--kubeconfig", str(testbed.kubeconfig_of(user)), "--ssh-config", str(testbed.ssh_config))
    return [sys.executable, "-m", "tui", command, *where, *options]


def run(testbed: Testbed, command: str, *options: str, user: str = "underlay") -> subprocess.CompletedProcess[str]:
    """Run a command to its end, within a minute."""
    line = testbed.operator_command(argv(testbed, command, *options, user=user))
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def status(testbed: Testbed, *options: str, user: str = "underlay") -> dict[str, Any]:
    """Read ``underlay status -o json``; anything on standard error is a failure."""
    done = run(testbed, "status", "-o", "json", *options, user=user)
    assert done.stderr == "", done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    assert read["exit_status"] == done.returncode
    return read


def node(read: dict[str, Any], name: str) -> dict[str, Any]:
    """Pick one node of a status document."""
    found: dict[str, Any] = next(n for n in read["nodes"] if n["summary"]["name"] == name)
    return found


@contextmanager
def watching(testbed: Testbed, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run ``underlay watch -o json``; ended at the end, and itself after a minute at the most."""
    line = testbed.operator_command(argv(testbed, "watch", "-o", "json", "--for", "60", *options))
    with subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def changes(process: subprocess.Popen[str], wanted: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """Read changes until each (subject, what) of ``wanted`` has come, or the process ends."""
    left = set(wanted)
    found = []
    assert process.stdout is not None
    for line in process.stdout:
        change: dict[str, Any] = json.loads(line)
        found.append(change)
        left.discard((change["subject"], change["what"]))
        if not left:
            return found
    raise AssertionError(f"never told of: {sorted(left)}; told: {found}")
