"""One run at a time: the Lease goes by what is seen of it, never by somebody else's clock."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from probes.kube.errors import ApiTimeout, ApiUnreachable, NotInstalled
from runbooks.lock import Lock, LockLost, LockRefused
from runbooks.writers.api import ApiWriter, Conflict


class Api(ApiWriter):
    """An API that knows one Lease, with versions and preconditions as the real one has; it may lose its answers."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.away = False
        self.loses = ""
        """``answer``: of the next write, which is done; ``write``: that is done just before the one after it."""
        self.late: list[Callable[[], object]] = []

    async def get(self, path: str, query: object = ()) -> bytes:  # noqa: ARG002 - one Lease is all there is
        if self.away:
            raise ApiUnreachable("the API is away")
        if self.lease is None:
            raise NotInstalled("no such lease")
        answer = json.dumps(self.lease).encode()
        await asyncio.sleep(0)  # an answer takes its time, in which others may ask
        return answer

    async def create(self, path: str, body: Any) -> bytes:  # noqa: ARG002 - one Lease is all there is
        if self.lease is not None:
            raise Conflict("there is one")
        return self._keep(body)

    async def replace(self, path: str, body: Any) -> bytes:  # noqa: ARG002 - one Lease is all there is
        losing, self.loses = self.loses, ""
        if losing == "write":
            self.late.append(lambda: self._replace(body))
            raise ApiTimeout("it did not answer within 15 s")
        self.land()
        answer = self._replace(body)
        if losing == "answer":
            raise ApiTimeout("it did not answer within 15 s")
        return answer

    async def delete(self, path: str, *, uid: str, version: str) -> None:  # noqa: ARG002 - one Lease is all there is
        self.land()
        assert self.lease is not None
        assert uid == self.lease["metadata"]["uid"]
        if version != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        self.lease = None

    def land(self) -> None:
        """Have what was sent and not answered come through."""
        for write in self.late:
            write()
        self.late.clear()

    def _replace(self, body: Any) -> bytes:
        meta = body["metadata"]
        if self.lease is None and meta.get("uid"):
            raise Conflict("Precondition failed: UID in precondition")
        if self.lease is not None and meta["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        return self._keep(body)

    def _keep(self, body: Any) -> bytes:
        self.version += 1
        uid = self.lease["metadata"]["uid"] if self.lease else f"u-{self.version}"
        metadata = {**body["metadata"], "uid": uid, "resourceVersion": str(self.version)}
        self.lease = {**body, "metadata": metadata}
        return json.dumps(self.lease).encode()


def lock(api: Api, run: str, **changes: Any) -> Lock:
    async def sleep(_: float) -> None:
        if between := changes.get("between"):
            await between()

    return Lock(api, run, "ops@laptop", ttl=6, sleep=sleep)


def holder(api: Api) -> str:
    assert api.lease is not None
    return str(api.lease["spec"]["holderIdentity"])


async def test_it_is_taken_renewed_and_given_back() -> None:
    """A holder and an end that everybody can see; afterwards there is no Lease at all."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    assert holder(api) == "r-1 ops@laptop"
    assert api.lease is not None
    assert api.lease["spec"]["leaseDurationSeconds"] == 6
    first = api.lease["spec"]["renewTime"]
    await mine.renew()
    assert [mine.held, api.lease["spec"]["renewTime"] >= first] == [True, True]
    await mine.release()
    assert [mine.held, await mine.look()] == [False, None]


async def test_one_that_is_renewed_is_refused_by_name() -> None:
    """Whoever sees it renewed while watching is told who holds it, and how to break it by name."""
    api = Api()
    theirs = lock(api, "r-1")
    await theirs.take()
    with pytest.raises(LockRefused, match=r"r-1 ops@laptop is at work .* --break-lock r-1") as refused:
        await lock(api, "r-2", between=theirs.renew).take()
    assert refused.value.holder == "r-1 ops@laptop"
    assert holder(api).startswith("r-1")


async def test_a_dead_ones_is_taken_whatever_its_clock_said() -> None:
    """A renewTime far in the future is of somebody else's clock: unchanged for its whole life it is dead."""
    api = Api()
    await lock(api, "r-1").take()
    assert api.lease is not None
    api.lease["spec"]["renewTime"] = "2099-01-01T00:00:00.000000Z"
    said: list[str] = []
    await lock(api, "r-2").take(waiting=said.append)
    assert holder(api).startswith("r-2")
    assert "r-1 ops@laptop holds the lock" in said[0]


async def test_a_run_takes_its_own_again_at_once_and_another_by_name() -> None:
    """A run that is resumed waits for nobody; --break-lock takes the named run's, and no other's."""
    api = Api()
    await lock(api, "r-1").take()

    async def never() -> None:
        raise AssertionError("it waited")

    await lock(api, "r-1", between=never).take()
    await lock(api, "r-2", between=never).take(breaking="r-1")
    assert holder(api).startswith("r-2")


async def test_nothing_is_changed_without_it() -> None:
    """With the API away nobody can tell, unless the operator agreed to that; taken away it is lost, and stays so."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    api.away = True
    with pytest.raises(ApiUnreachable):
        await mine.assure()
    mine.lax = True
    await mine.assure()
    api.away = False
    theirs = lock(api, "r-2")
    await theirs.take(breaking="r-1")
    with pytest.raises(LockLost, match="r-2 ops@laptop has taken the lock"):
        await mine.assure()
    await theirs.release()
    with pytest.raises(LockLost, match="r-2 ops@laptop has taken the lock"):
        await mine.assure()
    assert api.lease is None


async def test_one_that_was_taken_and_given_back_meanwhile_is_lost() -> None:
    """Somebody who broke it and was done before we looked again may have changed what the run goes by."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    theirs = lock(api, "r-2")
    await theirs.take(breaking="r-1")
    await theirs.release()
    with pytest.raises(LockLost, match="taken away"):
        await mine.assure()
    assert api.lease is None


async def test_two_renewals_of_its_own_at_once_are_no_somebody_else() -> None:
    """The one that keeps it and the one before a write find the same version: neither takes the other for another."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    for _ in range(20):
        await asyncio.gather(mine.renew(), mine.assure(), mine.renew())
    assert [mine.held, holder(api)] == [True, "r-1 ops@laptop"]


@pytest.mark.parametrize("loses", ["answer", "write"])
async def test_a_renewal_whose_answer_was_lost_is_no_somebody_else(loses: str) -> None:
    """It came through, or comes through between the next look and the next write: the lock is ours all the same."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    api.loses = loses
    with pytest.raises(ApiTimeout):
        await mine.assure()
    await mine.assure()
    assert [mine.held, holder(api), api.late] == [True, "r-1 ops@laptop", []]
    assert api.version == 3


async def test_a_renewal_that_meets_a_theft_says_who_it_was() -> None:
    """Taken by another between our look and our write: lost, by name."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    theirs = lock(api, "r-2")
    renewing = asyncio.ensure_future(mine.renew())
    await asyncio.sleep(0)
    stealing = asyncio.ensure_future(theirs.take(breaking="r-1"))
    with pytest.raises(LockLost, match="r-2 ops@laptop has taken the lock"):
        await asyncio.gather(renewing, mine.renew(), stealing)
    await stealing


async def test_a_late_renewal_neither_keeps_it_nor_makes_it_anew() -> None:
    """One that comes through as the lock is given back, or after that: there is no Lease in the end."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    api.loses = "write"
    with pytest.raises(ApiTimeout):
        await mine.renew()
    await mine.release()
    assert api.lease is None
    await mine.take()
    api.loses = "write"
    with pytest.raises(ApiTimeout):
        await mine.renew()
    late, api.late = api.late, []
    await mine.release()
    for write in late:
        with pytest.raises(Conflict):
            write()
    assert api.lease is None


async def test_it_is_not_given_back_for_others() -> None:
    """A run that lost the lock leaves the new holder's alone."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    await lock(api, "r-2").take(breaking="r-1")
    await mine.release()
    assert holder(api).startswith("r-2")
