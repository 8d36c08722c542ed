"""Facts that templates may name, and the order in which nodes are taken. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from probes.rules.facts import families_of
from probes.rules.finding import Diagnosis
from runbooks.about_objects import stamp_of
from runbooks.actions import Target
from runbooks.parameters import PlanError, Value, written
from runbooks.runbook import HOLE, Order

_NETNS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")


class Found(msgspec.Struct, frozen=True):
    """What was read besides the diagnosis, to plan by it."""

    host: Mapping[str, Mapping[str, str]] = {}
    """By node and name: what ``${node.host.NAME}`` is."""
    etcd_leader: str = ""
    """The node whose etcd leads; empty where nobody could tell."""
    files: Mapping[str, Mapping[str, str]] = {}
    """By node and path: files that a plan may write, as they are now; what is not there is not there."""


def node_facts(diagnosis: Diagnosis, name: str, found: Found) -> dict[str, str]:
    """List what is known of a node, by schema.NODE_FACTS; what is not known is not there."""
    view = diagnosis.views.get(name)
    if view is None:
        return {}
    row = view.summary
    node = diagnosis.snapshot.nodes.get(name)
    unit = row.unit.name if row.unit and row.unit.load_state == "loaded" else ""
    host = found.host.get(name, {})
    network = diagnosis.snapshot.networks.get(name)
    conf = network.net_conf if network else None
    facts: dict[str, str | int | None] = {
        "name": name,
        "role": row.role,
        "unit": unit,
        "address": node.internal_ips[0] if node and node.internal_ips else "",
        "uplink": row.uplink,
        "uplink-mtu": row.uplink_mtu,
        "families": "+".join(families_of(node)) if node else "",
        "overlay": row.overlay,
        "overlay-mtu": row.overlay_mtu,
        "overlay-mtu-expected": row.overlay_mtu_expected,
        "subnet-env-mtu": row.subnet_env_mtu,
        "kernel": node.kernel_version if node else "",
        "version": row.version,
        "pod-network": conf.network if conf and not conf.ipv6_network.strip(":/0") else "",
        "source-controller-netns": _netns(diagnosis, name, "source-controller"),
        **{f"host.{key}": value for key, value in host.items()},
    }
    return {key: str(value) for key, value in facts.items() if value not in {None, ""}}


def _netns(diagnosis: Diagnosis, node: str, app: str) -> str:
    """Find the network namespace of an app's pod on a node, by the pod's address; empty where it is not known."""
    network = diagnosis.snapshot.networks.get(node)
    ips = {ip for pod in diagnosis.places.watched if (pod.node, pod.app) == (node, app) for ip in pod.ips}
    for netns in (network.pod_netns if network else None) or ():
        if ips & {address.local for address in netns.addresses} and _NETNS.fullmatch(netns.name):
            return netns.name
    return ""


def object_facts(diagnosis: Diagnosis, target: Target) -> dict[str, str]:
    """List what is known of an object, by runbook.OBJECT_FACTS; what is not known is not there."""
    facts: dict[str, str] = {"kind": target.kind, "name": target.name, "namespace": target.namespace}
    key = f"{target.kind}/{target.namespace}/{target.name}"
    flux = diagnosis.snapshot.flux.get(key)
    if flux is not None:
        scheme, host = _parts(flux.url)
        told: dict[str, str] = {
            "url": flux.url,
            "host": host,
            "scheme": scheme,
            "web": f"https://{host}/v2/" if scheme == "oci" else flux.url if scheme in {"http", "https"} else "",
            "secret": flux.secret,
            "revision": flux.revision,
            "interval": "" if flux.interval is None else f"{flux.interval:g}s",
        }
        facts |= {name: value for name, value in told.items() if value}
    secret = diagnosis.snapshot.secrets.get(key)
    if secret is not None:
        facts["refreshed"] = stamp_of(secret.refreshed_at)
        facts |= {"target": secret.target} if secret.target else {}
        facts |= {"store": secret.store.name} if secret.store else {}
    return facts


def _parts(url: str) -> tuple[str, str]:
    """Give a URL's scheme, and its host with the port that it names; empty where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "", ""
    return parts.scheme, f"{parts.hostname}:{port}" if port else parts.hostname or ""


class Facts(msgspec.Struct, frozen=True):
    """What templates may name besides parameters."""

    diagnosis: Diagnosis
    found: Found = Found()

    def of(self, value: Value) -> Mapping[str, str]:
        """List the facts of a node, by its name, or of an object."""
        if isinstance(value, Target):
            return object_facts(self.diagnosis, value)
        return node_facts(self.diagnosis, str(value), self.found)


def fill(text: str, scope: Mapping[str, Value], free: Mapping[str, str], facts: Facts, place: str) -> str:
    """Put values into a template's holes; raises PlanError where one is not known, or is no number and is added to."""

    def value(name: str) -> str:
        if name in free:
            return free[name]
        head, _, fact = name.partition(".")
        found = scope.get(name if not fact else head)
        if found is None or found in {"", ()}:
            raise PlanError(f"{place}: ${{{name}}} has no value: give --set {head}=…")
        if not fact:
            return written_plain(found)
        known = facts.of(found).get(fact)
        if known is None and not (isinstance(found, Target) and fact == "namespace"):
            raise PlanError(f"{place}: the {fact} of {written(found)} is not known; no plan can be made without it")
        return known or ""

    def filled(hole: re.Match[str]) -> str:
        text = value(hole[1])
        if hole[2] is None:
            return text
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise PlanError(f"{place}: ${{{hole[1]}}} is {text[:40]!r}, no number that {hole[3]} could be added to")
        return str(int(text) + int(f"{hole[2]}{hole[3]}"))

    return HOLE.sub(filled, text)


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
