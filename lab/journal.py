"""The journal of a node's k3s unit, as far as its world has one: starts and failures."""

from datetime import UTC, datetime

from lab.commands import Call, Done
from lab.machine import Machine
from lab.systemd import journal_of


def journalctl(call: Call) -> Done:
    """Answer ``journalctl -u UNIT -n LINES``; without the right to read it, as systemd refuses."""
    if not call.root:
        return Done(1, err="No journal files were opened due to insufficient permissions.\n")
    if any(word.startswith("UNIT=") for word in call.args):
        return journal_of(call)
    words = list(call.args)
    unit = words[words.index("-u") + 1].removesuffix(".service")
    most = int(words[words.index("-n") + 1]) if "-n" in words else 10
    lines = _lines(call.machine) if unit == call.machine.unit.name else []
    return Done(out="".join(f"{line}\n" for line in lines[-most:]) if lines else "-- No entries --\n")


def _lines(machine: Machine) -> list[str]:
    """Write what was told since the world began; before the first of it, the start that the unit shows."""
    started = (machine.unit.started_at, f"Started {machine.unit.name}.service - Lightweight Kubernetes.")
    return [_line(machine, at, text) for at, text in machine.journal or [started]]


def _line(machine: Machine, at: float, text: str) -> str:
    when = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    return f"{when} {machine.name} systemd[1]: {text}"
