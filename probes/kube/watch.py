"""One watch: from the chunks of its stream to what changed, gathered moment by moment."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from probes.kube.client import Api
from probes.kube.errors import AnswerInvalid, ApiError, ApiTimeout, Refused, detail, from_status_object
from probes.kube.http import GET_TIMEOUT, Query
from probes.kube.resources import Resource
from probes.kube.wire import Wire

_LONGEST_LINE: Final = 64 * 2**20
_WAITING_CHUNKS: Final = 16
_INITIAL_EVENTS_END: Final = "k8s.io/initial-events-end"
_UNPROCESSABLE: Final = 422


class Rhythm(msgspec.Struct, frozen=True):
    """How watches keep time, all in seconds; tests bring their own."""

    clock: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    shortest: float = 0.5
    """The first pause after a failure; each further one is twice as long, less some chance."""
    longest: float = 10.0
    """The longest: whoever waits for an API to come back wants to see it at once, and asking costs next to nothing."""
    idle: float = 90.0
    """Silence after which a watch counts as lost; bookmarks come about once a minute."""
    initial_idle: float = 3.0
    """Silence after which a server counts as one that does not stream lists."""
    gather: float = 0.05
    """What changes within this time is told at once."""
    slow: float = 60.0
    """Between two tries where only a person can help: rights, credentials, something not installed."""


class Changes(msgspec.Struct):
    """What changed within one moment, the last of each object."""

    changed: dict[str, Any]
    removed: dict[str, None]
    unreadable: list[str]
    version: str = ""
    """resourceVersion to go on from."""
    whole: bool = False
    """Whether ``changed`` is all there is: a list that came as a stream."""

    def note(self, key: str, value: Any | None) -> None:
        """Note what an object is now; None is nothing of interest, and so gone."""
        if value is None:
            self.changed.pop(key, None)
            self.removed[key] = None
        else:
            self.removed.pop(key, None)
            self.changed[key] = value


class _Event(Wire):
    type: str
    object: msgspec.Raw


class _BookmarkMeta(Wire):
    resource_version: str | None = None
    annotations: dict[str, str] | None = None


class _Bookmark(Wire):
    metadata: _BookmarkMeta


_EVENT: Final = msgspec.json.Decoder(_Event)
_BOOKMARK: Final = msgspec.json.Decoder(_Bookmark)

Chunks = asyncio.Queue[bytes | ApiError | None]
"""A stream on its way: chunks, then the error that ended it, or None."""


def make_chunks() -> Chunks:
    """Make the queue between a stream and who digests it; a full one makes the server wait."""
    return asyncio.Queue(_WAITING_CHUNKS)


def watch_query(resource: Resource, version: str) -> Query:
    """Spell out a watch from ``version``, or with an empty one a list that comes as a stream (KEP-3157)."""
    query = [*resource.query, ("watch", "true"), ("allowWatchBookmarks", "true")]
    if version:
        return [*query, ("resourceVersion", version)]
    return [*query, ("sendInitialEvents", "true"), ("resourceVersionMatch", "NotOlderThan")]


async def pump(api: Api, resource: Resource, version: str, idle: float, chunks: Chunks) -> None:
    """Carry a watch's stream to the queue, until either ends."""
    stream = api.stream(resource.path, watch_query(resource, version), idle=idle)
    try:
        async for chunk in stream:
            await chunks.put(chunk)
        await chunks.put(None)
    except ApiError as error:
        await chunks.put(error)
    finally:
        await stream.aclose()


class Digest:
    """Turns the chunks of one watch into Changes."""

    def __init__(self, api: Api, resource: Resource, rhythm: Rhythm, *, initial: bool) -> None:
        self._where = (api.server, resource.path)
        self._decoder = resource.decoder
        self._rhythm = rhythm
        self._initial = initial
        self._rest = bytearray()
        self._changes = Changes({}, {}, [])
        self._error: ApiError | None = None
        self._over = False
        self.connected = False
        """Whether the server accepted the watch."""
        self.events = 0
        """How many lines have come."""

    async def read(self, chunks: Chunks) -> AsyncIterator[Changes]:
        """Yield what changed, the first time as soon as the server accepts, until the stream ends.

        Raises ApiError: Gone for an expired resourceVersion, ApiTimeout for silence, Refused with 422 where the
        server does not stream lists.
        """
        while not self._over:
            data = await self._gather(chunks)
            for line in self._lines(data):
                if not self._take(line):
                    break
                if self._initial and self._changes.whole:
                    self._initial = False
                    yield self._told()
            if self.connected and not self._initial:
                yield self._told()
        if self._error is not None:
            raise self._error
        if self._initial:
            raise self._not_streamed()

    def _told(self) -> Changes:
        changes, self._changes = self._changes, Changes({}, {}, [])
        return changes

    async def _gather(self, chunks: Chunks) -> bytes:
        """Wait for a chunk, then for those that follow closely."""
        limit = GET_TIMEOUT if not self.connected else self._rhythm.initial_idle if self._initial else None
        try:
            async with asyncio.timeout(limit):
                first = await chunks.get()
        except TimeoutError:
            server, path = self._where
            late = ApiTimeout(f"{server}{path} did not answer within {limit:g} s; it is retried")
            self._end(self._not_streamed() if self.connected else late)
            return b""
        if not isinstance(first, bytes):
            self._end(first)
            return b""
        self.connected = True
        if first and not self._initial:
            await self._rhythm.sleep(self._rhythm.gather)
        arrived = [first]
        while not chunks.empty():
            chunk = chunks.get_nowait()
            if not isinstance(chunk, bytes):
                self._end(chunk)
                break
            arrived.append(chunk)
        return b"".join(arrived)

    def _end(self, error: ApiError | None) -> None:
        self._over, self._error = True, error

    def _not_streamed(self) -> Refused:
        server, path = self._where
        refused = Refused(f"{server}{path} does not stream lists; it is listed page by page")
        refused.status = _UNPROCESSABLE
        return refused

    def _lines(self, data: bytes) -> list[bytes]:
        self._rest += data
        end = self._rest.rfind(b"\n")
        if end < 0:
            if len(self._rest) > _LONGEST_LINE:
                self._end(AnswerInvalid(f"a watch event is larger than {_LONGEST_LINE // 2**20} MiB; it is not read"))
            return []
        whole = bytes(self._rest[:end])
        del self._rest[: end + 1]
        return [line for line in whole.split(b"\n") if line.strip()]

    def _take(self, line: bytes) -> bool:
        """Note what an event says; False where it ends the watch."""
        self.events += 1
        try:
            event = _EVENT.decode(line)
            if event.type == "BOOKMARK":
                self._bookmark(_BOOKMARK.decode(event.object).metadata)
                return True
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            server, path = self._where
            self._end(AnswerInvalid(f"the watch of {server}{path} sent what is no event: {detail(str(error))}"))
            return False
        if event.type == "ERROR":
            self._end(from_status_object(bytes(event.object), *self._where))
            return False
        try:
            key, value, version = self._decoder.object(event.object)
        except AnswerInvalid as error:
            self._changes.unreadable.append(str(error))
            return True
        self._changes.note(key, None if event.type == "DELETED" else value)
        if version:
            self._changes.version = version
        return True

    def _bookmark(self, meta: _BookmarkMeta) -> None:
        if meta.resource_version:
            self._changes.version = meta.resource_version
        if self._initial and (meta.annotations or {}).get(_INITIAL_EVENTS_END) == "true":
            self._changes.whole = True
