"""What the demo cluster does by itself, and how incidents end when they are repaired."""

from collections.abc import Callable
from typing import Any

import pytest

from lab import flux, incident
from lab.cluster import LabCluster
from lab.controllers import pull_images
from lab.fluxobjects import ready_of
from lab.kinds import BY_KIND
from lab.world import World
from tests.lab.clients import until

GITREPO = BY_KIND["GitRepository"]
REQUESTED = "reconcile.fluxcd.io/requestedAt"


def request(world: World, kind: str, namespace: str, name: str, value: str = "now") -> None:
    """Annotate an object as ``flux reconcile`` does."""

    def annotate(obj: dict[str, Any]) -> None:
        obj["metadata"].setdefault("annotations", {})[REQUESTED] = value

    world.store.edit(BY_KIND[kind], namespace, name, annotate)


def ready(world: World, kind: str, namespace: str, name: str) -> str:
    condition = ready_of(world.store.get(BY_KIND[kind], namespace, name).obj)
    assert condition is not None
    return str(condition["status"])


def reconcile(world: World, kind: str = "GitRepository") -> dict[str, Any]:
    """Ask for a reconciliation of flux-system and carry it out."""
    request(world, kind, "flux-system", "flux-system")
    return flux.reconcile(world, BY_KIND[kind], "flux-system", "flux-system").obj


def build(name: str) -> World:
    return incident.build(incident.load(name), World())


async def test_leases_are_renewed_and_a_silent_node_is_not(cluster: LabCluster) -> None:
    """Kubelets renew their leases; that of a hung node stays."""
    store, lease = cluster.world.store, BY_KIND["Lease"]
    cluster.world.nodes["legolas"].alive = False
    before = {name: store.get(lease, "kube-node-lease", name).revision for name in cluster.world.nodes}

    def renewed(name: str) -> bool:
        return store.get(lease, "kube-node-lease", name).revision > before[name]

    await until(lambda: renewed("gimli") and renewed("galadriel"))
    assert not renewed("legolas")


def repair_flannel(world: World) -> None:
    world.restart_unit("eq14-001")


def repair_mtu(world: World) -> None:
    """Finish by hand what was left half done: the device, then k3s, then the pods."""
    for name, machine in world.nodes.items():
        machine.kernel.set_mtu("flannel.1", 1400)
        world.restart_unit(name)
        for pod in tuple(machine.overlay.pods):
            world.delete_pod(pod.namespace, pod.pod)


def repair_path(world: World) -> None:
    world.paths.clear()


@pytest.mark.parametrize(
    ("name", "repair"),
    [
        ("flannel-missing-after-upgrade", repair_flannel),
        ("flux-http2-vxlan", repair_mtu),
        ("flux-clone-timeouts", repair_path),
    ],
)
def test_source_fails_until_the_network_is_repaired(name: str, repair: Callable[[World], None]) -> None:
    """A request during the incident fails with the incident's own message; after the repair it succeeds."""
    world = build(name)
    before = ready_of(world.store.get(GITREPO, "flux-system", "flux-system").obj)
    failed = reconcile(world)
    assert before is not None
    assert ready_of(failed) == before
    assert "FetchFailed" in {condition["type"] for condition in failed["status"]["conditions"]}
    assert failed["status"]["lastHandledReconcileAt"] == "now"
    repair(world)
    cured = reconcile(world)
    assert ready(world, "GitRepository", "flux-system", "flux-system") == "True"
    assert "FetchFailed" not in {condition["type"] for condition in cured["status"]["conditions"]}


def test_a_restart_alone_does_not_cure_the_half_done_change() -> None:
    """Restarting k3s leaves flannel.1 and the old pods as they are, so the clone goes on failing."""
    world = build("flux-http2-vxlan")
    for name in world.nodes:
        world.restart_unit(name)
    assert world.nodes["samwise"].kernel.links["flannel.1"].mtu == 1450
    reconcile(world)
    assert ready(world, "GitRepository", "flux-system", "flux-system") == "False"


