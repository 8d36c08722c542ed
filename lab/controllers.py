"""What runs in a cluster by itself: kubelets renew leases and pull images, Flux and External Secrets reconcile."""

import asyncio
from datetime import datetime
from typing import Any

from lab import fabric, flux, manifests, secrets
from lab.kinds import BY_KIND, FLUX_KINDS, Kind
from lab.store import Change, NotFoundError, timestamp
from lab.world import World

Object = dict[str, Any]
_GRACE = 40.0
"""Seconds without a lease after which a node is NotReady."""
_MAX_QUEUE = 10_000
_PULLING = frozenset(("ErrImagePull", "ImagePullBackOff"))


class Controllers:
    """The loops over one world; the parameters pace renewals, pulls of a failing image and reconciliations."""

    def __init__(
        self,
        world: World,
        lease_seconds: float = 10.0,
        pull_seconds: float = 20.0,
        reconcile_seconds: float = 0.2,
    ) -> None:
        self._world = world
        self._lease_seconds = lease_seconds
        self._pull_seconds = pull_seconds
        self._reconcile_seconds = reconcile_seconds
        self._asked: asyncio.Queue[tuple[Kind, str, str]] = asyncio.Queue(_MAX_QUEUE)
        # From here on, not from the loop's next turn: no change may be missed.
        world.store.observers.add(self._observe)

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew_leases())
                group.create_task(self._pull_images())
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

    async def _pull_images(self) -> None:
        while True:
            await asyncio.sleep(self._pull_seconds)
            pull_images(self._world)

    def _observe(self, change: Change) -> None:
        if change.type == "DELETED":
            if change.kind.kind == "Pod" and change.key[1].startswith("source-controller-"):
                flux.lose_artifacts(self._world)
            return
        asked = []
        if change.kind.kind in FLUX_KINDS:
            asked = [(change.kind, *change.key)] if flux.wants_attention(change.entry.obj) else []
            asked += flux.followers(self._world, change)
        elif change.kind.kind in secrets.KINDS and secrets.wants_attention(change):
            asked = [(change.kind, *change.key)]
        for item in asked:
            if not self._asked.full():
                self._asked.put_nowait(item)

    async def _reconcile(self) -> None:
        while True:
            kind, namespace, name = await self._asked.get()
            await asyncio.sleep(self._reconcile_seconds)
            reconcile = flux.reconcile if kind.kind in FLUX_KINDS else secrets.reconcile
            try:
                reconcile(self._world, kind, namespace, name)
            except NotFoundError:
                continue  # deleted meanwhile


def pull_images(world: World) -> None:
    """Let each kubelet try again what it could not pull: where the registry can be reached the pod runs."""
    kind = BY_KIND["Pod"]
    for pod in world.store.objects(kind):
        node = pod["spec"].get("nodeName", "")
        statuses = pod["status"].get("containerStatuses", [])
        images = [s["image"] for s in statuses if s["state"].get("waiting", {}).get("reason") in _PULLING]
        if node not in world.nodes or not images:
            continue
        if not all(fabric.bulk(world, fabric.Endpoint(node), image.partition("/")[0]) for image in images):
            continue
        now = world.clock()
        meta = pod["metadata"]
        running = {"running": {"startedAt": timestamp(now)}}

        def start(obj: Object, running: Object = running) -> None:
            obj["status"]["phase"] = "Running"
            for status in obj["status"]["containerStatuses"]:
                status.update(ready=True, started=True, state=running)
            for condition in obj["status"]["conditions"]:
                condition["status"] = "True"

        world.store.edit(kind, meta["namespace"], meta["name"], start)
        message = (
            f'Successfully pulled image "{images[0]}" in 4.2s (4.2s including waiting). Image size: 48113214 bytes.'
        )
        pulled = manifests.event(
            pod, "Pulled", message, component="kubelet", first_at=now, last_at=now, kind="Normal", host=node
        )
        world.store.create(BY_KIND["Event"], pulled)
