"""What changed between two snapshots, in words: the timeline of an incident."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import msgspec

from probes.model.flux import FluxObject
from probes.model.kube import Node
from probes.model.network import FdbEntry, Link, Neighbor, NodeNetwork, Route
from probes.model.snapshot import NODE, Snapshot, moved

T = TypeVar("T")


class Change(msgspec.Struct, frozen=True):
    """One thing that is not as it was a moment ago."""

    at: float
    subject: str
    """A node's name, ``KIND/NAMESPACE/NAME`` of a Flux object, or a source."""
    what: str
    """``flannel.1 mtu``, ``unit k3s``, …"""
    before: str
    """Empty: it was not there."""
    after: str
    """Empty: it is gone."""


def changes(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """List what changed, sources first.

    What is seen for the first time is no change, but that a node answers is, and that the API does not.
    """
    found = [*_sources(before, after), *_nodes(before, after), *_networks(before, after), *_flux(before, after)]
    return tuple(msgspec.structs.replace(change, at=after.at) for change in found)


def _sources(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    for name in moved(after.sources, before.sources):
        old, state = before.sources.get(name), after.sources.get(name)
        if state is None or (old is not None and old.status == state.status):
            continue
        said = f"{state.status}: {state.reason}" if state.reason else state.status
        if name.startswith(NODE) and (old is None or old.status != state.status):
            yield Change(0, name.removeprefix(NODE), "answer", old.status if old else "", said)
        elif not name.startswith(NODE):
            was = old.status if old else "loading"
            # That the API tells what it has is no news at first; that it does not is.
            if was != state.status and (was != "loading" or state.status not in {"ok", "absent"}):
                yield Change(0, "API", name, was, said)


def _pairs(before: Mapping[str, T], after: Mapping[str, T]) -> Iterator[tuple[str, T, T]]:
    for key in moved(after, before):
        old, value = before.get(key), after.get(key)
        if old is not None and value is not None:
            yield key, old, value


def _fields(subject: str, rows: Iterable[tuple[str, object, object]]) -> Iterator[Change]:
    for what, old, new in rows:
        if old != new:
            yield Change(0, subject, what, _word(old), _word(new))


def _word(value: object) -> str:
    return "" if value is None else str(value)


def _nodes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.nodes is after.nodes:
        return
    for name, old, new in _pairs(before.nodes, after.nodes):
        yield from _fields(name, _node_rows(old, new))
    if before.nodes:
        for name in after.nodes.keys() - before.nodes.keys():
            yield Change(0, name, "node", "", "joined")
        for name in before.nodes.keys() - after.nodes.keys():
            yield Change(0, name, "node", "was there", "")


def _node_rows(old: Node, new: Node) -> Iterator[tuple[str, object, object]]:
    yield "Ready", old.ready, new.ready
    yield "version", old.kubelet_version, new.kubelet_version
    yield "unschedulable", old.unschedulable, new.unschedulable
    yield "public-ip annotation", old.flannel.public_ip, new.flannel.public_ip
    yield "VtepMAC annotation", old.flannel.vtep_mac, new.flannel.vtep_mac
    yield "backend annotation", old.flannel.backend_type, new.flannel.backend_type
    voters = [c.status if c else None for c in (old.condition("EtcdIsVoter"), new.condition("EtcdIsVoter"))]
    yield "EtcdIsVoter", voters[0], voters[1]


def _networks(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.networks is after.networks:
        return
    for name, old, new in _pairs(before.networks, after.networks):
        yield from _network(name, old, new)


def _network(name: str, old: NodeNetwork, new: NodeNetwork) -> Iterator[Change]:
    yield from _links(name, old, new)
    yield from _entries(name, "route", old.routes, new.routes, _route)
    if old.neighbors is not new.neighbors:
        yield from _entries(name, "neighbour", _permanent(old.neighbors), _permanent(new.neighbors), _neighbor)
    yield from _entries(name, "FDB", old.fdb, new.fdb, _fdb)
    env = (old.subnet_env, new.subnet_env)
    if "subnet_env" not in new.unassessed and "subnet_env" not in old.unassessed:
        was, now = (None if e is None else f"mtu {e.mtu}, subnet {e.subnet}" for e in env)
        yield from _fields(name, [("subnet.env", was, now)])
    if old.unit is not None and new.unit is not None:
        rows = (("state", "active_state"), ("InvocationID", "invocation_id"), ("NRestarts", "n_restarts"))
        yield from _fields(
            name, [(f"{new.unit.name} {what}", getattr(old.unit, f), getattr(new.unit, f)) for what, f in rows]
        )
    for fact in new.unassessed.keys() - old.unassessed.keys():
        yield Change(0, name, fact, "known", f"unassessed: {new.unassessed[fact]}")
    for fact in old.unassessed.keys() - new.unassessed.keys():
        yield Change(0, name, fact, "unassessed", "known")


def _links(name: str, old: NodeNetwork, new: NodeNetwork) -> Iterator[Change]:
    if old.links is None or new.links is None or old.links is new.links:
        return
    was = {link.ifname: link for link in old.links}
    now = {link.ifname: link for link in new.links}
    for ifname in sorted(was.keys() | now.keys()):
        yield from _fields(name, _link_rows(ifname, was.get(ifname), now.get(ifname)))


def _link_rows(ifname: str, old: Link | None, new: Link | None) -> Iterator[tuple[str, object, object]]:
    if old is None or new is None:
        yield ifname, old and f"mtu {old.mtu}", new and f"mtu {new.mtu}"
        return
    yield f"{ifname} mtu", old.mtu, new.mtu
    yield f"{ifname} operstate", old.operstate, new.operstate
    yield f"{ifname}", "up" if old.up else "down", "up" if new.up else "down"
    yield f"{ifname} address", old.address, new.address
    yield f"{ifname} addresses", _addresses(old), _addresses(new)


def _addresses(link: Link) -> str:
    return " ".join(f"{a.local}/{a.prefixlen}" for a in link.addresses)


def _entries(
    name: str, what: str, old: Iterable[T] | None, new: Iterable[T] | None, word: Callable[[T], str]
) -> Iterator[Change]:
    if old is None or new is None or old is new:
        return
    was, now = {word(entry) for entry in old}, {word(entry) for entry in new}
    yield from (Change(0, name, what, entry, "") for entry in sorted(was - now))
    yield from (Change(0, name, what, "", entry) for entry in sorted(now - was))


def _permanent(entries: Iterable[Neighbor] | None) -> list[Neighbor] | None:
    """Keep the entries that somebody configured; what ARP learns comes and goes all day."""
    return None if entries is None else [entry for entry in entries if "PERMANENT" in entry.state]


def _route(entry: Route) -> str:
    via = f" via {entry.gateway}" if entry.gateway else ""
    return f"{entry.dst}{via} dev {entry.dev}"


def _neighbor(entry: Neighbor) -> str:
    return f"{entry.dst} lladdr {entry.lladdr} dev {entry.dev}"


def _fdb(entry: FdbEntry) -> str:
    return f"{entry.mac} dst {entry.dst} dev {entry.dev}"


def _flux(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    if before.flux is after.flux:
        return
    for key, old, new in _pairs(before.flux, after.flux):
        yield from _fields(key, _flux_rows(old, new))


def _flux_rows(old: FluxObject, new: FluxObject) -> Iterator[tuple[str, object, object]]:
    yield "Ready", _ready(old), _ready(new)
    yield "revision", old.revision or None, new.revision or None
    yield "suspended", old.suspended, new.suspended


def _ready(item: FluxObject) -> str | None:
    condition = item.condition("Ready")
    if condition is None:
        return None
    return condition.status if condition.status == "True" else f"{condition.status}: {condition.message}"
