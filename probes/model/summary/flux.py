"""A Flux source or consumer in one line."""

import msgspec

from probes.model.flux import CONSUMER_KINDS, SOURCE_KINDS, FluxObject, ObjectRef
from probes.model.snapshot import Snapshot


class FluxSummary(msgspec.Struct, frozen=True):
    """A Flux source or consumer in one line."""

    object: FluxObject
    ready: str
    """``True`` | ``False`` | ``Unknown``: what a reader may rely on, not only what the Ready condition says."""
    reason: str = ""
    message: str = ""
    artifact_at: float | None = None
    attempted_at: float | None = None
    stale: bool = False
    """Ready, but what it serves is not what its generation or its source asks for."""
    consumers: tuple[ObjectRef, ...] = ()


def summarize_flux(snapshot: Snapshot) -> tuple[FluxSummary, ...]:
    """Sum up sources in the order of ``flux get sources all``, then Kustomizations and HelmReleases."""
    consumers: dict[ObjectRef, list[ObjectRef]] = {}
    for item in snapshot.flux.values():
        if item.source is not None:
            consumers.setdefault(item.source, []).append(item.ref)
    order = {kind: index for index, kind in enumerate((*SOURCE_KINDS, *CONSUMER_KINDS))}
    items = sorted(snapshot.flux.values(), key=lambda item: (order.get(item.ref.kind, 99), item.ref))
    by_ref = {item.ref: item for item in snapshot.flux.values()}
    return tuple(_flux_row(item, by_ref, tuple(sorted(consumers.get(item.ref, ())))) for item in items)


def _flux_row(item: FluxObject, by_ref: dict[ObjectRef, FluxObject], consumers: tuple[ObjectRef, ...]) -> FluxSummary:
    ready = item.condition("Ready")
    status = ready.status if ready else "Unknown"
    reason, message = (ready.reason, ready.message) if ready else ("", "waiting to be reconciled")
    if item.static:
        status, reason, message = "True", "Static", "a HelmRepository of type oci has no status of its own"
    elif fetch := item.condition("FetchFailed"):
        # A failing fetch keeps the last artifact; newer controllers say Ready=False too, older ones do not.
        if fetch.status == "True":
            status, reason, message = "False", fetch.reason, fetch.message
    elif item.suspended:
        message = f"suspended; {message}" if message else "suspended"
    behind = item.observed_generation is not None and item.observed_generation != item.generation
    source = by_ref.get(item.source) if item.source else None
    outdated = bool(
        source and source.revision and item.revision and item.ref.kind == "Kustomization"
    ) and item.revision != (source.revision if source else "")
    if status == "True" and behind and not item.suspended:
        status, reason = "Unknown", "Progressing"
        message = f"generation {item.generation} is not reconciled yet"
    return FluxSummary(
        object=item,
        ready=status,
        reason=reason,
        message=message,
        artifact_at=item.artifact_at,
        attempted_at=item.attempted_at,
        stale=outdated or behind,
        consumers=consumers,
    )
