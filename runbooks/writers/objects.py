"""Writes to objects of the API: what each action means there, and how it is told that it happened."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec

from probes.kube.client import Api
from probes.kube.discovery import discover
from probes.kube.errors import NotInstalled
from probes.kube.resources import GROUPS
from probes.model.text import clean
from runbooks.actions import (
    CORDONED_BY,
    REQUESTED,
    Annotate,
    AnyAction,
    Cordon,
    Drain,
    Patch,
    ReconcileFlux,
    Target,
    Uncordon,
)
from runbooks.writers.api import JSON_PATCH, ApiWriter, Conflict, Forbidding

_CORE: Final = {
    "node": "/api/v1/nodes/{name}",
    "namespace": "/api/v1/namespaces/{name}",
    "pod": "/api/v1/namespaces/{namespace}/pods/{name}",
    "configmap": "/api/v1/namespaces/{namespace}/configmaps/{name}",
    "secret": "/api/v1/namespaces/{namespace}/secrets/{name}",
    "service": "/api/v1/namespaces/{namespace}/services/{name}",
    "deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
    "daemonset": "/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}",
    "statefulset": "/apis/apps/v1/namespaces/{namespace}/statefulsets/{name}",
}
_MIRROR: Final = "kubernetes.io/config.mirror"
_POD: Final = "/api/v1/namespaces/{}/pods/{}"


class ObjectRefused(Exception):
    """The API would not do what it was told; its text is one sentence for the operator."""


class Evicting(msgspec.Struct, frozen=True):
    """How far a drain is."""

    left: tuple[str, ...]
    """``NAMESPACE/NAME`` of pods that are still to go."""
    said: tuple[str, ...] = ()


class ObjectWriter:
    """Writes objects of one cluster, in one run."""

    def __init__(self, api: ApiWriter, reads: Api, run: str) -> None:
        self._api = api
        self._reads = reads
        self._run = run
        self._paths: dict[tuple[str, str], tuple[str, str, str]] = {}

    async def begin(self, action: AnyAction) -> None:
        """Do what an action says, once; raises ApiError, Conflict, ObjectRefused."""
        match action:
            case Patch(target=target, patch=patch):
                await self._api.patch(await self._path(target), patch)
            case Annotate(target=target, annotations=annotations):
                await self._annotate(target, annotations)
            case ReconcileFlux(target=target, stamp=stamp):
                await self._annotate(target, {REQUESTED: stamp})
            case Cordon(node=node):
                await self._cordon(node)
            case Uncordon(node=node):
                await self._uncordon(node)
            case _:
                raise TypeError(action)

    async def wanted(self, action: AnyAction) -> bool:
        """Tell whether an action's effect is there; raises ApiError, ObjectRefused."""
        match action:
            case Patch(target=target, patch=patch):
                return _contains(await self._get(await self._path(target)), patch)
            case Annotate(target=target, annotations=annotations):
                return annotations.items() <= _annotations(await self._get(await self._path(target))).items()
            case ReconcileFlux(target=target, stamp=stamp):
                return _annotations(await self._get(await self._path(target))).get(REQUESTED) == stamp
            case Cordon(node=node):
                return bool(_spec(await self._node(node)).get("unschedulable"))
            case Uncordon(node=node):
                return not await self._ours(node)
        raise TypeError(action)

    async def cordoned_by_us(self, names: tuple[str, ...]) -> list[str]:
        """List the nodes that this run cordoned and that still are; raises ApiError."""
        return [name for name in names if await self._ours(name)]

    async def pods_to_evict(self, action: Drain, chosen: frozenset[str]) -> list[dict[str, Any]]:
        """List the pods that a drain is about; raises ApiError, and ObjectRefused where one must not be evicted.

        ``chosen``: addresses of the pods meant, where the drain keeps those of a certain MTU.
        """
        pods = [pod for pod in await self._pods(action.node) if _may_go(pod)]
        if action.keep_mtu is not None:
            pods = [pod for pod in pods if chosen & {ip.get("ip", "") for ip in _status(pod).get("podIPs") or ()}]
        for pod in pods:
            if why := _blocked(pod, action):
                raise ObjectRefused(why)
        return pods

    async def pods_of(self, node: str, uids: Collection[str]) -> list[dict[str, Any]]:
        """List those of a node's pods that have these uids, as far as they are still there; raises ApiError."""
        return [pod for pod in await self._pods(node) if pod["metadata"]["uid"] in uids]

    async def _pods(self, node: str) -> list[dict[str, Any]]:
        raw = await self._api.get("/api/v1/pods", (("fieldSelector", f"spec.nodeName={node}"),))
        found: list[dict[str, Any]] = msgspec.json.decode(raw).get("items") or []
        return found

    async def evict(self, pods: list[dict[str, Any]]) -> Evicting:
        """Ask once for the eviction of every pod that is still there, the very ones and no others of their names."""
        left, said = [], []
        for pod in pods:
            meta = pod["metadata"]
            namespace, name, uid = meta["namespace"], meta["name"], meta["uid"]
            called = clean(f"{namespace}/{name}")
            try:
                if not meta.get("deletionTimestamp"):
                    await self._api.evict(namespace, name, uid)
                    said.append(f"evicted {called}")
                now = await self._get(_POD.format(namespace, name))
                if now["metadata"]["uid"] == uid:
                    left.append(called)
            except Forbidding as error:
                left.append(called)
                said.append(f"{called} may not go yet: {error}")
            except (NotInstalled, Conflict):
                continue  # gone, or another pod of that name
        return Evicting(tuple(left), tuple(said))

    async def _cordon(self, name: str) -> None:
        node = await self._node(name)
        if _spec(node).get("unschedulable"):
            return
        patch = {
            "metadata": {
                "resourceVersion": node["metadata"]["resourceVersion"],
                "annotations": {CORDONED_BY: self._run},
            },
            "spec": {"unschedulable": True},
        }
        await self._api.patch(_CORE["node"].format(name=name), patch)

    async def _uncordon(self, name: str) -> None:
        """Take our own cordon away: the API itself refuses where the annotation is not this run's any more."""
        key = CORDONED_BY.replace("~", "~0").replace("/", "~1")
        patch = [
            {"op": "test", "path": f"/metadata/annotations/{key}", "value": self._run},
            {"op": "remove", "path": f"/metadata/annotations/{key}"},
            {"op": "add", "path": "/spec/unschedulable", "value": False},
        ]
        await self._api.patch(_CORE["node"].format(name=name), patch, JSON_PATCH)

    async def _ours(self, name: str) -> bool:
        return _annotations(await self._node(name)).get(CORDONED_BY) == self._run

    async def _annotate(self, target: Target, annotations: Mapping[str, str]) -> None:
        await self._api.patch(await self._path(target), {"metadata": {"annotations": dict(annotations)}})

    async def _node(self, name: str) -> dict[str, Any]:
        return await self._get(_CORE["node"].format(name=name))

    async def _get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(await self._api.get(path))
        return found

    async def _path(self, target: Target) -> str:
        """Tell where an object is; kinds of Flux and External Secrets are looked up."""
        core = _CORE.get(target.kind.lower())
        if core is not None:
            return core.format(namespace=target.namespace, name=target.name)
        if not self._paths:
            served = await discover(self._reads, GROUPS, timeout=15.0)
            for (group, kind), (version, plural) in served.kinds.items():
                self._paths[kind.lower(), ""] = (group, version, plural)
        found = self._paths.get((target.kind.lower(), ""))
        if found is None:
            raise ObjectRefused(f"{target.kind} is not an object of the API")
        group, version, plural = found
        place = f"namespaces/{target.namespace}/" if target.namespace else ""
        return f"/apis/{group}/{version}/{place}{plural}/{target.name}"


