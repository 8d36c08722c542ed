"""A testbed's folder on the machine: one tmpfs that holds all it writes, so that unmounting it is forgetting it."""

import json
from pathlib import Path

from tests.testbed.commands import TestbedError, run, wait_until

HOME = Path("/run/underlay-testbed")
IDENT_LONGEST = 12


def folder(ident: str) -> Path:
    """Where a testbed keeps its files; TestbedError for a name that cannot be one."""
    if not (ident.isalnum() and ident.islower() and ident.isascii() and len(ident) <= IDENT_LONGEST):
        raise TestbedError(f"{ident!r} cannot name a testbed: use 1 to {IDENT_LONGEST} of a-z and 0-9")
    return HOME / ident


def mount(ident: str) -> Path:
    """Make the folder, empty, in memory."""
    path = folder(ident)
    path.mkdir(parents=True, exist_ok=True)
    run(("mount", "-t", "tmpfs", "-o", "mode=0755", "underlay-testbed", str(path)))
    return path


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
    path = folder(ident)
    if path.exists():
        path.rmdir()
    if HOME.exists() and not any(HOME.iterdir()):
        HOME.rmdir()


def present() -> list[str]:
    """Identities of all testbeds that have a folder."""
    return sorted(path.name for path in HOME.iterdir()) if HOME.is_dir() else []


def write(ident: str, told: dict[str, object]) -> None:
    """Remember what a later process needs to know."""
    (folder(ident) / "state.json").write_text(json.dumps(told, indent=2) + "\n")


def read(ident: str) -> dict[str, object]:
    """Read what `write` remembered; TestbedError where no such testbed is up."""
    try:
        told: dict[str, object] = json.loads((folder(ident) / "state.json").read_text())
    except FileNotFoundError:
        raise TestbedError(f"no testbed {ident} is up: bring it up with `make testbed`") from None
    return told
