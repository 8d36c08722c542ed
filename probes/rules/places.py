"""Places: on which nodes the pods run that a cause may reach others by."""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from probes.model.flux import ObjectRef
from probes.model.kube import Pod

COREDNS_APPS: Final = frozenset({"kube-dns", "coredns"})
_FLUX: Final = ("source-controller", "kustomize-controller", "helm-controller")
_CONTROLLERS: Final = {"Kustomization": "kustomize-controller", "HelmRelease": "helm-controller"}
"""By kind; all other Flux objects are looked after by source-controller."""
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


def places_of(pods: Mapping[str, Pod]) -> Places:
    """Find the places in one pass over the pods; pods without a node, finished ones and leaving ones have none."""
    coredns: list[str] = []
    controllers: dict[str, list[str]] = {}
    namespaces: dict[str, set[str]] = {}
    watched: list[Pod] = []
    for pod in pods.values():
        if pod.deleting or pod.phase in {"Succeeded", "Failed"}:
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
