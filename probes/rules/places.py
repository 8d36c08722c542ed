"""Places: on which nodes the pods run that a cause may reach others by."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from probes.model.flux import ObjectRef
from probes.model.kube import Pod

COREDNS_APPS: Final = frozenset({"kube-dns", "coredns"})
_FLUX: Final = ("source-controller", "kustomize-controller", "helm-controller")
_CONTROLLERS: Final = {"Kustomization": "kustomize-controller", "HelmRelease": "helm-controller"}
"""By kind; all other Flux objects are looked after by source-controller."""
_OVER: Final = frozenset({"Succeeded", "Failed"})
EXTERNAL_SECRETS: Final = "external-secrets"
"""The namespace of the External Secrets operator."""


def controller_of(ref: ObjectRef) -> str:
    """Name the controller that looks after a Flux object."""
    return _CONTROLLERS.get(ref.kind, "source-controller")


class Places(msgspec.Struct, frozen=True):
    """Which nodes the pods run on that names, artifacts and webhooks depend on."""

    coredns: tuple[str, ...] = ()
    """The nodes of CoreDNS's pods, one name a pod."""
    controllers: Mapping[str, tuple[str, ...]] = {}
    """By name of a Flux controller, its nodes."""
    namespaces: Mapping[str, frozenset[str]] = {}
    """The nodes that have pods of a namespace."""
    watched: tuple[Pod, ...] = ()
    """The pods of CoreDNS and of the Flux controllers, on a node or not yet."""

    def controller(self, name: str) -> tuple[str, ...]:
        """Tell where a Flux controller runs."""
        return self.controllers.get(name, ())

    def keepers(self, ref: ObjectRef) -> Collection[str]:
        """Tell where those pods run that look after an object of Flux or of External Secrets."""
        if "Secret" in ref.kind:  # all kinds of External Secrets and none of Flux
            return self.namespaces.get(EXTERNAL_SECRETS, ())
        return self.controller(controller_of(ref))


PodChange = tuple[Pod | None, Pod | None]
"""A pod before and after; None where it was not there or is gone."""


def changed_pods(before: Mapping[str, Pod], after: Mapping[str, Pod], moved: Iterable[str]) -> list[PodChange]:
    """List the pods that changed, came or went; ``moved``: their keys."""
    return [(before.get(key), after.get(key)) for key in moved]


def keeps_places(changed: Collection[PodChange]) -> bool:
    """Tell whether the places are the same after these changes: most are of a restart or of a readiness."""
    return all(old is not None and new is not None and _place(old) == _place(new) for old, new in changed)


def _place(pod: Pod) -> tuple[object, ...]:
    """Tell all that the places are made of, of one pod."""
    is_gone = pod.deleting or pod.phase in _OVER
    is_watched = pod.app in COREDNS_APPS or pod.app in _FLUX
    return pod.namespace, pod.node, pod.app, is_gone, pod if is_watched else None


def places_of(pods: Mapping[str, Pod]) -> Places:
    """Find the places in one pass over the pods; pods without a node, finished ones and leaving ones have none."""
    coredns: list[str] = []
    controllers: dict[str, list[str]] = {}
    namespaces: dict[str, set[str]] = {}
    watched: list[Pod] = []
    for pod in pods.values():
        if pod.deleting or pod.phase in _OVER:
            continue
        dns = pod.app in COREDNS_APPS and pod.namespace == "kube-system"
        if dns or pod.app in _FLUX:
            watched.append(pod)
        if not pod.node:
            continue
        namespaces.setdefault(pod.namespace, set()).add(pod.node)
        if dns:
            coredns.append(pod.node)
        elif pod.app in _FLUX:
            controllers.setdefault(pod.app, []).append(pod.node)
    return Places(
        tuple(sorted(coredns)),
        {name: tuple(sorted(nodes)) for name, nodes in controllers.items()},
        {name: frozenset(nodes) for name, nodes in namespaces.items()},
        tuple(sorted(watched, key=lambda pod: (pod.namespace, pod.name))),
    )
