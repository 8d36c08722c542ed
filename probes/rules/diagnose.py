"""Diagnose: sum up and judge one snapshot, anew only where something changed."""

from collections.abc import Collection

from probes.model.peers import Overlay, overlay_of, peer_table
from probes.model.snapshot import NODE, Snapshot
from probes.model.summary.flux import summarize_flux
from probes.model.summary.gaps import summarize_gaps
from probes.model.summary.nodes import summarize_node
from probes.model.summary.pulls import summarize_pulls
from probes.rules.finding import Diagnosis, Finding, NodeView, Severity, Verdict
from probes.rules.glance import judge_flux, judge_node, judge_pull, judge_sources


def diagnose(snapshot: Snapshot, before: Diagnosis | None = None, *, only: Collection[str] = ()) -> Diagnosis:
    """Sum up and judge a snapshot.

    ``before``: an earlier diagnosis of the same cluster; a node of which nothing changed since keeps its NodeView.
    ``only``: sum up and judge no other nodes than these; empty: all.
    """
    before = before or Diagnosis(Snapshot())
    same_nodes = snapshot.nodes is before.snapshot.nodes
    overlay = before.overlay if same_nodes else overlay_of(snapshot.nodes)
    if overlay == before.overlay:
        overlay = before.overlay
    views = {name: _view(snapshot, name, before, overlay) for name in _names(snapshot, only)}
    flux = before.flux if snapshot.flux is before.snapshot.flux else summarize_flux(snapshot)
    pulls_same = snapshot.pods is before.snapshot.pods and snapshot.pull_events is before.snapshot.pull_events
    pulls = before.pulls if pulls_same else summarize_pulls(snapshot)
    findings = [
        *judge_sources(snapshot),
        *(finding for view in views.values() for finding in view.findings),
        *(finding for row in flux for finding in judge_flux(row)),
        *(judge_pull(row) for row in pulls),
    ]
    findings.sort(key=lambda finding: -finding.worst)
    return Diagnosis(
        snapshot=snapshot,
        verdict=_verdict(snapshot, findings),
        findings=tuple(findings),
        gaps=summarize_gaps(snapshot),
        views=dict(sorted(views.items(), key=lambda item: (item[1].summary.role != "server", item[0]))),
        flux=flux,
        pulls=pulls,
        overlay=overlay,
    )


def _names(snapshot: Snapshot, only: Collection[str]) -> set[str]:
    names = {*snapshot.nodes, *snapshot.networks}
    names |= {source.removeprefix(NODE) for source in snapshot.sources if source.startswith(NODE)}
    return names & set(only) if only else names


def _view(snapshot: Snapshot, name: str, before: Diagnosis, overlay: Overlay) -> NodeView:
    """Keep the view of a node of which nothing changed, else make it anew."""
    old = before.views.get(name)
    was = before.snapshot
    source = f"{NODE}{name}"
    if (
        old is not None
        and overlay is before.overlay
        and snapshot.nodes.get(name) is was.nodes.get(name)
        and snapshot.networks.get(name) is was.networks.get(name)
        and snapshot.sources.get(source) is was.sources.get(source)
    ):
        return old
    node = snapshot.nodes.get(name)
    peers = peer_table(node, overlay, snapshot.networks.get(name))
    row = summarize_node(snapshot, name, peers)
    return NodeView(row, peers, tuple(judge_node(snapshot, row, peers)))


def _verdict(snapshot: Snapshot, findings: list[Finding]) -> Verdict:
    if not snapshot.networks and snapshot.resource("nodes").status != "ok":
        return Verdict.UNASSESSED
    worst = max((finding.worst for finding in findings), default=Severity.NOTE)
    return Verdict(int(worst))