async def test_consumers_follow_a_new_artifact() -> None:
    """Once the source has the revision that waited at its remote, its Kustomizations apply it, each after the other."""
    async with LabCluster("flux-http2-vxlan") as cluster:
        world = cluster.world
        repair_mtu(world)

        def applied() -> bool:
            found = [o["status"]["lastAppliedRevision"] for o in world.store.objects(BY_KIND["Kustomization"])]
            return set(found) == {"main@sha1:9ce910c1f6f04a4d3bd1a4e3d2f8a2b6f0c7d915"}

        request(world, "GitRepository", "flux-system", "flux-system")
        await until(applied)


async def test_suspended_source_handles_nothing_until_it_is_resumed(cluster: LabCluster) -> None:
    """A suspended object keeps its old Ready and ignores requests; resuming it handles the request that waits."""
    world = cluster.world

    def suspend(obj: dict[str, Any], *, on: bool) -> None:
        obj["spec"]["suspend"] = on

    world.store.edit(GITREPO, "flux-system", "flux-system", lambda obj: suspend(obj, on=True))
    request(world, "GitRepository", "flux-system", "flux-system", "later")
    request(world, "HelmRepository", "flux-system", "requarks", "now")

    def handled(kind: str, name: str) -> str:
        return str(world.store.get(BY_KIND[kind], "flux-system", name).obj["status"].get("lastHandledReconcileAt"))

    await until(lambda: handled("HelmRepository", "requarks") == "now")
    assert handled("GitRepository", "flux-system") == "None"
    assert ready(world, "GitRepository", "flux-system", "flux-system") == "True"
    world.store.edit(GITREPO, "flux-system", "flux-system", lambda obj: suspend(obj, on=False))
    await until(lambda: handled("GitRepository", "flux-system") == "later")


async def test_restarting_source_controller_during_an_outage_loses_artifacts() -> None:
    """Its storage is an emptyDir: while fetches fail, the last good artifacts are gone and consumers fail as well."""
    async with LabCluster("flux-http2-vxlan") as cluster:
        world = cluster.world
        world.delete_pod("flux-system", "source-controller-7c7d8b6d6f-zk4bp")
        # The new pod is born at 1400 and would get through; the outage lasts on.
        world.paths[:] = [*world.paths, *build("flux-clone-timeouts").paths]
        await until(lambda: ready(world, "Kustomization", "flux-system", "infrastructure") == "False")
        assert "artifact" not in world.store.get(GITREPO, "flux-system", "flux-system").obj["status"]


def test_images_are_pulled_once_the_registry_can_be_reached() -> None:
    """Pods wait while full-size packets vanish beyond the gateway; with the path repaired the next try succeeds."""
    world = build("registry-tls-timeouts")

    def waiting() -> int:
        return sum(1 for pod in world.store.objects(BY_KIND["Pod"]) if pod["status"]["phase"] == "Pending")

    pull_images(world)
    assert waiting() == 4
    repair_path(world)
    pull_images(world)
    assert waiting() == 0
    assert "Pulled" in {event["reason"] for event in world.store.objects(BY_KIND["Event"])}


async def test_secrets_sync_on_request_once_the_provider_can_be_reached() -> None:
    """``force-sync`` fails as before during the incident and syncs after it; External Secrets writes no generation."""
    async with LabCluster("registry-tls-timeouts") as cluster:
        world = cluster.world
        kind = BY_KIND["ExternalSecret"]

        def force(value: str) -> None:
            world.store.edit(
                kind,
                "cattle-system",
                "rancher-bootstrap",
                lambda obj: obj["metadata"].setdefault("annotations", {}).update({"force-sync": value}),
            )

        repair_path(world)
        force("2")
        await until(lambda: ready(world, "ExternalSecret", "cattle-system", "rancher-bootstrap") == "True")
        obj = world.store.get(kind, "cattle-system", "rancher-bootstrap").obj
        assert "observedGeneration" not in obj["status"]["conditions"][0]
