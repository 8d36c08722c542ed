"""What a client asks before anything else: groups, versions, resources, and a schema that promises nothing."""

from collections.abc import Iterable
from typing import Any, Final

from lab.kinds import ALL_VERBS, Kind

OPENAPI: Final = b"\n\x032.0\x12\x19\n\x0aKubernetes\x12\x0bunversioned"
"""An OpenAPI v2 document in its protobuf form with version and title only; kubectl asks for it."""


def version(k3s: str) -> dict[str, str]:
    """/version for a k3s release such as ``v1.34.1+k3s1``."""
    major, minor, *_ = k3s.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": k3s,
        "gitCommit": "24fc436e0c0f1b3a8f3c7d0e4c2b8f6a1d5e9b70",
        "gitTreeState": "clean",
        "buildDate": "2025-09-22T18:12:47Z",
        "goVersion": "go1.24.6",
        "compiler": "gc",
        "platform": "linux/amd64",
    }


def core(server: str) -> dict[str, Any]:
    """List the versions of the core group, for /api."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def groups(kinds: Iterable[Kind]) -> dict[str, Any]:
    """/apis: the other groups."""
    rows: list[dict[str, Any]] = []
    for name, ver in dict.fromkeys((kind.group, kind.version) for kind in kinds if kind.group):
        entry = {"groupVersion": f"{name}/{ver}", "version": ver}
        rows.append({"name": name, "versions": [entry], "preferredVersion": entry})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": rows}


def group(kinds: Iterable[Kind], name: str) -> dict[str, Any] | None:
    """/apis/GROUP."""
    found = next((row for row in groups(kinds)["groups"] if row["name"] == name), None)
    return {"kind": "APIGroup", "apiVersion": "v1", **found} if found else None


def resources(kinds: Iterable[Kind], api_version: str) -> dict[str, Any] | None:
    """/api/v1 or /apis/GROUP/VERSION: its resources; None for a version that is not served."""
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        if kind.api_version != api_version:
            continue
        own = {"singularName": kind.kind.lower(), "namespaced": kind.namespaced, "kind": kind.kind}
        rows.append({"name": kind.plural, **own, "verbs": list(ALL_VERBS), "shortNames": list(kind.short)})
        for sub in kind.subresources:
            verbs = ["create"] if sub == "eviction" else ["get", "patch", "update"]
            row = {"name": f"{kind.plural}/{sub}", "singularName": "", "namespaced": kind.namespaced, "verbs": verbs}
            extra = (
                {"group": "policy", "version": "v1", "kind": "Eviction"} if sub == "eviction" else {"kind": kind.kind}
            )
            rows.append(row | extra)
    if not rows:
        return None
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": rows}
