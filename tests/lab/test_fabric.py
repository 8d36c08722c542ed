"""Who reaches whom at which size."""

import pytest

from lab import incident
from lab.fabric import Endpoint, bulk, exchange, resolves
from lab.world import Path, World

CoreDns = Endpoint("galadriel", "kube-system/coredns-64fd4b4794-7hkrp")
SourceController = Endpoint("gimli", "flux-system/source-controller-6c9b7d8f5d-l4xtv")
Helm = Endpoint("legolas", "flux-system/helm-controller-7d8b6d4f6c-kp2ws")


@pytest.fixture
def world() -> World:
    return incident.build(incident.load("healthy"), World())


def ip(world: World, end: Endpoint) -> str:
    return next(p.ip for p in world.nodes[end.node].overlay.pods if f"{p.namespace}/{p.pod}" == end.pod)


def outcome(world: World, origin: Endpoint, target: Endpoint, size: int) -> tuple[str, int | None]:
    verdict = exchange(world, origin, ip(world, target), size)
    return verdict.outcome, verdict.mtu


@pytest.mark.parametrize(
    ("size", "expected"), [(84, ("ok", None)), (1450, ("ok", None)), (1451, ("told", 1450)), (1500, ("told", 1450))]
)
def test_pod_to_pod_of_a_healthy_cluster(world: World, size: int, expected: tuple[str, int | None]) -> None:
    """Up to the pods' own MTU everything passes; above it the pod's kernel says so itself."""
    assert outcome(world, SourceController, Helm, size) == expected


def test_underlay_that_drops_fragments_is_a_silent_hole(world: World) -> None:
    """A smaller link between nodes: the outer packet has no DF, so fragments pass or large packets vanish unsaid."""
    world.paths.append(Path("nodes", "nodes", mtu=1400))
    assert outcome(world, SourceController, Helm, 1422) == ("ok", None)
    world.paths[:] = [Path("nodes", "nodes", mtu=1400, fragments=False)]
    assert outcome(world, SourceController, Helm, 1350) == ("ok", None)
    assert outcome(world, SourceController, Helm, 1351) == ("silent", None)
    assert exchange(world, Endpoint("gimli"), "192.0.2.13", 1500).mtu == 1400


def test_missing_device_answers_port_unreachable(world: World) -> None:
    """A peer without flannel.1: the sender counts IcmpInDestUnreachs, the peer UdpNoPorts; nothing comes back."""
    world.delete_link("galadriel", "flannel.1")
    verdict = exchange(world, SourceController, ip(world, CoreDns), 84)
    assert verdict.outcome == "silent"
    assert verdict.counts == (("gimli", "IcmpInDestUnreachs"), ("galadriel", "UdpNoPorts"))
    assert not resolves(world, SourceController)
    world.restart_unit("galadriel")
    assert resolves(world, SourceController)


def test_damage_of_each_part_of_a_triple(world: World) -> None:
    """No route leaks to the gateway, no neighbour is unreachable, no FDB drops at the sender, a stale MAC is silent."""
    target, kernel = ip(world, Helm), world.nodes["gimli"].kernel
    kernel.drop_route("10.42.2.0/24", "flannel.1")
    leaked = exchange(world, SourceController, target, 84)
    assert (leaked.outcome, leaked.hops[-1]) == ("silent", "192.0.2.1")
    world.restart_unit("gimli")
    kernel.drop_neighbor("10.42.2.0", "flannel.1")
    assert exchange(world, SourceController, target, 84).outcome == "unreachable"
    world.restart_unit("gimli")
    mac = kernel.neighbors[("flannel.1", "10.42.2.0")].lladdr
    kernel.drop_fdb(mac, "flannel.1")
    assert exchange(world, SourceController, target, 84).counts == (("gimli", "flannel.1/tx_dropped"),)
    world.restart_unit("gimli")
    device = world.nodes["legolas"].flannel
    assert device is not None
    device.address = "02:00:00:00:00:01"
    assert exchange(world, SourceController, target, 84).counts == (("legolas", "flannel.1/rx_packets"),)


def test_lower_vxlan_mtu_is_told_by_the_node(world: World) -> None:
    """flannel.1 below the pods' MTU: the node answers that fragmentation is needed."""
    world.nodes["gimli"].kernel.set_mtu("flannel.1", 1400)
    verdict = exchange(world, SourceController, ip(world, Helm), 1450)
    assert (verdict.outcome, verdict.mtu, verdict.by) == ("told", 1400, "10.42.1.1")


def test_bulk_needs_full_size_segments_or_somebody_who_tells(world: World) -> None:
    """A smaller path beyond the gateway stalls transfers only with its ICMP filtered, and only larger senders."""
    assert bulk(world, SourceController, "github.com")
    world.paths[:] = [Path("nodes", "internet", mtu=1400, icmp=True)]
    assert bulk(world, SourceController, "github.com")
    world.paths[:] = [Path("nodes", "internet", mtu=1400, icmp=False)]
    assert not bulk(world, SourceController, "github.com")
    for pod in world.nodes["gimli"].overlay.pods:
        pod.mtu = 1400
    assert bulk(world, SourceController, "github.com")
    world.paths[:] = [Path("nodes", "internet", loss=0.33)]
    assert not bulk(world, SourceController, "github.com")
