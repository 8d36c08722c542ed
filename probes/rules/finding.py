"""Finding: something that is not as it should be, with its evidence; Diagnosis: a snapshot summed up and judged."""

from collections.abc import Mapping
from enum import IntEnum

import msgspec

from probes.model.flux import ObjectRef
from probes.model.network import NodeNetwork
from probes.model.peers import Overlay, Peer, PeerTable
from probes.model.snapshot import Snapshot, SourceState
from probes.model.summary.flux import FluxSummary
from probes.model.summary.gaps import Gap
from probes.model.summary.nodes import NodeSummary
from probes.model.summary.pulls import PullFailure
from probes.rules.places import Places


class Severity(IntEnum):
    """How bad a finding is, by itself."""

    NOTE = 0
    """Worth knowing; nothing is broken by it."""
    WARNING = 1
    CRITICAL = 2


class Verdict(IntEnum):
    """How bad it is altogether; the value is the exit status of ``underlay status``."""

    HEALTHY = 0
    WARNING = 1
    CRITICAL = 2
    UNASSESSED = 3
    """Nothing could be assessed at all."""


class Evidence(msgspec.Struct, frozen=True):
    """What was seen, so that nobody has to believe us."""

    source: str
    """The command or the object: ``ip -d link show flannel.1``, ``Node/samwise conditions``."""
    excerpt: str
    vantage: str = ""
    """Where it was seen from: a node's name, ``API``."""
    at: float | None = None


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it should be."""

    code: str
    """A stable slug, the same in the rule, in runbooks and in ``underlay explain``."""
    severity: Severity
    subject: ObjectRef
    """A node is ``ObjectRef("Node", "", NAME)``; a registry, the API and a resolver are kinds of subject as well."""
    summary: str
    """One sentence."""
    evidence: tuple[Evidence, ...] = ()
    refutes: str = ""
    """What would show that this finding is wrong."""
    runbooks: tuple[str, ...] = ()
    symptoms: tuple["Finding", ...] = ()
    """Findings that this one explains, folded beneath it."""
    detail: str = ""
    """What an operator should know besides: what repairs it, what does not, what it is often mistaken for."""
    about: tuple[str, ...] = ()
    """The other nodes that it concerns, the first few."""

    @property
    def worst(self) -> Severity:
        """The severity of the finding and of everything it explains."""
        return max((self.severity, *(symptom.worst for symptom in self.symptoms)))


def subject_text(subject: ObjectRef) -> str:
    """Write a subject as an operator calls it: a node by its name, an object by kind, namespace and name."""
    if subject.kind in {"Node", "API", "Registry"}:
        return subject.name
    place = f"{subject.namespace}/" if subject.namespace else ""
    return f"{subject.kind} {place}{subject.name}"


class NodeView(msgspec.Struct, frozen=True, eq=False):
    """One node summed up and judged; the same object as long as nothing about it changed."""

    summary: NodeSummary
    peers: PeerTable
    findings: tuple[Finding, ...]
    grace_ends: float | None = None
    """When what lacks because the node is new, or its k3s has only just started, is to be judged again."""


class Index(msgspec.Struct, frozen=True, eq=False):
    """What rules look up instead of going through all nodes and sources at every change; in no order."""

    silent: Mapping[str, SourceState] = {}
    """The sources that have not answered and are not merely absent."""
    partial: Mapping[str, NodeNetwork] = {}
    """The nodes that did not tell everything."""
    resolvers: Mapping[str, tuple[str, ...]] = {}
    """By node, whom its pods ask for names; without those where that is not known."""
    amiss: Mapping[str, NodeView] = {}
    """The nodes of which something was found."""
    graces: Mapping[str, float] = {}
    """By node, when what lacks there is to be judged again."""
    uplinks: Mapping[str, int] = {}
    """By node, the MTU of its uplink, where it is known."""
    overlays: Mapping[str, int] = {}
    """By node, the MTU of its VXLAN device, where it is known."""


class Diagnosis(msgspec.Struct, frozen=True, eq=False):
    """A snapshot summed up and judged."""

    snapshot: Snapshot
    verdict: Verdict = Verdict.UNASSESSED
    findings: tuple[Finding, ...] = ()
    """Root causes, the worst first, each with its symptoms."""
    gaps: tuple[Gap, ...] = ()
    """What could not be assessed, and why."""
    views: Mapping[str, NodeView] = {}
    """By node name, servers first, then by name."""
    flux: tuple[FluxSummary, ...] = ()
    pulls: tuple[PullFailure, ...] = ()
    overlay: Overlay = Overlay()
    places: Places = Places()
    index: Index = Index()
    declared: tuple[Finding, ...] = ()
    """What the Node objects show by themselves: made again only when one of them changes."""
    published: tuple[Finding, ...] = ()
    """What flannel's annotations and the podCIDRs show together: made again only when one of those changes."""

    @property
    def nodes(self) -> tuple[NodeSummary, ...]:
        """Every node in one line, servers first."""
        return tuple(view.summary for view in self.views.values())

    @property
    def broken_peers(self) -> tuple[Peer, ...]:
        """Every peer entry that is not as it should be, on every node."""
        return tuple(peer for view in self.views.values() for peer in view.peers.broken)

    def count(self, severity: Severity) -> int:
        """Count the findings of a severity, symptoms included."""
        return sum(_count(finding, severity) for finding in self.findings)


def _count(finding: Finding, severity: Severity) -> int:
    return (finding.severity == severity) + sum(_count(symptom, severity) for symptom in finding.symptoms)
