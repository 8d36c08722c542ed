"""One command on a hundred hosts: processor time of our ssh pool against clush and ansible, as ratios of one run.

Run it as root with ``python -m tests.bench.fanout``. The hosts are real sshd processes on loopback addresses. What is
counted is the whole client, its interpreter's start and all its children included; the servers are not.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.folder import private_folder
from tests.probes.transports.sshd import SSHD, Sshd, descendants, free_port, keygen

HOSTS: Final = 100
AT_ONCE: Final = 32
COMMAND: Final = ("cat", "/proc/sys/kernel/random/boot_id")
AIM: Final = 0.08
_LISTEN_MOST: Final = 16
"""sshd listens on at most so many addresses (MAX_LISTEN_SOCKS)."""
_LIMIT_SECONDS: Final = 120.0
_PACKAGES: Final = {"ssh": "openssh-client", "clush": "clustershell", "ansible": "ansible-core"}


@dataclass(frozen=True)
class Cost:
    """What one client run took."""

    cpu: float
    wall: float
    answers: int
    said: str
    """The first of what it printed."""


class Fleet:
    """Hosts fan001, fan002 … on 127.0.1.x, and the files an operator has for them."""

    def __init__(self, folder: Path, hosts: int, stack: ExitStack) -> None:
        self.names = [f"fan{i + 1:03}" for i in range(hosts)]
        key, host_key = keygen(folder / "id"), keygen(folder / "host")
        port = free_port("127.0.1.1")
        addresses = [f"127.0.{1 + i // 250}.{1 + i % 250}" for i in range(hosts)]
        for i in range(0, hosts, _LISTEN_MOST):
            server = Sshd(folder / f"sshd{i}", [key], host_key)
            stack.callback(server.stop)
            listen = [f"{address}:{port}" for address in addresses[i : i + _LISTEN_MOST]]
            server.start("MaxStartups 1000", listen=listen)
        known = " ".join(host_key.with_name("host.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text("".join(f"[{address}]:{port} {known}\n" for address in addresses))
        common = (
            f"Host fan*\n  Port {port}\n  User root\n  IdentityFile {key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
            f"  UserKnownHostsFile {folder}/known_hosts\n  GlobalKnownHostsFile none\n"
        )
        pairs = zip(self.names, addresses, strict=True)
        self.config = folder / "config"
        self.config.write_text("".join(f"Host {name}\n  HostName {address}\n" for name, address in pairs) + common)
        self.inventory = folder / "inventory"
        (folder / "ansible.cfg").write_text("[defaults]\n")
        self.inventory.write_text("\n".join(self.names) + "\n")
        self.folder = folder

    def clients(self) -> dict[str, list[str]]:
        """Command lines that ask every host, by name."""
        shell = " ".join(COMMAND)
        curve = self.folder / "config-curve25519"
        curve.write_text("KexAlgorithms curve25519-sha256\n" + self.config.read_text())
        clush = ["clush", "-f", str(AT_ONCE), "-w", ",".join(self.names), "-o"]
        ansible = ["ansible", "all", "-i", str(self.inventory), "-f", str(AT_ONCE), "-m", "raw", "-a", shell]
        return {
            "underlay": [
                sys.executable,
                "-m",
                "tests.bench.fanout_client",
                str(AT_ONCE),
                str(self.config),
                *COMMAND,
                "--",
                *self.names,
            ],
            "clush": [*clush, f"-F {self.config}", shell],
            "clush, same key exchange": [*clush, f"-F {curve}", shell],
            "ansible raw": [*ansible, "--ssh-common-args", f"-F {self.config}"],
        }

    def environment(self) -> dict[str, str]:
        """Nothing of the user's own settings; no connections that ansible would leave behind."""
        names = ("PATH", "LANG", "PYTHONPATH")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        home = str(self.folder)
        quiet = {
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_CONFIG": f"{home}/ansible.cfg",
        }
        return {**kept, **quiet, "HOME": home, "LC_ALL": "C.UTF-8"}


def measure(argv: Sequence[str], environment: dict[str, str], answer: str) -> Cost:
    """Run a client to its end, at most two minutes, and count its processor time with that of all its children."""
    with tempfile.TemporaryFile() as out:
        started = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
        with _killed_after(process, _LIMIT_SECONDS):
            _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        wall = time.monotonic() - started
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    return Cost(usage.ru_utime + usage.ru_stime, wall, said.count(answer), said[:400])


class _killed_after:  # noqa: N801 reads as a statement
    """Within it a process that takes too long is killed with all its children."""

    def __init__(self, process: "subprocess.Popen[bytes]", seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGALRM, self._kill)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_error: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def _kill(self, *_signal: object) -> None:
        for pid in descendants(self._process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def compare(hosts: int, rounds: int) -> bool:
    """Measure all clients in turn, several rounds, and print the medians and ratios; whether the aim was met."""
    answer = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with ExitStack() as stack:
        folder = stack.enter_context(private_folder("underlay-bench-"))
        fleet = Fleet(folder, hosts, stack)
        clients, environment = fleet.clients(), fleet.environment()
        costs: dict[str, list[Cost]] = {name: [] for name in clients}
        for _ in range(rounds):
            for name, argv in clients.items():
                cost = measure(argv, environment, answer)
                if cost.answers != hosts:
                    print(f"{name}: {cost.answers} of {hosts} hosts answered, so nothing counts:\n{cost.said}")
                    return False
                costs[name].append(cost)
    return _report(costs, hosts, rounds)


def _report(costs: dict[str, list[Cost]], hosts: int, rounds: int) -> bool:
    print(f"fan-out: `{' '.join(COMMAND)}` on {hosts} hosts, {AT_ONCE} at once, median of {rounds} rounds")
    print("hosts are addresses of real sshd processes on loopback; sessions have an empty home folder, so no shell")
    print("start-up file is read; ansible runs without ControlPersist, whose processes would outlive the measurement")
    print(f"  {'client':26}{'cpu ms/host':>13}{'wall s':>9}{'ratio of cpu':>15}")
    cpu = {name: statistics.median(c.cpu for c in found) / hosts for name, found in costs.items()}
    ours = cpu["underlay"]
    for name, found in costs.items():
        wall = statistics.median(c.wall for c in found)
        against = f"{ours / cpu[name]:>15.3f}" if name != "underlay" else ""
        print(f"  {name:26}{cpu[name] * 1000:>13.2f}{wall:>9.2f}{against}")
    ratio = ours / cpu["clush"]
    met = ratio <= AIM
    print(f"underlay / clush = {ratio:.3f} (aim <= {AIM}): {'met' if met else 'NOT met'}")
    return met


def missing() -> str:
    """Say what must be installed or done first; empty if nothing."""
    wanted = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
    wanted += [] if SSHD.exists() else ["openssh-server"]
    if wanted:
        return f"this measurement needs Debian packages that are not installed: apt-get install {' '.join(wanted)}"
    return "" if os.getuid() == 0 else "this measurement starts sshd processes: run it as root"


def main() -> int:
    """Measure, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=HOSTS)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    problem = missing()
    if problem:
        print(problem, file=sys.stderr)
        return 2
    return 0 if compare(min(max(options.hosts, 1), 500), min(max(options.rounds, 1), 9)) else 1


if __name__ == "__main__":
    sys.exit(main())
