"""What underlay's live screen says while nothing is wrong: everything that is no mere note is a false alarm."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.testbed.cluster import Testbed
from tests.testbed.commands import wait_until
from tests.testbed.faults.judge import everything, key
from tests.testbed.faults.matrix import HAND, eyes, heal_seeds
from tests.testbed.faults.objects import Objects
from tests.testbed.faults.talk import Talk

SETTLED = 3.0


@dataclass
class Watch:
    """One live screen, from its first moment on."""

    talk: Talk
    alarms: dict[str, str] = field(default_factory=dict)
    """By code and subject, what was said."""
    notes: set[str] = field(default_factory=set)
    diagnoses: int = 0
    started: dict[str, float] = field(default_factory=dict)
    """When each node's unit was last started, as far as was told."""

    def listen(self, seconds: float) -> Iterator[None]:
        """Take in every diagnosis of the next seconds; yields after each."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for said in self.talk.heard():
                self._take(said)
            yield
            time.sleep(0.05)

    def _take(self, said: dict[str, Any]) -> None:
        self.diagnoses += 1
        for finding in everything(said["findings"]):
            name = str(key(finding))
            if finding["severity"] == "note":
                self.notes.add(name)
            else:
                self.alarms.setdefault(name, f"{finding['severity']} {name}: {finding['summary']}")
        self.started |= {name: at for name, at in said["started"].items() if at is not None}

    def wait_for_start(self, node: str, after: float, within: float = 20.0) -> None:
        """Listen until a node's unit was started after a moment."""
        for _ in self.listen(within):
            if self.started.get(node, 0.0) > after:
                return
        raise AssertionError(f"a restart of {node} was not seen within {within:g} s")


def heal(bed: Testbed) -> None:
    """Make a testbed healthy that was just brought up."""
    with Talk(bed, HAND, str(bed.folder / "seed.json")) as hand:
        heal_seeds(Objects(hand))


def watch_quiet(bed: Testbed, seconds: float = SETTLED) -> Watch:
    """Open a live screen on a healthy testbed, and see every node."""
    with eyes(bed) as talk:
        watch = Watch(talk)
        talk.tell({"follow": True})
        for node in bed.nodes:
            watch.wait_for_start(node.name, 0.0)
        for _ in watch.listen(seconds):
            pass
        return watch


def watch_restarts(bed: Testbed) -> Watch:
    """Open a live screen and restart k3s on each node in turn."""
    with eyes(bed) as talk:
        watch = Watch(talk)
        talk.tell({"follow": True})
        for node in bed.nodes:
            watch.wait_for_start(node.name, 0.0)
        for node in bed.nodes:
            before = watch.started[node.name]
            bed.restart_unit(node.name)
            watch.wait_for_start(node.name, before)
        for _ in watch.listen(SETTLED):
            pass
        return watch


def switch_to_host_gw(bed: Testbed) -> None:
    """Give every node flannel's host-gw backend, as after --flannel-backend=host-gw and a reboot of all."""
    for node in bed.nodes:
        path = bed.machines.root(node.name) / "etc/rancher/k3s/config.yaml"
        path.write_text("flannel-backend: host-gw\n")
        bed.reboot(node.name)
    gateways = {node.address for node in bed.nodes}

    def whole() -> bool:
        for node in bed.nodes:
            told = bed.run_on(node.name, ("ip", "-j", "route"), check=False).stdout
            if {route.get("gateway") for route in json.loads(told or "[]")} & gateways != gateways - {node.address}:
                return False
        pods = json.loads(bed.kubectl("get", "pods", "-A", "-o", "json").stdout)["items"]
        return all(pod["status"].get("podIP") for pod in pods)

    wait_until(whole, 60, "every node has a route to every other one's pods")
