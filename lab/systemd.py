"""systemd on a node: ``systemctl`` for k3s's unit, and ``systemd-run --unit=NAME … -- ARGV`` for detached ones."""

import asyncio
import fnmatch
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from lab import commands
from lab.commands import Call, Done, Program, value
from lab.machine import Machine
from lab.units import Detached

_OPTIONS: Final = frozenset(("--quiet", "--no-block", "--property=RemainAfterExit=yes", "--service-type=oneshot"))


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


def _named(machine: Machine, pattern: str) -> list[Detached]:
    """List the units whose name fits, as systemctl takes patterns."""
    return [
        unit
        for name, unit in machine.detached.items()
        if fnmatch.fnmatch(name, pattern) or name.removesuffix(".service") == pattern
    ]


def _let_go(machine: Machine, verb: str, pattern: str) -> None:
    """``systemctl stop`` or ``reset-failed``: a unit that has ended is unloaded."""
    for unit in _named(machine, pattern):
        if unit.active == ("failed" if verb == "reset-failed" else "active"):
            del machine.detached[unit.name]


def journal_of(call: Call) -> Done:
    """``journalctl -q --no-pager -o cat -n N UNIT=NAME + _SYSTEMD_UNIT=NAME``: the lines of one unit."""
    name = next(arg.removeprefix("UNIT=") for arg in call.args if arg.startswith("UNIT="))
    unit = call.machine.detached.get(name)
    return Done(out="".join(f"{line}\n" for line in (unit.lines if unit else ())))


async def systemctl(call: Call) -> Done:
    """Show units, restart k3s's as long as that takes, or let a detached one go."""
    words = [word for word in call.args if not word.startswith("-") or word == "-p"]
    command = words[0] if words else ""
    if command == "show":
        names = value(words, "-p").split(",") if "-p" in words else []
        units = [word for word in words[1:] if word not in {"-p", value(words, "-p")}]
        return Done(out="\n".join(_shown(call, unit, names) for unit in units))
    if command in {"stop", "reset-failed"} and words[-1].startswith("underlay-"):
        _let_go(call.machine, command, words[-1])
        return Done()
    unit = words[-1].removesuffix(".service")
    if unit != call.machine.unit.name:
        return Done(5, err=f"Failed to {command} {unit}.service: Unit {unit}.service not found.\n")
    if command == "is-active":
        return Done(0 if call.machine.unit.running else 3, f"{call.machine.unit.active}\n")
    if command not in {"restart", "start"}:
        return Done(1, err=f"Unknown command verb {command}.\n")
    if not call.root:
        return Done(1, err=f"Failed to {command} {unit}.service: Interactive authentication required.\n")
    call.machine.set_unit("activating", "start")
    await asyncio.sleep(call.world.seconds_per_restart)
    if call.world.restart_unit(call.machine.name):
        return Done()
    return Done(
        1,
        err=f"Job for {unit}.service failed because the control process exited with error code.\n"
        f'See "systemctl status {unit}.service" and "journalctl -xeu {unit}.service" for details.\n',
    )


def _shown(call: Call, unit: str, names: list[str]) -> str:
    own = call.machine.detached.get(unit)
    properties = own.properties() if own is not None else _properties(call.machine, unit)
    # systemctl prints in its own order, whatever the order asked for.
    return "".join(f"{name}={value}\n" for name, value in properties.items() if not names or name in names)


def _properties(machine: Machine, name: str) -> dict[str, str]:
    """Say what ``systemctl show`` says of a unit; one that is not installed is ``not-found``."""
    unit = machine.unit
    if name.removesuffix(".service") != unit.name:
        return {
            "KillMode": "control-group",
            "NRestarts": "0",
            "ExecMainStartTimestamp": "",
            "Id": f"{name.removesuffix('.service')}.service",
            "LoadState": "not-found",
            "ActiveState": "inactive",
            "SubState": "dead",
            "InvocationID": "",
        }
    started = datetime.fromtimestamp(unit.started_at, UTC).strftime("%a %Y-%m-%d %H:%M:%S UTC")
    return {
        "Type": "notify" if unit.name == "k3s" else "exec",
        "Restart": "always",
        "KillMode": unit.kill_mode,
        "NRestarts": str(unit.n_restarts),
        "ExecMainStartTimestamp": started,
        "ActiveEnterTimestamp": started,
        "Id": f"{unit.name}.service",
        "LoadState": "loaded",
        "ActiveState": unit.active,
        "SubState": unit.sub,
        "InvocationID": unit.invocation_id,
    }
