"""An incident of the demo cluster is repaired by a runbook alone, over real SSH and the real API of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

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


def test_a_wrong_answer_is_asked_again_and_an_end_of_answers_pauses(tmp_path: Path) -> None:
    """Another node's name confirms nothing; without further answers the run rests before it did anything."""
    argv = ("run", "restore-vxlan", "--unlock", CONTEXT)
    done = underlay(tmp_path, *argv, answers="y\nyes\ngladius\n")
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stdout + done.stderr
    assert "type eq14-001 exactly" in said
    assert "paused" in said
    assert "systemd-run" not in said
