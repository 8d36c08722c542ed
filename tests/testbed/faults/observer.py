"""underlay's eyes in the operator's namespace: `python -m tests.testbed.faults.observer KUBECONFIG SSH_CONFIG`.

Each line of standard input asks for one observation, {"timeout": s}, answered by what was found; {"follow": true} has
every diagnosis printed from then on, as the live screen gets it.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from probes.cluster import Cluster
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis, Finding
from tui.cli.connect import connected
from tui.cli.place import Place


def told(finding: Finding) -> dict[str, Any]:
    """Put a finding into JSON, with what is folded beneath it."""
    subject = finding.subject
    place = f"{subject.namespace}/" if subject.namespace else ""
    return {
        "code": finding.code,
        "subject": subject.name if subject.kind == "Node" else f"{subject.kind} {place}{subject.name}",
        "severity": finding.severity.name.lower(),
        "summary": finding.summary,
        "symptoms": [told(each) for each in finding.symptoms],
    }


def answer(diagnosis: Diagnosis) -> dict[str, Any]:
    """Put a diagnosis into JSON: its findings, and when each unit began to run."""
    rows = diagnosis.nodes
    return {
        "at": diagnosis.snapshot.at,
        "findings": [told(each) for each in diagnosis.findings],
        "gaps": [str(gap) for gap in diagnosis.gaps],
        "started": {row.name: row.unit.started_at if row.unit else None for row in rows},
    }


class Eyes:
    """One cluster and what was last said of it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._before: Diagnosis | None = None

    async def look(self, timeout: float) -> dict[str, Any]:
        """Observe once and judge; twice over, for an incremental diagnosis must not differ from one made afresh."""
        snapshot = await self._cluster.observe(timeout)
        afresh = diagnose(snapshot)
        self._before = diagnose(snapshot, self._before)
        said = answer(afresh)
        said["differs"] = answer(self._before)["findings"] != said["findings"]
        return said

    def publish(self, snapshot: Snapshot) -> None:
        """Print what is found now."""
        self._before = diagnose(snapshot, self._before)
        print(json.dumps(answer(self._before)), flush=True)


async def serve(kubeconfig: Path, ssh_config: Path) -> None:
    """Answer until standard input ends."""
    async with connected(Place(kubeconfig=kubeconfig, ssh_config=ssh_config), watch=True) as cluster:
        eyes = Eyes(cluster)
        following: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as tasks:
            while line := await asyncio.to_thread(sys.stdin.readline):
                asked = json.loads(line)
                if "timeout" in asked:
                    print(json.dumps(await eyes.look(asked["timeout"])), flush=True)
                elif following is None:
                    following = tasks.create_task(cluster.follow(eyes.publish))
            if following is not None:
                following.cancel()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), Path(sys.argv[2])))
