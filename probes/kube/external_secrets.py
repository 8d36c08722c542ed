"""External Secrets stores and secrets: from the wire to the model (external-secrets apis/externalsecrets).

Nothing below a provider's name is kept: what it says there is nobody's to show.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from probes.kube.decode import Decoder
from probes.kube.scalars import epoch, seconds
from probes.kube.wire import Object, Wire, WireCondition, conditions, text
from probes.model.flux import ObjectRef
from probes.model.secrets import SecretObject
from probes.model.text import clean

_CLUSTER_KINDS: Final = frozenset({"ClusterSecretStore", "ClusterExternalSecret", "ClusterPushSecret"})
_STORE_KINDS: Final = frozenset({"SecretStore", "ClusterSecretStore"})


class _StoreRef(Wire):
    kind: str | None = None
    name: str | None = None


class _Named(Wire):
    name: str | None = None


class _SecretTemplate(Wire):
    secret_store_ref: _StoreRef | None = None
    target: _Named | None = None
    refresh_interval: str | None = None


class _SecretSpec(_SecretTemplate):
    secret_store_refs: list[_StoreRef] | None = None
    """Of a PushSecret."""
    external_secret_spec: _SecretTemplate | None = None
    """Of a ClusterExternalSecret."""
    refresh_time: str | None = None
    """Of a ClusterExternalSecret, and there it is a duration."""
    provider: dict[str, msgspec.Raw] | None = None


class _SecretStatus(Wire):
    conditions: list[WireCondition | None] | None = None
    refresh_time: str | None = None
    binding: _Named | None = None


class WireSecret(Object):
    """A store, an ExternalSecret, a ClusterExternalSecret or a PushSecret."""

    spec: _SecretSpec | None = None
    status: _SecretStatus | None = None


def _store(spec: _SecretSpec, template: _SecretTemplate, namespace: str) -> ObjectRef | None:
    ref = template.secret_store_ref or next(iter(spec.secret_store_refs or ()), None)
    if ref is None or not ref.name:
        return None
    kind = text(ref.kind) or "SecretStore"
    return ObjectRef(kind, "" if kind == "ClusterSecretStore" else namespace, clean(ref.name))


def _provider(spec: _SecretSpec) -> str:
    return next((clean(name) for name, value in (spec.provider or {}).items() if bytes(value) != b"null"), "")


def _converter(kind: str, api_version: str) -> Callable[[WireSecret], SecretObject]:
    def convert(wire: WireSecret) -> SecretObject:
        meta, spec, status = wire.metadata, wire.spec or _SecretSpec(), wire.status or _SecretStatus()
        namespace = "" if kind in _CLUSTER_KINDS else text(meta.namespace)
        name = clean(meta.name)
        template = spec.external_secret_spec or spec
        bound = text(status.binding.name) if status.binding else ""
        named = text(template.target.name) if template.target else ""
        return SecretObject(
            ref=ObjectRef(kind, namespace, name),
            api_version=api_version,
            conditions=conditions(status.conditions),
            store=None if kind in _STORE_KINDS else _store(spec, template, namespace),
            provider=_provider(spec) if kind in _STORE_KINDS else "",
            target=bound or named or (name if kind == "ExternalSecret" else ""),
            refreshed_at=epoch(status.refresh_time),
            refresh_interval=seconds(template.refresh_interval),
            created_at=epoch(meta.creation_timestamp),
        )

    return convert


@lru_cache(maxsize=64)
def secret_decoder(kind: str, api_version: str) -> Decoder[WireSecret, SecretObject]:
    """Make the decoder of one kind as one version serves it; keys are ``KIND/NAMESPACE/NAME``, ``KIND//NAME``."""

    def key(wire: WireSecret) -> str:
        namespace = "" if kind in _CLUSTER_KINDS else text(wire.metadata.namespace)
        return f"{kind}/{namespace}/{clean(wire.metadata.name)}"

    return Decoder(WireSecret, _converter(kind, api_version), key)
