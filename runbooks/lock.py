"""Lock: one run at a time in a cluster, by a Lease that everybody can see: kube-system/underlay.

A Lease is a promise with an end: whoever does not renew it loses it. Clocks of operators differ, so nobody's renewTime
is compared with our clock: a lease is dead once it was seen unchanged for as long as it says it lasts.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from probes.kube.errors import ApiError, ApiTimeout, ApiUnreachable, NotInstalled
from probes.model.text import clean
from runbooks.writers.api import ApiWriter, Conflict

PATH: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
NAME: Final = "underlay"
TTL: Final = 60
"""Seconds that a lease lasts unless it is renewed."""
_LOOKS: Final = 10
_RESTLESS: Final = "the lock changes hands all the time: look at `kubectl -n kube-system get lease underlay`"


class LockRefused(Exception):
    """Somebody else holds the lock; its text is one sentence for the operator."""

    def __init__(self, sentence: str, holder: str = "") -> None:
        super().__init__(sentence)
        self.holder = holder


class LockLost(Exception):
    """The lock is not ours any more, or nobody can tell; its text is one sentence for the operator."""


class Held(msgspec.Struct, frozen=True):
    """The lease, as the API has it."""

    holder: str
    """``RUN WHO``; empty: nobody's."""
    seconds: int
    renewed: str
    version: str
    uid: str

    @property
    def run(self) -> str:
        """The run that holds it."""
        return self.holder.partition(" ")[0]


def _now(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _read(raw: bytes) -> Held:
    found = msgspec.json.decode(raw)
    meta, spec = found.get("metadata", {}), found.get("spec", {}) or {}
    return Held(
        clean(str(spec.get("holderIdentity") or "")),
        int(spec.get("leaseDurationSeconds") or TTL),
        clean(str(spec.get("renewTime") or "")),
        str(meta.get("resourceVersion", "")),
        str(meta.get("uid", "")),
    )


class Lock:
    """The cluster's lock, for one run."""

    def __init__(
        self,
        api: ApiWriter,
        run: str,
        who: str,
        *,
        ttl: int = TTL,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = api
        self._run = run
        self.holder = f"{run} {who}"
        self._ttl = ttl
        self._clock = clock
        self._sleep = sleep
        self.lax = False
        """Whether the operator agreed to go on while the API is away and nobody can tell whose the lock is."""
        self._turn = asyncio.Lock()
        self._lost = ""
        """Why it is not ours any more, once it was lost."""
        self._held: Held | None = None
        self._until = 0.0
        """When it ends unless renewed, by the monotonic clock."""

    @property
    def held(self) -> bool:
        """Whether it is ours for now."""
        return self._held is not None and time.monotonic() < self._until

    @property
    def ends(self) -> float:
        """When it ends unless renewed, in seconds since the epoch."""
        return self._clock() + self._until - time.monotonic()

    async def look(self) -> Held | None:
        """Tell who holds it; None: nobody. Raises ApiError."""
        try:
            found = _read(await self._api.get(f"{PATH}/{NAME}"))
        except NotInstalled:
            return None
        return found if found.holder else None

    async def take(self, *, breaking: str = "", waiting: Callable[[str], None] = lambda _: None) -> None:
        """Take it; waits for one that seems dead to prove so. Raises LockRefused and ApiError.

        ``breaking``: the run whose lock is taken away, by its name. ``waiting``: is told why this takes long.
        """
        for _ in range(_LOOKS):
            there = await self.look()
            try:
                if there is None or there.run in {self._run, breaking}:
                    await self._put(there)
                else:
                    await self._outlive(there, waiting)
                    await self._put(there)
            except Conflict:
                continue
            return
        raise LockRefused(_RESTLESS)

    async def _outlive(self, there: Held, waiting: Callable[[str], None]) -> None:
        """Watch a lease for as long as it lasts; raises LockRefused where it is renewed meanwhile."""
        waiting(f"{there.holder} holds the lock; for {there.seconds} s we watch whether it is still renewed")
        steps = max(4, min(60, there.seconds))
        for _ in range(steps):
            await self._sleep(there.seconds / steps)
            now = await self.look()
            if now is None:
                return
            if now.version != there.version:
                raise LockRefused(
                    f"{now.holder} is at work on this cluster and renews its lock; wait, or if you know better: "
                    f"--break-lock {now.run}",
                    now.holder,
                )

    async def _put(self, there: Held | None) -> None:
        """Write it as ours; raises Conflict where somebody was faster."""
        before = time.monotonic()
        now = _now(self._clock())
        spec: dict[str, Any] = {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self._ttl,
            "acquireTime": now,
            "renewTime": now,
        }
        lease: dict[str, Any] = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, "namespace": "kube-system"},
            "spec": spec,
        }
        current = there
        if current is None:
            try:
                current = _read(await self._api.get(f"{PATH}/{NAME}"))
            except NotInstalled:
                raw = await self._api.create(PATH, lease)
                self._held, self._until = _read(raw), before + self._ttl
                return
            if current.holder and current.run != self._run:
                raise Conflict("somebody else was faster")
        # With its uid, for by its version alone a Lease that was deleted meanwhile would be made anew by this.
        lease["metadata"] |= {"resourceVersion": current.version, "uid": current.uid}
        self._held = _read(await self._api.replace(f"{PATH}/{NAME}", lease))
        self._until = before + self._ttl

    async def renew(self) -> None:
        """Renew it; raises LockLost where it is somebody else's, or was meanwhile, ApiError where nobody can tell.

        One at a time: of two at once the second would find the first one's write and take it for somebody else's.
        """
        async with self._turn:
            if self._lost:
                raise LockLost(self._lost)
            for _ in range(_LOOKS):
                there = await self.look()
                if there is not None and there.run != self._run:
                    raise self._lose(f"{there.holder} has taken the lock")
                if there is None and self._held is not None:
                    raise self._lose("the lock was taken away: somebody else may have been at work meanwhile")
                try:
                    await self._put(there)
                except Conflict:
                    continue  # a renewal of ours whose answer was lost has come through late, or somebody: look who
                return
        raise LockLost(_RESTLESS)

    def _lose(self, why: str) -> LockLost:
        """Have it lost for good: whoever had it meanwhile may have changed what this run goes by."""
        self._held = None
        self._lost = why
        return LockLost(why)

    async def assure(self) -> None:
        """Make sure that it is ours before something is changed; raises LockLost and ApiError."""
        try:
            await self.renew()
        except (ApiUnreachable, ApiTimeout):
            if not self.lax:
                raise

    async def keep(self, told: Callable[[str], None]) -> None:
        """Renew it three times in its life until cancelled or lost; ``told`` hears "" each time, and why it fails."""
        while not self._lost:
            await self._sleep(self._ttl / 3)
            try:
                await self.renew()
                told("")
            except (LockLost, ApiError) as error:
                told(str(error))

    async def release(self) -> None:
        """Give it back, if it is ours; raises ApiError, and Conflict where it never rests."""
        async with self._turn:
            self._held = None
            for _ in range(_LOOKS):
                there = await self.look()
                if there is None or there.run != self._run:
                    return
                try:
                    await self._api.delete(f"{PATH}/{NAME}", uid=there.uid, version=there.version)
                except NotInstalled:
                    return
                except Conflict:
                    continue  # a renewal of ours has come through late: what it made is what has to go
                return
            raise Conflict(_RESTLESS)
