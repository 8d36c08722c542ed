"""Detached units: what ``systemd-run --unit=NAME … -- ARGV`` starts, and what systemd then tells of it."""

import asyncio
import fnmatch
from dataclasses import dataclass, field, replace
from typing import Final

from lab import commands
from lab.commands import Call, Done, Program
from lab.machine import Machine

_OPTIONS: Final = frozenset(("--quiet", "--no-block", "--property=RemainAfterExit=yes", "--service-type=oneshot"))


@dataclass
class Detached:
    """One transient unit, which stays after it ended (RemainAfterExit)."""

    name: str
    description: str
    active: str = "activating"
    status: int = 0
    lines: list[str] = field(default_factory=list)
    running: "asyncio.Task[None] | None" = None

    def properties(self) -> dict[str, str]:
        """Say what ``systemctl show`` says of it."""
        return {
            "Id": self.name,
            "Result": "exit-code" if self.status else "success",
            "ExecMainStatus": str(self.status),
            "LoadState": "loaded",
            "ActiveState": self.active,
            "SubState": {"activating": "start", "active": "exited"}.get(self.active, "failed"),
        }


def systemd_run(call: Call, programs: dict[str, Program]) -> Done:
    """Start a command as a unit of its own and come back at once; a unit of that name is refused."""
    if not call.root:
        return Done(1, err="Failed to start transient service unit: Interactive authentication required.\n")
    options = call.args[: call.args.index("--")]
    name = next((arg.removeprefix("--unit=") for arg in options if arg.startswith("--unit=")), "")
    said = next((arg.removeprefix("--description=") for arg in options if arg.startswith("--description=")), name)
    odd = [
        arg
        for arg in options
        if arg not in _OPTIONS and not arg.startswith(("--unit=", "--description=", "--prop", "--setenv="))
    ]
    if not name or odd:
        return Done(1, err=f"systemd-run: the demo knows no {(odd or ['run without --unit'])[0]}\n")
    units = call.machine.detached
    if name in units:
        why = f"Unit {name} was already loaded or has a fragment file."
        return Done(1, err=f"Failed to start transient service unit: {why}\n")
    unit = units[name] = Detached(name, said)
    inner = replace(call, argv=call.args[call.args.index("--") + 1 :])
    unit.lines.append(f"Starting {name} - {said}...")
    unit.running = asyncio.get_running_loop().create_task(_run(unit, inner, programs), name=name)
    return Done()


async def _run(unit: Detached, call: Call, programs: dict[str, Program]) -> None:
    done = await commands.run(call, programs)
    unit.lines += (done.out + done.err).splitlines()
    unit.status = done.rc
    unit.active = "failed" if done.rc else "active"
    unit.lines.append(f"{'Failed to start' if done.rc else 'Finished'} {unit.name} - {unit.description}.")


def named(machine: Machine, pattern: str) -> list[Detached]:
    """List the units whose name fits, as systemctl takes patterns."""
    return [
        unit
        for name, unit in machine.detached.items()
        if fnmatch.fnmatch(name, pattern) or name.removesuffix(".service") == pattern
    ]


def let_go(machine: Machine, verb: str, pattern: str) -> None:
    """``systemctl stop`` or ``reset-failed``: a unit that has ended is unloaded."""
    for unit in named(machine, pattern):
        if unit.active == ("failed" if verb == "reset-failed" else "active"):
            del machine.detached[unit.name]


def journal_of(call: Call) -> Done:
    """``journalctl -q --no-pager -o cat -n N UNIT=NAME + _SYSTEMD_UNIT=NAME``: the lines of one unit."""
    name = next(arg.removeprefix("UNIT=") for arg in call.args if arg.startswith("UNIT="))
    unit = call.machine.detached.get(name)
    return Done(out="".join(f"{line}\n" for line in (unit.lines if unit else ())))
