"""A finding with its evidence: what was seen, where and when, what it explains, and what would refute it."""

from collections.abc import Iterator
from typing import Final

from probes.rules.finding import Diagnosis, Evidence, Finding, Severity, subject_text
from tui.format import UNICODE, Glyphs, Span, age, status
from tui.views.findings import finding_key
from tui.widgets.blocks import Block, Bullet, Flow, Heading, Paragraph
from tui.widgets.cells import Ticking

SEVERITY: Final = {Severity.NOTE: "none", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


def seen(at: float | None, now: float) -> Span:
    """Say when evidence was seen."""
    return Span("at an unknown time", "unknown") if at is None else Span(f"{age(now - at)} ago", "muted")


def finding_document(finding: Finding, glyphs: Glyphs = UNICODE, *, cause: Finding | None = None) -> tuple[Block, ...]:
    """Write a finding up, its evidence first; ``cause`` is the root that explains it."""
    severity = status(SEVERITY[finding.severity], glyphs, finding.severity.name.lower())
    blocks: list[Block] = [
        Flow((severity, Span(finding.code), Span(subject_text(finding.subject)))),
        Paragraph(finding.summary),
    ]
    if finding.detail:
        blocks.append(Paragraph(finding.detail, "muted"))
    blocks.append(Paragraph("e explains what it means, how to verify it by hand and how to repair it", "accent"))
    for evidence in finding.evidence:
        blocks += _evidence(evidence)
    if not finding.evidence:
        blocks.append(Paragraph("No evidence was kept.", "unknown"))
    if cause is not None and cause is not finding:
        said = f"{cause.code} {subject_text(cause.subject)}: {cause.summary}"
        blocks += [Heading("Explained by"), Paragraph(said, key=finding_key(cause))]
    if finding.symptoms:
        blocks += [Heading("Explains", Span(str(len(finding.symptoms)), "muted"))]
        blocks += [
            Bullet(
                status(SEVERITY[below.severity], glyphs),
                f"{subject_text(below.subject)}: {below.summary}",
                finding_key(below),
            )
            for below in finding.symptoms
        ]
    if finding.refutes:
        blocks += [Heading("Would be wrong if"), Paragraph(finding.refutes)]
    if finding.runbooks:
        blocks += [Heading("Runbooks"), Paragraph(", ".join(finding.runbooks))]
    return tuple(blocks)


def _evidence(evidence: Evidence) -> Iterator[Block]:
    yield Heading(evidence.source)
    yield Flow((*((Span(evidence.vantage, "muted"),) if evidence.vantage else ()), Ticking(evidence.at, seen)))
    yield Paragraph(evidence.excerpt, indent=3)


def cause_of(diagnosis: Diagnosis, finding: Finding) -> Finding | None:
    """Tell which finding explains another; None where it is a root itself."""
    return next((root for root in diagnosis.findings if finding in _below(root)), None)


def _below(root: Finding) -> Iterator[Finding]:
    for symptom in root.symptoms:
        yield symptom
        yield from _below(symptom)
