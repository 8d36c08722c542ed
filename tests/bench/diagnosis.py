"""What a diagnosis costs on large fleets: ``python -m tests.bench.diagnosis``.

A fleet of 5,000 nodes that all know each other has 25 million triples of route, neighbour and FDB entry: more than an
operator's machine holds, whoever collects them. So two fleets are judged: 5,000 nodes of wireguard, whose kernel has
one route for all peers, and 500 nodes of VXLAN with 499 peers each, 750,000 entries; each once in health and once with
a fault in every hundredth node. All carry 10 pods a node and 500 Flux objects. Whole: from nothing, the slowest of
three. One change: a fact of one node, a Node's heartbeat, a pod's restart, after the whole; the median and the worst
of many. Seconds are CPU time of this process, which does nothing else.
"""

import gc
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from probes.model.kube import Container, Lease
from probes.model.snapshot import Snapshot, SourceState
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis, Verdict
from tests.bench.world import World

FLUX: Final = 500
PODS: Final = 10
CHANGES: Final = 25
WHOLE: Final = 1.0
"""Seconds that are aimed at."""
ONE: Final = 0.010


def _chosen(names: Iterable[str], turn: int) -> str:
    return next(islice(names, turn * 7, None))


def _later(world: Snapshot, turn: int, **fields: object) -> Snapshot:
    return msgspec.structs.replace(world, at=world.at + turn, **fields)


def _counted(world: Snapshot, turn: int) -> Snapshot:
    """Move a node's counters, as every collection does."""
    name = _chosen(world.nodes, turn)
    network = msgspec.structs.replace(world.networks[name], counters={"UdpInDatagrams": turn})
    sources = {**world.sources, f"node/{name}": SourceState("ok", world.at + turn, world.at)}
    return _later(world, turn, networks={**world.networks, name: network}, sources=sources)


def _broken(world: Snapshot, turn: int) -> Snapshot:
    """Take a route from a node."""
    name = _chosen(world.nodes, turn)
    routes = (world.networks[name].routes or ())[:-1]
    network = msgspec.structs.replace(world.networks[name], routes=routes)
    return _later(world, turn, networks={**world.networks, name: network})


def _beaten(world: Snapshot, turn: int) -> Snapshot:
    """Let a kubelet say that its node is still as it was."""
    name = _chosen(world.nodes, turn)
    conditions = tuple(msgspec.structs.replace(c, seen_at=world.at + turn) for c in world.nodes[name].conditions)
    node = msgspec.structs.replace(world.nodes[name], conditions=conditions)
    return _later(world, turn, nodes={**world.nodes, name: node})


def _renewed(world: Snapshot, turn: int) -> Snapshot:
    """Renew a lease, as every node does every ten seconds."""
    name = _chosen(world.nodes, turn)
    return _later(world, turn, leases={**world.leases, name: Lease(name, world.at + 1, 40)})


def _restarted(world: Snapshot, turn: int) -> Snapshot:
    """Restart a container."""
    key = _chosen(world.pods, turn)
    pod = msgspec.structs.replace(world.pods[key], containers=(Container("main", "x", ready=True, restarts=turn),))
    return _later(world, turn, pods={**world.pods, key: pod})


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


def _measure(count: int, backend: str, *, faults: bool = False) -> Iterator[bool]:
    health = "one in a hundred nodes and Flux objects failing" if faults else "all well"
    print(f"{count} nodes of {backend}, {count * PODS} pods, {FLUX} Flux objects, {health}")
    world = World(count, count * PODS, FLUX, backend=backend, faults=faults).snapshot
    gc.collect()
    gc.freeze()
    took = []
    for _ in range(3):
        seconds, judged = _timed(world, None)
        took.append(seconds)
    if (judged.verdict is Verdict.HEALTHY) is faults:
        raise SystemExit(f"the fleet is not as it is meant to be: {judged.findings[:2]}")
    whole = max(took)
    yield _told("whole, the slowest of 3; aim 1 s", f"{whole * 1000:.0f} ms", met=whole <= WHOLE)
    for what, change in CHANGED:
        times = sorted(_timed(change(world, turn), judged)[0] for turn in range(1, CHANGES + 1))
        middle = statistics.median(times)
        figure = f"{middle * 1000:.1f} ms, worst {times[-1] * 1000:.1f} ms"
        yield _told(f"one change: {what}; aim 10 ms", figure, met=middle <= ONE)


def main() -> int:
    """Measure all fleets; 1 where a figure falls short of its aim."""
    good = [
        *_measure(5000, "wireguard"),
        *_measure(5000, "wireguard", faults=True),
        *_measure(500, "vxlan"),
        *_measure(500, "vxlan", faults=True),
    ]
    return int(not all(good))


if __name__ == "__main__":
    sys.exit(main())