def _spec(obj: Mapping[str, Any]) -> dict[str, Any]:
    return obj.get("spec") or {}


def _status(obj: Mapping[str, Any]) -> dict[str, Any]:
    return obj.get("status") or {}


def _annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    return obj.get("metadata", {}).get("annotations") or {}


def _contains(found: Any, patch: Any) -> bool:
    """Tell whether a merge patch would change nothing (RFC 7386: null takes away)."""
    if not isinstance(patch, dict):
        return bool(found == patch)
    if not isinstance(found, dict):
        return False
    return all(
        key not in found if value is None else key in found and _contains(found[key], value)
        for key, value in patch.items()
    )


def _owners(pod: Mapping[str, Any]) -> Iterator[str]:
    for owner in pod.get("metadata", {}).get("ownerReferences") or ():
        if owner.get("controller"):
            yield str(owner.get("kind"))


def _may_go(pod: Mapping[str, Any]) -> bool:
    """Leave out what a drain leaves out: DaemonSets' and mirror pods, and those that have ended."""
    ended = _status(pod).get("phase") in {"Succeeded", "Failed"}
    return not ended and "DaemonSet" not in _owners(pod) and _MIRROR not in _annotations(pod)


def _blocked(pod: Mapping[str, Any], action: Drain) -> str:
    called = clean(f"{pod['metadata']['namespace']}/{pod['metadata']['name']}")
    if not action.unmanaged and not list(_owners(pod)):
        return f"{called} has no controller that would make it anew: nothing was evicted"
    volumes = _spec(pod).get("volumes") or ()
    if not action.emptydir and any("emptyDir" in volume for volume in volumes):
        return f"{called} has an emptyDir volume, whose data would be lost: nothing was evicted"
    return ""
