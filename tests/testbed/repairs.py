"""What tests of repairs share: runs as processes, their events, and counts taken on the nodes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.testbed.cluster import Testbed
from tests.testbed.underlay import ROOT

TIMES = {"ttl": 9, "pace": 0.3, "patience": 60.0}
CONTEXT = "testbed"


class Operator:
    """An operator with a state and a config folder of their own."""

    def __init__(self, bed: Testbed, home: Path, **times: float) -> None:
        self.bed = bed
        self.home = home
        self.times: Mapping[str, float] = {**TIMES, **times}
        self.cuts: Mapping[str, Any] | None = None
        """Where runs are cut, see repair_process."""
        (home / "config/underlay/runbooks").mkdir(parents=True, exist_ok=True)

    @property
    def runs(self) -> list[str]:
        return sorted(path.stem for path in (self.home / "state/underlay/runs").glob("*.jsonl"))

    def journal(self, run: str) -> list[dict[str, Any]]:
        text = (self.home / f"state/underlay/runs/{run}.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def write_runbook(self, name: str, text: str) -> None:
        (self.home / f"config/underlay/runbooks/{name}.yaml").write_text(text)

    def line(self, command: str, *argv: str, die: str = "") -> list[str]:
        where = ("--kubeconfig", str(self.bed.kubeconfig), "--ssh-config", str(self.bed.ssh_config), "--timeout", "30s")
        spec = json.dumps({"times": dict(self.times), "die": die, "cuts": self.cuts})
        inner = [sys.executable, "-m", "tests.testbed.repair_process", spec, command, *where, *argv]
        return self.bed.operator_command(inner)

    @property
    def environ(self) -> dict[str, str]:
        homes = {"XDG_STATE_HOME": str(self.home / "state"), "XDG_CONFIG_HOME": str(self.home / "config")}
        return {**os.environ, **homes}

    def run(
        self, command: str, *argv: str, answers: str = "", die: str = "", seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, or its death, with answers piped in."""
        return subprocess.run(
            self.line(command, *argv, die=die),
            cwd=ROOT,
            env=self.environ,
            input=answers,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    @contextmanager
    def running(self, command: str, *argv: str) -> Iterator["Running"]:
        """Run a command that tells its events as they come, and is answered as the test likes."""
        said = (self.home / "said").open("w")
        with (
            said,
            subprocess.Popen(
                self.line(command, *argv, "-o", "json"),
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            ) as process,
        ):
            try:
                yield Running(process)
            finally:
                if process.poll() is None:
                    process.kill()


class Running:
    """A run while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []

    def answer(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def until(self, event: str, **fields: object) -> dict[str, Any]:
        """Read events until one is such; it must come before the process ends."""
        for told in self._read():
            if told["event"] == event and all(told.get(key) == value for key, value in fields.items()):
                return told
        raise AssertionError(f"no {event} {fields}; told: {self.events[-5:]}")

    def end(self) -> dict[str, Any]:
        return self.until("run-ended")

    def _read(self) -> Iterator[dict[str, Any]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            self.events.append(told)
            yield told


def starts(bed: Testbed, node: str) -> int:
    """Count how often k3s was started on a node, by the different invocations in its journal."""
    unit = bed.node(node).unit
    said = bed.run_on(
        node,
        (
            "journalctl",
            "-q",
            "-o",
            "json",
            "--output-fields=INVOCATION_ID",
            f"UNIT={unit}.service",
            "JOB_TYPE=restart",
            "JOB_RESULT=done",
        ),
    ).stdout
    return len([line for line in said.splitlines() if line])


def invocation(bed: Testbed, node: str) -> str:
    return bed.run_on(node, ("systemctl", "show", "-p", "InvocationID", "--value", bed.node(node).unit)).stdout.strip()


def left_on(bed: Testbed, node: str) -> list[str]:
    """List what runs left on a node: units and files."""
    units = bed.run_on(node, ("systemctl", "list-units", "--all", "--plain", "--no-legend", "underlay-*")).stdout
    files = bed.run_on(node, ("find", "/var/lib/underlay", "-type", "f"), check=False).stdout
    return [*units.splitlines(), *files.splitlines()]


def left_in_api(bed: Testbed) -> list[str]:
    """List what runs left in the API: the lock and cordons."""
    leases = json.loads(bed.kubectl("get", "leases", "-n", "kube-system", "-o", "json").stdout)["items"]
    nodes = json.loads(bed.kubectl("get", "nodes", "-o", "json").stdout)["items"]
    locks = [each["metadata"]["name"] for each in leases if each["metadata"]["name"] == "underlay"]
    cordons = [each["metadata"]["name"] for each in nodes if each["spec"].get("unschedulable")]
    return [*locks, *cordons]


def writes(bed: Testbed, since: float) -> list[dict[str, Any]]:
    """List what the operator wrote to the API since, by its audit log."""
    found = []
    for line in (bed.folder / "plane/audit.log").read_text().splitlines():
        event = json.loads(line)
        if event.get("user", {}).get("username") != "underlay" or event["verb"] in {"get", "list", "watch"}:
            continue
        if datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp() >= since:
            found.append(event)
    return found


def wait(condition: Callable[[], bool], what: str, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
