"""Image pulls that fail, grouped as an operator would: by registry, image and node."""

from collections.abc import Iterable
from typing import Final

import msgspec

from probes.model.images import PullEvent
from probes.model.kube import Container, Pod
from probes.model.snapshot import Snapshot


class PullFailure(msgspec.Struct, frozen=True):
    """Image pulls that fail alike: one registry, one image, one node."""

    registry: str
    image: str
    node: str
    pods: tuple[str, ...]
    message: str
    last_at: float | None = None


WAITING: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ImageInspectError",
        "ErrImageNeverPull",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
"""Reasons for which a container waits for its image (kubernetes pkg/kubelet/images/types.go)."""


def waits_for_image(pod: Pod) -> bool:
    """Tell whether a container of a pod waits for its image."""
    return any(container.waiting_reason in WAITING for container in pod.containers)


def registry_of(image: str) -> str:
    """Tell the registry an image comes from: the part before the first slash where that is a host, else docker.io."""
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


_CAUSE: Final = "Failed to pull"
"""How an Event begins that tells the cause."""


def _most_telling(events: Iterable[PullEvent], image: str) -> PullEvent | None:
    """Choose the newest event about an image that says why."""
    about = [event for event in events if event.image == image]
    # "Failed to pull image" carries the cause; "Back-off pulling" and "Error: ErrImagePull" do not.
    return max(about, key=lambda event: (_CAUSE in event.message, event.last_at or 0.0), default=None)


def _message(told: PullEvent | None, container: Container) -> str:
    """Take the Event's message, unless only what the container waits for tells the cause (kubelet since 1.32)."""
    if told is not None and (_CAUSE in told.message or "ErrImagePull: " not in container.waiting_message):
        return told.message
    return container.waiting_message or container.waiting_reason


def summarize_pulls(snapshot: Snapshot) -> tuple[PullFailure, ...]:
    """Group the image pulls that fail now by registry, image and node, with the most telling message.

    A container that waits says that its pull fails now; an Event of the same pod says why, and for an hour.
    """
    events: dict[tuple[str, str], list[PullEvent]] = {}
    for event in snapshot.pull_events.values():
        events.setdefault((event.namespace, event.pod), []).append(event)
    groups: dict[tuple[str, str, str], list[tuple[str, str, float | None]]] = {}
    for pod in snapshot.pods.values():
        for container in pod.containers:
            if container.waiting_reason in WAITING:
                told = _most_telling(events.get((pod.namespace, pod.name), ()), container.image)
                message = _message(told, container)
                group = (registry_of(container.image), container.image, pod.node)
                at = told.last_at if told else None
                groups.setdefault(group, []).append((f"{pod.namespace}/{pod.name}", message, at))
    return tuple(
        PullFailure(
            *key,
            tuple(sorted(p for p, _, _ in members)),
            max(members, key=lambda member: member[2] or 0.0)[1],
            max((at for _, _, at in members if at), default=None),
        )
        for key, members in sorted(groups.items())
    )
