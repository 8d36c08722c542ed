"""What a reflector lives through: servers that go, hang, forbid, or send garbage."""

import asyncio

import pytest

from probes.kube.client import Api, connect
from probes.kube.kubeconfig import read
from probes.kube.reflector import Reflector, follow_resource
from probes.kube.resources import CORE
from probes.model.observation import Observed
from tests.probes.kube.conftest import WriteKubeconfig
from tests.probes.kube.fake import FakeApi, body, bookmark, event, lines, refuse
from tests.probes.kube.told import PATIENCE, Told, objects, running

PATH = "/api/v1/nodes"
RESOURCE = CORE[0]


async def test_a_server_that_always_says_gone_is_not_asked_without_end(fake: FakeApi, api: Api, told: Told) -> None:
    """Repeated 410s are backed off from."""
    fake.always[PATH] = refuse(410)

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.back_offs) >= 4)

    assert told.back_offs[:4] == sorted(told.back_offs[:4])
    assert told.back_offs[0] > 0


async def test_a_broken_connection_is_told_and_recovered_from(fake: FakeApi, api: Api, told: Told) -> None:
    """A watch that is cut is a failure with its reason; the next one goes on where it was, and the data stays."""
    fake.watches[PATH] = [
        lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="cut"),
        lines(),
    ]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: bool(told.failures))
        assert list(told.snapshot.nodes) == ["a"]
        await told.until(lambda: told.snapshot.source("kube/nodes").status == "ok" and len(told.said) == 3)

    assert [type(said.fact).__name__ if isinstance(said, Observed) else said.kind for said in told.said] == [
        "Listed",
        "unreachable",
        "Delta",
    ]
    assert told.back_offs == [0.5]
    assert fake.asked[1].query["resourceVersion"] == "5"


async def test_back_off_doubles_up_to_its_bound(told: Told, write_kubeconfig: WriteKubeconfig) -> None:
    """Pauses after failures double from half a second to ten, and chance only shortens them."""
    api = connect(read(write_kubeconfig("http://127.0.0.1:1")))

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.pauses) >= 9)

    assert told.pauses[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0, 10.0]
    assert {failed.kind for failed in told.failures} == {"unreachable"}
    await api.close()


async def test_an_api_that_comes_back(fake: FakeApi, api: Api, told: Told) -> None:
    """After failures of every sort the first answer makes everything well again, and back-off starts anew."""
    fake.once[PATH] = [refuse(500), refuse(503), refuse(429), refuse(504)]
    fake.watches[PATH] = [lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="cut"), lines()]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.back_offs) == 5)

    assert [failed.kind for failed in told.failures] == ["failed", "failed", "failed", "timeout", "unreachable"]
    assert told.back_offs == [0.5, 1.0, 2.0, 4.0, 0.5]


async def test_silence_makes_a_new_watch(fake: FakeApi, api: Api, told: Told) -> None:
    """A watch on which nothing comes for its idle time is made anew from the same version, without a failure."""
    fake.watches[PATH] = [lines(bookmark("5", initial_end=True)), lines(), lines(event("ADDED", "a", "6"))]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm(idle=0.15))):
        await told.until(lambda: "a" in told.snapshot.nodes)

    assert [asked.query.get("resourceVersion") for asked in fake.asked[:3]] == [None, "5", "5"]
    assert told.failures == []


async def test_a_server_that_hangs_up_at_once_is_backed_off_from(fake: FakeApi, api: Api, told: Told) -> None:
    """A watch that ends cleanly without a word is asked for again, but ever more slowly."""
    fake.watches[PATH] = [lines(bookmark("5", initial_end=True), end="close"), *[lines(end="close")] * 20]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.back_offs) >= 4)

    assert told.back_offs[:4] == [0.5, 1.0, 2.0, 4.0]
    assert told.failures == []


async def test_an_unreadable_object_does_not_end_a_watch(fake: FakeApi, api: Api, told: Told) -> None:
    """An object of a wrong shape is told as unreadable; the watch goes on, and a good list takes the word back."""
    fake.watches[PATH] = [
        lines(
            bookmark("5", initial_end=True), event("ADDED", "bad", "6", spec=7), event("ADDED", "a", "7"), end="close"
        ),
        refuse(410),
        lines(event("ADDED", "b", "8"), bookmark("9", initial_end=True)),
    ]
    name = "kube/nodes/unreadable objects"

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: list(told.snapshot.nodes) == ["b"] and told.snapshot.source(name).status == "ok")

    assert [failed.source for failed in told.failures] == [name]
    assert "bad cannot be read" in told.failures[0].reason


