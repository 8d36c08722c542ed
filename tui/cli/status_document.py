"""The JSON of ``underlay status -o json``: its schema, docs/status-schema.json, is made from these types."""

from datetime import UTC, datetime
from typing import Final

import msgspec

from probes.model.flux import ObjectRef
from probes.model.kube import Lease, Node
from probes.model.network import NodeNetwork
from probes.model.peers import Peer
from probes.model.secrets import SecretObject
from probes.model.snapshot import SourceState
from probes.model.summary.flux import FluxSummary
from probes.model.summary.gaps import Gap
from probes.model.summary.nodes import NodeSummary
from probes.model.summary.pulls import PullFailure
from probes.rules.finding import Diagnosis, Evidence, Finding, subject_text

SCHEMA_VERSION: Final = 1
"""Raised when a field goes or changes its meaning; new fields may come at any time."""


class FindingDocument(msgspec.Struct, frozen=True):
    """Something that is not as it should be."""

    code: str
    severity: str
    """``note`` | ``warning`` | ``critical``."""
    subject: ObjectRef
    subject_text: str
    summary: str
    detail: str
    about: tuple[str, ...]
    """The other nodes that it concerns, the first few."""
    evidence: tuple[Evidence, ...]
    refutes: str
    runbooks: tuple[str, ...]
    symptoms: tuple["FindingDocument", ...]


class NodeDocument(msgspec.Struct, frozen=True):
    """A node: its line in the table, what the API says of it and what it says itself."""

    summary: NodeSummary
    kube: Node | None
    lease: Lease | None
    network: NodeNetwork | None


class PeerDocument(msgspec.Struct, frozen=True):
    """A peer entry that is not as it should be."""

    status: str
    peer: Peer


class StatusDocument(msgspec.Struct, frozen=True):
    """The state of a cluster; times are seconds since the epoch, MTUs bytes, null is what is not known."""

    schema_version: int
    underlay_version: str
    context: str
    server: str
    observed_at: str
    """RFC 3339, UTC."""
    verdict: str
    """``healthy`` | ``warning`` | ``critical`` | ``unassessed``."""
    exit_status: int
    findings: tuple[FindingDocument, ...]
    """Root causes, the worst first, each with its symptoms."""
    nodes: tuple[NodeDocument, ...]
    incomplete_peers: tuple[PeerDocument, ...]
    flux: tuple[FluxSummary, ...]
    image_pulls: tuple[PullFailure, ...]
    secrets: tuple[SecretObject, ...]
    unassessed: tuple[Gap, ...]
    sources: dict[str, SourceState]


def document(judged: Diagnosis, version: str) -> StatusDocument:
    """Put a diagnosis into the shape that programs read."""
    snapshot = judged.snapshot
    return StatusDocument(
        schema_version=SCHEMA_VERSION,
        underlay_version=version,
        context=snapshot.context,
        server=snapshot.server,
        observed_at=datetime.fromtimestamp(snapshot.at, UTC).isoformat(timespec="milliseconds"),
        verdict=judged.verdict.name.lower(),
        exit_status=int(judged.verdict),
        findings=tuple(finding_document(finding) for finding in judged.findings),
        nodes=tuple(
            NodeDocument(
                summary=row,
                kube=snapshot.nodes.get(row.name),
                lease=snapshot.leases.get(row.name),
                network=snapshot.networks.get(row.name),
            )
            for row in judged.nodes
        ),
        incomplete_peers=tuple(PeerDocument(peer.status, peer) for peer in judged.broken_peers),
        flux=judged.flux,
        image_pulls=judged.pulls,
        secrets=tuple(snapshot.secrets.values()),
        unassessed=judged.gaps,
        sources=dict(snapshot.sources),
    )


def finding_document(finding: Finding) -> FindingDocument:
    """Write a finding with all that it explains."""
    return FindingDocument(
        code=finding.code,
        severity=finding.severity.name.lower(),
        subject=finding.subject,
        subject_text=subject_text(finding.subject),
        summary=finding.summary,
        detail=finding.detail,
        about=finding.about,
        evidence=finding.evidence,
        refutes=finding.refutes,
        runbooks=finding.runbooks,
        symptoms=tuple(finding_document(symptom) for symptom in finding.symptoms),
    )


def encode(made: StatusDocument) -> str:
    """Write the document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(made), indent=2).decode()


def schema() -> str:
    """Write the JSON Schema of the document."""
    made = msgspec.json.schema(StatusDocument)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "underlay status -o json"}
    return msgspec.json.format(msgspec.json.encode({**head, **made}), indent=2).decode() + "\n"
