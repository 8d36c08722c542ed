"""What runs in a cluster by itself: kubelets that renew leases, and Flux that reconciles on request."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from lab import fabric, fluxobjects
from lab.kinds import BY_KIND, FLUX_CONSUMERS, FLUX_KINDS, FLUX_SOURCES, Kind
from lab.store import Change, Entry, NotFoundError
from lab.world import Failure, World

Object = dict[str, Any]
REQUESTED = "reconcile.fluxcd.io/requestedAt"
_GRACE = 40.0
"""Seconds without a lease after which a node is NotReady."""
_MAX_QUEUE = 10_000


class Controllers:
    """The loops over one world; ``lease_seconds`` between renewals, ``reconcile_seconds`` for one reconciliation."""

    def __init__(self, world: World, lease_seconds: float = 10.0, reconcile_seconds: float = 0.2) -> None:
        self._world = world
        self._lease_seconds = lease_seconds
        self._reconcile_seconds = reconcile_seconds
        self._asked: asyncio.Queue[Change] = asyncio.Queue(_MAX_QUEUE)

    async def run(self) -> None:
        """Run until cancelled."""
        self._world.store.observers.add(self._observe)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew_leases())
                group.create_task(self._reconcile())
        finally:
            self._world.store.observers.discard(self._observe)

    async def _renew_leases(self) -> None:
        """Renew in turn, so that a thousand nodes do not renew at once."""
        while True:
            names = tuple(self._world.nodes)
            if not names:
                await asyncio.sleep(self._lease_seconds)
            for name in names:
                await asyncio.sleep(self._lease_seconds / len(names))
                self._world.heartbeat(name)
                self._judge(name)

    def _judge(self, name: str) -> None:
        """Judge as the node lifecycle controller does: no lease for a while, and the node is Unknown."""
        lease = self._world.store.get(BY_KIND["Lease"], "kube-node-lease", name).obj
        renewed = datetime.fromisoformat(lease["spec"]["renewTime"]).timestamp()
        if self._world.clock() - renewed > _GRACE:
            self._world.set_ready(name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")

    def _observe(self, change: Change) -> None:
        if change.type == "DELETED" or change.kind.kind not in FLUX_KINDS or self._asked.full():
            return
        if _wants_attention(change.entry.obj):
            self._asked.put_nowait(change)

    async def _reconcile(self) -> None:
        while True:
            change = await self._asked.get()
            await asyncio.sleep(self._reconcile_seconds)
            try:
                reconcile(self._world, change.kind, *change.key)
            except NotFoundError:
                continue  # deleted meanwhile


def _wants_attention(obj: Object) -> bool:
    if obj.get("spec", {}).get("suspend") or obj["spec"].get("type") == "oci":
        return False
    status = obj.get("status", {})
    requested = obj["metadata"].get("annotations", {}).get(REQUESTED, "")
    changed = status.get("observedGeneration") != obj["metadata"].get("generation")
    return changed or (bool(requested) and requested != status.get("lastHandledReconcileAt", ""))


def reconcile(world: World, kind: Kind, namespace: str, name: str) -> Entry:
    """Reconcile one Flux object as the world's connectivity lets it; a suspended one is left as it is."""
    obj = world.store.get(kind, namespace, name).obj
    if not _wants_attention(obj):
        return world.store.get(kind, namespace, name)
    requested = obj["metadata"].get("annotations", {}).get(REQUESTED, "")
    failure = _failure(world, kind, obj)
    revision = _revision(world, kind, obj)

    def change(new: Object) -> None:
        status = new.setdefault("status", {})
        status["observedGeneration"] = new["metadata"]["generation"]
        if requested:
            status["lastHandledReconcileAt"] = requested
        if failure is not None:
            fluxobjects.fail(new, failure.reason, failure.message, world.clock())
            return
        status["conditions"] = [c for c in status.get("conditions", []) if c["type"] != "FetchFailed"]
        reason, message = fluxobjects.success(kind.kind, new, revision)
        fluxobjects.set_ready(new, "True", reason, message, world.clock())
        if kind.kind in FLUX_SOURCES:
            _store_artifact(kind, new, revision, world.clock)
        elif kind.kind == "Kustomization":
            status |= {"lastAppliedRevision": revision, "lastAttemptedRevision": revision}

    return world.store.edit(kind, namespace, name, change)


def _store_artifact(kind: Kind, obj: Object, revision: str, clock: Callable[[], float]) -> None:
    old = obj["status"].get("artifact", {})
    meta = obj["metadata"]
    new = fluxobjects.artifact(kind, meta["namespace"], meta["name"], revision, clock(), old.get("size", 183204))
    if old.get("revision") != revision:
        obj["status"]["artifact"] = new


def _failure(world: World, kind: Kind, obj: Object) -> Failure | None:
    """Why an object cannot be reconciled now; None when it can."""
    meta = obj["metadata"]
    known = world.failures.get((kind.kind, meta["namespace"], meta["name"]))
    if kind.kind in FLUX_CONSUMERS:
        return _consumer_failure(world, obj) or (known if known and not _overlay_works(world) else None)
    origin = _controller(world, "source-controller")
    if origin is None:
        return known
    if not fabric.resolves(world, origin) or not fabric.bulk(world, origin, _host(obj["spec"].get("url", ""))):
        return known or Failure("Failed", "context deadline exceeded")
    return None


def _consumer_failure(world: World, obj: Object) -> Failure | None:
    namespace = obj["metadata"]["namespace"]
    for item in obj["spec"].get("dependsOn", []):
        try:
            other = world.store.get(BY_KIND[obj["kind"]], item.get("namespace", namespace), item["name"]).obj
        except NotFoundError:
            other = {}
        ready = fluxobjects.ready_of(other)
        if ready is None or ready["status"] != "True":
            return Failure("DependencyNotReady", f"dependency '{namespace}/{item['name']}' is not ready")
    return None


def _overlay_works(world: World) -> bool:
    """Whether every node's pods reach those of every other node."""
    ends = [
        fabric.Endpoint(machine.name, f"{pod.namespace}/{pod.pod}")
        for machine in world.nodes.values()
        for pod in machine.overlay.pods[:1]
    ]
    return all(
        fabric.exchange(world, one, fabric.address_of(world, other), 128).outcome == "ok"
        for one in ends
        for other in ends
        if one != other
    )


def _controller(world: World, app: str) -> fabric.Endpoint | None:
    for machine in world.nodes.values():
        for pod in machine.overlay.pods:
            if pod.pod.startswith(f"{app}-"):
                return fabric.Endpoint(machine.name, f"{pod.namespace}/{pod.pod}")
    return None


def _host(url: str) -> str:
    rest = url.partition("://")[2].rpartition("@")[2] or url
    return rest.partition("/")[0].partition(":")[0]


def _revision(world: World, kind: Kind, obj: Object) -> str:
    """Find the revision that a reconciliation arrives at: a source stays where it is, a consumer takes its source's."""
    status = obj.get("status", {})
    if kind.kind in FLUX_SOURCES:
        return str(status.get("artifact", {}).get("revision", "main@sha1:" + "0" * 40))
    reference = obj["spec"].get("sourceRef")
    if kind.kind == "Kustomization" and reference:
        try:
            source = world.store.get(BY_KIND[reference["kind"]], obj["metadata"]["namespace"], reference["name"]).obj
        except NotFoundError:
            return str(status.get("lastAppliedRevision", ""))
        return str(source.get("status", {}).get("artifact", {}).get("revision", ""))
    history = status.get("history") or [{}]
    return str(history[0].get("chartVersion", ""))