@pytest.mark.parametrize("garbage", [b"nonsense", b"{", b"[]", b'{"type":"ADDED"}', b'{"type":"BOOKMARK","object":7}'])
async def test_garbage_in_a_watch_is_told_and_lived_through(
    fake: FakeApi, api: Api, told: Told, garbage: bytes
) -> None:
    """What is no event fails the watch in one sentence, and the resource is listed anew."""
    fake.watches[PATH] = [
        lines(bookmark("5", initial_end=True), end="close"),
        lines(garbage, end="close"),
        lines(event("ADDED", "a", "1"), bookmark("9", initial_end=True)),
    ]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: "a" in told.snapshot.nodes)

    assert ["sent what is no event" in failed.reason for failed in told.failures] == [True]


async def test_rights_that_are_missing(fake: FakeApi, api: Api, told: Told) -> None:
    """Without the right to list it is restricted, asked again once a minute, and well once the right is there."""
    fake.once[PATH] = [refuse(403, "nodes is forbidden")] * 4
    fake.lists[PATH] = objects("a")

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: "a" in told.snapshot.nodes)

    assert {failed.kind for failed in told.failures} == {"restricted"}
    assert "nodes is forbidden" in told.failures[0].reason
    assert set(told.back_offs) == {60.0}


async def test_an_api_that_starts_forbids_everything_for_a_moment(fake: FakeApi, api: Api, told: Told) -> None:
    """Whoever was allowed before asks again at once, not in a minute: a server that starts knows no roles yet."""
    fake.watches[PATH] = [
        lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="close"),
        refuse(403, "nodes is forbidden"),
        refuse(403, "nodes is forbidden"),
        lines(event("ADDED", "b", "6"), bookmark("9", initial_end=True)),
    ]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: list(told.snapshot.nodes) == ["b"])

    assert [failed.kind for failed in told.failures] == ["restricted", "restricted"]
    assert told.back_offs == [0.5, 1.0]


async def test_however_long_it_was_away(fake: FakeApi, api: Api, told: Told) -> None:
    """A server that forbids everything as it starts is asked again soon, after the longest outage too."""
    allowed = lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="close")
    back = lines(event("ADDED", "b", "6"), bookmark("9", initial_end=True))
    fake.once[PATH] = [allowed, *[refuse(503)] * 9, refuse(403), refuse(403), back]

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: list(told.snapshot.nodes) == ["b"])

    assert told.back_offs[-3:] == [10.0, 0.5, 1.0]


async def test_whoever_is_not_allowed_any_more_is_asked_once_a_minute(fake: FakeApi, api: Api, told: Told) -> None:
    """A right that is taken away is doubted for half a minute, and then believed."""
    allowed = lines(event("ADDED", "a", "1"), bookmark("5", initial_end=True), end="close")
    fake.once[PATH] = [allowed, *[refuse(403, "nodes is forbidden")] * 200]
    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: told.back_offs.count(60.0) >= 2)

    assert told.back_offs[:6] == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0]
    assert told.snapshot.source("kube/nodes").status == "restricted"
    assert list(told.snapshot.nodes) == ["a"]


async def test_whoever_may_list_and_not_watch_is_listed_now_and_then(fake: FakeApi, api: Api, told: Told) -> None:
    """A user with list and without watch sees the truth once a minute."""
    fake.watches[PATH] = [refuse(403)] * 10
    fake.lists[PATH] = objects("a")

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: "a" in told.snapshot.nodes)
        fake.lists[PATH] = objects("b")
        await told.until(lambda: list(told.snapshot.nodes) == ["b"])

    assert told.failures == []
    assert set(told.back_offs) == {60.0}


async def test_a_resource_that_is_not_there(fake: FakeApi, api: Api, told: Told) -> None:
    """A 404 ends a reflector with an empty list and the word absent."""
    del fake.lists[PATH]

    async with asyncio.timeout(PATIENCE):
        await Reflector(api, RESOURCE, told.put, told.rhythm()).run()

    assert [type(said).__name__ for said in told.said] == ["Observed", "Failed"]
    assert told.failures[0].kind == "absent"


async def test_a_page_of_html_from_a_proxy(fake: FakeApi, api: Api, told: Told) -> None:
    """A login page where the API should be is a failure in one sentence, for as long as it is there."""
    fake.always[PATH] = body(b"<html>\n<body>Please log in</body>\n</html>\n")

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.failures) >= 2)

    assert all("\n" not in failed.reason for failed in told.failures)
    assert {failed.kind for failed in told.failures} == {"failed"}
