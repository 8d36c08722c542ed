"""Events of image pulls and of External Secrets: from the wire to the model (Kubernetes core/v1 Event)."""

import re
from typing import Final

from probes.kube.decode import Decoder
from probes.kube.scalars import epoch
from probes.kube.wire import Object, Wire, text
from probes.model.images import PullEvent, SecretEvent
from probes.model.text import clean

PULL_REASONS: Final = frozenset({"Failed", "BackOff", "InspectFailed", "ErrImageNeverPull"})
"""Of kubelet (pkg/kubelet/events/event.go); Failed and BackOff also speak of containers that crash."""
SECRET_KINDS: Final = frozenset(
    {
        "SecretStore",
        "ClusterSecretStore",
        "ExternalSecret",
        "ClusterExternalSecret",
        "PushSecret",
        "ClusterPushSecret",
    }
)
_ABOUT_IMAGES: Final = re.compile(r"(?i)\bimage\b|ErrImage|ImagePull|ImageInspect|InvalidImageName|RegistryUnavailable")
_IMAGE: Final = re.compile(r'image "([^"\s]{1,512})"')


class _InvolvedObject(Wire):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None


class _Source(Wire):
    host: str | None = None


class _Series(Wire):
    count: int | None = None
    last_observed_time: str | None = None


class WireEvent(Object):
    """core/v1 Event."""

    involved_object: _InvolvedObject | None = None
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    source: _Source | None = None
    reporting_instance: str | None = None
    count: int | None = None
    series: _Series | None = None
    first_timestamp: str | None = None
    last_timestamp: str | None = None
    event_time: str | None = None


def _last(wire: WireEvent) -> float | None:
    series = wire.series.last_observed_time if wire.series else None
    moments = [epoch(moment) for moment in (wire.last_timestamp, series, wire.event_time)]
    return max((m for m in moments if m is not None), default=epoch(wire.metadata.creation_timestamp))


def _pull(wire: WireEvent) -> PullEvent | None:
    about, message = wire.involved_object or _InvolvedObject(), wire.message or ""
    if about.kind != "Pod" or wire.reason not in PULL_REASONS:
        return None
    if wire.reason in {"Failed", "BackOff"} and not _ABOUT_IMAGES.search(message):
        return None  # the container was pulled and crashes: another story
    image = _IMAGE.search(message)
    return PullEvent(
        namespace=text(about.namespace),
        pod=text(about.name),
        reason=wire.reason,
        message=clean(message),
        node=text((wire.source.host if wire.source else None) or wire.reporting_instance),
        image=clean(image[1]) if image else "",
        count=max(wire.count or 0, (wire.series.count or 0) if wire.series else 0, 1),
        first_at=epoch(wire.first_timestamp) or epoch(wire.event_time) or epoch(wire.metadata.creation_timestamp),
        last_at=_last(wire),
    )


def _secret(wire: WireEvent) -> SecretEvent | None:
    about = wire.involved_object or _InvolvedObject()
    if about.kind not in SECRET_KINDS or wire.type != "Warning":
        return None
    return SecretEvent(
        kind=about.kind,
        namespace=text(about.namespace),
        name=text(about.name),
        reason=text(wire.reason),
        message=text(wire.message),
        last_at=_last(wire),
    )


def _key(wire: WireEvent) -> str:
    return f"{clean(wire.metadata.namespace or '')}/{clean(wire.metadata.name)}"


PULL_EVENTS: Final[Decoder[WireEvent, PullEvent]] = Decoder(WireEvent, _pull, _key)
SECRET_EVENTS: Final[Decoder[WireEvent, SecretEvent]] = Decoder(WireEvent, _secret, _key)
