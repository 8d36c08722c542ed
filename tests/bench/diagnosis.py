"""What a diagnosis costs on large fleets: ``python -m tests.bench.diagnosis``.

A fleet of 5,000 nodes that all know each other has 25 million triples of route, neighbour and FDB entry: more than an
operator's machine holds, whoever collects them. So two fleets are judged: 5,000 nodes of wireguard, whose kernel has
one route for all peers, and 500 nodes of VXLAN with 499 peers each, 750,000 entries. All carry 10 pods a node and 500
Flux objects. Whole: from nothing. One change: a fact of one node, a Node's heartbeat, a pod's restart, after the
whole; the median and the worst of many. Seconds are CPU time of this process, which does nothing else.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition, Container, FlannelAnnotations, Lease, Node, Pod
from probes.model.network import (
    Address,
    FdbEntry,
    Link,
    Neighbor,
    NodeNetwork,
    PodNetns,
    Route,
    SubnetEnv,
    UdpSocket,
    Unit,
    Vxlan,
)
from probes.model.snapshot import Snapshot, SourceState
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis, Verdict

AT: Final = 1_000_000.0
FLUX: Final = 500
PODS: Final = 10
CHANGES: Final = 25
WHOLE: Final = 1.0
"""Seconds that are aimed at."""
ONE: Final = 0.010


def _name(index: int) -> str:
    return f"n{index:05}"


def _cidr(index: int) -> str:
    return f"10.{index // 256}.{index % 256}.0"


def _host(index: int) -> str:
    return f"172.{16 + index // 65536}.{index // 256 % 256}.{index % 256}"


def _mac(index: int) -> str:
    return f"02:00:00:00:{index // 256:02x}:{index % 256:02x}"


def _node(index: int, backend: str) -> Node:
    vxlan = backend == "vxlan"
    return Node(
        _name(index),
        roles=("control-plane", "etcd") if index < 3 else (),
        internal_ips=(_host(index),),
        pod_cidrs=(f"{_cidr(index)}/24",),
        conditions=(Condition("Ready", "True", "KubeletReady", changed_at=0.0, seen_at=AT),),
        flannel=FlannelAnnotations(backend, 1 if vxlan else None, _mac(index) if vxlan else "", public_ip=_host(index)),
        node_args=("server",) if index < 3 else ("agent",),
        kubelet_version="v1.34.9+k3s1",
        created_at=0.0,
    )


class Fleet:
    """Facts of many nodes; entries about one peer are one object on all nodes, as little as a fold could keep."""

    def __init__(self, count: int, backend: str) -> None:
        self.count, self.backend = count, backend
        everybody = range(count) if backend == "vxlan" else ()
        self._routes = [Route(f"{_cidr(i)}/24", _cidr(i), "flannel.1", flags=("onlink",)) for i in everybody]
        self._neighbors = [Neighbor(_cidr(i), "flannel.1", _mac(i), ("PERMANENT",)) for i in everybody]
        self._fdb = [FdbEntry(_mac(i), "flannel.1", _host(i), "permanent", ("self",)) for i in everybody]

    def network(self, index: int) -> NodeNetwork:
        vxlan = self.backend == "vxlan"
        mtu = 1450 if vxlan else 1420
        overlay = (
            Link(
                "flannel.1",
                3,
                mtu,
                "UNKNOWN",
                ("UP",),
                "vxlan",
                _mac(index),
                addresses=(Address("inet", _cidr(index), 32),),
                vxlan=Vxlan(1, _host(index), "eth0", 8472, learning=False),
            )
            if vxlan
            else Link("flannel-wg", 3, mtu, "UNKNOWN", ("UP",), "wireguard")
        )
        links = (
            Link("eth0", 2, 1500, "UP", ("UP",), addresses=(Address("inet", _host(index), 12),)),
            overlay,
            Link("cni0", 4, mtu, "UP", ("UP",), "bridge"),
        )
        default = Route("default", "172.16.0.1", "eth0")
        others = (
            (*self._routes[:index], *self._routes[index + 1 :]) if vxlan else (Route("10.0.0.0/8", "", "flannel-wg"),)
        )
        return NodeNetwork(
            links=links,
            routes=(default, *others),
            neighbors=(*self._neighbors[:index], *self._neighbors[index + 1 :]),
            fdb=(*self._fdb[:index], *self._fdb[index + 1 :]),
            udp=(UdpSocket("0.0.0.0", 8472 if vxlan else 51820),),
            subnet_env=SubnetEnv("/run/flannel/subnet.env", "10.0.0.0/8", f"{_cidr(index)[:-1]}1/24", mtu),
            unit=Unit("k3s", "loaded", "active", "running", 0, "a" * 32, 900.0, "process"),
            pod_netns=(PodNetns("cni-1", 0, "eth0", mtu, (Address("inet", f"{_cidr(index)[:-1]}5", 24),)),),
            counters={"IpReasmReqds": 0, "IpReasmFails": 0, "UdpInDatagrams": 100, "UdpInCsumErrors": 0},
        )

    def snapshot(self) -> Snapshot:
        names = [_name(index) for index in range(self.count)]
        ready = (Condition("Ready", "True", "Succeeded", "ok", 0.0),)
        refs = [ObjectRef("GitRepository", "apps", f"g{number:03}") for number in range(FLUX)]
        running = (Container("main", "ghcr.io/a/b:1", ready=True),)
        apps = ("kube-dns", "source-controller")
        pods = {
            f"{'kube-system' if number == 0 else 'apps'}/p{number}-{name}": Pod(
                "kube-system" if number == 0 else "apps",
                f"p{number}-{name}",
                node=name,
                phase="Running",
                created_at=0.0,
                app=apps[number] if number < len(apps) and name == names[0] else "other",
                containers=running,
            )
            for name in names
            for number in range(PODS)
        }
        sources = ["kube/nodes", "kube/pods", "kube/leases", "kube/flux/GitRepository", *(f"node/{n}" for n in names)]
        return Snapshot(
            context="bench",
            at=AT,
            nodes={_name(index): _node(index, self.backend) for index in range(self.count)},
            networks={_name(index): self.network(index) for index in range(self.count)},
            leases={name: Lease(name, AT - 5, 40) for name in names},
            pods=pods,
            flux={
                f"GitRepository/apps/{ref.name}": FluxObject(
                    ref, generation=1, observed_generation=1, conditions=ready, revision="main@sha1:aaaaaaaaaa"
                )
                for ref in refs
            },
            sources={name: SourceState("ok", AT, 0.0) for name in sources},
        )


def _counted(world: Snapshot, turn: int) -> Snapshot:
    """Move a node's counters, as every collection does."""
    name = _name(turn * 7 % len(world.nodes))
    network = msgspec.structs.replace(world.networks[name], counters={"UdpInDatagrams": turn})
    sources = {**world.sources, f"node/{name}": SourceState("ok", AT + turn, 0.0)}
    return msgspec.structs.replace(world, networks={**world.networks, name: network}, sources=sources, at=AT + turn)


