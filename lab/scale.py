"""Large worlds for benchmarks: as many nodes, pods and Flux objects as asked for, on the API side only."""

import time
from collections.abc import Callable
from ipaddress import IPv4Address

from lab import fluxobjects, manifests
from lab.kinds import BY_KIND
from lab.machine import Machine, Shape
from lab.reading import Section
from lab.world import World

_FIRST_NODE = int(IPv4Address("10.0.0.10"))
_FIRST_POD_NET = int(IPv4Address("10.64.0.0"))
_IMAGE = "registry.example/team/service"


def scale(nodes: int, pods: int, flux: int, clock: Callable[[], float] = time.time) -> World:
    """Make a world of nodes n00000…, pods spread over them and Kustomizations of one GitRepository.

    The nodes exist as objects only: no SSH server answers for them.
    """
    world = World(clock)
    now = clock()
    names = [f"n{number:05d}" for number in range(nodes)]
    for number, name in enumerate(names):
        machine = Machine(_shape(name, number), clock, now - 86400)
        world.store.create(BY_KIND["Node"], manifests.node(machine, {}))
        world.store.create(BY_KIND["Lease"], manifests.lease(machine, now))
    for number in range(pods):
        world.store.create(BY_KIND["Pod"], _pod(number, names[number % nodes] if names else "", now))
    source = {"kind": "GitRepository", "name": "flux-system", "url": "https://git.example/infra.git"}
    revision = "main@sha1:9ce910c1f6f04a4d3bd1a4e3d2f8a2b6f0c7d915"
    if flux:
        fluxobjects.add_flux(world, Section(source | {"revision": revision}, "scale"), now)
    for number in range(flux - 1):
        item = {"kind": "Kustomization", "name": f"app-{number:05d}", "source": "GitRepository/flux-system"}
        fluxobjects.add_flux(world, Section(item | {"revision": revision}, "scale"), now)
    return world


def churn(world: World, number: int) -> None:
    """Change one pod, as a restart of its container does; ``number`` says which."""
    kind = BY_KIND["Pod"]
    count = world.store.count(kind)
    if not count:
        return
    namespace, name = _pod_key(number % count)
    world.store.edit(
        kind, namespace, name, lambda obj: obj["status"]["containerStatuses"][0].update(restartCount=number)
    )


def _shape(name: str, number: int) -> Shape:
    return Shape(
        name=name,
        role="server" if number < 3 else "agent",  # noqa: PLR2004 - three servers make a quorum
        address=str(IPv4Address(_FIRST_NODE + number)),
        prefixlen=8,
        gateway="10.0.0.1",
        uplink="eth0",
        mtu=1500,
        pod_cidr=f"{IPv4Address(_FIRST_POD_NET + number * 256)}/24",
        cluster_cidr="10.64.0.0/10",
    )


def _pod(number: int, node: str, now: float) -> manifests.Object:
    namespace, name = _pod_key(number)
    return manifests.pod(
        namespace,
        name,
        node,
        f"{_IMAGE}-{number % 50}:1.{number % 7}",
        created_at=now - 3600 - number % 86400,
        app=f"service-{number % 50}",
        ip=str(IPv4Address(_FIRST_POD_NET + number % (1 << 20))),
        owner=f"ReplicaSet/service-{number % 50}-5c9d8c7f8b",
    )


def _pod_key(number: int) -> tuple[str, str]:
    return f"team-{number % 20:02d}", f"service-{number % 50}-5c9d8c7f8b-{number:06d}"
