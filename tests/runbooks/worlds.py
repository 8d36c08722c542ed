"""Diagnoses to plan and to judge by: a healthy cluster in which k3s runs and leases are renewed."""

import msgspec

from probes.model.kube import Condition, Lease
from probes.model.observation import Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis
from runbooks.runbook import Runbook
from runbooks.schema import parse
from tests.probes.worlds import AT, NAMES, healthy, with_network

KUBE = ("pods", "leases", "pull_events", "secret_events")


def running(names: tuple[str, ...] = NAMES) -> Snapshot:
    """Make a healthy cluster whose API told everything."""
    snapshot = healthy(names)
    leases = {name: Lease(name, AT, 40) for name in names}
    told = [Observed(f"kube/{field}", AT, Listed(leases if field == "leases" else {})) for field in KUBE]
    return fold(snapshot, told)


def diagnosis(snapshot: Snapshot | None = None) -> Diagnosis:
    return diagnose(snapshot or running())


def with_servers(snapshot: Snapshot, servers: tuple[str, ...]) -> Snapshot:
    """Make some nodes servers with embedded etcd, all of them voters."""
    voter = Condition("EtcdIsVoter", "True", "MemberNotLearner")
    ready = Condition("Ready", "True", "KubeletReady")
    nodes = {
        name: msgspec.structs.replace(
            node,
            roles=("control-plane", "etcd") if name in servers else (),
            node_args=("server" if name in servers else "agent",),
            conditions=(ready, voter) if name in servers else (ready,),
        )
        for name, node in snapshot.nodes.items()
    }
    return msgspec.structs.replace(snapshot, nodes=nodes)


def at(snapshot: Snapshot, when: float) -> Snapshot:
    """Let every source have answered at a later time."""
    sources = {name: msgspec.structs.replace(state, at=when) for name, state in snapshot.sources.items()}
    return msgspec.structs.replace(snapshot, at=when, sources=sources)


def restarted(snapshot: Snapshot, name: str, invocation: str = "b" * 32, started: float = AT + 5) -> Snapshot:
    """Let a node's k3s have been started anew."""
    unit = snapshot.networks[name].unit
    assert unit is not None
    return with_network(
        snapshot, name, unit=msgspec.structs.replace(unit, invocation_id=invocation, started_at=started)
    )


def runbook(steps: str, head: str = "", name: str = "mine") -> Runbook:
    """Read a small runbook."""
    return parse(f"name: {name}\ntitle: A title\n{head}steps:\n{steps}", f"{name}.yaml")
