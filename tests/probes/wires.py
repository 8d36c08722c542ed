"""A cluster out of a script: an API and nodes that do as they are told, without a socket."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Any

from probes.cluster import Wires
from probes.kube.errors import ApiUnreachable, Gone
from probes.kube.http import GET_TIMEOUT, IDLE_TIMEOUT, Query
from probes.model.kube import Node
from probes.model.observation import Completed
from probes.transports.base import CommandRefused, TransportError

NODES = "/api/v1/nodes"
_CAPTURES = Path(__file__).parent / "collectors" / "captures"
_NONCE = "0123456789abcdef" * 2


def node_object(name: str, index: int) -> dict[str, Any]:
    """Write a Node as the API has it."""
    annotations = {
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/backend-data": json.dumps({"VNI": 1, "VtepMAC": f"12:c6:65:89:b4:{index:02x}"}),
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/public-ip": f"192.0.2.{11 + index}",
    }
    return {
        "metadata": {"name": name, "uid": name, "resourceVersion": "1", "annotations": annotations},
        "spec": {"podCIDR": f"10.42.{index}.0/24", "podCIDRs": [f"10.42.{index}.0/24"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"192.0.2.{11 + index}"}],
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }


class ScriptedApi:
    """An API with Nodes and no other object; lists that come as a stream, then events as the test sends them."""

    def __init__(self, *names: str) -> None:
        self.server = "https://192.0.2.11:6443"
        self.context = "test"
        self.latency: float | None = None
        self.nodes = {name: node_object(name, index) for index, name in enumerate(names)}
        self.down = False
        self.silent = False
        self._compacted = False
        self._watches: list[asyncio.Queue[bytes | None]] = []

    async def get(self, path: str, query: Query = (), *, timeout: float = GET_TIMEOUT) -> bytes:  # noqa: ARG002 - Api's signature
        await self._connect(path)
        if path == "/apis":
            return b'{"kind": "APIGroupList", "groups": []}'
        items = list(self.nodes.values()) if path == NODES else []
        return json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode()

    async def stream(
        self,
        path: str,
        query: Query = (),
        *,
        idle: float = IDLE_TIMEOUT,  # noqa: ARG002 - Api's signature
    ) -> AsyncGenerator[bytes, None]:
        await self._connect(path)
        yield b""
        if self._compacted and any(key == "resourceVersion" for key, _ in query):
            raise Gone("the resourceVersion is too old")
        end = {"metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}}
        if path == NODES:
            for item in self.nodes.values():
                yield _event("ADDED", item)
        yield _event("BOOKMARK", end)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        if path == NODES:
            self._watches.append(queue)
        while (event := await queue.get()) is not None:
            yield event
        raise ApiUnreachable(f"{self.server}{path} was cut off")

    async def close(self) -> None:
        """Do nothing."""

    async def _connect(self, path: str) -> None:
        if self.silent:
            await asyncio.Event().wait()
        if self.down:
            raise ApiUnreachable(f"{self.server}{path} refuses connections")

    def add(self, name: str) -> None:
        """Let a node join."""
        self.nodes[name] = node_object(name, len(self.nodes))
        self._send(_event("ADDED", self.nodes[name]))

    def remove(self, name: str) -> None:
        """Let a node leave."""
        self._send(_event("DELETED", self.nodes.pop(name)))

    def go_down(self) -> None:
        """Cut every watch, refuse what comes after, and forget what happened before."""
        self.down = self._compacted = True
        self._send(None)

    def _send(self, event: bytes | None) -> None:
        for queue in self._watches:
            queue.put_nowait(event)


def _event(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


class ScriptedNode:
    """A node that answers as a real one once did, as often as it is asked."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.asked = 0
        self.limits: list[float] = []
        """How long each collection was to take at most."""
        self.mtu = 1450
        self.failure: Exception | None = None
        self.hangs = False
        self.sessions = 10
        """MaxSessions of its sshd."""
        self.listeners = 0
        self.told: asyncio.Queue[str | TransportError] = asyncio.Queue()

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        self.asked += 1
        self.limits.append(timeout)
        if self.hangs:
            await asyncio.Event().wait()
        if self.listeners >= self.sessions:
            raise CommandRefused(f"{self.host} does not start commands: check MaxSessions")
        if self.failure is not None:
            raise self.failure
        nonce = stdin[2:34].decode()
        stdout, stderr = (
            (_CAPTURES / f"debian12.{stream}").read_text("utf-8").replace(_NONCE, nonce)
            for stream in ("stdout", "stderr")
        )
        return Completed(tuple(argv), 0, stdout.replace('"mtu":1450', f'"mtu":{self.mtu}'), stderr)

    async def lines(
        self,
        argv: Sequence[str],  # noqa: ARG002 - Transport's signature
        *,
        stdin: bytes = b"",  # noqa: ARG002 - likewise
    ) -> AsyncGenerator[str, None]:
        self.listeners += 1
        try:
            while True:
                told = await self.told.get()
                if isinstance(told, TransportError):
                    raise told
                yield told
        finally:
            self.listeners -= 1

    async def close(self) -> None:
        """Do nothing."""


class ScriptedHosts:
    """The nodes of a script, by name; asked for one that it has not, it makes one."""

    def __init__(self) -> None:
        self.nodes: dict[str, ScriptedNode] = {}
        self.known: dict[str, Node | None] = {}
        """By name, what the API was known to say of the node when it was last asked for."""

    def __getitem__(self, name: str) -> ScriptedNode:
        return self.nodes.setdefault(name, ScriptedNode(name))

    async def transport(self, name: str, node: Node | None) -> ScriptedNode:
        """Make the way to a node."""
        self.known[name] = node
        return self[name]

    def wires(self, api: ScriptedApi, **changes: Any) -> Wires:
        """Put API and nodes together."""
        return Wires(api, self.transport, **changes)


async def until(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    """Wait for a condition, for some seconds at most."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - conditions are many things
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
