"""Facts that templates may name, and the order in which nodes are taken. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from probes.rules.finding import Diagnosis
from runbooks.actions import Target
from runbooks.parameters import PlanError, Value, written
from runbooks.runbook import HOLE, Order


class Found(msgspec.Struct, frozen=True):
    """What was read besides the diagnosis, to plan by it."""

    host: Mapping[str, Mapping[str, str]] = {}
    """By node and name: what ``${node.host.NAME}`` is."""
    etcd_leader: str = ""
    """The node whose etcd leads; empty where nobody could tell."""


def node_facts(diagnosis: Diagnosis, name: str, found: Found) -> dict[str, str]:
    """List what is known of a node, by schema.NODE_FACTS; what is not known is not there."""
    view = diagnosis.views.get(name)
    if view is None:
        return {}
    row = view.summary
    node = diagnosis.snapshot.nodes.get(name)
    unit = row.unit.name if row.unit and row.unit.load_state == "loaded" else ""
    host = found.host.get(name, {})
    facts: dict[str, str | int | None] = {
        "name": name,
        "role": row.role,
        "unit": unit,
        "address": node.internal_ips[0] if node and node.internal_ips else "",
        "uplink": row.uplink,
        "uplink-mtu": row.uplink_mtu,
        "overlay": row.overlay,
        "overlay-mtu": row.overlay_mtu,
        "overlay-mtu-expected": row.overlay_mtu_expected,
        "subnet-env-mtu": row.subnet_env_mtu,
        "kernel": node.kernel_version if node else "",
        "version": row.version,
        **{f"host.{key}": value for key, value in host.items()},
    }
    return {key: str(value) for key, value in facts.items() if value not in {None, ""}}


def fill(
    text: str,
    scope: Mapping[str, Value],
    free: Mapping[str, str],
    facts: Callable[[str], Mapping[str, str]],
    place: str,
) -> str:
    """Put values into a template's holes; raises PlanError where one is not known."""

    def value(name: str) -> str:
        if name in free:
            return free[name]
        head, _, fact = name.partition(".")
        found = scope.get(name if not fact else head)
        if found is None:
            raise PlanError(f"{place}: ${{{name}}} has no value")
        if not fact:
            return written_plain(found)
        if isinstance(found, Target):
            return str(getattr(found, fact))
        known = facts(str(found)).get(fact)
        if known is None:
            raise PlanError(f"{place}: the {fact} of {found} is not known; no plan can be made without it")
        return known

    return HOLE.sub(lambda hole: value(hole[1]), text)


def written_plain(value: Value) -> str:
    """Write a value into a template: a boolean as YAML has it, a time in seconds."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else written(value)


_FIRST: Final[dict[str, tuple[str, ...]]] = {
    "agents-first": ("agent", "server"),
    "servers-first": ("server", "agent"),
}


def order_nodes(names: Sequence[str], order: Order, diagnosis: Diagnosis, found: Found) -> tuple[str, ...]:
    """Put nodes into their order; of servers, the one that we reach the API by comes late and etcd's leader last.

    ``as-given`` is just that: an operator's order is not ours to change.
    """
    if order == "as-given":
        return tuple(names)
    roles = _FIRST[order]
    way = urlsplit(diagnosis.snapshot.server).hostname or ""

    def rank(name: str) -> tuple[int, bool, bool, int]:
        view = diagnosis.views.get(name)
        role = view.summary.role if view else ""
        node = diagnosis.snapshot.nodes.get(name)
        carries = node is not None and way in {*node.internal_ips, *node.external_ips, node.hostname, name}
        place = roles.index(role) if role in roles else len(roles)
        return place, name == found.etcd_leader, carries, list(names).index(name)

    return tuple(sorted(names, key=rank))
