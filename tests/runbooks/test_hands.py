"""A drain evicts the pods that were there when it was begun, each once, and none that was made since."""

import json
from collections.abc import Collection
from typing import Any, cast

import pytest

from probes.kube.client import Api
from probes.kube.errors import NotInstalled
from probes.transports.base import Transport, TransportError
from runbooks.actions import Drain
from runbooks.plan import PlannedStep
from runbooks.writers.api import ApiWriter
from runbooks.writers.hands import Hands


class Pods(ApiWriter):
    """An API that knows one node's pods, whose controllers make each anew with the address of the one before it."""

    def __init__(self, *names: str) -> None:
        self.pods = {name: self._made(name, 1) for name in names}
        self.evicted: list[str] = []

    def _made(self, name: str, count: int) -> dict[str, Any]:
        meta = {"namespace": "shop", "name": name, "uid": f"{name}-{count}", "ownerReferences": [{"controller": True}]}
        return {"metadata": meta, "spec": {}, "status": {"podIPs": [{"ip": f"10.42.1.{len(name)}"}]}}

    async def get(self, path: str, query: object = ()) -> bytes:  # noqa: ARG002 - of one node
        name = path.rpartition("/")[2]
        if name == "pods":
            return json.dumps({"items": list(self.pods.values())}).encode()
        if name not in self.pods:
            raise NotInstalled(name)
        return json.dumps(self.pods[name]).encode()

    async def evict(self, namespace: str, name: str, uid: str) -> None:  # noqa: ARG002 - one namespace
        assert self.pods[name]["metadata"]["uid"] == uid
        self.evicted.append(uid)
        self.pods[name] = self._made(name, 1 + len([each for each in self.evicted if each.startswith(name)]))


STEP = PlannedStep("07-drain-a", "drain", Drain("a", keep_mtu=1450), "", "", "", "a", ())


def hands(api: Pods, odd: Collection[str] | TransportError) -> Hands:
    async def odd_pods(_node: str, _mtu: int) -> Collection[str]:
        if isinstance(odd, TransportError):
            raise odd
        return odd

    async def nowhere(name: str) -> Transport:
        raise AssertionError(name)

    return Hands(api, cast("Api", None), nowhere, "r-1", odd_pods=odd_pods)


async def test_a_pod_is_evicted_once_though_the_next_one_has_its_address() -> None:
    """What goes is noted by uid before it is sent; begun again, as after a crash, nothing more is evicted."""
    api = Pods("a", "bb", "ccc")
    one = hands(api, {"10.42.1.1", "10.42.1.3"})
    mark = await one.mark(STEP, 1.0)
    assert mark.pods == ("a-1", "ccc-1")
    assert (await one.look(STEP, mark)).again
    assert await one.begin(STEP, mark) == ("evicted shop/a", "evicted shop/ccc")
    assert (await one.look(STEP, mark)).state == "yes"
    assert await hands(api, {"10.42.1.1"}).begin(STEP, mark) == ()
    assert api.evicted == ["a-1", "ccc-1"]


async def test_no_pod_is_chosen_by_what_a_node_said_earlier() -> None:
    """A node that does not answer now has no pods of another MTU to name: the step waits, and nothing is sent."""
    with pytest.raises(TransportError, match="does not answer"):
        await hands(Pods("a"), TransportError("a does not answer")).mark(STEP, 1.0)
