"""`underlay status` on the testbed against a shell script of kubectl and ssh, all of them side by side."""

import os
import shlex
import sys
import tempfile
from pathlib import Path

from probes.collectors.node import STEPS
from probes.kube.resources import CORE
from tests.bench.timing import by_turns, report
from tests.testbed.cluster import Testbed, available

_FLUX = (
    "gitrepositories",
    "ocirepositories",
    "helmrepositories",
    "helmcharts",
    "buckets",
    "kustomizations",
    "helmreleases",
)
_SECRETS = ("secretstores", "clustersecretstores", "externalsecrets")


def by_hand(testbed: Testbed) -> str:
    """Write the script: one ssh a node with all commands, one kubectl a resource, all at once."""
    kubectl = shlex.join(
        [str(testbed.plane.programs / "kubectl"), "--kubeconfig", str(testbed.kubeconfig), "get", "-A", "-o", "json"]
    )
    commands = "; ".join(shlex.join(step.argv) for step in STEPS if not step.orelse)
    lines = ["#!/bin/sh", "export LC_ALL=C"]
    lines += [
        f"ssh -F {shlex.quote(str(testbed.ssh_config))} {node.name} {shlex.quote(commands)} >/dev/null 2>&1 &"
        for node in testbed.nodes
    ]
    names = ["nodes", "leases -n kube-node-lease", "pods", "events", *_FLUX, *_SECRETS]
    lines += [f"{kubectl} {name} >/dev/null 2>&1 &" for name in names]
    return "\n".join([*lines, "wait", ""])


def main() -> None:
    """Bring up a testbed, measure by turns, print, take it down."""
    if reason := available():
        print(f"status against a shell script: not measured: {reason}")
        return
    assert len(CORE) == 5, "the script above fetches what underlay does"
    testbed = Testbed(f"b{os.getpid()}")
    testbed.up(owner=os.getpid())
    try:
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "by-hand"
            script.write_text(by_hand(testbed))
            where = ("--kubeconfig", str(testbed.kubeconfig), "--ssh-config", str(testbed.ssh_config))
            ours = testbed.operator_command([sys.executable, "-m", "tui", "status", *where])
            theirs = testbed.operator_command(["sh", str(script)])
            report("status against kubectl and ssh in a shell script", "wall <= 0.8", *by_turns(ours, theirs, 9))
    finally:
        testbed.down()


if __name__ == "__main__":
    main()
