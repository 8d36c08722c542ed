"""An incident of the demo cluster is repaired by a runbook alone, over real SSH and the real API of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from runbooks.journal import progress, read
from runbooks.report import report

ROOT = Path(__file__).parents[2]
INCIDENT = "flannel-missing-after-upgrade"
CONTEXT = f"demo-{INCIDENT}"


def underlay(home: Path, *argv: str, answers: str = "") -> subprocess.CompletedProcess[str]:
    homes = {"XDG_STATE_HOME": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config")}
    return subprocess.run(
        [sys.executable, "-m", "tui", "--demo", INCIDENT, *argv],
        cwd=ROOT,
        env={**os.environ, **homes},
        input=answers,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_an_incident_is_repaired_by_its_runbook(tmp_path: Path) -> None:
    """flannel.1 is back, CoreDNS answers again and so is left alone, nothing is left behind, the journal tells it."""
    argv = ("run", "restore-vxlan", "--unlock", CONTEXT, "--set", "soak=1s", "-o", "json")
    done = underlay(tmp_path, *argv, answers="y\neq14-001\ny\n")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["end"] == "completed", done.stdout[-2000:] + done.stderr
    assert events[-1]["left"] == []
    outcomes = [each["outcome"] for each in events if each["event"] == "step-ended"]
    assert outcomes == ["done", "not-needed"]
    (journal,) = (tmp_path / "state/underlay/runs").glob("*.jsonl")
    first = json.loads(journal.read_text().splitlines()[0])
    assert "vxlan-link-missing eq14-001" in first["plan"]["clears"]


KEEPING = """\
name: keeping
title: Restart k3s on a node whose pods get no names
parameters:
  node: {type: node, about: which}
steps:
  - restart-unit: {node: "${node}", unit: "${node.unit}"}
    why: to see what is excused
    gate: {must: [unit-restarted], keep: [names, peers-towards]}
"""


def test_what_a_gate_excuses_is_told_everywhere(tmp_path: Path) -> None:
    """What was no better before lets a gate open, and is told in plan, run, journal and report, never as what holds."""
    (tmp_path / "config/underlay/runbooks").mkdir(parents=True)
    (tmp_path / "config/underlay/runbooks/keeping.yaml").write_text(KEEPING)
    argv = ("run", "keeping", "--node", "gladius")
    planned = " ".join(underlay(tmp_path, *argv, "--plan").stdout.split())
    towards = "every other node has all three towards gladius"
    assert f"NO BETTER NOW, AND SO EXCUSED - {towards}: incomplete on eq14-001" in planned
    done = underlay(tmp_path, *argv, "--unlock", CONTEXT, answers="y\ngladius\n")
    said = " ".join(done.stdout.split())
    assert done.returncode == 0, done.stdout + done.stderr
    names = "CoreDNS answers gladius and its pods"
    assert f"no better before the run, and so excused: {names}" in said
    assert f"{names}: excused, no better before the run: " in said
    assert f"done: excused, for it was no better before the run: {names}; {towards}" in said
    assert f"Its one step is behind us; no better than before the run: {names}; {towards}; the API" in said
    (journal,) = (tmp_path / "state/underlay/runs").glob("*.jsonl")
    reported = " ".join(report(read(journal)).split())
    assert f"▲ {names}: excused, no better before the run: " in reported
    assert f"ended: **done** (excused, for it was no better before the run: {names}; {towards})" in reported
    assert set(progress(read(journal)).excused.values()) == {(names, towards)}


def test_a_wrong_answer_is_asked_again_and_an_end_of_answers_pauses(tmp_path: Path) -> None:
    """Another node's name confirms nothing; without further answers the run rests before it did anything."""
    argv = ("run", "restore-vxlan", "--unlock", CONTEXT)
    done = underlay(tmp_path, *argv, answers="y\nyes\ngladius\n")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert "type eq14-001 exactly" in said
    assert "paused" in said
    assert "systemd-run" not in said
