"""Diagnose: sum up and judge one snapshot, anew only where something changed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Final

import msgspec

from probes.model.peers import overlay_of, same_overlay
from probes.model.snapshot import KUBE, Moved, Snapshot
from probes.model.summary.flux import FluxSummary, summarize_flux
from probes.model.summary.gaps import summarize_gaps
from probes.model.summary.pulls import PullFailure, summarize_pulls, waits_for_image
from probes.rules.causes import Scene, fold_causes
from probes.rules.crossing import judge_crossing
from probes.rules.dns import judge_coredns, judge_lookups
from probes.rules.egress import FRESH, judge_egress
from probes.rules.finding import Diagnosis, Finding, Severity, Verdict
from probes.rules.flannel import judge_backends, judge_direct
from probes.rules.flux import judge_flux
from probes.rules.images import judge_pulls
from probes.rules.index import index_of
from probes.rules.k3s import judge_leases, judge_servers, same_servers
from probes.rules.mtu import judge_cluster_mtu, judge_half_changed, judge_headroom
from probes.rules.outside import judge_outside
from probes.rules.peering import CUTTING, judge_directions
from probes.rules.places import Places, changed_pods, keeps_places, places_of
from probes.rules.resolvers import judge_agreement
from probes.rules.secrets import judge_secrets
from probes.rules.sources import api_servers, judge_sources
from probes.rules.views import views_of
from probes.rules.workloads import judge_workloads

HEADROOM: Final = 100
"""Bytes between pods' packets and the path that are advised unless told otherwise."""
STALLS: Final = frozenset({"flux-tls-stall", "flux-fetch-stalled", "flux-fetch-timeout"})
"""What makes an operator ask whether the MTU leaves enough room."""


class Advice(msgspec.Struct, frozen=True):
    """What the operator, or the catalog of runbooks, has to say to what is found."""

    headroom: int = HEADROOM
    """Bytes that pods' packets should leave of the path, told once large transfers stall; 0: no advice."""
    runbooks: Mapping[str, tuple[str, ...]] = {}
    """By code, the names of the runbooks that repair it."""


def diagnose(
    snapshot: Snapshot,
    before: Diagnosis | None = None,
    *,
    only: Collection[str] = (),
    advice: Advice = Advice(),  # noqa: B008 - a frozen value
) -> Diagnosis:
    """Sum up and judge a snapshot.

    ``before``: an earlier diagnosis of the same cluster; a node of which nothing changed since keeps its NodeView.
    ``only``: sum up and judge no other nodes than these; empty: all.
    """
    before = before or Diagnosis(Snapshot())
    nodes, were = snapshot.nodes, before.snapshot.nodes
    moved = Moved.between(before.snapshot, snapshot)
    overlay = before.overlay if same_overlay(nodes, were, moved.nodes) else overlay_of(nodes)
    views, judged = views_of(snapshot, before, moved, overlay, only)
    index = index_of(snapshot, views, before.index, moved, judged)
    declared = before.declared if same_servers(nodes, were, moved.nodes) else tuple(judge_servers(snapshot))
    published = before.published if overlay is before.overlay else tuple(judge_backends(snapshot))
    flux = before.flux if snapshot.flux is before.snapshot.flux else summarize_flux(snapshot)
    changed = changed_pods(before.snapshot.pods, snapshot.pods, moved.pods)
    waits = any(waits_for_image(pod) for pair in changed for pod in pair if pod is not None)
    pulls_same = not waits and snapshot.pull_events is before.snapshot.pull_events
    pulls = before.pulls if pulls_same else summarize_pulls(snapshot)
    places = before.places if keeps_places(changed) else places_of(snapshot.pods)
    summed = Diagnosis(
        snapshot=snapshot,
        gaps=summarize_gaps(index.silent, index.partial),
        views=views,
        flux=flux,
        pulls=pulls,
        overlay=overlay,
        places=places,
        index=index,
        declared=declared,
        published=published,
    )
    findings = _judge(summed, advice)
    if findings == before.findings:  # what nobody has to look at again, by identity as everything here
        findings = before.findings
    return msgspec.structs.replace(summed, findings=findings, verdict=_verdict(snapshot, findings))


