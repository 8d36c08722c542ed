"""What changes do to a node: Linux's part, flannel's part, and what neither repairs."""

import pytest

from lab import incident
from lab.kernel import KernelError
from lab.kinds import BY_KIND
from lab.machine import Machine
from lab.world import World, watches_device

HEALTHY = incident.load("healthy")
PEERS = {"10.42.0.0/24": "galadriel", "10.42.2.0/24": "legolas"}


@pytest.fixture
def world() -> World:
    return incident.build(HEALTHY, World())


@pytest.fixture
def gimli(world: World) -> Machine:
    return world.nodes["gimli"]


def peer_routes(machine: Machine) -> set[str]:
    return {route.dst for route in machine.kernel.routes.values() if route.dev == "flannel.1"}


def triples(machine: Machine) -> int:
    """Peers for which neighbour, FDB entry and route are all there."""
    kernel = machine.kernel
    return sum(
        1
        for route in kernel.routes.values()
        if route.dev == "flannel.1"
        and (found := kernel.neighbors.get(("flannel.1", route.gateway)))
        and ("flannel.1", found.lladdr) in kernel.fdb
    )


def mtu(machine: Machine, ifname: str) -> int:
    return machine.kernel.links[ifname].mtu


def test_flannel_takes_fifty_bytes_off_its_uplink(gimli: Machine) -> None:
    """flannel.1, subnet.env, cni0 and the pods agree on uplink less 50, and every peer has its triple."""
    env = gimli.overlay.subnet_env
    assert env is not None
    assert (mtu(gimli, "flannel.1"), env.mtu, mtu(gimli, "cni0")) == (1450, 1450, 1450)
    assert {pod.mtu for pod in gimli.overlay.pods} == {1450}
    assert peer_routes(gimli) == set(PEERS)
    assert triples(gimli) == 2


def test_restart_rewrites_subnet_env_but_keeps_the_device_s_mtu(world: World, gimli: Machine) -> None:
    """After a host MTU change a restart gives subnet.env the new MTU; flannel.1 and running pods keep the old one."""
    gimli.kernel.set_mtu("enp1s0", 1400)
    before = gimli.unit.invocation_id
    assert world.restart_unit("gimli")
    env = gimli.overlay.subnet_env
    assert env is not None
    assert env.mtu == 1350
    assert mtu(gimli, "flannel.1") == 1450
    assert {pod.mtu for pod in gimli.overlay.pods} == {1450}
    assert gimli.unit.invocation_id != before
    assert gimli.unit.n_restarts == 0


def test_device_deleted_before_a_restart_is_made_with_the_new_mtu(world: World, gimli: Machine) -> None:
    """``ip link del flannel.1`` and a restart is repair B: the device comes back with the MTU of today's uplink."""
    gimli.kernel.set_mtu("enp1s0", 1400)
    world.delete_link("gimli", "flannel.1")
    assert gimli.flannel is None
    assert not gimli.kernel.fdb
    world.restart_unit("gimli")
    assert mtu(gimli, "flannel.1") == 1350
    assert triples(gimli) == 2


def test_reboot_makes_everything_anew(world: World, gimli: Machine) -> None:
    """A reboot loses hand-set MTUs, subnet.env and all devices; what comes up agrees again, under a new boot id."""
    gimli.kernel.set_mtu("flannel.1", 1300)
    boot_id, pods = gimli.boot_id, len(gimli.overlay.pods)
    assert world.reboot("gimli")
    assert mtu(gimli, "flannel.1") == 1450
    assert gimli.boot_id != boot_id
    assert len(gimli.overlay.pods) == pods


def test_vxlan_mtu_is_bounded_by_its_underlay(gimli: Machine) -> None:
    """The kernel refuses a VXLAN MTU above its underlay less 50; lowering the underlay changes no VXLAN device."""
    with pytest.raises(KernelError, match="RTNETLINK answers: Invalid argument"):
        gimli.kernel.set_mtu("flannel.1", 1451)
    gimli.kernel.set_mtu("enp1s0", 1400)
    assert mtu(gimli, "flannel.1") == 1450


def test_bouncing_the_device_loses_routes_and_neighbours_only(world: World, gimli: Machine) -> None:
    """Down and up: routes and neighbours are gone, FDB and /32 stay, 8472 listens again; a restart repairs."""
    gimli.kernel.set_down("flannel.1")
    assert gimli.kernel.vxlan_ports() == []
    gimli.kernel.set_up("flannel.1")
    assert gimli.kernel.vxlan_ports() == [8472]
    assert peer_routes(gimli) == set()
    assert not [key for key in gimli.kernel.neighbors if key[0] == "flannel.1"]
    assert len(gimli.kernel.fdb) == 2
    device = gimli.flannel
    assert device is not None
    assert [address.local for address in device.addresses] == ["10.42.1.0"]
    world.restart_unit("gimli")
    assert triples(gimli) == 2


