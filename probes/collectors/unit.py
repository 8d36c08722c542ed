"""The systemd unit that k3s runs as: ``k3s`` on a server, ``k3s-agent`` on an agent."""

import re
from datetime import UTC, datetime
from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import MAX_U32, Outputs, Unreadable, number, printed
from probes.model.network import Unit
from probes.model.text import clean

_PROPERTIES: Final = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "NRestarts",
    "InvocationID",
    "ExecMainStartTimestamp",
    "KillMode",
)
STEPS: Final = (Step("unit", ("systemctl", "show", "-p", ",".join(_PROPERTIES), "k3s", "k3s-agent")),)

_TIMESTAMP: Final = re.compile(r"(?:\w{3} )?([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}) (?:UTC|GMT)")


def parse(outputs: Outputs) -> Unit:
    """Read the unit that is loaded, an active one before others; raises Unreadable.

    Where neither exists, the answer is a unit whose ``load_state`` says ``not-found``.
    """
    blocks = [_block(block) for block in re.split(r"\n[ \t]*\n", printed(outputs, "unit"))]
    units = [_unit(block) for block in blocks if block.get("LoadState")]
    if not units:
        raise Unreadable("`systemctl show k3s k3s-agent` told of no unit")
    return max(units, key=lambda unit: (unit.load_state == "loaded", unit.active_state == "active"))


def _block(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value for key, _, value in pairs if key in _PROPERTIES}


def _unit(values: dict[str, str]) -> Unit:
    return Unit(
        name=clean(values.get("Id", "").removesuffix(".service")),
        load_state=clean(values["LoadState"]),
        active_state=clean(values.get("ActiveState", "")),
        sub_state=clean(values.get("SubState", "")),
        n_restarts=number(values.get("NRestarts", ""), 0, MAX_U32),
        invocation_id=clean(values.get("InvocationID", "")),
        started_at=_time(values.get("ExecMainStartTimestamp", "")),
        kill_mode=clean(values.get("KillMode", "")),
    )


def _time(text: str) -> float | None:
    """Read ``Sat 2026-11-21 11:50:18 UTC``; systemctl follows TZ, and the batch sets it."""
    found = _TIMESTAMP.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
