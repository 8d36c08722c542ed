"""The shape that all Kubernetes objects and lists share on the wire; everything may be missing or null."""

from typing import Final

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


_KNOWN: Final[dict[str, str]] = {}
_MOST_KNOWN: Final = 8192
_LONGEST_KNOWN: Final = 256


def word(value: str | None) -> str:
    """Clean a string that many objects share, such as a reason or an image, and keep one copy of it for all."""
    if not value:
        return ""
    known = _KNOWN.get(value)
    if known is not None:
        return known
    cleaned = clean(value)
    if len(value) <= _LONGEST_KNOWN:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()  # not so many share it after all
        _KNOWN[value] = cleaned
    return cleaned


def text(value: str | None) -> str:
    """Clean a string of the API; nothing becomes the empty string."""
    return clean(value) if value else ""


def conditions(wire: list[WireCondition | None] | None) -> tuple[Condition, ...]:
    """Turn conditions into the model's; those without a type mean nothing and are left out."""
    if not wire:
        return ()
    return tuple(
        [
            Condition(
                word(c.type),
                word(c.status) or "Unknown",
                word(c.reason),
                word(c.message),
                epoch(c.last_transition_time),
                epoch(c.last_heartbeat_time),
                c.observed_generation,
            )
            for c in wire
            if c is not None and c.type
        ]
    )
