"""External Secrets at work: stores are validated and secrets fetched when somebody touches them."""

from typing import Any, Final

from lab import fabric, fluxobjects
from lab.flux import controller
from lab.kinds import Kind
from lab.store import Change, Entry, timestamp
from lab.world import Failure, World

Object = dict[str, Any]
KINDS: Final = frozenset(("ClusterSecretStore", "ExternalSecret", "SecretStore"))
_PROVIDERS: Final = {"doppler": "api.doppler.com"}


def wants_attention(change: Change) -> bool:
    """Whether the operator acts on a change: any of an object's annotations, labels or spec."""
    if change.previous is None:
        return False
    new, old = change.entry.obj, change.previous.obj
    return new["spec"] != old["spec"] or any(
        new["metadata"].get(part) != old["metadata"].get(part) for part in ("annotations", "labels")
    )


def reconcile(world: World, kind: Kind, namespace: str, name: str) -> Entry:
    """Validate a store or fetch a secret; what fails says what the incident has it say."""
    failure = _failure(world, kind, namespace, name)

    def change(obj: Object) -> None:
        if failure is not None:
            fluxobjects.set_ready(obj, "False", failure.reason, failure.message, world.clock())
        else:
            fluxobjects.set_ready(obj, "True", *fluxobjects.success(kind.kind, obj, ""), world.clock())
            if kind.kind == "ExternalSecret":
                obj["status"]["refreshTime"] = timestamp(world.clock())
        # External Secrets writes no observedGeneration.
        fluxobjects.ready_of(obj).pop("observedGeneration", None)  # type: ignore[union-attr]

    return world.store.edit(kind, namespace, name, change)


def _failure(world: World, kind: Kind, namespace: str, name: str) -> Failure | None:
    origin = controller(world, "external-secrets")
    if origin is None or not fabric.resolves(world, origin):
        reachable = False
    else:
        reachable = all(fabric.bulk(world, origin, host) for host in _PROVIDERS.values())
    if reachable:
        return None
    known = world.failures.get((kind.kind, namespace, name))
    generic = Failure("SecretSyncedError", "could not get secret data from provider")
    if kind.kind != "ExternalSecret":
        generic = Failure("InvalidProviderConfig", "unable to validate store")
    return known or generic
