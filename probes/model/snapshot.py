"""Snapshot: everything known of one cluster at one moment, and the fold that makes the next one.

A fold keeps the old object wherever the new one is equal, so whoever draws or judges a snapshot can tell by identity
what changed.
"""

from collections.abc import Collection, Iterable, Mapping
from itertools import compress
from operator import is_not
from typing import Any, Final, TypeVar

import msgspec

from probes.model.flux import FluxObject
from probes.model.images import PullEvent, SecretEvent
from probes.model.kube import Lease, Node, Pod
from probes.model.network import NodeNetwork
from probes.model.observation import Delta, Failed, Listed, Observed
from probes.model.reach import Result
from probes.model.secrets import SecretObject

T = TypeVar("T")

KUBE: Final = "kube/"
NODE: Final = "node/"
PROBE: Final = "probe/"
"""Of what a probe of a kind came to: ``probe/pmtu``; it is sent when somebody asks, and so has no state or age."""

RESOURCES: Final = ("nodes", "leases", "pods", "pull_events", "flux", "secrets", "secret_events")
"""The fields of Snapshot that lists and watches fill; a source ``kube/flux/NAME`` fills part of ``flux``."""


_BY_KIND: Final = frozenset(("flux", "secrets"))
"""The fields whose kinds are sources of their own."""


class SourceState(msgspec.Struct, frozen=True):
    """How one source of facts is doing."""

    status: str = "loading"
    """``loading`` | ``ok`` | ``restricted`` | ``absent`` | ``unreachable`` | ``timeout`` | ``failed``."""
    at: float | None = None
    """When it last answered: its facts are as old as that."""
    since: float | None = None
    """When it began to be as ``status`` says."""
    reason: str = ""


class Snapshot(msgspec.Struct, frozen=True, eq=False):
    """Everything known of one cluster at one moment; compared by identity, for it holds 10^5 values."""

    context: str = ""
    server: str = ""
    at: float = 0.0
    """When the newest observation in it was made."""
    api_latency: float | None = None
    """Seconds that the API last took to begin its answer."""
    nodes: Mapping[str, Node] = {}
    leases: Mapping[str, Lease] = {}
    pods: Mapping[str, Pod] = {}
    pull_events: Mapping[str, PullEvent] = {}
    flux: Mapping[str, FluxObject] = {}
    secrets: Mapping[str, SecretObject] = {}
    secret_events: Mapping[str, SecretEvent] = {}
    networks: Mapping[str, NodeNetwork] = {}
    """By node name; of a node that never answered there is none."""
    probed: tuple[Result, ...] = ()
    """What active probes came to, the newest of each kind, vantage and target."""
    sources: Mapping[str, SourceState] = {}

    def source(self, name: str) -> SourceState:
        """Look up how a source is doing; one that never reported is loading."""
        return self.sources.get(name, _LOADING)

    def resource(self, field: str) -> SourceState:
        """Sum up the sources that fill one field: the worst that is not merely absent, else absent, else loading."""
        if field not in _BY_KIND:
            return self.source(f"{KUBE}{field}")
        prefix = f"{KUBE}{field}"
        states = [s for name, s in self.sources.items() if name == prefix or name.startswith(prefix + "/")]
        for status in ("unreachable", "timeout", "failed", "restricted", "loading", "ok"):
            for state in states:
                if state.status == status:
                    return state
        return states[0] if states else _LOADING


def moved(new: Mapping[str, object], old: Mapping[str, object]) -> Collection[str]:
    """List the keys whose value is another object than it was, that came, and that went."""
    if new is old:
        return ()
    if len(new) == len(old) and list(new) == list(old):  # almost always: a copy with one value in place of another
        return list(compress(new, map(is_not, new.values(), old.values())))
    return [*(key for key, value in new.items() if old.get(key) is not value), *(key for key in old if key not in new)]


class Moved(msgspec.Struct, frozen=True):
    """What is not as it was in an earlier snapshot: keys of what changed, came or went."""

    nodes: Collection[str]
    networks: Collection[str]
    sources: Collection[str]
    pods: Collection[str]

    @classmethod
    def between(cls, old: Snapshot, new: Snapshot) -> "Moved":
        """Hold two snapshots against each other, by identity, as the fold keeps it."""
        fields = cls.__struct_fields__
        return cls(*(moved(getattr(new, name), getattr(old, name)) for name in fields))


_LOADING: Final = SourceState()
_KEPT_FIELDS: Final = tuple(NodeNetwork.__struct_fields__)


