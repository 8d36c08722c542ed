"""The glance as plain text: what is wrong first, then nodes, overlay, Flux, image pulls and what is not known."""

from collections.abc import Iterator
from typing import Final

from probes.model.peers import NOT_NEEDED, OK, UNKNOWN
from probes.model.snapshot import NODE
from probes.model.summary.flux import FluxSummary
from probes.model.summary.gaps import Gap
from probes.model.summary.nodes import NodeSummary
from probes.rules.finding import Diagnosis, Finding, Severity, Verdict, subject_text
from probes.rules.peering import describe_peer
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.format import age

_VERDICTS: Final = {
    Verdict.HEALTHY: "ok",
    Verdict.WARNING: "warning",
    Verdict.CRITICAL: "critical",
    Verdict.UNASSESSED: "unknown",
}
_SEVERITIES: Final = {Severity.NOTE: "muted", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}
_MOST_LINES: Final = 20
"""Problems, peers and gaps spelled out; the rest is counted, and in -o json."""


def render(judged: Diagnosis, paper: Paper, now: float) -> str:
    """Write the glance; ``now`` is the time that ages are counted from."""
    blocks = [
        list(_headline(judged, paper)),
        list(_findings(judged, paper)),
        list(_nodes(judged, paper, now)),
        list(_peers(judged, paper)),
        list(_flux(judged, paper, now)),
        list(_pulls(judged, paper, now)),
        list(_gaps(judged, paper)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _headline(judged: Diagnosis, paper: Paper) -> Iterator[str]:
    snapshot = judged.snapshot
    name = snapshot.context or "no context"
    yield paper.paint(Cell(f"{name}  {snapshot.server}".rstrip(), "title"))
    critical, warnings = judged.count(Severity.CRITICAL), judged.count(Severity.WARNING)
    token = _VERDICTS[judged.verdict]
    said = paper.paint(Cell(f"{paper.symbol(token)} {judged.verdict.name.lower()}", token))
    counts = (_count(len(judged.views), "node"), f"{critical} critical", _count(warnings, "warning"))
    yield f"{said}  {', '.join(counts)}, {len(judged.gaps)} unassessed"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _bulleted(paper: Paper, token: str, text: str) -> Iterator[str]:
    first, *rest = wrap(paper.text(text), paper.width - 3) or [""]
    mark = paper.symbol(token)
    yield f"{paper.paint(Cell(mark, token))}{' ' * (3 - len(mark))}{first}"
    yield from (f"   {line}" for line in rest)


def _bounded(lines: list[tuple[str, str]], paper: Paper) -> Iterator[str]:
    for token, text in lines[:_MOST_LINES]:
        yield from _bulleted(paper, token, text)
    if len(lines) > _MOST_LINES:
        yield f"   and {len(lines) - _MOST_LINES} more: underlay status -o json"


def _findings(judged: Diagnosis, paper: Paper) -> Iterator[str]:
    yield from _bounded([line for finding in judged.findings for line in _finding(finding, 0)], paper)


def _finding(finding: Finding, depth: int) -> Iterator[tuple[str, str]]:
    indent = "└ " * depth
    yield _SEVERITIES[finding.severity], f"{indent}{subject_text(finding.subject)}: {finding.summary}"
    for symptom in finding.symptoms:
        yield from _finding(symptom, depth + 1)


def _nodes(judged: Diagnosis, paper: Paper, now: float) -> Iterator[str]:
    header = ("NODE", "ROLE", "RDY", "UPLINK", "VXLAN", "ENV", "CNI0", "PODS", "8472", "PEERS", "UNIT", "SEEN")
    if judged.nodes:
        yield from grid(paper, header, [_node(row, paper, now) for row in judged.nodes])


def _node(row: NodeSummary, paper: Paper, now: float) -> tuple[Cell, ...]:
    unknown = Cell("?", "unknown")

    def mtu(value: int | None) -> Cell:
        return unknown if value is None else Cell(str(value))

    ready = {"True": "ok", "False": "critical"}.get(row.ready, "unknown")
    uplink = Cell(f"{row.uplink} {row.uplink_mtu or '?'}") if row.uplink else unknown
    seen = unknown if row.seen_at is None else Cell(age(now - row.seen_at))
    return (
        Cell(row.name + (" (cordoned)" if row.unschedulable else "")),
        Cell(row.role or "?"),
        Cell(paper.symbol(ready), ready),
        uplink,
        _overlay(row),
        {"missing": Cell("none", "critical"), OK: mtu(row.subnet_env_mtu), NOT_NEEDED: Cell("-")}.get(
            row.subnet_env_state, unknown
        ),
        Cell("-") if row.cni0_mtu is None and row.uplink else mtu(row.cni0_mtu),  # with an uplink, links are known
        _pods(row),
        _port(row, paper),
        _peer_count(row),
        _unit(row, paper, now),
        seen,
    )


def _overlay(row: NodeSummary) -> Cell:
    if row.overlay_state == NOT_NEEDED:
        return Cell(row.backend or "-")
    if row.overlay_state in {"missing", "down"}:
        return Cell({"missing": "none", "down": "down"}[row.overlay_state], "critical")
    if row.overlay_mtu is None:
        return Cell("?", "unknown")
    differs = row.overlay_mtu_expected not in {None, row.overlay_mtu}
    return Cell(f"{row.overlay_mtu}{'▲' if differs else ''}", "warning" if differs else "")


def _pods(row: NodeSummary) -> Cell:
    if row.pod_count is None:
        return Cell("?", "unknown")
    if not row.pod_mtus:
        return Cell(str(row.pod_count))
    low, high = row.pod_mtus[0], row.pod_mtus[-1]
    return Cell(f"{low} ×{row.pod_count}" if low == high else f"{low}-{high}▲", "" if low == high else "warning")


def _port(row: NodeSummary, paper: Paper) -> Cell:
    if row.overlay_state == NOT_NEEDED:
        return Cell("-")
    token = {True: "ok", False: "critical", None: "unknown"}[row.port_open]
    return Cell(paper.symbol(token), token)


def _peer_count(row: NodeSummary) -> Cell:
    if not row.peers_expected:
        return Cell("-") if row.role else Cell("?", "unknown")  # without the API nobody knows who they are
    if row.peers_unknown == row.peers_expected:
        return Cell(f"?/{row.peers_expected}", "unknown")
    whole = row.peers_ok == row.peers_expected
    return Cell(f"{row.peers_ok}/{row.peers_expected}", "ok" if whole else "critical")


def _unit(row: NodeSummary, paper: Paper, now: float) -> Cell:
    if row.unit is None:
        return Cell("?", "unknown")
    token = "ok" if row.unit.active_state == "active" else "critical"
    since = f" {age(now - row.unit.started_at)}" if row.unit.started_at else ""
    return Cell(f"{paper.symbol(token)}{since}", token)


def _peers(judged: Diagnosis, paper: Paper) -> Iterator[str]:
    broken = [peer for peer in judged.broken_peers if peer.status != UNKNOWN]
    unknown = sum(row.peers_unknown for row in judged.nodes)
    lines = [("critical", f"{peer.node} {describe_peer(peer)}") for peer in broken]
    if unknown:
        lines.append(("unknown", f"{unknown} peer entries could not be assessed"))
    if lines:
        yield paper.paint(Cell("PEERS that are not complete", "title"))
        yield from _bounded(lines, paper)


def _flux(judged: Diagnosis, paper: Paper, now: float) -> Iterator[str]:
    state = judged.snapshot.resource("flux")
    if not judged.flux:
        if state.status == "absent":
            yield "Flux is not installed."
        return
    rows = [_flux_row(row, paper, now) for row in judged.flux]
    yield from grid(paper, ("FLUX", "RDY", "REVISION", "ARTIFACT", "TRIED", "MESSAGE"), rows, flexible=5)


def _flux_row(row: FluxSummary, paper: Paper, now: float) -> tuple[Cell, ...]:
    item = row.object
    token = {"True": "ok", "False": "critical"}.get(row.ready, "unknown")
    token = "warning" if item.suspended or (row.ready == "True" and row.stale) else token
    short = {"GitRepository": "git", "HelmRepository": "helm", "OCIRepository": "oci", "HelmRelease": "release"}
    kind = short.get(item.ref.kind, item.ref.kind.lower())
    indent = "  " if item.source is not None else ""
    return (
        Cell(f"{indent}{kind}/{item.ref.name}"),
        Cell(paper.symbol(token), token),
        Cell(short_revision(item.revision)),
        Cell(age(now - row.artifact_at) if row.artifact_at else "-"),
        Cell(age(now - row.attempted_at) if row.attempted_at else "-"),
        Cell(("stale: " if row.stale else "") + row.message, "muted" if row.ready == "True" else ""),
    )


def short_revision(revision: str) -> str:
    """Shorten the hash of a Flux revision as git does: ``main@sha1:9ce910c1…`` becomes ``main@9ce910c1``."""
    name, at, digest = revision.rpartition("@")
    _, colon, hexes = digest.partition(":")
    return f"{name}{at}{hexes[:8]}" if colon else revision


def _pulls(judged: Diagnosis, paper: Paper, now: float) -> Iterator[str]:
    if not judged.pulls:
        return
    yield paper.paint(Cell("IMAGE PULLS that fail", "title"))
    lines = []
    for row in judged.pulls:
        when = f", {age(now - row.last_at)} ago" if row.last_at else ""
        count = _count(len(row.pods), "pod")
        lines.append(("critical", f"{row.image} on {row.node or 'no node'} ({count}{when}): {row.message}"))
    yield from _bounded(lines, paper)


def _gaps(judged: Diagnosis, paper: Paper) -> Iterator[str]:
    if not judged.gaps:
        return
    yield paper.paint(Cell("NOT ASSESSED", "title"))
    lines = []
    alike: dict[str, list[Gap]] = {}
    for gap in judged.gaps:
        status = judged.snapshot.source(f"kube/{gap.what}").status if gap.where == "API" else ""
        cause = {"unreachable": "away", "timeout": "away", "restricted": "restricted"}.get(status, gap.reason)
        alike.setdefault(f"API {cause}" if status else f"{gap.where} {gap.what}", []).append(gap)
    for gap, *others in alike.values():
        state = judged.snapshot.source(f"{NODE}{gap.where}" if gap.what == "node" else f"kube/{gap.what}")
        held = "; what is shown of it is old" if state.at is not None and state.status != "ok" else ""
        names = ", ".join(each.what.replace("_", " ") for each in (gap, *others))
        lines.append(("unknown", f"{gap.where} {names}: {gap.reason}{held}"))
    yield from _bounded(lines, paper)
