"""Runbooks on the testbed: taken by the engine, or their plans typed by hand, line by line, as a person would."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.testbed.cluster import Testbed
from tests.testbed.commands import run
from tests.testbed.faults.judge import everything, key
from tests.testbed.faults.matrix import Matrix
from tests.testbed.fixtures import require_testbed
from tests.testbed.underlay import ROOT

Given = Mapping[str, str]
CLEARED_WITHIN = 45.0
"""Seconds: what lacks on a node that has just started is told for 30 of them, mildly."""


@contextmanager
def own_matrix(prefix: str) -> Iterator[Matrix]:
    """Bring up a testbed of its own, healthy, and somebody who breaks it; UNDERLAY_TESTBED names one that is up."""
    require_testbed()
    if ident := os.environ.get("UNDERLAY_TESTBED"):
        with Matrix(Testbed.find(ident)) as made:
            yield made
        return
    bed = Testbed(f"{prefix}{os.getpid()}", lease_seconds=2.0)
    bed.up(owner=os.getpid())
    try:
        with Matrix(bed) as made:
            yield made
    finally:
        bed.down()


def is_well(matrix: Matrix) -> None:
    """See that nothing is told any more but what is told of the healthy testbed."""
    told = matrix._wait(lambda seen: {key(each) for each in everything(seen)} <= matrix.usual, CLEARED_WITHIN)
    assert sorted(str(key(each)) for each in everything(told) if key(each) not in matrix.usual) == []


def _process(bed: Testbed, runbook: str, given: Given, journals: Path | None, seconds: float) -> str:
    spec = {
        "kubeconfig": str(bed.kubeconfig),
        "ssh_config": str(bed.ssh_config),
        "runbook": runbook,
        "given": dict(given),
        "journals": None if journals is None else str(journals),
    }
    argv = (sys.executable, "-m", "tests.testbed.catalog_process", json.dumps(spec))
    done = run(bed.operator_command(argv), cwd=str(ROOT), timeout=seconds)
    if done.stderr:
        raise AssertionError(done.stderr)
    return done.stdout


def plan_of(bed: Testbed, runbook: str, given: Given) -> dict[str, Any]:
    """Have underlay make a plan; nothing is begun."""
    made: dict[str, Any] = json.loads(_process(bed, runbook, given, None, 60))
    return made


def take(bed: Testbed, runbook: str, given: Given, journals: Path) -> list[dict[str, Any]]:
    """Take a run; gives its journal's records. Every step was confirmed, and its end is the last record."""
    _process(bed, runbook, given, journals, 300)
    path = max(journals.glob("*.jsonl"), key=lambda each: each.stat().st_mtime_ns)
    assert path.stat().st_mode & 0o777 == 0o600
    return [json.loads(line) for line in path.read_text().splitlines()]


def type_in(bed: Testbed, plan: Mapping[str, Any], *, skip: tuple[str, ...] = ()) -> list[str]:
    """Type every line of a plan's steps but those of steps whose names begin with one of ``skip``; gives the lines.

    kubectl and ssh are the operator's own. The testbed's API is older than policy/v1, which is what a line would say of
    a k3s of today.
    """
    typed = []
    for step in plan["steps"]:
        if step["name"].startswith(skip or ("\0",)):
            continue
        for line in step["by_hand"]:
            typed.append(line)
            _type(bed, line.replace('"policy/v1"', '"policy/v1beta1"'))
    return typed


def _type(bed: Testbed, line: str) -> None:
    kubectl = bed.plane.programs / "kubectl"
    tools = f'ssh() {{ command ssh -F {bed.ssh_config} "$@"; }}\nkubectl() {{ {kubectl} "$@"; }}\n'
    env = {"KUBECONFIG": str(bed.kubeconfig), "PATH": os.environ["PATH"]}
    run(bed.operator_command(("bash", "-euc", tools + line)), timeout=60, env=env)
