"""The shape that all Kubernetes objects and lists share on the wire; everything may be missing or null."""

import msgspec

from probes.kube.scalars import epoch
from probes.model.kube import Condition
from probes.model.text import clean


class Wire(msgspec.Struct, gc=False, rename="camel"):
    """A fragment of an API object: only the fields that we read, in the names of the API."""


class OwnerReference(Wire):
    """metav1.OwnerReference."""

    kind: str | None = None
    name: str | None = None
    controller: bool | None = None


class Meta(Wire):
    """metav1.ObjectMeta without labels, annotations and owners, which cost where nobody reads them."""

    name: str
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    resource_version: str | None = None


class WireCondition(Wire):
    """A condition, whichever kind of object it belongs to."""

    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None
    last_heartbeat_time: str | None = None
    observed_generation: int | None = None


class Object(Wire):
    """An object of any kind, as far as its name."""

    metadata: Meta


def text(value: str | None) -> str:
    """Clean a string of the API; nothing becomes the empty string."""
    return clean(value) if value else ""


def conditions(wire: list[WireCondition | None] | None) -> tuple[Condition, ...]:
    """Turn conditions into the model's; those without a type mean nothing and are left out."""
    return tuple(
        [
            Condition(
                clean(c.type),
                clean(c.status) if c.status else "Unknown",
                clean(c.reason) if c.reason else "",
                clean(c.message) if c.message else "",
                epoch(c.last_transition_time),
                epoch(c.last_heartbeat_time) if c.last_heartbeat_time else None,
                c.observed_generation,
            )
            for c in wire or ()
            if c is not None and c.type
        ]
    )
