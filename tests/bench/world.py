"""A world of any size as snapshots: what the sources of a large cluster would have folded together.

Facts that are equal on all nodes (an FDB entry for a peer is the same everywhere) are one object here; those that a
collector would read from a thousand nodes are a thousand times that.
"""

import time
from ipaddress import IPv4Address
from typing import Any, Final

import msgspec

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition, Container, FlannelAnnotations, Lease, Node, Pod
from probes.model.network import (
    Address,
    Host,
    Link,
    NodeNetwork,
    PodNetns,
    Route,
    SubnetEnv,
    UdpSocket,
    Unit,
)
from probes.model.observation import Delta, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from tests.probes.worlds import triple, vxlan_link

_FIRST_NODE: Final = int(IPv4Address("10.0.0.10"))
_FIRST_SUBNET: Final = int(IPv4Address("10.64.0.0"))
_VERSION: Final = "v1.34.1+k3s1"
_REVISION: Final = "main@sha1:9ce910c1f6f04a4d3bd1a4e3d2f8a2b6f0c7d915"
_SERVERS: Final = 3
_FAULTY: Final = 100
"""One node of so many has a flannel.1 of another MTU than it should have."""


class World:
    """A cluster, healthy but for a few faults where it is to have some, and ways to change it.

    ``backend``: ``vxlan``, with an entry of each table for each peer, or ``wireguard``, with one route for all.
    """

    def __init__(self, nodes: int, pods: int, flux: int, *, backend: str = "vxlan", faults: bool = True) -> None:
        self.at = time.time()
        self._vxlan, self._faults = backend == "vxlan", faults
        self.names = [f"n{number:05d}" for number in range(nodes)]
        self._subnets = [str(IPv4Address(_FIRST_SUBNET + number * 256)) for number in range(nodes)]
        self._hosts = [str(IPv4Address(_FIRST_NODE + number)) for number in range(nodes)]
        peers = zip(self._subnets, map(_mac, range(nodes)), self._hosts, strict=True)
        triples = [triple(*peer) for peer in peers] if self._vxlan else []
        self._routes = [route for route, _, _ in triples]
        self._neighbors = [neighbor for _, neighbor, _ in triples]
        self._fdb = [entry for _, _, entry in triples]
        self._pods_each = pods // nodes if nodes else 0
        self._version = 0
        kube: dict[str, dict[str, Any]] = {
            "nodes": {name: self._node(i) for i, name in enumerate(self.names)},
            "leases": {name: Lease(name, self.at, 40) for name in self.names},
            "pods": {f"{pod.namespace}/{pod.name}": pod for pod in (self._pod(i) for i in range(pods))},
            "pull_events": {},
            "secret_events": {},
        }
        listed: list[Observed[Any]] = [
            Observed(f"kube/{field}", self.at, Listed(items)) for field, items in kube.items()
        ]
        sources = {f"{item.ref.kind}/{item.ref.namespace}/{item.ref.name}": item for item in self._flux(flux)}
        for kind in ("GitRepository", "Kustomization"):
            items = {key: item for key, item in sources.items() if item.ref.kind == kind}
            listed.append(Observed(f"kube/flux/{kind}", self.at, Listed(items)))
        first = Snapshot(context="bench", server="https://127.0.0.1:6443", api_latency=0.004)
        self.kube = fold(first, listed)
        """What the API says; no node has answered yet."""
        networks = [Observed(f"node/{name}", self.at, self.network(i)) for i, name in enumerate(self.names)]
        self.snapshot = fold(self.kube, networks)
        self._pods = list(self.snapshot.pods)
        """The newest."""

    def change(self, count: int, first: int = 0) -> Snapshot:
        """Let ``count`` nodes, from the ``first`` one on, answer anew: each with another MTU and other counters."""
        self._version += 1
        now = time.time()
        numbers = [(first + i) % len(self.names) for i in range(count)]
        mtu = 1400 if self._version % 2 else 1450
        observed = [
            Observed(f"node/{self.names[i]}", now, self.network(i, mtu=mtu, counted=self._version)) for i in numbers
        ]
        self.snapshot = fold(self.snapshot, observed)
        return self.snapshot

    def cordon(self, number: int) -> Snapshot:
        """Cordon a node, or take that back: a change that nothing hangs on."""
        name = self.names[number]
        node = self.snapshot.nodes[name]
        other = msgspec.structs.replace(node, unschedulable=not node.unschedulable)
        self.snapshot = msgspec.structs.replace(self.snapshot, nodes={**self.snapshot.nodes, name: other})
        return self.snapshot

    def churn(self, count: int, pods: int, first: int = 0) -> Snapshot:
        """Let nodes answer anew with other counters only, and pods restart a container: what a busy cluster does."""
        self._version += 1
        now = time.time()
        numbers = [(first + i) % len(self.names) for i in range(count)]
        networks = self.snapshot.networks
        observed = [
            Observed(
                f"node/{self.names[i]}",
                now,
                msgspec.structs.replace(networks[self.names[i]], counters=_counters(self._version)),
            )
            for i in numbers
        ]
        restarted = (self._pods[(first + i) % len(self._pods)] for i in range(pods))
        changed = {key: self._restarted(self.snapshot.pods[key]) for key in restarted}
        self.snapshot = fold(self.snapshot, [*observed, Observed("kube/pods", now, Delta(changed))])
        return self.snapshot

    def _restarted(self, pod: Pod) -> Pod:
        container = msgspec.structs.replace(pod.containers[0], restarts=self._version)
        return msgspec.structs.replace(pod, containers=(container,))

    def network(self, i: int, *, mtu: int | None = None, counted: int = 0) -> NodeNetwork:
        """Make what a node's kernel has."""
        usual = 1450 if self._vxlan else 1420
        mtu = mtu or (1400 if self._faults and i % _FAULTY == _FAULTY // 2 else usual)
        subnet = self._subnets[i].removesuffix(".0")
        pods = range(self._pods_each)
        links = (
            Link("eth0", 2, 1500, "UP", ("UP",), addresses=(Address("inet", self._hosts[i], 8),)),
            vxlan_link(self._subnets[i], _mac(i), self._hosts[i], mtu)
            if self._vxlan
            else Link("flannel-wg", 3, mtu, "UNKNOWN", ("UP",), "wireguard"),
            Link("cni0", 4, usual, "UP", ("UP",), "bridge"),
            *(Link(f"veth{pod:08x}", 5 + pod, usual, "UP", ("UP",), "veth", master="cni0") for pod in pods),
        )
        for_all = () if self._vxlan else (Route("10.64.0.0/10", "", "flannel-wg"),)
        return NodeNetwork(
            links=links,
            routes=(Route("default", "10.0.0.1", "eth0"), *for_all, *self._routes[:i], *self._routes[i + 1 :]),
            neighbors=(*self._neighbors[:i], *self._neighbors[i + 1 :]),
            fdb=(*self._fdb[:i], *self._fdb[i + 1 :]),
            udp=(UdpSocket("0.0.0.0", 8472 if self._vxlan else 51820),),
            subnet_env=SubnetEnv("/run/flannel/subnet.env", "10.64.0.0/10", f"{subnet}.1/24", mtu, ipmasq=True),
            unit=Unit("k3s", "loaded", "active", "running", 0, f"{i:032x}", self.at - 86400, "process"),
            host=Host(self.names[i], "6.8.0-87-generic", _VERSION, f"{i:036x}", "root"),
            counters=_counters(counted),
            sysctls={"net.ipv4.ip_forward": "1"},
            pod_netns=tuple(
                PodNetns(f"cni-{i}-{pod}", pod, "eth0", usual, (Address("inet", f"{subnet}.{2 + pod}", 24),))
                for pod in pods
            ),
        )

    def _node(self, i: int) -> Node:
        return Node(
            name=self.names[i],
            uid=f"{i:036x}",
            roles=("control-plane", "etcd") if i < _SERVERS else (),
            internal_ips=(self._hosts[i],),
            pod_cidrs=(f"{self._subnets[i]}/24",),
            conditions=(Condition("Ready", "True", "KubeletReady", changed_at=self.at - 86400, seen_at=self.at),),
            flannel=FlannelAnnotations(
                "vxlan" if self._vxlan else "wireguard",
                1 if self._vxlan else None,
                _mac(i) if self._vxlan else "",
                public_ip=self._hosts[i],
                managed=True,
            ),
            node_args=("server",) if i < _SERVERS else ("agent",),
            kubelet_version=_VERSION,
        )

    def _pod(self, i: int) -> Pod:
        number, place = i % len(self.names), i // len(self.names)
        subnet = self._subnets[number].removesuffix(".0")
        return Pod(
            f"team-{i % 20:02d}",
            f"service-{i % 50}-5c9d8c7f8b-{i:06d}",
            f"{i:036x}",
            self.names[number],
            "Running",
            (f"{subnet}.{2 + place}",),
            created_at=self.at - 3600 - i % 86400,
            owner=f"ReplicaSet/service-{i % 50}-5c9d8c7f8b",
            containers=(Container("main", f"registry.example/service-{i % 50}:1.{i % 7}", ready=True),),
        )

    def _flux(self, count: int) -> list[FluxObject]:
        source = ObjectRef("GitRepository", "flux-system", "flux-system")
        made = []
        for i in range(count):
            ref = ObjectRef("Kustomization", "flux-system", f"app-{i:05d}") if i else source
            ready = Condition("Ready", "True", "ReconciliationSucceeded", f"Applied revision: {_REVISION}", self.at - i)
            failed = Condition("Ready", "False", "BuildFailed", "kustomize build failed: no such file", self.at - i)
            made.append(
                FluxObject(
                    ref,
                    "kustomize.toolkit.fluxcd.io/v1",
                    generation=3,
                    observed_generation=3,
                    conditions=(failed if self._faults and i % 125 == 124 else ready,),
                    source=source if i else None,
                    revision=_REVISION,
                    artifact_at=self.at - 7200 if not i else None,
                    interval=600.0,
                )
            )
        return made


def _counters(version: int) -> dict[str, int]:
    return {"TcpRetransSegs": version, "IpFragFails": 0, "IpReasmFails": 0, "UdpInErrors": 0, "IpInDiscards": 0}


def _mac(i: int) -> str:
    return f"12:c6:65:{i >> 16 & 255:02x}:{i >> 8 & 255:02x}:{i & 255:02x}"
