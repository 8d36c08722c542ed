"""Reflector: a resource listed once and then watched, so that what is known of it stays true.

It lives through everything: the end of a watch, a server that is silent or gone, a resourceVersion that has expired,
rights that are missing, a CRD that comes or goes. Whatever it learns it says as observations, in order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from probes.kube.client import Api
from probes.kube.decode import unreadable_sentence
from probes.kube.errors import (
    AnswerInvalid,
    ApiError,
    ApiTimeout,
    Gone,
    NotInstalled,
    Refused,
    Restricted,
    Unauthorized,
)
from probes.kube.resources import UNREADABLE, Kind, Listing, Resource, locate, read_list
from probes.kube.watch import Changes, Digest, Rhythm, make_chunks, pump
from probes.model.observation import Delta, Failed, Listed, Observed

Put = Callable[[Observed[Any] | Failed], Awaitable[None]]
"""Takes an observation; may make the reflector wait, and with it the server."""

_BAD_REQUEST: Final = frozenset({400, 422})
_MOST_DOUBLINGS: Final = 16
_DOUBTS: Final = 6
"""Refusals in a row, half a minute of them, after which whoever was allowed before is taken not to be any more."""


class _BackOff:
    """Pauses that double, less some chance, so that many watchers do not come back at once."""

    def __init__(self, rhythm: Rhythm) -> None:
        self._rhythm = rhythm
        self.failures = 0

    async def pause(self) -> None:
        """Wait before the next try."""
        longest = min(self._rhythm.longest, self._rhythm.shortest * 2 ** min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        await self._rhythm.sleep(longest * (0.5 + 0.5 * self._rhythm.random()))


class Reflector:
    """Follows one resource."""

    def __init__(self, api: Api, resource: Resource, put: Put, rhythm: Rhythm | None = None) -> None:
        self._api = api
        self._resource = resource
        self._put = put
        self._rhythm = rhythm or Rhythm()
        self._back_off = _BackOff(self._rhythm)
        self._doubt = _BackOff(self._rhythm)
        """Of refusals alone: a server that starts was away before, perhaps for long."""
        self._version = ""
        """resourceVersion to go on from; empty: list first."""
        self._streams_lists = True
        self._failing = False
        """Whether the last word was a failure."""
        self._unreadable = False
        self._was_allowed = False
        """Whether it was ever allowed to watch."""

    async def run(self) -> None:
        """Follow the resource until cancelled, or until the cluster has it no longer."""
        while True:
            try:
                await self._follow()
            except NotInstalled as error:
                await self._put(self._observed(Listed({})))
                await self._fail(error)
                return
            except Gone:
                self._version = ""
                if self._back_off.failures:
                    await self._back_off.pause()
                self._back_off.failures += 1
            except (Restricted, Unauthorized) as error:
                await self._fail(error)
                if self._may_be_starting:
                    await self._doubt.pause()
                else:
                    await self._rhythm.sleep(self._rhythm.slow)
            except ApiError as error:
                if isinstance(error, AnswerInvalid):
                    self._version = ""
                await self._fail(error)
                await self._back_off.pause()

    @property
    def _may_be_starting(self) -> bool:
        """Whether a refusal may be that of a server that starts: until it knows its roles it forbids everything."""
        return self._was_allowed and self._doubt.failures < _DOUBTS

    async def _follow(self) -> None:
        """Take the next step: list as a stream, list by pages, or watch."""
        if self._version:
            try:
                await self._watch()
            except Restricted:  # it may list and not watch
                self._version = ""
                if self._may_be_starting:
                    raise
                await self._rhythm.sleep(self._rhythm.slow)
        elif self._streams_lists:
            try:
                await self._watch()
            except (Refused, Restricted) as error:
                if isinstance(error, Refused) and error.status not in _BAD_REQUEST:
                    raise
                if isinstance(error, Restricted) and self._may_be_starting:
                    raise
                self._streams_lists = False
        else:
            listing = await read_list(self._api, self._resource)
            self._version = listing.resource_version
            await self._tell_list(listing)
            if not self._version:  # nothing to go on from: a list now and then is all there is
                await self._rhythm.sleep(self._rhythm.slow)

    async def _watch(self) -> None:
        """Watch until the server ends it, which is part of life; whatever else ends it is raised."""
        chunks = make_chunks()
        digest = Digest(self._api, self._resource, self._rhythm, initial=not self._version)
        failed: ApiError | None = None
        async with asyncio.TaskGroup() as tasks:
            stream = tasks.create_task(pump(self._api, self._resource, self._version, self._rhythm.idle, chunks))
            try:
                async for changes in digest.read(chunks):
                    self._was_allowed = True
                    await self._tell(changes)
            except ApiError as error:
                failed = error
            finally:
                stream.cancel()
        if digest.events:
            self._back_off.failures = self._doubt.failures = 0
        if isinstance(failed, ApiTimeout) and digest.connected:
            return  # silence: connections die without a word, so a new one is tried before anybody is told
        if failed is not None:
            raise failed
        if not digest.events:
            await self._back_off.pause()  # a server that accepts and hangs up at once is not asked without end

    async def _tell(self, changes: Changes) -> None:
        if changes.whole:
            await self._tell_list(Listing(changes.changed, changes.unreadable, changes.version))
        else:
            if changes.changed or changes.removed or changes.version or self._failing:  # a bookmark is a sign of life
                await self._put(self._observed(Delta(changes.changed, tuple(changes.removed))))
            if changes.unreadable:
                what = f"{len(changes.unreadable)} changed objects of {self._resource.source.removeprefix('kube/')}"
                sentence = unreadable_sentence(changes.unreadable, what)
                await self._put(Failed(self._resource.source + UNREADABLE, self._rhythm.clock(), sentence))
                self._unreadable = True
        if changes.version:
            self._version = changes.version
        self._failing = False

    async def _tell_list(self, listing: Listing) -> None:
        source, now = self._resource.source, self._rhythm.clock()
        for observation in listing.observations(source, now, complained=self._unreadable):
            await self._put(observation)
        self._unreadable = bool(listing.unreadable)
        self._failing = False
        self._back_off.failures = self._doubt.failures = 0

    async def _fail(self, error: ApiError) -> None:
        self._failing = True
        await self._put(Failed(self._resource.source, self._rhythm.clock(), str(error), error.kind))

    def _observed(self, fact: Listed[Any] | Delta[Any]) -> Observed[Any]:
        return Observed(self._resource.source, self._rhythm.clock(), fact)


async def follow_resource(api: Api, resource: Resource, put: Put, rhythm: Rhythm | None = None) -> None:
    """Follow a resource that every cluster has, until cancelled."""
    rhythm = rhythm or Rhythm()
    while True:
        await Reflector(api, resource, put, rhythm).run()
        await rhythm.sleep(rhythm.slow)


class _Followed:
    """The reflectors of the kinds that the cluster has, by source."""

    def __init__(self, api: Api, put: Put, rhythm: Rhythm, tasks: asyncio.TaskGroup) -> None:
        self._api = api
        self._put = put
        self._rhythm = rhythm
        self._tasks = tasks
        self._running: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._absent: set[str] = set()

    def keep(self, resource: Resource) -> None:
        """Follow a resource, in this version and no other."""
        path, task = self._running.get(resource.source, ("", None))
        if task is not None and path == resource.path and not task.done():
            return
        if task is not None:
            task.cancel()
        self._absent.discard(resource.source)
        reflector = Reflector(self._api, resource, self._put, self._rhythm)
        self._running[resource.source] = (resource.path, self._tasks.create_task(reflector.run()))

    async def drop(self, kind: Kind) -> None:
        """Stop following a kind that is not there, and say so once."""
        _, task = self._running.pop(kind.source, ("", None))
        if task is not None:
            task.cancel()
            await self._put(Observed(kind.source, self._rhythm.clock(), Listed({})))
        if kind.source not in self._absent:
            self._absent.add(kind.source)
            await self._put(kind.absent(self._rhythm.clock()))

    async def doubt(self, kind: Kind, error: ApiError) -> None:
        """Say that it is not known whether there is such a kind, unless it is being followed anyway."""
        _, task = self._running.get(kind.source, ("", None))
        if task is None or task.done():
            self._absent.discard(kind.source)
            await self._put(Failed(kind.source, self._rhythm.clock(), str(error), error.kind))


async def follow_kinds(api: Api, put: Put, rhythm: Rhythm | None = None) -> None:
    """Follow every kind that the cluster has, until cancelled; one that is installed later is found within a minute."""
    rhythm = rhythm or Rhythm()
    back_off = _BackOff(rhythm)
    async with asyncio.TaskGroup() as tasks:
        followed = _Followed(api, put, rhythm, tasks)
        while True:
            located = await locate(api)
            for resource in located.present:
                followed.keep(resource)
            for kind in located.absent:
                await followed.drop(kind)
            for kind, error in located.unknown:
                await followed.doubt(kind, error)
            if located.unknown:
                await back_off.pause()
            else:
                back_off.failures = 0
                await rhythm.sleep(rhythm.slow)
