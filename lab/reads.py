"""Lists and watches of the demo cluster's API."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from aiohttp import web

from lab import tables
from lab.answers import Refusal, answer, dump, status
from lab.kinds import Kind
from lab.selectors import Test, selector
from lab.store import Change, Entry, ExpiredError, Key, Store

Object = dict[str, Any]
CHUNK: Final = 200
"""Objects written at once, so that no long list holds the loop."""
MAX_LAG: Final = 20_000
"""Changes that a watcher may lag behind before it is cut off."""
MAX_WATCH: Final = 3600.0
"""Seconds after which the server ends a watch of its own accord."""


@dataclass(frozen=True)
class Query:
    """What a request for a list or watch asks for."""

    kind: Kind
    namespace: str
    test: Test | None
    as_table: bool
    params: dict[str, str]

    @classmethod
    def of(cls, request: web.Request, kind: Kind, namespace: str, name: str = "") -> "Query":
        """Read a request; Refusal for a selector that cannot be read."""
        params = dict(request.query)
        fields = params.get("fieldSelector", "")
        if name:
            fields = f"metadata.name={name}" + (f",{fields}" if fields else "")
        try:
            test = selector(params.get("labelSelector", ""), fields)
        except ValueError as error:
            raise Refusal(400, str(error)) from error
        accept = request.headers.get("Accept", "")
        return cls(kind, namespace, test, "as=Table" in accept and "g=meta.k8s.io" in accept, params)

    def wants(self, entry: Entry | None) -> bool:
        """Whether an object is in the query's scope."""
        if entry is None or (self.namespace and entry.obj["metadata"].get("namespace") != self.namespace):
            return False
        return self.test is None or self.test(entry.obj)


async def list_objects(request: web.Request, store: Store, query: Query) -> web.StreamResponse:
    """Answer a list: paged by ``limit`` and ``continue``, in pieces, as a Table where asked."""
    revision, after = _continued(store, query.params.get("continue", ""))
    limit = _number(query.params, "limit")
    test = query.test
    found = (e for e in store.entries(query.kind, query.namespace, after) if test is None or test(e.obj))
    page = list(islice(found, limit)) if limit else []
    more = bool(limit) and next(found, None) is not None
    shown = iter(page) if limit else found
    meta: Object = {"resourceVersion": str(revision)}
    if more:
        last = page[-1].obj["metadata"]
        meta["continue"] = _token(revision, (last.get("namespace", ""), last["name"]))
        if query.test is None and not query.namespace:
            meta["remainingItemCount"] = store.behind(query.kind, (last.get("namespace", ""), last["name"]))
    if query.as_table:
        return answer(tables.table(query.kind, (e.obj for e in shown), meta, store.clock()))
    return await _send_list(request, query.kind, shown, meta)


async def _send_list(request: web.Request, kind: Kind, found: Iterator[Entry], meta: Object) -> web.StreamResponse:
    head = dump({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta})[:-2] + b',"items":['
    first = list(islice(found, CHUNK))
    body = head + b",".join(entry.body for entry in first)
    rest = list(islice(found, CHUNK))
    if not rest:
        return web.Response(body=body + b"]}\n", content_type="application/json")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(body)
    while rest:
        await response.write(b"," + b",".join(entry.body for entry in rest))
        # A write of what fits the socket's buffer does not yield by itself.
        await asyncio.sleep(0)
        rest = list(islice(found, CHUNK))
    await response.write(b"]}\n")
    return response


def _token(revision: int, key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *key]).encode()).decode()


def _continued(store: Store, token: str) -> tuple[int, Key | None]:
    """Read a continue token: the revision of the first page and the last key; 410 when history forgot that revision."""
    if not token:
        return store.revision, None
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token))
        revision, key = int(revision), (str(namespace), str(name))
    except (ValueError, TypeError) as error:
        raise Refusal(400, "continue key is not valid") from error
    if revision < store.forgotten:
        raise Refusal(
            410,
            "The provided continue parameter is too old to display a consistent list result. "
            "You can start a new list without the continue parameter.",
        )
    return revision, key


def _number(params: dict[str, str], name: str) -> int:
    text = params.get(name, "") or "0"
    if not text.isdecimal():
        raise Refusal(400, f"{name} must be a whole number, not {text!r}")
    return int(text)


