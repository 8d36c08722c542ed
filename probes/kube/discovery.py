"""API discovery: which of the kinds we know a cluster serves, and in which version."""

import asyncio
import re
from typing import Final

import msgspec

from probes.kube.client import Api
from probes.kube.errors import AnswerInvalid, ApiError, NotInstalled, detail
from probes.kube.http import GET_TIMEOUT, Body
from probes.kube.wire import Wire

_VERSION: Final = re.compile(r"v(\d{1,4})(?:(alpha|beta)(\d{1,4}))?", re.ASCII)
_NAME: Final = re.compile(r"[a-z0-9.-]{1,253}", re.ASCII)


class Group(msgspec.Struct, frozen=True):
    """An API group and the versions the cluster serves, the most stable and newest first."""

    name: str
    versions: tuple[str, ...]


class _Version(Wire):
    version: str | None = None


class _WireGroup(Wire):
    name: str
    versions: list[_Version] | None = None


class _GroupList(Wire):
    groups: list[_WireGroup] | None = None


class _WireResource(Wire):
    name: str | None = None
    kind: str | None = None
    verbs: list[str] | None = None


class _ResourceList(Wire):
    resources: list[_WireResource] | None = None


_GROUPS: Final = msgspec.json.Decoder(_GroupList)
_RESOURCES: Final = msgspec.json.Decoder(_ResourceList)


def priority(version: str) -> tuple[int, int, int]:
    """Order versions as Kubernetes does (apimachinery pkg/version): v2 > v1 > v1beta2 > v1alpha1 > anything else."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return (0, 0, 0)
    stability = {None: 3, "beta": 2, "alpha": 1}[match[2]]
    return (stability, int(match[1]), int(match[3] or 0))


def parse_groups(raw: Body) -> dict[str, Group]:
    """Read an APIGroupList; raises AnswerInvalid."""
    try:
        groups = _GROUPS.decode(raw).groups or ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AnswerInvalid(f"the list of API groups cannot be read: {detail(str(error))}") from error
    found = {}
    for group in groups:
        served = {v.version for v in group.versions or () if v.version and _VERSION.fullmatch(v.version)}
        if _NAME.fullmatch(group.name) and served:
            found[group.name] = Group(group.name, tuple(sorted(served, key=priority, reverse=True)))
    return found


def parse_resources(raw: Body) -> dict[str, str]:
    """Read an APIResourceList into kind -> plural of what can be listed; raises AnswerInvalid."""
    try:
        resources = _RESOURCES.decode(raw).resources or ()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AnswerInvalid(f"the list of resources cannot be read: {detail(str(error))}") from error
    return {
        r.kind: r.name
        for r in resources
        if r.kind and r.name and _NAME.fullmatch(r.name) and (r.verbs is None or "list" in r.verbs)
    }


class Served(msgspec.Struct):
    """What discovery found."""

    kinds: dict[tuple[str, str], tuple[str, str]]
    """(group, kind) -> (version, plural)."""
    failed: dict[str, ApiError]
    """The groups of which a version would not say what it has."""


async def discover(api: Api, wanted: frozenset[str], *, timeout: float = GET_TIMEOUT) -> Served:
    """Find what the cluster serves of the groups ``wanted``.

    Each kind comes in the most stable, newest version that has it: an older Flux serves OCIRepository only in
    v1beta2 beside a GitRepository v1. Raises ApiError where not even the groups can be listed.
    """
    groups = [g for g in parse_groups(await api.get("/apis", timeout=timeout)).values() if g.name in wanted]
    async with asyncio.TaskGroup() as tasks:
        asked = [
            (group.name, version, tasks.create_task(_resources(api, group.name, version, timeout)))
            for group in groups
            for version in group.versions
        ]
    served = Served({}, {})
    for group_name, version, task in asked:
        answer = task.result()
        if isinstance(answer, ApiError):
            served.failed.setdefault(group_name, answer)
            continue
        for kind, plural in answer.items():
            served.kinds.setdefault((group_name, kind), (version, plural))
    return served


async def _resources(api: Api, group: str, version: str, timeout: float) -> dict[str, str] | ApiError:
    try:
        return parse_resources(await api.get(f"/apis/{group}/{version}", timeout=timeout))
    except NotInstalled:  # it went away since /apis told of it
        return {}
    except ApiError as error:
        return error
