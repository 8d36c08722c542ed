"""Control groups that hold every process of a testbed, so that each is found and ended, also after a crash."""

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.commands import TestbedError, wait_until

MOUNT = Path("/sys/fs/cgroup")
PREFIX = "underlay-testbed-"
# One process joins its groups, then becomes the program: no moment in which it could fork outside of them.
JOIN = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo $$ > "$1/cgroup.procs" || exit 125; shift; n=$((n-1)); done; exec "$@"'
)


def hierarchies() -> list[Path]:
    """Mounted hierarchies that systemd tracks processes in: the unified one, or name=systemd beside it."""
    if (MOUNT / "cgroup.controllers").exists():
        return [MOUNT]
    found = [path for path in (MOUNT / "systemd", MOUNT / "unified") if (path / "cgroup.procs").exists()]
    if not found:
        raise TestbedError(f"no cgroup hierarchy is mounted under {MOUNT}: mount name=systemd or cgroup2 there")
    return found


@dataclass(frozen=True)
class ControlGroup:
    """All processes of one testbed, in one child group a machine or daemon."""

    ident: str

    @property
    def roots(self) -> list[Path]:
        """The group's folder in each hierarchy."""
        return [path / f"{PREFIX}{self.ident}" for path in hierarchies()]

    def command(self, child: str, argv: Sequence[str]) -> list[str]:
        """Give the command that runs `argv` inside the child group, which is made if missing."""
        folders = [root / child for root in self.roots]
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        return ["sh", "-c", JOIN, "sh", str(len(folders)), *(str(each) for each in folders), *argv]

    def start(self, child: str, argv: Sequence[str], log: Path) -> None:
        """Start a daemon in the child group, as nobody's child, writing to `log`."""
        command = ["setsid", "--fork", *self.command(child, argv)]
        with log.open("ab") as out:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=10, check=True)

    def pids(self, child: str = "") -> set[int]:
        """List processes in the child group and below it."""
        found: set[int] = set()
        for root in self.roots:
            folder = root / child if child else root
            for path, _, _ in os.walk(folder):
                with suppress(OSError):  # the group went away while it was looked at
                    found.update(int(line) for line in Path(path, "cgroup.procs").read_text().split())
        return found - {os.getpid()}

    def kill(self, child: str = "", timeout: float = 15) -> None:
        """End all of them at once and wait until they are gone."""

        def gone() -> bool:
            left = self.pids(child)
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return not left

        wait_until(gone, timeout, f"processes of testbed {self.ident} {child} ended")

    def remove(self, child: str = "") -> None:
        """Remove the empty groups."""
        for root in self.roots:
            folder = root / child if child else root
            for path, _, _ in os.walk(folder, topdown=False):
                Path(path).rmdir()


def present() -> list[str]:
    """Identities of all testbeds that have a group on this machine."""
    found = {path.name.removeprefix(PREFIX) for root in hierarchies() for path in root.glob(f"{PREFIX}*")}
    return sorted(found)
