"""Conditions about Flux objects and External Secrets: what their controllers say in the API. Pure."""

import time
from collections.abc import Mapping
from typing import Final

from probes.model.flux import SOURCE_KINDS, FluxObject
from probes.model.secrets import SecretObject
from runbooks.kinds import Judged, Kind, api_trouble
from runbooks.sight import Condition, Sight, Stood


def stamp_of(at: float | None) -> str:
    """Write when a secret was refreshed, ``never`` where it was not: what tells one sync from the next."""
    return "never" if at is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def _key(args: Mapping[str, str]) -> str:
    return f"{args['kind']}/{args['namespace']}/{args['name']}"


def _flux_ready(sight: Sight, condition: Condition) -> Judged:
    args = condition.args
    if why := api_trouble(sight, f"flux/{args['kind']}"):
        return "unknown", why
    found = sight.diagnosis.snapshot.flux.get(_key(args))
    if found is None:
        return "waiting", "there is no such object"
    ready = found.condition("Ready")
    status = ready.status if ready else "not told"
    if args["stamp"] not in {"", found.handled_at}:
        return "waiting", f"Ready is {status}, and the request is not handled yet"
    if found.condition("FetchFailed") is not None:
        return "waiting", "its last fetch failed"
    return ("held" if status == "True" else "waiting"), f"Ready is {status}, {found.revision or 'no revision'}"


def _flux_handled(sight: Sight, condition: Condition) -> Judged:
    args = condition.args
    if why := api_trouble(sight, f"flux/{args['kind']}"):
        return "unknown", why
    found = sight.diagnosis.snapshot.flux.get(_key(args))
    if found is None:
        return "waiting", "there is no such object"
    handled = found.handled_at == args["stamp"]
    return ("held" if handled else "waiting"), f"last handled: {found.handled_at or 'none yet'}"


def fails(item: FluxObject) -> bool:
    """Tell whether a Flux source cannot be fetched now; one that is suspended is not tried."""
    return item.ref.kind in SOURCE_KINDS and not item.suspended and item.condition("FetchFailed") is not None


def _sources_safe(sight: Sight, condition: Condition) -> Judged:
    """Tell whether source-controller may be made anew: its storage is an emptyDir, and what it cannot fetch is lost."""
    if why := api_trouble(sight, "pods"):
        return "unknown", why
    if condition.node not in sight.diagnosis.places.controller("source-controller"):
        return "held", "source-controller does not run there"
    kinds = [name for name in sight.diagnosis.snapshot.sources if name.startswith("kube/flux/")]
    for name in kinds:
        state = sight.diagnosis.snapshot.source(name)
        if state.status not in {"ok", "absent"}:
            return "unknown", state.reason or f"the API has not told {name.removeprefix('kube/')} yet"
    failing = tuple(sorted(key for key, item in sight.diagnosis.snapshot.flux.items() if fails(item)))
    if failing:
        return Stood("waiting", f"source-controller is there, and {', '.join(failing[:3])} cannot be fetched", failing)
    return "held", "every source was fetched"


def unsynced(item: SecretObject) -> bool:
    """Tell whether an ExternalSecret says that it is not in sync."""
    ready = next((each for each in item.conditions if each.type == "Ready"), None)
    return item.ref.kind == "ExternalSecret" and ready is not None and ready.status != "True"


def _secret_synced(sight: Sight, condition: Condition) -> Judged:
    args = condition.args
    if why := api_trouble(sight, f"secrets/{args['kind']}"):
        return "unknown", why
    found = sight.diagnosis.snapshot.secrets.get(_key(args))
    if found is None:
        return "waiting", "there is no such object"
    ready = next((each for each in found.conditions if each.type == "Ready"), None)
    status = f"Ready is {ready.status} ({ready.reason})" if ready else "it has no Ready condition"
    refreshed = stamp_of(found.refreshed_at)
    if refreshed == args["refreshed"]:
        return "waiting", f"{status}; refreshed: still {refreshed}"
    good = ready is not None and ready.status == "True"
    return ("held" if good else "waiting"), f"{status}, refreshed {refreshed}, Secret {found.target or 'not named'}"


OBJECT_KINDS: Final[Mapping[str, Kind]] = {
    "flux-ready": Kind(
        "{kind} {namespace}/{name} is Ready, the request handled",
        _flux_ready,
        ("kind", "namespace", "name", "stamp"),
        of_node=False,
    ),
    "flux-handled": Kind(
        "the request to {kind} {namespace}/{name} was handled",
        _flux_handled,
        ("kind", "namespace", "name", "stamp"),
        of_node=False,
    ),
    "sources-safe": Kind("source-controller is not on {node}, or every source was fetched", _sources_safe),
    "secret-synced": Kind(
        "{kind} {namespace}/{name} was synced, and not at {refreshed}",
        _secret_synced,
        ("kind", "namespace", "name", "refreshed"),
        of_node=False,
    ),
}
"""By the name that a runbook calls them."""
