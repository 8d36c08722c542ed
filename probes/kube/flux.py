"""Flux sources and consumers: from the wire to the model (fluxcd source-, kustomize- and helm-controller APIs)."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from probes.kube.decode import Decoder
from probes.kube.scalars import epoch, seconds
from probes.kube.wire import Meta, Object, Wire, WireCondition, conditions, text
from probes.model.flux import FluxObject, ObjectRef
from probes.model.text import clean


class _Annotations(Wire):
    requested_at: str | None = msgspec.field(default=None, name="reconcile.fluxcd.io/requestedAt")


class _FluxMeta(Meta):
    annotations: _Annotations | None = None


class _Ref(Wire):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class _ChartSpec(Wire):
    source_ref: _Ref | None = None


class _Chart(Wire):
    spec: _ChartSpec | None = None


class _FluxSpec(Wire):
    url: str | None = None
    endpoint: str | None = None
    bucket_name: str | None = None
    type: str | None = None
    suspend: bool | None = None
    interval: str | None = None
    timeout: str | None = None
    secret_ref: _Ref | None = None
    source_ref: _Ref | None = None
    chart_ref: _Ref | None = None
    chart: _Chart | str | None = None
    """A template in a HelmRelease, a name in a HelmChart."""
    depends_on: list[_Ref] | None = None


class _Artifact(Wire):
    revision: str | None = None
    last_update_time: str | None = None
    size: int | None = None


class _Release(Wire):
    version: int | None = None
    chart_version: str | None = None


class _FluxStatus(Wire):
    observed_generation: int | None = None
    conditions: list[WireCondition | None] | None = None
    artifact: _Artifact | None = None
    last_handled_reconcile_at: str | None = None
    last_applied_revision: str | None = None
    last_attempted_revision: str | None = None
    helm_chart: str | None = None
    history: list[_Release] | None = None


class WireFlux(Object):
    """A Flux source, Kustomization or HelmRelease of any version."""

    metadata: _FluxMeta
    spec: _FluxSpec | None = None
    status: _FluxStatus | None = None


_NO_SPEC: Final = _FluxSpec()
_NO_STATUS: Final = _FluxStatus()


def _reference(ref: _Ref | None, namespace: str, kind: str = "") -> ObjectRef | None:
    if ref is None or not ref.name:
        return None
    return ObjectRef(text(ref.kind) or kind, text(ref.namespace) or namespace, clean(ref.name))


def _source(spec: _FluxSpec, status: _FluxStatus, namespace: str) -> ObjectRef | None:
    """Find where its artifact comes from; a HelmRelease with a chart template takes it from the HelmChart it made."""
    if status.helm_chart:
        chart_namespace, _, name = clean(status.helm_chart).rpartition("/")
        return ObjectRef("HelmChart", chart_namespace or namespace, name)
    template = spec.chart.spec if isinstance(spec.chart, _Chart) and spec.chart.spec else _ChartSpec()
    for ref in (spec.chart_ref, template.source_ref, spec.source_ref):
        found = _reference(ref, namespace)
        if found is not None:
            return found
    return None


def _url(spec: _FluxSpec) -> str:
    if spec.url:
        return clean(spec.url)
    return f"{text(spec.endpoint)}/{text(spec.bucket_name)}" if spec.endpoint else ""


def _revision(status: _FluxStatus) -> str:
    if status.artifact and status.artifact.revision:
        return clean(status.artifact.revision)
    if status.history:
        newest = max(status.history, key=lambda release: release.version or 0)
        if newest.chart_version:
            return clean(newest.chart_version)
    return text(status.last_applied_revision)


def _converter(kind: str, api_version: str) -> Callable[[WireFlux], FluxObject]:
    def convert(wire: WireFlux) -> FluxObject:
        meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
        namespace = text(meta.namespace)
        depends = [_reference(ref, namespace, kind) for ref in spec.depends_on or ()]
        artifact = status.artifact or _Artifact()
        return FluxObject(
            ref=ObjectRef(kind, namespace, clean(meta.name)),
            api_version=api_version,
            generation=meta.generation,
            observed_generation=status.observed_generation,
            suspended=spec.suspend is True,
            conditions=conditions(status.conditions),
            url=_url(spec),
            static=kind == "HelmRepository" and spec.type == "oci",
            source=_source(spec, status, namespace),
            depends_on=tuple([ref for ref in depends if ref is not None]),
            revision=_revision(status),
            attempted_revision=text(status.last_attempted_revision),
            artifact_at=epoch(artifact.last_update_time),
            artifact_size=artifact.size,
            requested_at=text(meta.annotations.requested_at) if meta.annotations else "",
            handled_at=text(status.last_handled_reconcile_at),
            interval=seconds(spec.interval),
            timeout=seconds(spec.timeout),
            secret=text(spec.secret_ref.name) if spec.secret_ref else "",
            created_at=epoch(meta.creation_timestamp),
        )

    return convert


@lru_cache(maxsize=64)
def flux_decoder(kind: str, api_version: str) -> Decoder[WireFlux, FluxObject]:
    """Make the decoder of one kind as one version serves it; keys are ``KIND/NAMESPACE/NAME``."""

    def key(wire: WireFlux) -> str:
        return f"{kind}/{text(wire.metadata.namespace)}/{clean(wire.metadata.name)}"

    return Decoder(WireFlux, _converter(kind, api_version), key)
