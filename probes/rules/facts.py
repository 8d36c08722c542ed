"""What a rule about one node looks at, and the words it puts a finding in."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from probes.model.flux import ObjectRef
from probes.model.kube import Node
from probes.model.network import Link, NetConf, NodeNetwork
from probes.model.peers import PeerTable, overlay_device
from probes.model.snapshot import KUBE, Snapshot
from probes.model.summary.nodes import NodeSummary
from probes.rules.finding import Evidence, Finding, Severity

START_GRACE: Final = 30.0
"""Seconds after k3s began to start in which flannel may not have made everything yet: what lacks then is a note."""
SPELLED_OUT: Final = 3
"""Names that a sentence spells out; the rest is counted."""
MOST_EVIDENCE: Final = 10
"""Pieces of evidence of one finding; more say the same."""


def node_ref(name: str) -> ObjectRef:
    """Refer to a node."""
    return ObjectRef("Node", "", name)


def listed(names: Sequence[str]) -> str:
    """Write names as a sentence does: ``boromir, samwise and 3 more``."""
    shown = list(names[:SPELLED_OUT])
    if len(names) > SPELLED_OUT:
        return f"{', '.join(shown)} and {len(names) - SPELLED_OUT} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def lasting(seconds: float) -> str:
    """Write a length of time roughly: ``40 minutes``, ``5 hours``, ``23 days``."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


class NodeFacts(msgspec.Struct, frozen=True):
    """One node: its line, what the API and its kernel say, and its peers."""

    row: NodeSummary
    peers: PeerTable
    node: Node | None = None
    network: NodeNetwork | None = None
    links: Mapping[str, Link] | None = None
    """By ifname; ``None`` where they were not observed."""
    api_at: float | None = None
    """When the API last told its nodes."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.row.name

    @property
    def devices(self) -> dict[str, str]:
        """The VXLAN device flannel should have for each address family of the node's podCIDRs."""
        if self.row.backend != "vxlan":
            return {}
        if self.node is None:
            return {"inet": "flannel.1"}
        families = {"inet6" if ":" in cidr else "inet" for cidr in self.node.pod_cidrs} or {"inet"}
        return {family: overlay_device(self.node, family) for family in sorted(families)}

    @property
    def net_conf(self) -> NetConf | None:
        """What flannel was configured with; ``None`` where that is not known."""
        return self.network.net_conf if self.network else None

    @property
    def grace_ends(self) -> float | None:
        """When k3s will have had its time to start; ``None`` where it has had it, or is not known to start."""
        unit, seen = self.row.unit, self.row.seen_at
        if unit is None or unit.started_at is None or seen is None or unit.active_state not in {"active", "activating"}:
            return None
        return unit.started_at + START_GRACE if 0 <= seen - unit.started_at < START_GRACE else None

    def once_started(self, severity: Severity) -> Severity:
        """Tell how bad it is that something lacks which flannel makes when it starts."""
        return severity if self.grace_ends is None else Severity.NOTE

    def seen(self, command: str, excerpt: str) -> Evidence:
        """Quote a command that ran on the node."""
        return Evidence(command, excerpt, self.name, self.row.seen_at)

    def told(self, excerpt: str) -> Evidence:
        """Quote the Node object."""
        return Evidence(f"Node/{self.name}", excerpt, "API", self.api_at)

    def finding(
        self,
        code: str,
        severity: Severity,
        summary: str,
        *evidence: Evidence,
        refutes: str = "",
        detail: str = "",
        about: tuple[str, ...] = (),
    ) -> Finding:
        """Name something that is not as it should be on this node."""
        subject = node_ref(self.name)
        return Finding(code, severity, subject, summary, evidence[:MOST_EVIDENCE], refutes, detail=detail, about=about)


def node_facts(snapshot: Snapshot, row: NodeSummary, peers: PeerTable) -> NodeFacts:
    """Gather what the rules about one node look at."""
    network = snapshot.networks.get(row.name)
    links = None if network is None or network.links is None else {link.ifname: link for link in network.links}
    return NodeFacts(row, peers, snapshot.nodes.get(row.name), network, links, snapshot.source(f"{KUBE}nodes").at)
