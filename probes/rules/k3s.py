"""k3s: the unit and its restarts, what the kubelet says of the node, etcd's voters, and versions known to be bad."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.kube import Lease, Node
from probes.model.peers import UNKNOWN
from probes.model.snapshot import KUBE, Snapshot
from probes.rules.facts import MOST_EVIDENCE, SLOW_START, NodeFacts, listed, node_ref
from probes.rules.finding import Evidence, Finding, NodeView, Severity
from probes.rules.words import age_text

FLAPPING: Final = 3
"""Restarts by systemd since the unit was last started by hand."""
RECENT: Final = 900.0
"""Seconds within which the last of them must lie."""
LEASE: Final = 40.0
"""Seconds that a lease lasts where it does not say so itself (kubelet's nodeLeaseDurationSeconds)."""
LEASE_SLACK: Final = 15.0
"""Seconds beyond its duration that a lease may lag behind the newest one: clocks differ."""
_PRESSURES: Final = ("DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable")
_FULL: Final = 0.9
_DROPPING: Final = 0.99
_RECREATES: Final = ((33, 13), (34, 9), (35, 6), (36, 2))
"""Minor and patch of the first versions of k3s that make a deleted device again (k3s PR 14086)."""
_ALL_NEEDED: Final = 2
"""Members of etcd of which none may be lost."""
_SERVERS: Final = frozenset({"control-plane", "master", "etcd"})
"""Roles of which a server has one."""
CHANGE: Final = 86400.0
"""Seconds after a change of k3s in which what is found on its node may well have begun with it."""
_VERSION: Final = re.compile(r"v?1\.(\d{1,3})\.(\d{1,3})")


def judge_k3s(facts: NodeFacts) -> Iterator[Finding]:
    """Judge one node's unit, conditions and connection tracking."""
    yield from _judge_unit(facts)
    if facts.node is not None:
        yield from _judge_conditions(facts, facts.node)
    yield from _judge_version(facts)
    yield from _judge_change(facts)
    table = facts.network.conntrack if facts.network else None
    if table is not None and table.maximum and table.count >= _FULL * table.maximum:
        yield facts.finding(
            "conntrack-full",
            Severity.CRITICAL if table.count >= _DROPPING * table.maximum else Severity.WARNING,
            f"the connection tracking table is {100 * table.count // table.maximum} % full: when it is full, new "
            "connections are dropped without a word",
            facts.seen(
                "sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
                f"{table.count} of {table.maximum}",
            ),
            refutes="nf_conntrack_count is well below nf_conntrack_max, and dmesg has no 'table full'",
        )


def _judge_unit(facts: NodeFacts) -> Iterator[Finding]:
    unit, seen_at = facts.row.unit, facts.row.seen_at
    if unit is None or unit.active_state in {"", "reloading"}:
        return
    state = f"{unit.active_state} ({unit.sub_state})"
    shown = facts.seen(
        f"systemctl show {unit.name}",
        f"ActiveState={unit.active_state} SubState={unit.sub_state} NRestarts={unit.n_restarts}",
    )
    since = seen_at - unit.started_at if seen_at is not None and unit.started_at is not None else None
    often = unit.n_restarts is not None and unit.n_restarts >= FLAPPING
    if unit.active_state == "active":
        if often and since is not None and since < RECENT:
            said = f"systemd has restarted {unit.name} {unit.n_restarts} times by itself, last {age_text(since)} ago"
            yield facts.finding("unit-flapping", Severity.WARNING, said, shown, refutes="NRestarts stays as it is")
        return
    refutes = f"systemctl is-active {unit.name} says active"
    passing = unit.active_state == "deactivating" or (
        unit.active_state == "activating" and unit.sub_state != "auto-restart"
    )
    if passing and not often:
        # Before its main process runs, the unit still has the start time of the one before.
        begun = since if unit.sub_state == "start" else None
        late = begun is not None and begun > SLOW_START
        what = "starting" if unit.active_state == "activating" else "being stopped"
        how = "" if begun is None else f" for {age_text(begun)}"
        said = f"{unit.name} is {what}{how}" + ("; a large database can make that long, do not kill it" if late else "")
        yield facts.finding("unit-starting", Severity.WARNING if late else Severity.NOTE, said, shown, refutes=refutes)
        return
    again = f", and was restarted {unit.n_restarts} times by systemd" if often else ""
    yield facts.finding(
        "unit-not-active", Severity.CRITICAL, f"unit {unit.name} is {state}{again}", shown, refutes=refutes
    )


def _judge_conditions(facts: NodeFacts, node: Node) -> Iterator[Finding]:
    if node.ready != "True":
        condition = node.condition("Ready")
        why = f": {condition.reason}: {condition.message}" if condition else ": it has no Ready condition"
        yield facts.finding(
            "node-not-ready",
            Severity.CRITICAL,
            f"the node is not Ready ({node.ready}){why}",
            facts.told(f"Ready={node.ready}{why}"),
            refutes=f"kubectl get node {node.name} says Ready, with a lease renewed since",
        )
    for kind in _PRESSURES:
        condition = node.condition(kind)
        if condition is not None and condition.status == "True":
            yield facts.finding(
                "node-pressure",
                Severity.WARNING,
                f"{kind}: {condition.message or condition.reason}",
                facts.told(f"{kind}=True {condition.reason}: {condition.message}"),
                refutes=f"the condition {kind} is False",
            )
    voter = node.condition("EtcdIsVoter")
    if voter is not None and voter.status == "False":
        yield facts.finding(
            "etcd-not-voter",
            Severity.WARNING,
            f"not a voter of etcd: {voter.reason}",
            facts.told(f"EtcdIsVoter=False: {voter.reason}: {voter.message}"),
            refutes="the condition EtcdIsVoter is True; it may lag by five minutes",
        )


def _judge_version(facts: NodeFacts) -> Iterator[Finding]:
    """Say where a device that is gone will not come back by itself."""
    mine = _release(facts.row.version)
    if mine is None or facts.row.overlay_state != "missing":
        return
    fixed = next((version for version in _RECREATES if version[0] >= mine[0]), mine)
    if mine < fixed:
        yield facts.finding(
            "k3s-keeps-no-device",
            Severity.NOTE,
            f"k3s {facts.row.version} never makes a deleted {facts.row.overlay} again by itself; "
            f"1.{fixed[0]}.{fixed[1]} does",
            facts.told(f"kubeletVersion {facts.row.version}"),
            refutes="journalctl shows no 'external interface  not found, retrying in 30s'",
        )


def _judge_change(facts: NodeFacts) -> Iterator[Finding]:
    """Say of a node on which something of k3s or flannel is amiss that its k3s was changed of late."""
    host, seen_at = facts.network.host if facts.network else None, facts.row.seen_at
    if host is None or host.k3s_changed_at is None or seen_at is None or not _ails(facts):
        return
    since = seen_at - host.k3s_changed_at
    if 0 <= since <= CHANGE:
        version = facts.row.version or "of a version that it does not tell"
        yield facts.finding(
            "k3s-version-changed",
            Severity.NOTE,
            f"k3s {version} replaced another build {age_text(since)} ago: likely this began with it",
            facts.seen(
                "stat /var/lib/rancher/k3s/data/current /var/lib/rancher/k3s/data/previous",
                f"current was linked {age_text(since)} ago, and there is a previous",
            ),
            refutes="journalctl -u k3s or k3s-agent shows the trouble before the new version's first start",
        )


def _ails(facts: NodeFacts) -> bool:
    """Tell whether something is amiss that k3s or flannel makes when it starts."""
    row = facts.row
    stopped = row.unit is not None and row.unit.active_state not in {"", "active", "reloading"}
    lacks = row.overlay_state in {"missing", "down"} or row.subnet_env_state == "missing"
    return stopped or lacks or any(peer.status != UNKNOWN for peer in facts.peers.broken)


def same_servers(new: Mapping[str, Node], old: Mapping[str, Node], moved: Iterable[str]) -> bool:
    """Tell whether `judge_servers` has the same to judge; ``moved``: the Nodes that changed, came or went."""
    pairs = ((new.get(name), old.get(name)) for name in moved)
    return all(node is not None and was is not None and _standing(node) == _standing(was) for node, was in pairs)


def _standing(node: Node) -> tuple[object, ...]:
    """Tell all that etcd's quorum and the skew of versions are made of, of one Node."""
    return node.kubelet_version, node.roles, _is_lost(node)


def judge_servers(snapshot: Snapshot) -> Iterator[Finding]:
    """Judge what the Nodes say together: etcd's quorum and versions."""
    if snapshot.source(f"{KUBE}nodes").at is not None:
        yield from _judge_quorum(snapshot)
        yield from _judge_skew(snapshot)


def judge_leases(snapshot: Snapshot, views: Mapping[str, NodeView]) -> Iterator[Finding]:
    """Judge leases that are not renewed."""
    yield from _judge_leases(snapshot.nodes, snapshot.leases, views, snapshot.source(f"{KUBE}leases").at)


def _is_lost(node: Node) -> bool:
    """Tell whether a member of etcd is not to be counted on."""
    voter = node.condition("EtcdIsVoter")
    return node.ready != "True" or (voter is not None and voter.status == "False")


def _judge_quorum(snapshot: Snapshot) -> Iterator[Finding]:
    """Judge how many members may still be lost; with one or two every loss is an outage anyway."""
    members = [node for node in snapshot.nodes.values() if "etcd" in node.roles]
    lost = sorted(node.name for node in members if _is_lost(node))
    quorum, whole = len(members) // 2 + 1, len(members) - len(lost)
    if len(members) <= _ALL_NEEDED or not lost or whole > quorum:
        return
    at = snapshot.source(f"{KUBE}nodes").at
    seen = tuple(Evidence(f"Node/{name}", "not Ready, or no voter", "API", at) for name in lost[:MOST_EVIDENCE])
    gone = whole < quorum
    said = (
        f"etcd has {whole} of {len(members)} members, fewer than its quorum of {quorum}: nothing can be written"
        if gone
        else f"etcd has {whole} of {len(members)} members, exactly its quorum: one more restart stops the API"
    )
    yield Finding(
        "etcd-quorum",
        Severity.CRITICAL if gone else Severity.WARNING,
        ObjectRef("Cluster", "", "etcd"),
        said,
        seen,
        "every server is Ready and has EtcdIsVoter True",
        about=tuple(lost[:MOST_EVIDENCE]),
    )


@lru_cache
def _release(version: str) -> tuple[int, int] | None:
    """Read minor and patch of a version; None where it is of another form."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None


def _judge_skew(snapshot: Snapshot) -> Iterator[Finding]:
    """Servers may be newer than agents, never the other way round."""
    servers: set[int] = set()
    agents: dict[int, list[str]] = {}
    for node in snapshot.nodes.values():
        release = _release(node.kubelet_version)
        if release is None:
            continue
        if _SERVERS.isdisjoint(node.roles):
            agents.setdefault(release[0], []).append(node.name)
        else:
            servers.add(release[0])
    oldest = min(servers, default=max(agents, default=0))
    names = sorted(name for minor, mine in agents.items() if minor > oldest for name in mine)
    if names:
        at = snapshot.source(f"{KUBE}nodes").at
        yield Finding(
            "k3s-version-skew",
            Severity.WARNING,
            ObjectRef("Cluster", "", "k3s"),
            f"{listed(names)}: newer than a server, which has 1.{oldest}; servers are upgraded before agents",
            tuple(Evidence(f"Node/{n}", snapshot.nodes[n].kubelet_version, "API", at) for n in names[:MOST_EVIDENCE]),
            "kubectl get nodes shows no agent newer than the oldest server",
            about=tuple(names[:MOST_EVIDENCE]),
        )


def _judge_leases(
    nodes: Mapping[str, Node], leases: Mapping[str, Lease], views: Mapping[str, NodeView], at: float | None
) -> Iterator[Finding]:
    """Judge leases by the newest one, not by our clock; a Node stays Ready for 40 s and more after its kubelet."""
    moments = [lease.renewed_at for lease in leases.values() if lease.renewed_at is not None]
    if not moments or max(moments) - min(moments) <= LEASE_SLACK:
        return
    renewed = {
        name: lease.renewed_at for name, lease in leases.items() if name in nodes and lease.renewed_at is not None
    }
    newest = max(renewed.values(), default=0.0)
    for name, then in renewed.items():
        if (lag := newest - then) <= LEASE_SLACK:
            continue
        given = leases[name].duration
        if lag <= LEASE_SLACK + (LEASE if given is None else given) or nodes[name].ready != "True" or name not in views:
            continue
        said = f"its kubelet has not renewed its lease for {age_text(lag)}, though the node still says Ready"
        source = f"kubectl -n kube-node-lease get lease {name} -o yaml"
        seen = Evidence(source, f"renewTime {age_text(lag)} older than the newest", "API", at)
        yield Finding(
            "node-lease-stale", Severity.WARNING, node_ref(name), said, (seen,), "renewTime moves every ten seconds"
        )
