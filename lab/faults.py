"""What an incident file can have gone wrong: each fault is done to the world as it happened."""

from collections.abc import Callable
from typing import Final

from lab.kernel import KernelError
from lab.kinds import BY_KIND
from lab.machine import SUBNET_ENV, File, Machine, SubnetEnv
from lab.reading import Section
from lab.store import timestamp
from lab.world import World

Fault = Callable[[World, Section, float], None]


def _machine(world: World, section: Section) -> Machine:
    name = section.text("node")
    try:
        return world.nodes[name]
    except KeyError:
        raise section.fail("node", f"no node is named {name!r}") from None


def _delete_link(world: World, section: Section, _now: float) -> None:
    """Delete a link; nobody makes it again until k3s starts."""
    machine = _machine(world, section)
    try:
        machine.kernel.delete(section.text("link", "flannel.1"))
    except KernelError as error:
        raise section.fail("link", str(error)) from error


def _bounce_link(world: World, section: Section, _now: float) -> None:
    """Take a link down and up again: its routes and neighbours are gone."""
    machine, ifname = _machine(world, section), section.text("link", "flannel.1")
    machine.kernel.set_down(ifname)
    machine.kernel.set_up(ifname)


def _set_mtu(world: World, section: Section, _now: float) -> None:
    """Somebody set a link's MTU by hand."""
    machine = _machine(world, section)
    try:
        machine.kernel.set_mtu(section.text("link"), section.number("mtu"))
    except KernelError as error:
        raise section.fail("mtu", str(error)) from error


def _edit_subnet_env(world: World, section: Section, now: float) -> None:
    """Somebody edited subnet.env under a running flannel."""
    machine = _machine(world, section)
    env = machine.overlay.subnet_env
    if env is None:
        raise section.fail("node", "has no subnet.env")
    env.mtu = section.number("mtu")
    env.written_at = now + section.offset("at")


def _copy_subnet_env(world: World, section: Section, now: float) -> None:
    """Leave a copy of subnet.env, as a backup script does."""
    machine = _machine(world, section)
    env = machine.overlay.subnet_env
    if env is None:
        raise section.fail("node", "has no subnet.env")
    copy = SubnetEnv(env.network, env.subnet, section.number("mtu"), now + section.offset("at"))
    machine.files[section.text("path")] = File(copy.text(), copy.written_at)


def _lose_subnet_env(world: World, section: Section, _now: float) -> None:
    """Somebody deleted subnet.env."""
    _machine(world, section).overlay.subnet_env = None


def _restarted(world: World, section: Section, now: float) -> None:
    """k3s was restarted at a time, by systemd so and so often; ``flannel: false`` if flannel did not come up."""
    machine = _machine(world, section)
    machine.start_unit(now + section.offset("at"))
    machine.unit.n_restarts = section.number("restarts", 0)
    if machine.overlay.subnet_env is not None and section.flag("flannel", default=True):
        machine.overlay.subnet_env.written_at = machine.unit.started_at + 7


def _upgraded(world: World, section: Section, now: float) -> None:
    """Another build of k3s took the place of the one before: it unpacks itself when it first runs."""
    machine, at = _machine(world, section), now + section.offset("at")
    for link in ("current", "previous"):
        machine.files[f"/var/lib/rancher/k3s/data/{link}"] = File("", at)


def _recreate_pod(world: World, section: Section, now: float) -> None:
    """Make a pod anew, with the MTU that subnet.env names now."""
    namespace, name = section.text("namespace"), section.text("name")
    pod = world.store.get(BY_KIND["Pod"], namespace, name).obj
    machine = world.nodes[pod["spec"]["nodeName"]]
    machine.detach(namespace, name)
    ip = pod["status"]["podIP"]
    machine.attach(namespace, name, ip)
    at = timestamp(now + section.offset("at"))
    world.store.edit(BY_KIND["Pod"], namespace, name, lambda obj: obj["metadata"].update(creationTimestamp=at))


def _count(world: World, section: Section, _now: float) -> None:
    """Kernel counters stand where the fault has driven them."""
    machine = _machine(world, section)
    for counter, value in section.mapping("counters").items():
        if not isinstance(value, int):
            raise section.fail("counters", f"{counter} needs a whole number")
        machine.counters[counter] = value


def _drop_peer(world: World, section: Section, _now: float) -> None:
    """Part of what reaches a peer is missing on a node: ``route``, ``neigh`` or ``fdb``."""
    machine = _machine(world, section)
    name = section.text("peer")
    peer = next((p for p in world.peers_of(machine.name) if p.name == name), None)
    if peer is None:
        raise section.fail("peer", f"no node is named {name!r}")
    part = section.choice("part", ("route", "neigh", "fdb"))
    if part == "route":
        machine.kernel.drop_route(peer.pod_cidr, "flannel.1")
    elif part == "neigh":
        machine.kernel.drop_neighbor(peer.gateway, "flannel.1")
    else:
        machine.kernel.drop_fdb(peer.vtep_mac, "flannel.1")


def _set_offload(world: World, section: Section, _now: float) -> None:
    """Set a feature of flannel.1."""
    _machine(world, section).offloads[section.text("feature")] = section.flag("on")


def _not_ready(world: World, section: Section, now: float) -> None:
    """Stop the node's kubelet from reporting."""
    machine = _machine(world, section)
    machine.alive = False
    world.set_ready(machine.name, "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    at = timestamp(now + section.offset("at"), micro=True)
    world.store.edit(BY_KIND["Lease"], "kube-node-lease", machine.name, lambda obj: obj["spec"].update(renewTime=at))


FAULTS: Final[dict[str, Fault]] = {
    "delete-link": _delete_link,
    "bounce-link": _bounce_link,
    "set-mtu": _set_mtu,
    "edit-subnet-env": _edit_subnet_env,
    "copy-subnet-env": _copy_subnet_env,
    "lose-subnet-env": _lose_subnet_env,
    "restarted": _restarted,
    "upgraded": _upgraded,
    "recreate-pod": _recreate_pod,
    "count": _count,
    "drop-peer": _drop_peer,
    "set-offload": _set_offload,
    "not-ready": _not_ready,
}

__all__ = ["FAULTS", "SUBNET_ENV"]