def _broken(world: Snapshot, turn: int) -> Snapshot:
    """Take a route from a node."""
    name = _name(turn * 7 % len(world.nodes))
    routes = (world.networks[name].routes or ())[:-1]
    network = msgspec.structs.replace(world.networks[name], routes=routes)
    return msgspec.structs.replace(world, networks={**world.networks, name: network}, at=AT + turn)


def _beaten(world: Snapshot, turn: int) -> Snapshot:
    """Let a kubelet say that its node is still as it was."""
    name = _name(turn * 7 % len(world.nodes))
    conditions = tuple(msgspec.structs.replace(c, seen_at=AT + turn) for c in world.nodes[name].conditions)
    node = msgspec.structs.replace(world.nodes[name], conditions=conditions)
    return msgspec.structs.replace(world, nodes={**world.nodes, name: node}, at=AT + turn)


def _renewed(world: Snapshot, turn: int) -> Snapshot:
    """Renew a lease, as every node does every ten seconds."""
    name = _name(turn * 7 % len(world.nodes))
    return msgspec.structs.replace(world, leases={**world.leases, name: Lease(name, AT + 1, 40)}, at=AT + turn)


def _restarted(world: Snapshot, turn: int) -> Snapshot:
    """Restart a container."""
    key = f"apps/p5-{_name(turn * 7 % len(world.nodes))}"
    pod = msgspec.structs.replace(world.pods[key], containers=(Container("main", "x", ready=True, restarts=turn),))
    return msgspec.structs.replace(world, pods={**world.pods, key: pod}, at=AT + turn)


CHANGED: Final[tuple[tuple[str, Callable[[Snapshot, int], Snapshot]], ...]] = (
    ("a node's counters", _counted),
    ("a node lost a route", _broken),
    ("a Node's heartbeat", _beaten),
    ("a lease", _renewed),
    ("a pod's restart", _restarted),
)


def _timed(world: Snapshot, before: Diagnosis | None) -> tuple[float, Diagnosis]:
    began = time.process_time()
    judged = diagnose(world, before)
    return time.process_time() - began, judged


def _told(what: str, figure: str, *, met: bool) -> bool:
    print(f"  {what:<46} {figure:>34}   {'met' if met else 'MISSED'}", flush=True)
    return met


def _measure(count: int, backend: str) -> Iterator[bool]:
    print(f"{count} nodes of {backend}, {count * PODS} pods, {FLUX} Flux objects")
    world = Fleet(count, backend).snapshot()
    gc.collect()
    gc.freeze()
    took = []
    for _ in range(3):
        seconds, judged = _timed(world, None)
        took.append(seconds)
    if judged.verdict is not Verdict.HEALTHY:
        raise SystemExit(f"the fleet is meant to be healthy: {judged.findings[:2]}")
    whole = statistics.median(took)
    yield _told("whole, median of 3; aim 1 s", f"{whole * 1000:.0f} ms", met=whole <= WHOLE)
    for what, change in CHANGED:
        times = sorted(_timed(change(world, turn), judged)[0] for turn in range(1, CHANGES + 1))
        middle = statistics.median(times)
        figure = f"{middle * 1000:.1f} ms, worst {times[-1] * 1000:.1f} ms"
        yield _told(f"one change: {what}; aim 10 ms", figure, met=middle <= ONE)


def main() -> int:
    """Measure both fleets; 1 where a figure falls short of its aim."""
    good = [*_measure(5000, "wireguard"), *_measure(500, "vxlan")]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
