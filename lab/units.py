"""Units of systemd as values: k3s's own, and what ``systemd-run`` started."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


@dataclass(slots=True)
class Unit:
    """The systemd unit of k3s; times in seconds since the epoch."""

    name: str
    started_at: float
    invocation_id: str
    active: str = "active"
    sub: str = "running"
    n_restarts: int = 0
    kill_mode: str = "process"

    @property
    def running(self) -> bool:
        """Whether k3s runs, and with it flannel and the kubelet."""
        return self.active == "active"


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
