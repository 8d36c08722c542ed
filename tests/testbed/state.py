"""What is known of a testbed on the machine: one file that is there first and goes last, and one tmpfs.

All a testbed writes is in its tmpfs, so that unmounting it is forgetting it.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.testbed.commands import TestbedError, make_folder, remove_if_empty, run, wait_until

HOME = Path("/run/underlay-testbed")
IDENT_LONGEST = 12


@dataclass(frozen=True)
class State:
    """What a later process needs to know; `owner` is the process it is for, `born` when that one started."""

    nodes: int
    lease_seconds: float
    owner: int | None = None
    born: str = ""
    dual_stack: bool = False

    @property
    def orphaned(self) -> bool:
        """Whether it has an owner, and that one is gone."""
        return self.owner is not None and born(self.owner) != self.born


def born(pid: int) -> str:
    """Start time of a process in clock ticks since boot (proc(5) stat, field 22); "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def folder(ident: str) -> Path:
    """Where a testbed keeps its files; TestbedError for a name that cannot be one."""
    if not (ident.isalnum() and ident == ident.lower() and ident.isascii() and len(ident) <= IDENT_LONGEST):
        raise TestbedError(f"{ident!r} cannot name a testbed: use 1 to {IDENT_LONGEST} of a-z and 0-9")
    return HOME / ident


def file(ident: str) -> Path:
    """Name the file that says a testbed exists, or did in part."""
    return folder(ident).with_suffix(".json")


def mount(ident: str) -> None:
    """Have the folder in memory."""
    run(("mount", "-t", "tmpfs", "-o", "mode=0755", "underlay-testbed", str(folder(ident))))


def mounts(ident: str) -> list[str]:
    """Everything mounted at or below a testbed's folder, in the order it was mounted."""
    base = str(folder(ident))
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in points if point == base or point.startswith(f"{base}/")]


def unmount(ident: str) -> None:
    """Unmount all of it, the last first, and remove the folder."""

    def unmounted() -> bool:
        for point in reversed(mounts(ident)):
            run(("umount", point), check=False)
        return not mounts(ident)

    wait_until(unmounted, 15, f"file systems below {folder(ident)} unmounted")
    if folder(ident).exists():
        folder(ident).rmdir()


def present() -> list[str]:
    """Identities of all testbeds that are up, or were and left something."""
    return sorted(path.stem for path in HOME.glob("*.json")) if HOME.is_dir() else []


def write(ident: str, state: State) -> None:
    """Remember a testbed, before anything of it is made."""
    make_folder(folder(ident))
    draft = file(ident).with_suffix(".draft")
    draft.write_text(json.dumps(asdict(state)) + "\n")
    draft.rename(file(ident))


def read(ident: str) -> State:
    """Read what `write` remembered; TestbedError where no such testbed is up."""
    try:
        return State(**json.loads(file(ident).read_text()))
    except FileNotFoundError:
        raise TestbedError(f"no testbed {ident} is up: bring it up with `make testbed`") from None


def forget(ident: str) -> None:
    """Forget a testbed, after all of it is gone."""
    file(ident).unlink(missing_ok=True)
    remove_if_empty(HOME)
