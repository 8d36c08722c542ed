"""Flux at work: what its controllers make of a request, given what the network lets through."""

from typing import Any

from lab import fabric, fluxobjects
from lab.kinds import BY_KIND, FLUX_CONSUMERS, FLUX_SOURCES, Kind
from lab.store import Change, Entry, NotFoundError
from lab.world import Failure, World

Object = dict[str, Any]
REQUESTED = "reconcile.fluxcd.io/requestedAt"
_FIRST_REVISION = "main@sha1:9ce910c1f6f04a4d3bd1a4e3d2f8a2b6f0c7d915"


def wants_attention(obj: Object) -> bool:
    """Whether a controller would act on an object now: a new request or generation, or an artifact that is lost."""
    if obj.get("spec", {}).get("suspend") or obj["spec"].get("type") == "oci":
        return False
    status = obj.get("status", {})
    requested = obj["metadata"].get("annotations", {}).get(REQUESTED, "")
    changed = status.get("observedGeneration") != obj["metadata"].get("generation")
    lost = obj["kind"] in FLUX_SOURCES and "artifact" not in status
    return changed or lost or (bool(requested) and requested != status.get("lastHandledReconcileAt", ""))


def followers(world: World, change: Change) -> list[tuple[Kind, str, str]]:
    """List the consumers that a change sets off: those of a new artifact, those that waited for a dependency."""
    obj, previous = change.entry.obj, change.previous.obj if change.previous else {}
    namespace, name = change.key
    found = []
    fresh = _artifact_revision(obj) != _artifact_revision(previous)
    ready = _is_ready(obj) and not _is_ready(previous)
    for kind in (BY_KIND[consumer] for consumer in FLUX_CONSUMERS):
        for other in world.store.objects(kind, namespace):
            spec = other["spec"]
            reference = spec.get("sourceRef") or spec.get("chartRef") or {}
            follows = fresh and (reference.get("kind"), reference.get("name")) == (change.kind.kind, name)
            waited = ready and obj["kind"] == kind.kind and any(d["name"] == name for d in spec.get("dependsOn", []))
            if (follows or waited) and not spec.get("suspend"):
                found.append((kind, namespace, str(other["metadata"]["name"])))
    return found


def reconcile(world: World, kind: Kind, namespace: str, name: str) -> Entry:
    """Reconcile one object as the world's connectivity lets it; a suspended or static one is left as it is."""
    entry = world.store.get(kind, namespace, name)
    obj = entry.obj
    if obj["spec"].get("suspend") or obj["spec"].get("type") == "oci":
        return entry
    requested = obj["metadata"].get("annotations", {}).get(REQUESTED, "")
    failure = _failure(world, kind, obj)
    revision = _revision(world, kind, obj)

    def change(new: Object) -> None:
        status = new.setdefault("status", {})
        status["observedGeneration"] = new["metadata"]["generation"]
        if requested:
            status["lastHandledReconcileAt"] = requested
        if failure is not None:
            fluxobjects.fail(new, failure.reason, failure.message, world.clock())
            return
        status["conditions"] = [c for c in status.get("conditions", []) if c["type"] != "FetchFailed"]
        reason, message = fluxobjects.success(kind.kind, new, revision)
        fluxobjects.set_ready(new, "True", reason, message, world.clock())
        if kind.kind in FLUX_SOURCES:
            _store_artifact(world, kind, new, revision)
        elif kind.kind == "Kustomization":
            status.update(lastAppliedRevision=revision, lastAttemptedRevision=revision)

    return world.store.edit(kind, namespace, name, change)


def lose_artifacts(world: World) -> None:
    """Empty source-controller's storage, an emptyDir: every source has to be fetched anew."""
    for kind in (BY_KIND[source] for source in FLUX_SOURCES):
        for obj in world.store.objects(kind):
            meta = obj["metadata"]
            world.store.edit(kind, meta["namespace"], meta["name"], lambda new: new["status"].pop("artifact", None))


