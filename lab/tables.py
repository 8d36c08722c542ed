"""Tables, the form in which kubectl asks for lists."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final

from lab.kinds import FLUX_KINDS, Kind

Object = dict[str, Any]
Row = Callable[[Object, float], list[Any]]
_DAY, _HOUR, _MINUTE = 86400, 3600, 60


def table(kind: Kind, objects: Iterable[Object], meta: Object, now: float, *, headed: bool = True) -> Object:
    """Make a meta.k8s.io/v1 Table of objects; ``headed`` gives the columns, which a watch sends only once."""
    columns, row = _layout(kind)
    rows = [
        {
            "cells": row(obj, now),
            "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]},
        }
        for obj in objects
    ]
    result: Object = {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": meta, "columnDefinitions": []}
    if headed:
        result["columnDefinitions"] = [
            {"name": name, "type": "string", "format": "name" if name == "Name" else "", "description": name,
             "priority": int(name in _WIDE)}
            for name in columns
        ]  # fmt: skip
    return result | {"rows": rows}


def duration(seconds: float) -> str:
    """Write an age as kubectl does: its two largest units where they are small."""
    whole = max(0, int(seconds))
    if whole < 2 * _MINUTE:
        return f"{whole}s"
    if whole < 3 * _HOUR:
        minutes, rest = divmod(whole, _MINUTE)
        return f"{minutes}m{rest}s" if minutes < 10 and rest else f"{minutes}m"  # noqa: PLR2004 - kubectl's limit
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    return f"{whole // _DAY}d"


def _age(obj: Object, now: float) -> str:
    created = datetime.strptime(obj["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return duration(now - created.timestamp())


def _node(obj: Object, now: float) -> list[Any]:
    status = obj["status"]
    ready = next((c["status"] for c in status["conditions"] if c["type"] == "Ready"), "Unknown")
    shown = {"True": "Ready", "False": "NotReady"}.get(ready, "NotReady")
    if obj["spec"].get("unschedulable"):
        shown += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    roles = sorted(k.removeprefix(prefix) for k in obj["metadata"].get("labels", {}) if k.startswith(prefix))
    address = next((a["address"] for a in status["addresses"] if a["type"] == "InternalIP"), "<none>")
    info = status["nodeInfo"]
    wide = [address, "<none>", info["osImage"], info["kernelVersion"], info["containerRuntimeVersion"]]
    return [obj["metadata"]["name"], shown, ",".join(roles) or "<none>", _age(obj, now), info["kubeletVersion"], *wide]


def _pod(obj: Object, now: float) -> list[Any]:
    statuses = obj["status"].get("containerStatuses", [])
    ready = sum(1 for s in statuses if s["ready"])
    waiting = [s["state"]["waiting"]["reason"] for s in statuses if "waiting" in s.get("state", {})]
    phase = waiting[0] if waiting else obj["status"].get("phase", "Unknown")
    restarts = str(sum(s.get("restartCount", 0) for s in statuses))
    wide = [obj["status"].get("podIP", "<none>"), obj["spec"].get("nodeName", "<none>"), "<none>", "<none>"]
    return [obj["metadata"]["name"], f"{ready}/{len(statuses)}", phase, restarts, _age(obj, now), *wide]


def _event(obj: Object, now: float) -> list[Any]:
    last = datetime.strptime(obj["lastTimestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    subject = obj["involvedObject"]
    return [
        duration(now - last),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{subject['kind'].lower()}/{subject['name']}",
        obj.get("message", ""),
        obj["metadata"]["name"],
    ]


def _flux(obj: Object, now: float) -> list[Any]:
    ready: Object = next((c for c in obj.get("status", {}).get("conditions", []) if c["type"] == "Ready"), {})
    url = obj["spec"].get("url", "")
    return [obj["metadata"]["name"], url, _age(obj, now), ready.get("status", ""), ready.get("message", "")]


def _lease(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], obj["spec"].get("holderIdentity", ""), _age(obj, now)]


def _plain(obj: Object, now: float) -> list[Any]:
    return [obj["metadata"]["name"], _age(obj, now)]


_WIDE: Final = frozenset(
    ("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime", "IP", "Node", "Nominated Node",
     "Readiness Gates"),
)  # fmt: skip
_LAYOUTS: Final[dict[str, tuple[tuple[str, ...], Row]]] = {
    "Node": (
        ("Name", "Status", "Roles", "Age", "Version", "Internal-IP", "External-IP", "OS-Image", "Kernel-Version",
         "Container-Runtime"),
        _node,
    ),
    "Pod": (("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node", "Nominated Node", "Readiness Gates"), _pod),
    "Event": (("Last Seen", "Type", "Reason", "Object", "Message", "Name"), _event),
    "Lease": (("Name", "Holder", "Age"), _lease),
}  # fmt: skip


def _layout(kind: Kind) -> tuple[tuple[str, ...], Row]:
    if kind.kind in FLUX_KINDS:
        return ("Name", "URL", "Age", "Ready", "Status"), _flux
    return _LAYOUTS.get(kind.kind, (("Name", "Age"), _plain))
