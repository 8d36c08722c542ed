"""A Flux object written up: why it is as it is, what it serves, whom it feeds, and what it was asked to do."""

from collections.abc import Iterator
from typing import Final

from probes.model.flux import SOURCE_KINDS, FluxObject, ObjectRef
from probes.model.kube import Condition
from probes.model.summary.flux import FluxSummary
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, age, aged, size, status
from tui.views.flux import flux_status, key_of
from tui.widgets.blocks import Block, Field, Fields, Flow, Grid, Heading, Paragraph
from tui.widgets.cells import Cell, Row, Ticking
from tui.widgets.columns import Column

_DEFAULT_TIMEOUT: Final = 60.0
_GOOD_WHEN_FALSE: Final = frozenset(
    {
        *("Reconciling", "Stalled", "FetchFailed", "StorageOperationFailed", "BuildFailed", "IncludeUnavailable"),
        *("ArtifactOutdated",),
    }
)
"""Conditions that tell of trouble or work under way while they are True (source-controller condition_types.go)."""


def ref_text(ref: ObjectRef) -> str:
    """Write a reference as kubectl does: ``GitRepository flux-system/flux-system``."""
    return f"{ref.kind} {ref.namespace}/{ref.name}" if ref.namespace else f"{ref.kind} {ref.name}"


def ref_of(key: str) -> ObjectRef | None:
    """Read the key of a reference."""
    parts = key.split("/")
    return ObjectRef(*parts) if len(parts) == 3 and all((parts[0], parts[2])) else None  # noqa: PLR2004


def flux_row(diagnosis: Diagnosis, ref: ObjectRef) -> FluxSummary | None:
    """Look up a Flux object."""
    return next((row for row in diagnosis.flux if row.object.ref == ref), None)


def ready_span(row: FluxSummary, glyphs: Glyphs = UNICODE) -> Span:
    """Say whether an object is ready, in a symbol and a word."""
    if row.object.suspended:
        word = "suspended"
    elif row.ready == "True":
        word = "stale" if row.stale else "ready"
    else:
        word = row.reason or ("not ready" if row.ready == "False" else "unknown")
    return status(flux_status(row), glyphs, word)


def flux_document(diagnosis: Diagnosis, ref: ObjectRef, glyphs: Glyphs = UNICODE) -> tuple[Block, ...]:
    """Write a Flux object up."""
    row = flux_row(diagnosis, ref)
    if row is None:
        return (Paragraph(f"{ref_text(ref)} is not there.", "unknown"),)
    item = row.object
    message = (Paragraph(row.message, "critical" if row.ready == "False" else "muted"),) if row.message else ()
    blocks: list[Block] = [
        Flow((ready_span(row, glyphs), Span(ref_text(ref)))),
        *message,
        Fields(tuple(_facts(row, diagnosis, glyphs))),
    ]
    if item.conditions:
        rows = tuple(Row(f"condition {each.type}", _condition(each, glyphs)) for each in item.conditions)
        blocks += [Heading("Conditions"), Grid(_CONDITIONS, rows)]
        blocks += [Fields(tuple(Field(each.type, Span(each.message)) for each in item.conditions if each.message))]
    blocks += _neighbours("Takes from", [item.source] if item.source else [], diagnosis, glyphs)
    blocks += _neighbours("Depends on", list(item.depends_on), diagnosis, glyphs)
    blocks += _neighbours("Feeds", list(row.consumers), diagnosis, glyphs)
    return tuple(blocks)


def ago(at: float | None, now: float) -> Span:
    """Say how long ago something was, in words."""
    return Span("never", "unknown") if at is None else Span(f"{age(now - at)} ago")


def _facts(row: FluxSummary, diagnosis: Diagnosis, glyphs: Glyphs) -> Iterator[Field]:
    item = row.object
    source = flux_row(diagnosis, item.source) if item.source else None
    if item.url:
        yield Field("url", Span(item.url))
    yield Field("revision", Span(item.revision or "none yet", "text" if item.revision else "unknown"))
    if item.attempted_revision and item.attempted_revision != item.revision:
        yield Field("attempted", Span(item.attempted_revision, "warning"))
    if row.stale and source is not None and source.object.revision != item.revision:
        yield Field("source has", status("stale", glyphs, source.object.revision))
    if item.ref.kind in SOURCE_KINDS and not item.static:
        yield Field("artifact", Ticking(item.artifact_at, ago))
        if item.artifact_size is not None:
            yield Field("size", Span(size(item.artifact_size)))
    yield Field("last attempt", Ticking(row.attempted_at, ago))
    yield Field("generation", _generation(item, glyphs))
    yield from _asked(item, glyphs)


def _asked(item: FluxObject, glyphs: Glyphs) -> Iterator[Field]:
    """Say what it was asked to do, and how often it does so by itself."""
    if item.interval is not None:
        yield Field("interval", Span(age(item.interval)))
    if not item.static:
        said = f"{age(_DEFAULT_TIMEOUT)} (Flux's default)" if item.timeout is None else age(item.timeout)
        yield Field("timeout", Span(said, "muted" if item.timeout is None else "text"))
    if item.secret:
        yield Field("secret", Span(item.secret))
    if item.requested_at:
        waits = item.requested_at != item.handled_at
        yield Field("requested", status("warning", glyphs, item.requested_at) if waits else Span(item.requested_at))
        yield Field("handled", Span(item.handled_at or "not yet", "warning" if waits else "text"))
    if item.api_version:
        yield Field("version", Span(item.api_version, "muted"))


def _generation(item: FluxObject, glyphs: Glyphs) -> Span:
    if item.generation is None:
        return Span(glyphs.unknown, "unknown")
    if item.observed_generation in {None, item.generation}:
        return Span(str(item.generation))
    return status("warning", glyphs, f"{item.generation}, reconciled is {item.observed_generation}")


_CONDITIONS: Final = (
    Column("type", "CONDITION", 8, 24),
    Column("status", "STATUS", 7, 9),
    Column("reason", "REASON", 10, 34, grow=True),
    Column("changed", "CHANGED", 7, 8, right=True),
)


def _aged(at: float | None, now: float) -> Span:
    return aged(at, now)


def _condition(each: Condition, glyphs: Glyphs) -> tuple[Cell, ...]:
    good = "False" if each.type in _GOOD_WHEN_FALSE else "True"
    if each.status == "Unknown":
        shown = status("unknown", glyphs, each.status)
    elif each.status == good:
        shown = status("ok", glyphs, each.status)
    else:
        shown = status("warning" if each.type == "Reconciling" else "critical", glyphs, each.status)
    return (Span(each.type), shown, Span(each.reason), Ticking(each.changed_at, _aged))


_NEIGHBOURS: Final = (
    Column("ref", "OBJECT", 20, 60),
    Column("ready", "READY", 8, 30),
    Column("revision", "REVISION", 8, 60, grow=True),
)


def _neighbours(title: str, refs: list[ObjectRef], diagnosis: Diagnosis, glyphs: Glyphs) -> list[Block]:
    if not refs:
        return []
    rows = []
    for ref in refs:
        row = flux_row(diagnosis, ref)
        ready = ready_span(row, glyphs) if row else status("unknown", glyphs, "not there")
        rows.append(Row(key_of(ref), (Span(ref_text(ref)), ready, Span(row.object.revision if row else "", "muted"))))
    return [Heading(title), Grid(_NEIGHBOURS, tuple(rows))]
