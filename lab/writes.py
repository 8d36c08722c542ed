"""Writes of the demo cluster's API: create, update, patch, delete and evict."""

import json
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from lab import patches
from lab.answers import Refusal, answer, status, success
from lab.kinds import BY_KIND, FLUX_KINDS, Kind
from lab.selectors import selector
from lab.world import World

Object = dict[str, Any]
_WITH_SPEC: Final = frozenset(
    (*FLUX_KINDS, "ClusterSecretStore", "ExternalSecret", "Lease", "Node", "Pod", "SecretStore")
)


@dataclass(frozen=True)
class Target:
    """Which object a request is about."""

    namespace: str
    name: str
    subresource: str = ""


async def body_of(request: web.Request) -> Any:
    """Read the JSON of a request; Refusal."""
    if "protobuf" in request.content_type:
        raise Refusal(415, "the body of the request was in an unknown format - accepted media types: application/json")
    try:
        return json.loads(await request.read() or b"{}")
    except ValueError as error:
        raise Refusal(400, f"the object provided is unrecognized: {error}") from error


async def write(request: web.Request, world: World, kind: Kind, target: Target) -> web.Response:
    """Answer a request that changes an object."""
    body = await body_of(request)
    dry_run = request.query.get("dryRun") == "All"
    if target.subresource == "eviction":
        return _evict(world, target, body, dry_run=dry_run)
    if request.method == "POST" and not target.name:
        return _create(world, kind, target.namespace, body, dry_run=dry_run)
    if request.method == "PUT":
        body = _checked(kind, body, target)
        world.store.get(kind, target.namespace, target.name)
        return answer(body if dry_run else world.store.update(kind, body).obj)
    if request.method == "PATCH":
        return _patch(request, world, kind, target, body, dry_run=dry_run)
    if request.method == "DELETE" and target.name:
        return _delete(world, kind, target, dry_run=dry_run)
    raise Refusal(405, f"the server does not allow {request.method} here")


def _checked(kind: Kind, body: Any, target: Target) -> Object:
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        raise Refusal(400, f"the body is no {kind.kind}")
    body["metadata"].setdefault("name", target.name)
    if kind.namespaced:
        body["metadata"].setdefault("namespace", target.namespace)
    meta = body["metadata"]
    parts = [body.get("spec") if kind.kind in _WITH_SPEC else {}, body.get("status") or {}]
    parts += [meta.get(part) or {} for part in ("labels", "annotations")]
    if not all(isinstance(part, dict) for part in parts):
        raise Refusal(
            422, f'{kind.kind} "{meta.get("name", "")}" is invalid: spec, status, labels and annotations are maps'
        )
    if meta.get("namespace", "") != target.namespace or (target.name and meta["name"] != target.name):
        raise Refusal(400, "the name or namespace of the object does not match that of the URL")
    return body


def _create(world: World, kind: Kind, namespace: str, body: Any, *, dry_run: bool) -> web.Response:
    if isinstance(body, dict) and isinstance(body.get("metadata"), dict) and "generateName" in body["metadata"]:
        body["metadata"].setdefault("name", f"{body['metadata']['generateName']}{world.store.revision:05x}")
    obj = _checked(kind, body, Target(namespace, ""))
    if not obj["metadata"].get("name"):
        raise Refusal(
            422, f'{kind.kind} "" is invalid: metadata.name: Required value: name or generateName is required'
        )
    obj["metadata"].pop("resourceVersion", None)
    if dry_run:
        return answer(obj, 201)
    if kind.kind == "Pod" and not obj.get("spec", {}).get("nodeName") and world.nodes:
        obj["spec"]["nodeName"] = world.schedule()
        obj.setdefault("status", {})["phase"] = "Running"
    entry = world.run_pod(obj) if kind.kind == "Pod" else world.store.create(kind, obj)
    return answer(entry.body, 201)


def _patch(request: web.Request, world: World, kind: Kind, target: Target, body: Any, *, dry_run: bool) -> web.Response:
    old = world.store.get(kind, target.namespace, target.name).obj
    try:
        new = patches.apply(old, body, request.content_type)
    except patches.PatchError as error:
        code = 415 if "unknown format" in str(error) else 422
        raise Refusal(code, str(error)) from error
    new = _checked(kind, new, target)
    asked = body.get("metadata", {}).get("resourceVersion") if isinstance(body, dict) else None
    if not asked:
        # A patch without a version applies to whatever is there.
        new["metadata"] = new["metadata"] | {"resourceVersion": old["metadata"]["resourceVersion"]}
    if kind.kind == "Node" and new["spec"] != old["spec"]:
        _taint(new)
    if dry_run:
        return answer(new)
    if new == old:
        return answer(old)
    return answer(world.store.update(kind, new).body)


def _taint(node: Object) -> None:
    """Give a cordoned node the unschedulable taint, as the node lifecycle controller sees to."""
    key = "node.kubernetes.io/unschedulable"
    taints = [t for t in node["spec"].get("taints", []) if t.get("key") != key]
    if node["spec"].get("unschedulable"):
        taints.append({"key": key, "effect": "NoSchedule"})
    node["spec"] = {k: v for k, v in node["spec"].items() if k != "taints"} | ({"taints": taints} if taints else {})


def _delete(world: World, kind: Kind, target: Target, *, dry_run: bool) -> web.Response:
    entry = world.store.get(kind, target.namespace, target.name)
    if not dry_run:
        if kind.kind == "Pod":
            world.delete_pod(target.namespace, target.name)
        else:
            world.store.delete(kind, target.namespace, target.name)
    return answer(entry.body)


def _evict(world: World, target: Target, body: Any, *, dry_run: bool) -> web.Response:
    """Evict a pod unless a disruption budget forbids it (kubectl pkg/drain reads the cause)."""
    pod = world.store.get(BY_KIND["Pod"], target.namespace, target.name).obj
    for budget in world.store.objects(BY_KIND["PodDisruptionBudget"], target.namespace):
        labels = budget["spec"].get("selector", {}).get("matchLabels", {})
        test = selector(",".join(f"{k}={v}" for k, v in labels.items()), "")
        if test is not None and test(pod) and not budget.get("status", {}).get("disruptionsAllowed", 0):
            name = budget["metadata"]["name"]
            cause = {"reason": "DisruptionBudget", "message": f"The disruption budget {name} needs more healthy pods"}
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            return answer(status(429, message, details={"causes": [cause]}), 429)
    options = body.get("deleteOptions", {}) if isinstance(body, dict) else {}
    if not (dry_run or options.get("dryRun") == ["All"]):
        world.delete_pod(target.namespace, target.name)
    return answer(success(201), 201)
