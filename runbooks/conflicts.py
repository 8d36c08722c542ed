"""Conflicts: who else may be at work on the cluster's nodes, and what earlier runs left behind."""

from typing import Any, Final

import msgspec

from probes.kube.errors import ApiError, NotInstalled
from probes.model.text import clean
from runbooks.actions import CORDONED_BY
from runbooks.writers.api import ApiWriter

_PLANS: Final = "/apis/upgrade.cattle.io/v1/plans"
_DAEMONSETS: Final = "/apis/apps/v1/daemonsets"
_KURED: Final = "weave.works/kured-node-lock"


class Conflicts(msgspec.Struct, frozen=True):
    """What speaks against beginning."""

    rolling: tuple[str, ...] = ()
    """Others who restart or upgrade nodes right now, a sentence each: the run is refused."""
    unknown: tuple[str, ...] = ()
    """What could not be told, a sentence each: the operator must agree."""
    leftovers: tuple[str, ...] = ()
    """What earlier runs left."""


async def conflicts(api: ApiWriter, run: str) -> Conflicts:
    """Look for system-upgrade-controller's plans, kured's lock, and cordons of earlier runs of ours."""
    rolling: list[str] = []
    unknown: list[str] = []
    for look in (_upgrades, _kured):
        try:
            rolling += await look(api)
        except NotInstalled:
            continue
        except ApiError as error:
            unknown.append(str(error))
    leftovers: list[str] = []
    try:
        leftovers = await _cordons(api, run)
    except ApiError as error:
        unknown.append(str(error))
    return Conflicts(tuple(rolling), tuple(dict.fromkeys(unknown)), tuple(leftovers))


async def _items(api: ApiWriter, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = msgspec.json.decode(await api.get(path)).get("items") or []
    return found


async def _upgrades(api: ApiWriter) -> list[str]:
    """``status.applying`` names the nodes that a Plan is working on (system-upgrade-controller pkg/upgrade)."""
    said = []
    for plan in await _items(api, _PLANS):
        if nodes := (plan.get("status") or {}).get("applying"):
            name = f"{plan['metadata'].get('namespace', '')}/{plan['metadata']['name']}"
            said.append(f"system-upgrade-controller is applying {clean(name)} on {clean(', '.join(map(str, nodes)))}")
    return said


async def _kured(api: ApiWriter) -> list[str]:
    said = []
    for each in await _items(api, _DAEMONSETS):
        if held := (each["metadata"].get("annotations") or {}).get(_KURED):
            try:
                node = str(msgspec.json.decode(held).get("nodeID", "?"))
            except (msgspec.DecodeError, AttributeError):
                node = "?"
            said.append(f"kured holds its lock for {clean(node)}: that node is about to reboot")
    return said


async def _cordons(api: ApiWriter, run: str) -> list[str]:
    said = []
    for node in await _items(api, "/api/v1/nodes"):
        by = (node["metadata"].get("annotations") or {}).get(CORDONED_BY, "")
        if by and by != run:
            name = clean(node["metadata"]["name"])
            said.append(
                f"{name} is still cordoned by the run {clean(by)}: `underlay runs abort {clean(by)}` uncordons it"
            )
    return said