def _store_artifact(world: World, kind: Kind, obj: Object, revision: str) -> None:
    old = obj["status"].get("artifact", {})
    meta = obj["metadata"]
    if old.get("revision") != revision:
        size = old.get("size", 183204)
        obj["status"]["artifact"] = fluxobjects.artifact(
            kind, meta["namespace"], meta["name"], revision, world.clock(), size
        )


def _artifact_revision(obj: Object) -> str:
    return str(obj.get("status", {}).get("artifact", {}).get("revision", ""))


def _is_ready(obj: Object) -> bool:
    ready = fluxobjects.ready_of(obj)
    return ready is not None and ready["status"] == "True"


def _failure(world: World, kind: Kind, obj: Object) -> Failure | None:
    """Say why an object cannot be reconciled now; None when it can."""
    meta = obj["metadata"]
    known = world.failures.get((kind.kind, meta["namespace"], meta["name"]))
    if kind.kind in FLUX_CONSUMERS:
        return _consumer_failure(world, obj) or (known if known and not _overlay_works(world) else None)
    origin = controller(world, "source-controller")
    if origin is None:
        return known
    if not fabric.resolves(world, origin) or not fabric.bulk(world, origin, _host(obj["spec"].get("url", ""))):
        return known or Failure("Failed", "context deadline exceeded")
    return None


def _consumer_failure(world: World, obj: Object) -> Failure | None:
    namespace = obj["metadata"]["namespace"]
    for item in obj["spec"].get("dependsOn", []):
        if not _is_ready(_find(world, obj["kind"], item.get("namespace", namespace), item["name"])):
            return Failure("DependencyNotReady", f"dependency '{namespace}/{item['name']}' is not ready")
    reference = obj["spec"].get("sourceRef", {})
    if reference and not _artifact_revision(_find(world, reference["kind"], namespace, reference["name"])):
        return Failure("ArtifactFailed", "Source artifact not found, retrying in 30s")
    return None


def _find(world: World, kind: str, namespace: str, name: str) -> Object:
    try:
        return world.store.get(BY_KIND[kind], namespace, name).obj
    except NotFoundError:
        return {}


def _overlay_works(world: World) -> bool:
    """Whether every node's pods reach those of every other node, with packets as large as they send."""
    ends = [
        fabric.Endpoint(machine.name, f"{pod.namespace}/{pod.pod}")
        for machine in world.nodes.values()
        for pod in machine.overlay.pods[:1]
    ]
    return all(
        fabric.exchange(world, one, fabric.address_of(world, other), 128).outcome == "ok"
        for one in ends
        for other in ends
        if one != other
    )


def controller(world: World, app: str) -> fabric.Endpoint | None:
    """Find the pod of a controller, such as ``source-controller``."""
    for machine in world.nodes.values():
        for pod in machine.overlay.pods:
            if pod.pod.startswith(f"{app}-"):
                return fabric.Endpoint(machine.name, f"{pod.namespace}/{pod.pod}")
    return None


def _host(url: str) -> str:
    rest = url.partition("://")[2].rpartition("@")[2] or url
    return rest.partition("/")[0].partition(":")[0]


def _revision(world: World, kind: Kind, obj: Object) -> str:
    """Find the revision that a reconciliation arrives at: a source's remote, a consumer's source."""
    status, meta = obj.get("status", {}), obj["metadata"]
    if kind.kind in FLUX_SOURCES:
        arriving = world.arrivals.get((kind.kind, meta["namespace"], meta["name"]))
        return arriving or _artifact_revision(obj) or _FIRST_REVISION
    reference = obj["spec"].get("sourceRef")
    if kind.kind == "Kustomization" and reference:
        return _artifact_revision(_find(world, reference["kind"], meta["namespace"], reference["name"]))
    history = status.get("history") or [{}]
    return str(history[0].get("chartVersion", ""))
