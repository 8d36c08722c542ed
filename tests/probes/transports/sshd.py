"""Real OpenSSH servers on loopback, with keys and configuration of their own, for tests and measurements."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

SSHD: Final = Path("/usr/sbin/sshd")
_START_SECONDS: Final = 10.0
_WITH_US: Final = ("setpriv", "--pdeathsig", "KILL") if shutil.which("setpriv") else ()
"""A server ends with whoever started it, also with one that is killed (prctl(2), PR_SET_PDEATHSIG)."""


def need(what: str, *, met: bool) -> None:
    """Skip a test that needs something; as root on Debian and in CI, where it must be there, fail instead."""
    if met:
        return
    if os.environ.get("CI") or (os.getuid() == 0 and Path("/etc/debian_version").exists()):
        pytest.fail(f"this test must run here and needs {what}")
    pytest.skip(f"needs {what}")


def free_port(address: str = "127.0.0.1") -> int:
    """Find a port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "", bits: int = 0) -> Path:
    """Make a key pair."""
    size = ["-b", str(bits)] if bits else []
    argv = ["ssh-keygen", "-q", "-t", kind, *size, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def public(path: Path) -> str:
    """``TYPE BASE64`` of a key pair."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


class Sshd:
    """One sshd in a folder of its own; its sessions have an empty home folder."""

    def __init__(self, folder: Path, authorized: Sequence[Path], host_key: Path | None = None) -> None:
        self.folder = folder
        self.address = "127.0.0.1"
        self.port = free_port()
        folder.mkdir()
        self.host_key = host_key or keygen(folder / "host_key")
        self.authorized = folder / "authorized_keys"
        self.authorized.write_text("".join(public(key) + "\n" for key in authorized))
        self.home = folder / "home"
        self.home.mkdir()
        self.log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def known(self) -> str:
        """The known_hosts line of this server."""
        return f"[{self.address}]:{self.port} {public(self.host_key)}\n"

    def start(self, *lines: str, listen: Sequence[str] = ()) -> "Sshd":
        """Start it, with more lines of sshd_config, and wait until it accepts connections."""
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        config = self.folder / "sshd_config"
        addresses = listen or [f"{self.address}:{self.port}"]
        settings = [
            *lines,
            *(f"ListenAddress {address}" for address in addresses),
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            f"SetEnv HOME={self.home}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "LogLevel VERBOSE",
        ]
        config.write_text("\n".join(settings) + "\n")
        argv = [*_WITH_US, str(SSHD), "-D", "-E", str(self.log), "-f", str(config)]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + _START_SECONDS
        host, _, port = addresses[-1].rpartition(":")
        while not _accepts(host, int(port)):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"sshd did not start: {self.log.read_text()}")
            time.sleep(0.01)
        return self

    def freeze(self) -> None:
        """Stop it and its sessions where they are: the kernel still accepts connections for it."""
        for pid in self.tree():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.tree():
            os.kill(pid, signal.SIGCONT)

    def end_sessions(self) -> None:
        """Kill its sessions; it goes on listening."""
        for pid in self.tree()[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def tree(self) -> list[int]:
        """Process ids of the server and all below it."""
        return descendants(self.pid)

    def stop(self) -> None:
        if self._process is None:
            return
        pids = self.tree()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)
        self._process = None


def descendants(pid: int) -> list[int]:
    """List a process and all below it, parents first."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                found.extend(int(child) for child in task.read_text().split())
    return found


def _accepts(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0