def test_restart_does_not_touch_the_peers(world: World, gimli: Machine) -> None:
    """The MAC is read back from the annotation, so peers see no change: what they lost about a node stays lost."""
    legolas = world.nodes["legolas"]
    legolas.kernel.drop_route("10.42.1.0/24", "flannel.1")
    world.delete_link("gimli", "flannel.1")
    world.restart_unit("gimli")
    assert peer_routes(legolas) == {"10.42.0.0/24"}
    world.restart_unit("legolas")
    assert triples(legolas) == 2
    assert gimli.flannel is not None


def test_a_changed_vtep_mac_reaches_peers_that_run(world: World) -> None:
    """A changed annotation is programmed by every peer whose k3s runs, and by no other."""
    world.nodes["legolas"].unit.active = "inactive"
    world.set_vtep_mac("gimli", "02:00:00:00:00:99")
    macs = {name: {entry.mac for entry in m.kernel.fdb.values()} for name, m in world.nodes.items()}
    assert "02:00:00:00:00:99" in macs["galadriel"]
    assert "02:00:00:00:00:99" not in macs["legolas"]
    assert triples(world.nodes["galadriel"]) == 2


@pytest.mark.parametrize(
    ("version", "watches"),
    [
        ("v1.34.1+k3s1", False),
        ("v1.33.13+k3s1", True),
        ("v1.34.9+k3s1", True),
        ("v1.36.1+k3s1", False),
        ("v1.37.0", True),
    ],
)
def test_only_later_k3s_makes_a_deleted_device_again(world: World, version: str, *, watches: bool) -> None:
    """Releases with k3s PR 14086 make flannel.1 again after a deletion: the device and its address, but no peers."""
    assert watches_device(version) is watches
    machine = world.nodes["gimli"]
    machine.shape = type(machine.shape)(**(vars(machine.shape) | {"k3s_version": version}))
    world.delete_link("gimli", "flannel.1")
    assert (machine.flannel is not None) is watches
    assert triples(machine) == 0


def test_creation_that_fails_makes_the_unit_fail(world: World, gimli: Machine) -> None:
    """Where the device cannot be made k3s exits, systemd waits to restart it, and no peer is programmed."""
    world.delete_link("gimli", "flannel.1")
    gimli.creation_fails = 1
    assert not world.restart_unit("gimli")
    assert (gimli.unit.active, gimli.unit.sub, gimli.unit.n_restarts) == ("activating", "auto-restart", 1)
    assert gimli.flannel is None
    assert world.restart_unit("gimli")
    assert triples(gimli) == 2


def test_bridge_follows_its_smallest_port_unless_pinned(world: World, gimli: Machine) -> None:
    """cni0 takes the least MTU of its veths; once set by hand it stays."""
    veth = gimli.overlay.pods[0].veth
    gimli.kernel.set_mtu(veth, 1300)
    assert mtu(gimli, "cni0") == 1300
    gimli.kernel.set_mtu("cni0", 1450)
    gimli.kernel.set_mtu(veth, 1280)
    assert mtu(gimli, "cni0") == 1450
    assert world.nodes["legolas"].kernel.links["cni0"].mtu == 1450


def test_new_pods_take_the_mtu_of_subnet_env(world: World, gimli: Machine) -> None:
    """A pod made anew has the MTU that subnet.env names then; without the file its sandbox cannot be made."""
    env = gimli.overlay.subnet_env
    assert env is not None
    env.mtu = 1400
    pod = gimli.overlay.pods[0]
    new = world.delete_pod(pod.namespace, pod.pod)
    assert new is not None
    assert next(p.mtu for p in gimli.overlay.pods if p.pod == new["metadata"]["name"]) == 1400
    gimli.overlay.subnet_env = None
    other = gimli.overlay.pods[0]
    world.delete_pod(other.namespace, other.pod)
    events = [entry["message"] for entry in world.store.objects(BY_KIND["Event"])]
    assert any("loadFlannelSubnetEnv failed: open /run/flannel/subnet.env" in message for message in events)


def test_what_the_kernel_refuses_it_refuses_in_its_words(gimli: Machine) -> None:
    """Unknown links and addresses are refused in iproute2's words."""
    with pytest.raises(KernelError, match='Cannot find device "nope"'):
        gimli.kernel.set_mtu("nope", 1400)
    with pytest.raises(KernelError, match="mtu less than device minimum"):
        gimli.kernel.set_mtu("cni0", 10)
    with pytest.raises(KernelError, match="mtu greater than device maximum"):
        gimli.kernel.set_mtu("cni0", 70000)
    with pytest.raises(KernelError, match="No such process"):
        gimli.kernel.drop_route("10.9.0.0/24", "flannel.1")
