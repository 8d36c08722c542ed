"""The servers of the tests: whoever starts them takes them along, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.folder import private_folder
from tests.probes.transports.sshd import SSHD, need

_STARTS = """
import sys
from pathlib import Path
from lab.folder import private_folder
from tests.probes.transports.sshd import Sshd, keygen

with private_folder("underlay-bench-") as folder:
    server = Sshd(folder / "sshd", [keygen(folder / "id")]).start()
    print(server.pid, folder, flush=True)
    sys.stdin.read()
"""
_LIMIT = 20.0


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_server_ends_with_whoever_started_it(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told to end, hung up on or killed: no sshd stays, and no folder beyond the next that is made."""
    need("sshd and setpriv, as root", met=SSHD.exists() and os.getuid() == 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    argv = [sys.executable, "-c", _STARTS]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as process:
        assert process.stdout is not None
        pid, folder = process.stdout.readline().split()
        assert Path(folder).is_dir()
        process.send_signal(number)
        assert process.wait(_LIMIT) == -number
    end = time.monotonic() + _LIMIT
    while not _is_gone(int(pid)):
        assert time.monotonic() < end, f"sshd {pid} is still there"
        time.sleep(0.01)
    with private_folder("underlay-bench-") as mine:
        assert list(tmp_path.iterdir()) == [mine]
