"""Flux as a tree: each source with those that consume it, how old its artifact is and what is stale."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Final

from probes.model.flux import CONSUMER_KINDS, SOURCE_KINDS, ObjectRef
from probes.model.snapshot import SourceState
from probes.model.summary.flux import FluxSummary
from probes.rules.finding import Diagnosis
from tui.format import Glyphs, Span, age, status
from tui.views.absence import doubt, nothing
from tui.views.kinds import KINDS
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

COLUMNS: Final = (
    Column("object", "OBJECT", least=20, most=44),
    Column("revision", "REVISION", least=13, most=24, priority=2),
    Column("artifact", "ARTIFACT", least=8, most=8, right=True, priority=1),
    Column("tried", "TRIED", least=5, most=7, right=True, priority=3),
    Column("message", "STATE", least=10, most=400, grow=True),
)
_DEEPEST: Final = 8


def short_revision(revision: str) -> str:
    """Shorten the hash of a Flux revision as git does: ``main@sha1:9ce910c1…`` becomes ``main@9ce910c1``."""
    name, at, digest = revision.rpartition("@")
    _, colon, hexes = digest.partition(":")
    return f"{name}{at}{hexes[:8]}" if colon else revision


def key_of(ref: ObjectRef) -> str:
    """Name an object by its kind, namespace and name."""
    return f"{ref.kind}/{ref.namespace}/{ref.name}"


def flux_status(row: FluxSummary) -> str:
    """Judge an object by what a reader may rely on: a status of ``format.status``."""
    if row.object.suspended:
        return "warning"
    if row.ready == "False":
        return "critical"
    if row.ready != "True":
        return "unknown"
    return "stale" if row.stale else "ok"


def flux(diagnosis: Diagnosis, now: float, glyphs: Glyphs) -> Listing:
    """List sources with their consumers beneath them, then whoever has no source that is known."""
    snapshot = diagnosis.snapshot
    state = snapshot.resource("flux")
    told = sum(name.startswith("kube/flux/") for name in snapshot.sources)
    if state.status == "absent" and told < len(SOURCE_KINDS) + len(CONSUMER_KINDS):
        state = SourceState()  # some kinds are not there, of the others nobody has told yet
    rows = {row.object.ref: row for row in diagnosis.flux}
    children: dict[ObjectRef, list[FluxSummary]] = {}
    for row in diagnosis.flux:
        if row.object.source in rows and row.object.source is not None:
            children.setdefault(row.object.source, []).append(row)
    items: list[Item] = []
    listed: set[ObjectRef] = set()
    for row in diagnosis.flux:
        if row.object.source not in rows:
            _append(items, listed, row, "", "", children, glyphs)
    for row in diagnosis.flux:  # a ring of sources has no beginning
        if row.object.ref not in listed:
            _append(items, listed, row, "", "", children, glyphs)
    return Listing(
        tuple(items), nothing(state, "Flux objects", glyphs), badge(diagnosis.flux, glyphs), doubt(state, now, glyphs)
    )


def badge(rows: Iterable[FluxSummary], glyphs: Glyphs) -> Span:
    """Say how many objects are how bad, of the worst only."""
    statuses = [flux_status(row) for row in rows]
    for name in ("critical", "warning", "stale", "unknown"):
        if name in statuses:
            return status(name, glyphs, str(statuses.count(name)))
    return status("ok", glyphs, str(len(statuses))) if statuses else status("none", glyphs)


def _append(
    items: list[Item],
    listed: set[ObjectRef],
    row: FluxSummary,
    stem: str,
    branch: str,
    children: dict[ObjectRef, list[FluxSummary]],
    glyphs: Glyphs,
) -> None:
    if row.object.ref in listed or len(stem) > 2 * _DEEPEST:
        return
    listed.add(row.object.ref)
    is_fault = flux_status(row) != "ok"
    items.append(Item(_row(row, stem + branch, glyphs), row.object.ref, is_fault))
    rule = "| " if glyphs.ok.isascii() else "│ "
    below = stem + {"": "", glyphs.branch: rule, glyphs.last_branch: "  "}[branch]
    mine = children.get(row.object.ref, [])
    for place, child in enumerate(mine):
        is_last = place == len(mine) - 1
        _append(items, listed, child, below, glyphs.last_branch if is_last else glyphs.branch, children, glyphs)


def _row(row: FluxSummary, stem: str, glyphs: Glyphs) -> Row:
    item = row.object
    sign = status(flux_status(row), glyphs)
    kind = KINDS.get(item.ref.kind, item.ref.kind)
    # Most of a cluster's Flux objects live in one namespace; only the others need theirs said.
    place = "" if item.ref.namespace == "flux-system" else f"{item.ref.namespace}/"
    is_source = item.ref.kind in SOURCE_KINDS
    name = (
        Span(stem, "muted"),
        Span(sign.text + " ", sign.tone),
        Span(kind + " ", "muted"),
        Span(place, "muted"),
        Span(item.ref.name, "header" if is_source and not stem else "text"),
    )
    return Row(
        key_of(item.ref),
        (
            name,
            Span(short_revision(item.revision)),
            Ticking(row.artifact_at, artifact_age(glyphs)) if is_source and not item.static else Span(""),
            Ticking(row.attempted_at, tried(glyphs)),
            _state(row),
        ),
    )


def _state(row: FluxSummary) -> tuple[Span, ...]:
    """Say why it is not well in the fewest words, then in the controller's own."""
    item = row.object
    if item.suspended:
        return Span("suspended", "warning"), Span(f"  {row.message.removeprefix('suspended; ')}", "muted")
    if row.stale and row.ready == "True":
        wanted = "generation" if item.generation != item.observed_generation else "revision"
        return Span(f"stale {wanted}", "stale"), Span(f"  {row.message}", "muted")
    if row.ready == "True":
        return (Span(row.message, "muted"),)
    name = flux_status(row)
    reason = f"{row.reason}: " if row.reason else ""
    return Span(reason, name), Span(row.message)


@cache
def artifact_age(glyphs: Glyphs) -> Callable[[float | None, float], Span]:
    """Make the function that shows how old a source's artifact is."""
    return partial(_artifact, glyphs)


def _artifact(glyphs: Glyphs, at: float | None, now: float) -> Span:
    return Span("none", "critical") if at is None else Span(age(now - at, glyphs))


@cache
def tried(glyphs: Glyphs) -> Callable[[float | None, float], Span]:
    """Make the function that shows when it was tried last."""
    return partial(_tried, glyphs)


def _tried(glyphs: Glyphs, at: float | None, now: float) -> Span:
    return Span("" if at is None else age(now - at, glyphs), "muted")
