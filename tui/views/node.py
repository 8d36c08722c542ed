"""A node as one document: how it is, its packet path, its peers, and every fact behind them."""

from collections.abc import Mapping, Sequence
from typing import Final

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis, Finding, Severity
from tui.format import UNICODE, Glyphs, Span, age, status
from tui.views.host import (
    Section,
    copies_section,
    counter_section,
    gap_section,
    kernel_section,
    resolver_section,
    unit_section,
)
from tui.views.links import link_section, route_section, vxlan_section
from tui.views.path import packet_path
from tui.views.peers import peer_section
from tui.views.timeline import COLUMNS, change_rows
from tui.widgets.blocks import Block, Bullet, Flow, Grid, Heading, Paragraph, sections
from tui.widgets.cells import Cell, Ticking
from tui.widgets.packet_path import PacketPath
from tui.widgets.sparkline import History

_FINDING: Final = "finding"
"""The key of lines that lead to the findings."""
_MOST_FINDINGS: Final = 4
"""Findings that are spelled out above the path."""
SEVERITY: Final = {Severity.NOTE: "none", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


def seen(at: float | None, now: float) -> Span:
    """Say when a node last answered."""
    return Span("never seen", "unknown") if at is None else Span(f"seen {age(now - at)} ago", "muted")


def node_document(
    diagnosis: Diagnosis,
    name: str,
    changes: Sequence[Change] = (),
    counters: Mapping[str, int] | None = None,
    glyphs: Glyphs = UNICODE,
    history: Mapping[str, History] | None = None,
) -> tuple[Block, ...]:
    """Write a node up, the answer first.

    ``changes``: the timeline, of all, oldest first. ``counters``: what the node's counters were when somebody began to
    look. ``history``: how they grew since, as ``NODE/COUNTER``.
    """
    if name not in diagnosis.views:
        return (Paragraph(f"No node {name} is known: neither the API nor the settings name it.", "unknown"),)
    parts: list[Section | None] = [
        peer_section(diagnosis, name, glyphs),
        vxlan_section(diagnosis, name, glyphs),
        link_section(diagnosis, name, glyphs),
        route_section(diagnosis, name, glyphs),
        unit_section(diagnosis, name, glyphs),
        resolver_section(diagnosis, name, glyphs),
        copies_section(diagnosis, name, glyphs),
        counter_section(diagnosis, name, counters or {}, history or {}, glyphs),
        kernel_section(diagnosis, name, glyphs),
        (Heading("Changes"), (Grid(COLUMNS, change_rows(changes, glyphs, subject=name), Span("none yet", "muted")),)),
    ]
    hops = packet_path(diagnosis, name, glyphs)
    path: tuple[Block, ...] = (PacketPath(hops),) if hops else (_never(diagnosis, name),)
    head = (_line(diagnosis, name, glyphs), *_findings(diagnosis, name, glyphs), *path)
    # What is not known goes before what is, without a number: the others keep theirs.
    heading, why = gap_section(diagnosis, name, glyphs) or (None, ())
    gaps = (heading, *why) if heading else ()
    return (*head, *gaps, *sections(filter(None, parts)))


def _never(diagnosis: Diagnosis, name: str) -> Paragraph:
    state = diagnosis.snapshot.source(f"node/{name}")
    return Paragraph(f"{name} has not been read: {state.reason or 'it has not answered yet'}", "unknown")


def _line(diagnosis: Diagnosis, name: str, glyphs: Glyphs) -> Flow:
    """Say in one line what the node is."""
    row = diagnosis.views[name].summary
    node = diagnosis.snapshot.nodes.get(name)
    ready = {"True": "ok", "False": "critical"}.get(row.ready, "unknown")
    words = [row.role or "role unknown", row.version, row.backend, *(node.internal_ips[:1] if node else ())]
    said: list[Cell] = [status(ready, glyphs, "Ready" if ready == "ok" else f"Ready {row.ready}")]
    if row.unschedulable:
        said.append(status("warning", glyphs, "cordoned"))
    said += [Span(word) for word in words if word]
    said.append(Ticking(row.seen_at, seen))
    if row.source.status not in {"ok", "loading"}:
        said.append(Span(row.source.status, "stale"))
    return Flow(tuple(said))


def _findings(diagnosis: Diagnosis, name: str, glyphs: Glyphs) -> list[Block]:
    """Say what is wrong with the node before anything else: its root causes, and what others cause here."""
    found: list[tuple[Finding, int]] = []
    for root in diagnosis.findings:
        mine = [finding for finding in _all(root) if finding.subject == ObjectRef("Node", "", name)]
        if root in mine:
            found.append((root, len(mine) - 1))
        else:
            found += [(finding, 0) for finding in mine]
    bullets: list[Block] = []
    for finding, below in found[:_MOST_FINDINGS]:
        more = f"  {glyphs.folded}{below}" if below else ""
        bullets.append(Bullet(status(SEVERITY[finding.severity], glyphs), finding.summary + more, _FINDING))
    if len(found) > _MOST_FINDINGS:
        bullets.append(Bullet(Span(glyphs.none, "muted"), f"and {len(found) - _MOST_FINDINGS} more", _FINDING))
    return [*bullets, Paragraph("")] if bullets else []


def _all(finding: Finding) -> list[Finding]:
    return [finding, *(below for symptom in finding.symptoms for below in _all(symptom))]
