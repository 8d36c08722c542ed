"""All that is known of an object, as one readable account."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
import yaml

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from probes.model.text import clean_lines
from probes.rules.finding import Diagnosis, Finding, subject_text
from tui.format import UNICODE, Glyphs, Span
from tui.views.events import pull_document, secret_document
from tui.views.finding_detail import cause_of, finding_document
from tui.views.flux import key_of
from tui.views.flux_detail import flux_document, flux_row, ref_text
from tui.views.node import node_document
from tui.views.timeline import COLUMNS, change_rows
from tui.widgets.blocks import Block, Grid, Heading, Paragraph

_NODE: Final = "Node"


def describe(
    diagnosis: Diagnosis,
    ref: ObjectRef,
    changes: Sequence[Change] = (),
    counters: Mapping[str, int] | None = None,
    glyphs: Glyphs = UNICODE,
) -> tuple[Block, ...]:
    """Write an object up with every finding about it; ``changes`` is the timeline, ``counters`` as for a node."""
    if ref.kind == _NODE:
        return (*node_document(diagnosis, ref.name, changes, counters, glyphs), *_findings(diagnosis, ref, glyphs))
    blocks: list[Block] = [*_object(diagnosis, ref, glyphs)]
    blocks += _findings(diagnosis, ref, glyphs)
    mine = change_rows(changes, glyphs, subject=key_of(ref))
    if mine:
        blocks += [Heading("Changes"), Grid(COLUMNS, mine)]
    return tuple(blocks) or (Paragraph(f"Nothing is known of {ref_text(ref)}.", "unknown"),)


def _object(diagnosis: Diagnosis, ref: ObjectRef, glyphs: Glyphs) -> Iterable[Block]:
    if flux_row(diagnosis, ref) is not None:
        return flux_document(diagnosis, ref, glyphs)
    secret = next((item for item in diagnosis.snapshot.secrets.values() if item.ref == ref), None)
    if secret is not None:
        return secret_document(diagnosis, secret, glyphs)
    if ref.kind == "Registry":
        failing = [row for row in diagnosis.pulls if row.registry == ref.name]
        return [
            block
            for row in failing
            for block in (Heading(row.image, Span(row.node, "muted")), *pull_document(diagnosis, row, glyphs))
        ]
    return ()


def _findings(diagnosis: Diagnosis, ref: ObjectRef, glyphs: Glyphs) -> list[Block]:
    """Give the evidence of every finding about an object."""
    blocks: list[Block] = []
    for finding in about(diagnosis, ref):
        blocks += [Heading(f"Finding {finding.code}", Span(subject_text(finding.subject), "muted"))]
        blocks += finding_document(finding, glyphs, cause=cause_of(diagnosis, finding))
    return blocks


def about(diagnosis: Diagnosis, ref: ObjectRef) -> list[Finding]:
    """List the findings about an object, symptoms included."""
    return [finding for root in diagnosis.findings for finding in _all(root) if finding.subject == ref]


def _all(finding: Finding) -> list[Finding]:
    return [finding, *(below for symptom in finding.symptoms for below in _all(symptom))]


def facts_yaml(diagnosis: Diagnosis, ref: ObjectRef) -> str:
    """Write what was observed of an object as YAML; empty where nothing was."""
    snapshot = diagnosis.snapshot
    known: dict[str, Any] = {}
    if ref.kind == _NODE:
        known = {
            "node": snapshot.nodes.get(ref.name),
            "lease": snapshot.leases.get(ref.name),
            "source": snapshot.sources.get(f"node/{ref.name}"),
            "network": snapshot.networks.get(ref.name),
        }
    else:
        row = flux_row(diagnosis, ref)
        known = {
            "object": row.object if row else None,
            "secret": next((item for item in snapshot.secrets.values() if item.ref == ref), None),
            "pulls": [each for each in diagnosis.pulls if ref.kind == "Registry" and each.registry == ref.name],
        }
    known |= {"findings": about(diagnosis, ref)}
    told = {key: _dated(msgspec.to_builtins(value)) for key, value in known.items() if value}
    if not told:
        return ""
    return clean_lines(yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=10_000))


def _dated(value: Any, key: str = "") -> Any:
    """Write moments as dates; by our own naming they are ``at``, ``since`` and what ends in ``_at``."""
    if isinstance(value, dict):
        return {name: _dated(each, str(name)) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_dated(each) for each in value]
    is_moment = isinstance(value, float) and (key in {"at", "since"} or key.endswith("_at"))
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds") if is_moment else value
