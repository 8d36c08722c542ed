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
SLOW_START: Final = 300.0
"""Seconds that k3s may take to start before it is called slow; a large database takes longer still."""
SETTLE: Final = 120.0
"""Seconds that a new Node may take to get its podCIDR and annotations."""
SPELLED_OUT: Final = 3
"""Names that a sentence spells out; the rest is counted."""
MOST_EVIDENCE: Final = 10
"""Pieces of evidence of one finding; more say the same."""


OVERLAY: Final = ObjectRef("Cluster", "", "overlay")
"""The subject of what the nodes' overlays show together."""


def node_ref(name: str) -> ObjectRef:
    """Refer to a node."""
    return ObjectRef("Node", "", name)


def listed(names: Sequence[str]) -> str:
    """Write names as a sentence does: ``boromir, samwise and 3 more``."""
    shown = list(names[:SPELLED_OUT])
    if len(names) > SPELLED_OUT:
        return f"{', '.join(shown)} and {len(names) - SPELLED_OUT} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def families_of(node: Node) -> list[str]:
    """Tell the address families of a node's podCIDRs; ``inet`` where it has none yet."""
    return sorted({"inet6" if ":" in cidr else "inet" for cidr in node.pod_cidrs}) or ["inet"]


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
    now: float = 0.0
    """When the newest thing was observed."""
    published: bool = False
    """Whether flannel has published anything of any node."""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.row.name

    @property
    def devices(self) -> dict[str, str]:
        """The VXLAN device flannel should have for each address family of the node's podCIDRs."""
        if self.row.backend != "vxlan":
            return {}
        node = self.node or Node(self.name)
        return {family: overlay_device(node, family) for family in families_of(node)}

    @property
    def net_conf(self) -> NetConf | None:
        """What flannel was configured with; ``None`` where that is not known."""
        return self.network.net_conf if self.network else None

    @property
    def grace_ends(self) -> float | None:
        """When k3s will have had its time to start; ``None`` where it has had it, or is not known to start."""
        unit, seen = self.row.unit, self.row.seen_at
        if unit is None or seen is None or unit.active_state not in {"active", "activating"}:
            return None
        began = unit.started_at
        return began + START_GRACE if began is not None and began <= seen < began + START_GRACE else None

    @property
    def settled_at(self) -> float | None:
        """When a new Node will have had its time to get its podCIDR and annotations; ``None`` where it has had it."""
        made = self.node.created_at if self.node else None
        return None if made is None or self.now >= made + SETTLE else made + SETTLE

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


def node_facts(snapshot: Snapshot, row: NodeSummary, peers: PeerTable, *, published: bool = False) -> NodeFacts:
    """Gather what the rules about one node look at; ``published``: whether flannel has, of any node."""
    network = snapshot.networks.get(row.name)
    links = None if network is None or network.links is None else {link.ifname: link for link in network.links}
    at = snapshot.source(f"{KUBE}nodes").at
    return NodeFacts(row, peers, snapshot.nodes.get(row.name), network, links, at, snapshot.at, published)