def _judge(summed: Diagnosis, advice: Advice) -> tuple[Finding, ...]:
    """Judge what is summed up, and put causes before what they explain."""
    snapshot, views, places, index = summed.snapshot, summed.views, summed.places, summed.index
    objects = list(_judge_objects(snapshot, summed.flux, summed.pulls, places))
    stalls = any(finding.code in STALLS for finding in objects)
    found = [
        *judge_sources(snapshot, index.silent),
        *(finding for view in index.amiss.values() for finding in view.findings),
        *summed.declared,
        *summed.published,
        *_judge_cluster(summed, advice.headroom if stalls else 0),
        *objects,
        *judge_outside(objects),
    ]
    found += judge_probes(snapshot, found)
    found += judge_lookups(found, places, snapshot.source(f"{KUBE}pods").at)
    servers = tuple(name for name, _ in takewhile(lambda item: item[1].summary.role == "server", views.items()))
    halves = frozenset(name for finding in found if finding.code == "mtu-half-changed" for name in finding.about)
    scene = Scene(places, snapshot.flux, servers, snapshot.secrets, api_servers(snapshot), halves)
    return fold_causes([_with_runbooks(finding, advice) for finding in found], scene)


def _with_runbooks(finding: Finding, advice: Advice) -> Finding:
    names = advice.runbooks.get(finding.code)
    return finding if names is None else msgspec.structs.replace(finding, runbooks=names)


def judge_probes(snapshot: Snapshot, found: Sequence[Finding]) -> list[Finding]:
    """Judge what probes came to of late, beside what is found by state alone."""
    fresh = [each for each in snapshot.probed if snapshot.at - each.at <= FRESH]
    if not fresh:
        return []
    breaking = {*CUTTING, "vxlan-peerless"}
    cut_off = {f.subject.name for f in found if f.code in breaking or f.code.startswith("peer-")}
    return [*judge_crossing(fresh, cut_off, snapshot), *judge_egress(fresh)]


def _judge_cluster(summed: Diagnosis, headroom: int) -> Iterator[Finding]:
    """Judge what no node shows by itself."""
    snapshot, views, places, index = summed.snapshot, summed.views, summed.places, summed.index
    amiss = index.amiss
    yield from judge_leases(snapshot, views)
    yield from judge_directions(snapshot, views, amiss)
    yield from judge_cluster_mtu(views, index.uplinks, index.overlays)
    yield from judge_half_changed(amiss)
    if headroom:
        yield from judge_headroom({*index.uplinks.values()}, {*index.overlays.values()}, headroom)
    if any(finding.code == "overlay-exceeds-underlay" for view in amiss.values() for finding in view.findings):
        yield from judge_direct(snapshot, tuple(view.summary for view in views.values()))
    pods_at = snapshot.source(f"{KUBE}pods").at
    yield from judge_coredns(views, places, pods_at)
    yield from judge_workloads(places, snapshot.at, pods_at)
    yield from judge_agreement(snapshot, index.resolvers)


def _judge_objects(
    snapshot: Snapshot, flux: tuple[FluxSummary, ...], pulls: tuple[PullFailure, ...], places: Places
) -> Iterator[Finding]:
    yield from judge_flux(snapshot, flux, places)
    yield from judge_pulls(snapshot, pulls)
    yield from judge_secrets(snapshot, places)


def _verdict(snapshot: Snapshot, findings: tuple[Finding, ...]) -> Verdict:
    if not snapshot.networks and (not snapshot.nodes or snapshot.source(f"{KUBE}nodes").status != "ok"):
        return Verdict.UNASSESSED
    worst = max((finding.worst for finding in findings), default=Severity.NOTE)
    return Verdict(int(worst))
