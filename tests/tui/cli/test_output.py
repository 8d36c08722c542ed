"""Standard output that is closed, full, left by its reader or of few characters: one sentence and an honest status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tui import __main__ as root
from tui.cli import status

DEMO = (sys.executable, "-m", "tui", "--demo", "healthy")


def shell(line: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a shell line, in which ``"$@"`` is the command of the demo cluster."""
    return subprocess.run(
        ("sh", "-c", line, "sh", *DEMO),
        env={**os.environ, **environ},
        capture_output=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["status", "status -o json", "watch --for 30s"])
def test_a_closed_output_is_said(command: str) -> None:
    """With standard output closed nothing was shown, so the status is 3 and stderr has one sentence."""
    done = shell(f'"$@" {command} >&-')
    assert done.returncode == 3
    assert done.stderr.decode() == (
        "underlay: standard output is closed, so nothing can be printed: give it a file or a terminal\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("command", ["status", "watch --for 30s"])
def test_a_full_disk_is_said(command: str) -> None:
    """An output that takes nothing is named as the reason, not taken for a cluster with warnings."""
    done = shell(f'"$@" {command} >/dev/full')
    assert done.returncode == 3
    assert done.stderr.decode() == "underlay: standard output cannot be written: No space left on device\n"


@pytest.mark.parametrize("command", ["status", "watch --for 30s"])
def test_a_reader_that_leaves_is_no_error(command: str) -> None:
    """When head or a pager has gone, underlay ends without a word, as other commands do."""
    done = shell(f'{{ "$@" {command}; echo "status $?" >&2; }} | true')
    assert done.stderr.decode() == "status 141\n"


def test_json_is_utf_8_in_every_locale() -> None:
    """Programs read the same document whatever characters the terminal of the operator has."""
    done = shell('"$@" status -o json', PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stderr == b""
    assert json.loads(done.stdout.decode("utf-8"))["schema_version"] == 1


def test_a_defect_is_no_verdict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception that nobody foresaw is one line and status 3: Python's own 1 would say that there are warnings."""

    async def fail(*_: object) -> int:
        raise ExceptionGroup("tasks", [ValueError("no\x1b[2J such thing")])

    monkeypatch.setattr(status, "run", fail)
    assert root.main(["status"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("underlay: this is a defect, please report it: ValueError: 'no\\x1b[2J such thing'")
    assert said.count("\n") == 1
