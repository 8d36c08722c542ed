"""Flux and External Secrets objects as their controllers leave them, from the short form of an incident file."""

import hashlib
import re
from typing import Any

from lab.kinds import BY_KIND, FLUX_KINDS, FLUX_SOURCES, Kind
from lab.reading import Section
from lab.store import timestamp
from lab.world import Failure, World

Object = dict[str, Any]
SOURCES = "flux-system"
"""The namespace of every source."""
_SECRET_KINDS = ("ExternalSecret", "SecretStore", "ClusterSecretStore")
_SUCCESS = {
    "GitRepository": ("Succeeded", "stored artifact for revision '{revision}'"),
    "OCIRepository": ("Succeeded", "stored artifact for digest '{revision}'"),
    "HelmRepository": ("Succeeded", "stored artifact: revision '{revision}'"),
    "HelmChart": ("ChartPullSucceeded", "pulled '{chart}' chart with version '{revision}'"),
    "Bucket": ("Succeeded", "stored artifact: revision '{revision}'"),
    "Kustomization": ("ReconciliationSucceeded", "Applied revision: {revision}"),
    "HelmRelease": (
        "UpgradeSucceeded",
        "Helm upgrade succeeded for release {namespace}/{name}.v{version} with chart {chart}@{revision}",
    ),
    "ExternalSecret": ("SecretSynced", "secret synced"),
    "SecretStore": ("Valid", "store validated"),
    "ClusterSecretStore": ("Valid", "store validated"),
}


def success(kind: str, obj: Object, revision: str) -> tuple[str, str]:
    """Say what the controller says of an object that is well: (reason, message)."""
    reason, message = _SUCCESS[kind]
    meta = obj["metadata"]
    return reason, message.format(
        revision=revision,
        namespace=meta.get("namespace", ""),
        name=meta["name"],
        version=3,
        chart=_chart(obj),
    )


def _chart(obj: Object) -> str:
    """Find the chart that a HelmRelease or HelmChart names; one by chartRef has its source's name."""
    chart = obj["spec"].get("chart", obj["metadata"]["name"])
    return str(chart["spec"]["chart"] if isinstance(chart, dict) else chart)


def ready_of(obj: Object) -> Object | None:
    """Look up the Ready condition of an object."""
    conditions: list[Object] = obj.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == "Ready"), None)


def set_ready(obj: Object, status: str, reason: str, message: str, at: float) -> None:
    """Set an object's Ready condition; the time of transition is kept while the status stays (kstatus)."""
    conditions = obj["status"].setdefault("conditions", [])
    old = next((c for c in conditions if c["type"] == "Ready"), None)
    new = {"type": "Ready", "status": status, "reason": reason, "message": message}
    kept = old is not None and (old["status"], old["reason"], old["message"]) == (status, reason, message)
    new["lastTransitionTime"] = old["lastTransitionTime"] if old is not None and kept else timestamp(at)
    new["observedGeneration"] = obj["metadata"]["generation"]
    conditions[:] = [new, *(c for c in conditions if c["type"] != "Ready")]


def add_flux(world: World, section: Section, now: float) -> None:
    """Create one Flux object from its short form, with its failure where it has one."""
    kind = BY_KIND[section.choice("kind", tuple(sorted(FLUX_KINDS)))]
    name, namespace = section.text("name"), section.text("namespace", SOURCES)
    revision = section.text("revision", "")
    meta: Object = {"name": name, "namespace": namespace, "generation": section.number("generation", 1)}
    meta["creationTimestamp"] = timestamp(now + section.offset("age", "-40d"))
    if requested := section.text("requestedAt", ""):
        meta["annotations"] = {"reconcile.fluxcd.io/requestedAt": requested}
    obj: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    obj["spec"] = _spec(kind, section)
    obj["status"] = {"observedGeneration": meta["generation"]}
    static = obj["spec"].get("type") == "oci"
    since = now + section.offset("since", "-12d")
    if static:
        obj["status"] = {}
    else:
        reason, message = success(kind.kind, obj, revision)
        set_ready(obj, "True", reason, message, since)
        _add_revision(kind, obj, revision, now + section.offset("artifact", "-2d"), section.number("size", 183204))
        _add_failure(world, section, obj, now)
    if arrives := section.text("arrives", ""):
        world.arrivals[(kind.kind, namespace, name)] = arrives
    section.close()
    world.store.create(kind, obj)


def _spec(kind: Kind, section: Section) -> Object:
    spec: Object = {"interval": section.text("interval", "1m0s" if kind.kind == "GitRepository" else "10m0s")}
    for key in ("url", "timeout", "type"):
        if value := section.text(key, ""):
            spec[key] = value
    if section.flag("suspend"):
        spec["suspend"] = True
    if secret := section.text("secret", ""):
        spec["secretRef"] = {"name": secret}
    if kind.kind == "GitRepository":
        spec["ref"] = {"branch": "main"}
    spec |= _reference(kind, section)
    if depends := section.texts("dependsOn"):
        spec["dependsOn"] = [{"name": item} for item in depends]
    return spec


