"""The reflector against scripted watches over real HTTP; pauses pass at once and are written down."""

import pytest

from probes.kube.client import Api
from probes.kube.reflector import follow_resource
from probes.kube.resources import CORE
from probes.model.observation import Delta, Listed, Observed
from tests.probes.kube.fake import FakeApi, bookmark, error_event, event, lines, refuse
from tests.probes.kube.told import NO_STREAMED_LISTS, Told, objects, running

PATH = "/api/v1/nodes"
RESOURCE = CORE[0]


async def test_a_list_comes_as_a_stream(fake: FakeApi, api: Api, told: Told) -> None:
    """Where the server streams lists, one request brings the list and then its changes."""
    fake.watches[PATH] = [
        lines(
            event("ADDED", "a", "1"),
            event("ADDED", "b", "2"),
            bookmark("5", initial_end=True),
            event("DELETED", "a", "6"),
            event("ADDED", "c", "7"),
        )
    ]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: sorted(told.snapshot.nodes) == ["b", "c"])

    first = told.said[0]
    assert isinstance(first, Observed)
    assert isinstance(first.fact, Listed)
    assert (first.source, first.at, sorted(first.fact.items)) == ("kube/nodes", 7.0, ["a", "b"])
    assert len(fake.asked) == 1
    assert fake.asked[0].query == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
    }


async def test_an_older_server_is_listed_by_pages(fake: FakeApi, api: Api, told: Told) -> None:
    """A server that refuses to stream lists is listed page by page and watched from the list's resourceVersion."""
    fake.lists[PATH] = objects(*(f"n{i}" for i in range(600)))
    fake.watches[PATH] = [NO_STREAMED_LISTS, lines(event("MODIFIED", "n0", "101"), event("DELETED", "n1", "102"))]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.snapshot.nodes) == 599)

    assert [asked.query.get("continue", asked.query.get("resourceVersion", "")) for asked in fake.asked] == [
        "",
        "",
        "250",
        "500",
        "100",
    ]
    assert told.failures == []


async def test_a_server_that_ignores_streamed_lists(fake: FakeApi, api: Api, told: Told) -> None:
    """A server that knows nothing of streamed lists and just says nothing is listed by pages after a moment."""
    fake.lists[PATH] = objects("a")
    fake.watches[PATH] = [lines()]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm(initial_idle=0.1))):
        await told.until(lambda: "a" in told.snapshot.nodes)

    assert told.failures == []


async def test_a_watch_goes_on_from_the_last_bookmark(fake: FakeApi, api: Api, told: Told) -> None:
    """When the server ends a watch the next one goes on from what came last, a bookmark as well as an event."""
    fake.watches[PATH] = [
        lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="close"),
        lines(event("MODIFIED", "a", "9"), end="close"),
        lines(bookmark("30"), end="close"),
    ]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(fake.asked) == 4)

    assert [asked.query.get("resourceVersion") for asked in fake.asked] == [None, "5", "9", "30"]
    assert told.failures == []


async def test_a_bookmark_is_a_sign_of_life(fake: FakeApi, api: Api, told: Told) -> None:
    """A quiet resource whose watch lives is as young as its last bookmark."""
    fake.watches[PATH] = [lines(bookmark("5", initial_end=True), bookmark("6"))]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.said) == 2)

    assert told.said[1] == Observed("kube/nodes", 7.0, Delta({}, ()))


@pytest.mark.parametrize("expired", ["event", "status"])
async def test_an_expired_version_is_listed_anew(fake: FakeApi, api: Api, told: Told, expired: str) -> None:
    """A 410, as an event or as a status, makes a new list at once, without a word of failure."""
    gone = lines(error_event(410, "Expired"), end="close") if expired == "event" else refuse(410)
    fake.watches[PATH] = [
        lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="close"),
        gone,
        lines(event("ADDED", "b", "1"), bookmark("50", initial_end=True)),
    ]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: list(told.snapshot.nodes) == ["b"])

    assert told.failures == []
    assert told.back_offs == []


async def test_changes_of_one_moment_are_told_at_once(fake: FakeApi, api: Api, told: Told) -> None:
    """Many events that come together become one observation, with the last state of each object."""
    flood = [event("MODIFIED", f"n{i % 50}", str(10 + i), spec={"unschedulable": i >= 950}) for i in range(1000)]
    fake.watches[PATH] = [lines(bookmark("5", initial_end=True), end="close"), lines(*flood)]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: sum(node.unschedulable for node in told.snapshot.nodes.values()) == 50)

    assert len(told.said) < 500


async def test_an_object_that_is_of_no_interest_any_more_is_gone(fake: FakeApi, api: Api, told: Told) -> None:
    """An event object that turns into something else is removed, not kept as it was."""
    events = next(resource for resource in CORE if resource.source == "kube/pull_events")
    pull = {"involvedObject": {"kind": "Pod"}, "reason": "Failed", "message": "Failed to pull image"}
    fake.lists[events.path] = []
    fake.watches[events.path] = [
        lines(event("ADDED", "e", "1", **pull), bookmark("5", initial_end=True), end="close"),
        lines(event("MODIFIED", "e", "6", **{**pull, "reason": "Killing"})),
    ]

    async with running(follow_resource(api, events, told.put, told.rhythm())):
        await told.until(lambda: len(told.said) == 2)

    first, second = told.said
    assert isinstance(first, Observed)
    assert isinstance(second, Observed)
    assert list(first.fact.items) == ["/e"]
    assert second.fact == Delta({}, ("/e",))
