"""One run at a time: the Lease goes by what is seen of it, never by somebody else's clock."""

import json
from typing import Any

import pytest

from probes.kube.errors import ApiUnreachable, NotInstalled
from runbooks.lock import Lock, LockLost, LockRefused
from runbooks.writers.api import ApiWriter, Conflict


class Api(ApiWriter):
    """An API that knows one Lease, with versions and preconditions as the real one has."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.away = False

    async def get(self, path: str, query: object = ()) -> bytes:  # noqa: ARG002 - one Lease is all there is
        if self.away:
            raise ApiUnreachable("the API is away")
        if self.lease is None:
            raise NotInstalled("no such lease")
        return json.dumps(self.lease).encode()

    async def create(self, path: str, body: Any) -> bytes:  # noqa: ARG002 - one Lease is all there is
        if self.lease is not None:
            raise Conflict("there is one")
        return self._keep(body)

    async def replace(self, path: str, body: Any) -> bytes:  # noqa: ARG002 - one Lease is all there is
        if self.lease is None or body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        return self._keep(body)

    async def delete(self, path: str, *, uid: str, version: str) -> None:  # noqa: ARG002 - one Lease is all there is
        assert self.lease is not None
        if version != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("changed")
        self.lease = None

    def _keep(self, body: Any) -> bytes:
        self.version += 1
        metadata = {**body["metadata"], "uid": "u-1", "resourceVersion": str(self.version)}
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
    """Taken away it is lost; with the API away nobody can tell, unless the operator agreed to that."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    await lock(api, "r-2").take(breaking="r-1")
    with pytest.raises(LockLost, match="r-2 ops@laptop has taken the lock"):
        await mine.assure()
    api.away = True
    with pytest.raises(ApiUnreachable):
        await mine.assure()
    mine.lax = True
    await mine.assure()
    api.away = False
    with pytest.raises(LockLost):
        await mine.assure()


async def test_it_is_not_given_back_for_others() -> None:
    """A run that lost the lock leaves the new holder's alone."""
    api = Api()
    mine = lock(api, "r-1")
    await mine.take()
    await lock(api, "r-2").take(breaking="r-1")
    await mine.release()
    assert holder(api).startswith("r-2")