def _reference(kind: Kind, section: Section) -> Object:
    """Say where a consumer or chart takes its artifact from."""
    chart, source = section.text("chart", ""), section.text("source", "")
    source_kind, _, source_name = source.partition("/")
    reference = {"kind": source_kind, "name": source_name}
    if section.text("namespace", SOURCES) != SOURCES:
        reference["namespace"] = SOURCES  # where a reference says nothing, Flux looks in its own namespace
    if kind.kind == "Kustomization":
        return {"path": f"./{section.text('path', section.text('name'))}", "prune": True, "sourceRef": reference}
    if kind.kind == "HelmChart":
        return {"chart": chart, "version": "*", "sourceRef": reference}
    if kind.kind != "HelmRelease":
        return {}
    if source_kind == "OCIRepository":
        return {"chartRef": reference}
    return {"chart": {"spec": {"chart": chart, "version": "*", "sourceRef": reference}}}


def _add_revision(kind: Kind, obj: Object, revision: str, at: float, size: int) -> None:
    """Write where the object stands: an artifact of a source, an applied revision of a consumer."""
    if not revision:
        return
    status, meta = obj["status"], obj["metadata"]
    if kind.kind in FLUX_SOURCES:
        status["artifact"] = artifact(kind, meta["namespace"], meta["name"], revision, at, size)
        stored = {"type": "ArtifactInStorage", "status": "True", "reason": "Succeeded"}
        stored |= {"message": status["conditions"][0]["message"], "lastTransitionTime": timestamp(at)}
        status["conditions"].append(stored | {"observedGeneration": meta["generation"]})
    elif kind.kind == "Kustomization":
        status |= {"lastAppliedRevision": revision, "lastAttemptedRevision": revision}
    else:
        entry = {"chartVersion": revision, "status": "deployed", "version": 3, "lastDeployed": timestamp(at)}
        status |= {"history": [entry], "lastAttemptedRevision": revision}


def artifact(kind: Kind, namespace: str, name: str, revision: str, at: float, size: int) -> Object:
    """Make a source's artifact as source-controller serves it."""
    digest = hashlib.sha256(f"{name}{revision}".encode()).hexdigest()
    path = f"{kind.kind.lower()}/{namespace}/{name}/{re.sub('.*[:@]', '', revision)}.tar.gz"
    return {
        "digest": f"sha256:{digest}",
        "lastUpdateTime": timestamp(at),
        "path": path,
        "revision": revision,
        "size": size,
        "url": f"http://source-controller.flux-system.svc.cluster.local./{path}",
    }


def _add_failure(world: World, section: Section, obj: Object, now: float) -> None:
    if "failure" not in section:
        return
    failure = section.section("failure")
    reason, message = failure.text("reason"), failure.text("message").strip()
    since = now + failure.offset("since")
    failure.close()
    meta = obj["metadata"]
    world.failures[(obj["kind"], meta["namespace"], meta["name"])] = Failure(reason, message)
    fail(obj, reason, message, since)


def fail(obj: Object, reason: str, message: str, at: float) -> None:
    """Write a failure into an object's conditions; a source keeps its artifact (FetchFailed only says it is stale)."""
    if obj["kind"] in FLUX_SOURCES:
        fetch = {"type": "FetchFailed", "status": "True", "reason": reason, "message": message}
        conditions = obj["status"].setdefault("conditions", [])
        old = next((c for c in conditions if c["type"] == "FetchFailed"), None)
        fetch["lastTransitionTime"] = old["lastTransitionTime"] if old else timestamp(at)
        fetch["observedGeneration"] = obj["metadata"]["generation"]
        conditions[:] = [*(c for c in conditions if c["type"] != "FetchFailed"), fetch]
    set_ready(obj, "False", reason, message, at)


def add_secret(world: World, section: Section, now: float) -> None:
    """Create one External Secrets object from its short form."""
    kind = BY_KIND[section.choice("kind", _SECRET_KINDS)]
    name = section.text("name")
    meta: Object = {"name": name, "generation": 1, "creationTimestamp": timestamp(now + section.offset("age", "-40d"))}
    if kind.namespaced:
        meta["namespace"] = section.text("namespace", "external-secrets")
    status: Object = {}
    if kind.kind == "ExternalSecret":
        store_kind, _, store = section.text("store").partition("/")
        spec: Object = {
            "refreshInterval": section.text("refreshInterval", "1h0m0s"),
            "secretStoreRef": {"kind": store_kind, "name": store},
            "target": {"name": name, "creationPolicy": "Owner"},
        }
        status |= {"binding": {"name": name}, "refreshTime": timestamp(now + section.offset("refreshed", "-21m"))}
    else:
        spec = {"provider": {section.text("provider", "doppler"): {}}}
    obj: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta, "spec": spec, "status": status}
    set_ready(obj, "True", *success(kind.kind, obj, ""), now + section.offset("since", "-12d"))
    if "failure" in section:
        failure = section.section("failure")
        reason, message = failure.text("reason"), failure.text("message")
        set_ready(obj, "False", reason, message, now + failure.offset("since"))
        world.failures[(kind.kind, meta.get("namespace", ""), name)] = Failure(reason, message)
        failure.close()
    status["conditions"][0].pop("observedGeneration")
    section.close()
    world.store.create(kind, obj)