async def watch_objects(
    request: web.Request, store: Store, query: Query, bookmark_seconds: float
) -> web.StreamResponse:
    """Answer a watch: replay from a resource version, then each change, with bookmarks where asked."""
    params = query.params
    initial = _starts_with_all(params)
    bookmarks = params.get("allowWatchBookmarks") == "true"
    limit = float(_number(params, "timeoutSeconds") or MAX_WATCH)
    revision = _number(params, "resourceVersion")
    changes: asyncio.Queue[Change | None] = asyncio.Queue(MAX_LAG)

    def observe(change: Change) -> None:
        if change.kind == query.kind and not changes.full():
            # A watcher that lags too far is cut off by the None in the last place: it lists anew.
            changes.put_nowait(change if changes.qsize() < MAX_LAG - 1 else None)

    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    stream = _Stream(response, query, store.clock)
    store.observers.add(observe)
    try:
        start = store.revision
        backlog: list[Change] = []
        existing: list[Entry] = []
        try:
            if initial or revision == 0:
                existing = [e for e in store.entries(query.kind, query.namespace) if query.wants(e)]
            else:
                backlog = store.since(revision, query.kind)
        except ExpiredError as error:
            await response.prepare(request)
            await response.write(dump({"type": "ERROR", "object": status(410, str(error))}))
            return response
        await response.prepare(request)
        for first in range(0, len(existing), CHUNK):
            await stream.send([("ADDED", entry) for entry in existing[first : first + CHUNK]])
        if initial and bookmarks:
            await stream.bookmark(start, initial=True)
        await stream.send([event for change in backlog if (event := _event(query, change))])
        async with asyncio.timeout(limit):
            await _follow(stream, store, query, changes, bookmark_seconds if bookmarks else limit + 1)
    except (TimeoutError, ConnectionResetError):
        pass  # timeoutSeconds is over, or the client has gone: the stream ends
    finally:
        store.observers.discard(observe)
    return response


def _starts_with_all(params: dict[str, str]) -> bool:
    """Whether a watch asks for what exists first (WatchList); Refusal where it asks wrongly."""
    initial = params.get("sendInitialEvents") == "true"
    if initial and params.get("resourceVersionMatch") != "NotOlderThan":
        raise Refusal(
            422,
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires '
            "setting resourceVersionMatch to NotOlderThan",
        )
    return initial


async def _follow(
    stream: "_Stream", store: Store, query: Query, changes: "asyncio.Queue[Change | None]", bookmark_seconds: float
) -> None:
    while True:
        try:
            async with asyncio.timeout(bookmark_seconds):
                change = await changes.get()
        except TimeoutError:
            await stream.bookmark(store.revision)
            continue
        pending = [change]
        while not changes.empty() and len(pending) < CHUNK:
            pending.append(changes.get_nowait())
        await stream.send([event for item in pending if item is not None and (event := _event(query, item))])
        if None in pending:
            return


def _event(query: Query, change: Change) -> tuple[str, Entry] | None:
    """Tell what a change is to a query: an object that comes into a selector is ADDED, one that leaves it DELETED."""
    now = query.wants(change.entry) and change.type != "DELETED"
    before = query.wants(change.previous)
    if not now and not before:
        return None
    kind = ("MODIFIED" if before else "ADDED") if now else "DELETED"
    return kind, change.entry


class _Stream:
    """A watch's answer: one JSON event a line, or Tables of one row."""

    def __init__(self, response: web.StreamResponse, query: Query, clock: Callable[[], float]) -> None:
        self._response = response
        self._query = query
        self._clock = clock
        self._headed = True

    async def send(self, events: list[tuple[str, Entry]]) -> None:
        """Write some events at once."""
        if events:
            await self._response.write(b"".join(self._line(type_, entry) for type_, entry in events))

    async def bookmark(self, revision: int, *, initial: bool = False) -> None:
        """Write a BOOKMARK: nothing before that resource version is outstanding."""
        meta: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial:
            meta["annotations"] = {"k8s.io/initial-events-end": "true"}
        kind = self._query.kind
        obj: Object = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
        if self._query.as_table:
            obj = tables.table(kind, [], {"resourceVersion": str(revision)}, self._clock(), headed=False)
        await self._response.write(dump({"type": "BOOKMARK", "object": obj}))

    def _line(self, type_: str, entry: Entry) -> bytes:
        if not self._query.as_table:
            return b'{"type":"' + type_.encode() + b'","object":' + entry.body + b"}\n"
        meta = {"resourceVersion": str(entry.revision)}
        shown = tables.table(self._query.kind, [entry.obj], meta, self._clock(), headed=self._headed)
        self._headed = False
        return dump({"type": type_, "object": shown})
