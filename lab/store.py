"""The objects of the demo cluster with their resource versions and the history that watches replay."""

import json
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from lab.kinds import Kind

Object = dict[str, Any]
Key = tuple[str, str]
NAMESPACE_UUID = UUID("7c1f3c8e-5a51-4c7e-9d3a-0a5d8b1c2e42")


class NotFoundError(Exception):
    """No such object."""


class ExistsError(Exception):
    """An object of that name exists."""


class ConflictError(Exception):
    """The object was changed since the writer read it."""


class ExpiredError(Exception):
    """The history does not reach back to that resource version."""


def timestamp(at: float, *, micro: bool = False) -> str:
    """Write seconds since the epoch as Kubernetes does."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.fromtimestamp(at, UTC).strftime(form)


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of an object and its JSON; neither is ever changed."""

    obj: Object
    body: bytes
    revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an object: ADDED, MODIFIED or DELETED."""

    type: str
    kind: Kind
    key: Key
    entry: Entry
    previous: Entry | None


@dataclass
class Shelf:
    """The objects of one kind, their keys in order."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)


class Store:
    """All objects; every write gets the next resource version, the last ``history`` of them can be replayed."""

    def __init__(self, clock: Callable[[], float], history: int = 4096) -> None:
        self.clock = clock
        self.revision = 1000
        self.history: deque[Change] = deque(maxlen=history)
        self.observers: set[Callable[[Change], None]] = set()
        self._shelves: dict[Kind, Shelf] = {}
        self.forgotten = self.revision

    def entries(self, kind: Kind, namespace: str = "", after: Key | None = None) -> Iterator[Entry]:
        """Iterate over the objects of a kind by namespace and name, from behind a key."""
        shelf = self._shelf(kind)
        start = bisect_right(shelf.keys, after) if after is not None else 0
        for key in shelf.keys[start:]:
            if (not namespace or key[0] == namespace) and (entry := shelf.entries.get(key)):
                yield entry

    def behind(self, kind: Kind, key: Key) -> int:
        """How many objects come after a key."""
        keys = self._shelf(kind).keys
        return len(keys) - bisect_right(keys, key)

    def objects(self, kind: Kind, namespace: str = "") -> list[Object]:
        """List the objects of a kind, to be read only."""
        return [entry.obj for entry in self.entries(kind, namespace)]

    def count(self, kind: Kind) -> int:
        """How many objects of a kind there are."""
        return len(self._shelf(kind).keys)

    def get(self, kind: Kind, namespace: str, name: str) -> Entry:
        """Look up an object; NotFoundError."""
        try:
            return self._shelf(kind).entries[(namespace, name)]
        except KeyError:
            raise NotFoundError(f'{kind.qualified} "{name}" not found') from None

    def create(self, kind: Kind, obj: Object) -> Entry:
        """Add an object; ExistsError."""
        key = _key(obj)
        if key in self._shelf(kind).entries:
            raise ExistsError(f'{kind.qualified} "{key[1]}" already exists')
        return self._write(kind, key, _copied(obj), None)

    def update(self, kind: Kind, obj: Object) -> Entry:
        """Replace an object; ConflictError when it names a resourceVersion that is not the present one."""
        key = _key(obj)
        previous = self.get(kind, *key)
        expected = obj["metadata"].get("resourceVersion")
        if expected and expected != str(previous.revision):
            raise ConflictError(
                f'Operation cannot be fulfilled on {kind.qualified} "{key[1]}": the object has been modified; '
                "please apply your changes to the latest version and try again"
            )
        obj = _copied(obj)
        for name in ("uid", "creationTimestamp"):
            obj["metadata"][name] = previous.obj["metadata"][name]
        return self._write(kind, key, obj, previous)

    def edit(self, kind: Kind, namespace: str, name: str, change: Callable[[Object], None]) -> Entry:
        """Change an object in place of whoever owns that part of it; nothing is written when nothing changed."""
        previous = self.get(kind, namespace, name)
        obj = _copied(previous.obj)
        change(obj)
        if obj == previous.obj:
            return previous
        return self._write(kind, (namespace, name), obj, previous)

    def delete(self, kind: Kind, namespace: str, name: str) -> Entry:
        """Remove an object; NotFoundError."""
        previous = self.get(kind, namespace, name)
        shelf = self._shelf(kind)
        key = (namespace, name)
        del shelf.entries[key]
        shelf.keys.remove(key)
        obj = previous.obj | {"metadata": previous.obj["metadata"]}
        self._record("DELETED", kind, key, obj, previous)
        return previous

    def since(self, revision: int, kind: Kind) -> list[Change]:
        """Replay the changes of a kind after a resource version; ExpiredError when they are no longer known."""
        if revision < self.forgotten:
            raise ExpiredError(f"too old resource version: {revision} ({self.forgotten})")
        return [change for change in self.history if change.entry.revision > revision and change.kind is kind]

    def forget(self) -> None:
        """Drop the history, as etcd's compaction does: watches of older versions get 410."""
        self.forgotten = self.revision
        self.history.clear()

    def _shelf(self, kind: Kind) -> Shelf:
        return self._shelves.setdefault(kind, Shelf())

    def _write(self, kind: Kind, key: Key, obj: Object, previous: Entry | None) -> Entry:
        meta = obj.setdefault("metadata", {})
        obj.setdefault("apiVersion", kind.api_version)
        obj.setdefault("kind", kind.kind)
        meta.setdefault("uid", str(uuid5(NAMESPACE_UUID, f"{kind.qualified}/{key[0]}/{key[1]}/{self.revision}")))
        meta.setdefault("creationTimestamp", timestamp(self.clock()))
        if previous is not None and "spec" in obj and "generation" in previous.obj["metadata"]:
            changed = obj["spec"] != previous.obj.get("spec")
            meta["generation"] = previous.obj["metadata"]["generation"] + int(changed)
        shelf = self._shelf(kind)
        if previous is None:
            insort(shelf.keys, key)
        entry = self._record("MODIFIED" if previous else "ADDED", kind, key, obj, previous)
        shelf.entries[key] = entry
        # Observers may read the store, so they hear of it once it is on the shelf.
        change = self.history[-1]
        for observer in tuple(self.observers):
            observer(change)
        return entry

    def _record(self, type_: str, kind: Kind, key: Key, obj: Object, previous: Entry | None) -> Entry:
        self.revision += 1
        obj["metadata"] = obj["metadata"] | {"resourceVersion": str(self.revision)}
        entry = Entry(obj, json.dumps(obj, separators=(",", ":"), ensure_ascii=False).encode(), self.revision)
        if len(self.history) == self.history.maxlen:
            self.forgotten = self.history[0].entry.revision
        change = Change(type_, kind, key, entry, previous)
        self.history.append(change)
        if type_ == "DELETED":
            for observer in tuple(self.observers):
                observer(change)
        return entry


def _copied(obj: Object) -> Object:
    """Copy what is JSON: five times faster than deepcopy."""
    copy: Object = json.loads(json.dumps(obj))
    return copy


def _key(obj: Object) -> Key:
    return (obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