def _merge(old: Mapping[str, T], new: Mapping[str, T]) -> Mapping[str, T]:
    """Take the new mapping, with the old object wherever it is equal, and the old mapping where all are."""
    merged = {key: _keep(old.get(key), value) for key, value in new.items()}
    same = len(merged) == len(old) and all(old.get(key) is value for key, value in merged.items())
    return old if same else merged


def _keep(old: T | None, new: T) -> T:
    return old if old is not None and old == new else new


def _keep_network(old: NodeNetwork | None, new: NodeNetwork) -> NodeNetwork:
    """Keep every old fact that did not change: counters always do, links seldom."""
    if old is None:
        return new
    fields = {name: _keep(getattr(old, name), getattr(new, name)) for name in _KEPT_FIELDS}
    if all(getattr(old, name) is value for name, value in fields.items()):
        return old
    return NodeNetwork(**fields)


def _apply(old: Mapping[str, T], delta: Delta[T]) -> Mapping[str, T]:
    changed = {key: value for key, value in delta.changed.items() if old.get(key) != value}
    removed = [key for key in delta.removed if key in old]
    if not changed and not removed:
        return old
    merged = {**old, **changed}
    for key in removed:
        merged.pop(key, None)
    return merged


class _Draft:
    """The fields of the next snapshot while observations are folded into it."""

    def __init__(self, snapshot: Snapshot) -> None:
        # Observations of several resource types meet here; each field's type is held by Snapshot itself.
        self.fields: dict[str, Any] = {name: getattr(snapshot, name) for name in Snapshot.__struct_fields__}
        self.sources = dict(snapshot.sources)

    def state(self, source: str, status: str, at: float, *, answered: bool, reason: str = "") -> None:
        old = self.sources.get(source, _LOADING)
        since = old.since if old.status == status and old.since is not None else at
        self.sources[source] = SourceState(status, at if answered else old.at, since, reason)
        self.fields["at"] = max(self.fields["at"], at)

    def probed(self, observed: Observed[Any]) -> None:
        """Take results in; a newer one of the same kind, vantage and target takes the place of the older."""
        known = {each.key: each for each in self.fields["probed"]}
        known.update({each.key: each for each in observed.fact})
        self.fields["probed"] = tuple(known.values())
        self.fields["at"] = max(self.fields["at"], observed.at)

    def put(self, observed: Observed[Any]) -> None:
        if observed.source.startswith(NODE):
            name = observed.source.removeprefix(NODE)
            networks = self.fields["networks"]
            kept = _keep_network(networks.get(name), observed.fact)
            if networks.get(name) is not kept:
                self.fields["networks"] = {**networks, name: kept}
            return
        field, _, part = observed.source.removeprefix(KUBE).partition("/")
        old: Mapping[str, Any] = self.fields[field]
        match observed.fact:
            case Listed(items):
                if part:  # a list of one kind replaces only that kind's objects
                    items = {key: old[key] for key in old if not key.startswith(part + "/")} | items
                self.fields[field] = _merge(old, items)
            case Delta() as delta:
                self.fields[field] = _apply(old, delta)


def fold(snapshot: Snapshot, observations: Iterable[Observed[Any] | Failed]) -> Snapshot:
    """Make the next snapshot of what was observed since; facts of a source that failed stay, with their age.

    The key of an object in ``flux`` and ``secrets`` starts with ``KIND/``; their sources are ``kube/flux/KIND`` and
    ``kube/secrets/KIND``, so that one kind can fail or be absent alone.
    """
    draft = _Draft(snapshot)
    for observation in observations:
        if isinstance(observation, Failed):
            draft.state(observation.source, observation.kind, observation.at, answered=False, reason=observation.reason)
        else:
            if observation.source.startswith(PROBE):
                draft.probed(observation)
                continue
            draft.put(observation)
            draft.state(observation.source, "ok", observation.at, answered=True)
    told = draft.sources.get(f"{KUBE}nodes", _LOADING).status != snapshot.source(f"{KUBE}nodes").status
    if told or draft.fields["nodes"] is not snapshot.nodes or draft.sources.keys() != snapshot.sources.keys():
        _drop_gone_nodes(draft)
    return Snapshot(**{**draft.fields, "sources": draft.sources})


def _drop_gone_nodes(draft: _Draft) -> None:
    """Forget what the SSH side knew of nodes that the API says are no more."""
    if draft.sources.get(f"{KUBE}nodes", _LOADING).status != "ok":
        return
    nodes = draft.fields["nodes"]
    gone = [name for name in draft.fields["networks"] if name not in nodes]
    if gone:
        draft.fields["networks"] = {k: v for k, v in draft.fields["networks"].items() if k not in gone}
    for name in [s for s in draft.sources if s.startswith(NODE) and s.removeprefix(NODE) not in nodes]:
        del draft.sources[name]
