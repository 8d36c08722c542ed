"""The reflector against scripted watches over real HTTP; pauses pass at once and are written down."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.kube.client import Api, connect
from probes.kube.core import NODES
from probes.kube.errors import ApiError
from probes.kube.kubeconfig import read
from probes.kube.reflector import Reflector, follow_kinds, follow_resource
from probes.kube.resources import CORE, Resource
from probes.kube.watch import Digest, Rhythm, make_chunks
from probes.model.observation import Delta, Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from tests.probes.kube.conftest import WriteKubeconfig
from tests.probes.kube.fake import FakeApi, body, bookmark, error_event, event, lines, refuse

PATH = "/api/v1/nodes"
RESOURCE = CORE[0]
FLUX = "source.toolkit.fluxcd.io"
GIT = f"/apis/{FLUX}/v1/gitrepositories"
PATIENCE = 10.0


class Told:
    """What a reflector said, folded as Cluster folds it, and the pauses it made."""

    def __init__(self) -> None:
        self.said: list[Observed[Any] | Failed] = []
        self.pauses: list[float] = []
        self.snapshot = Snapshot()
        self.held: asyncio.Event | None = None
        """Where it is set, a pause of a minute waits for it."""

    async def put(self, observation: Observed[Any] | Failed) -> None:
        self.said.append(observation)
        self.snapshot = fold(self.snapshot, [observation])

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if seconds >= 60 and self.held is not None:
            await self.held.wait()
            self.held.clear()
        await asyncio.sleep(0.001)

    def rhythm(self, **changes: Any) -> Rhythm:
        return Rhythm(clock=lambda: 7.0, sleep=self.sleep, random=lambda: 1.0, **changes)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - some conditions are the server's, which says nothing
                await asyncio.sleep(0.002)

    @property
    def failures(self) -> list[Failed]:
        return [said for said in self.said if isinstance(said, Failed)]

    @property
    def back_offs(self) -> list[float]:
        return [pause for pause in self.pauses if pause != Rhythm().gather]


@contextlib.asynccontextmanager
async def running(follow: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(follow)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture(params=[False, True], ids=["plain", "official"])
async def api(request: pytest.FixtureRequest, fake: FakeApi, write_kubeconfig: WriteKubeconfig) -> AsyncIterator[Api]:
    """Connect to the fake API with either client."""
    fake.lists[PATH] = []
    opened = connect(read(write_kubeconfig(fake.url)), watch=request.param)
    yield opened
    await opened.close()


@pytest.fixture
def told() -> Told:
    """Listen."""
    return Told()


def objects(*names: str) -> list[dict[str, Any]]:
    return [{"metadata": {"name": name, "resourceVersion": "1"}} for name in names]


NO_STREAMED_LISTS = refuse(422, "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled")


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
    """Pauses after failures double from half a second to half a minute, and chance only shortens them."""
    api = connect(read(write_kubeconfig("http://127.0.0.1:1")))

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.pauses) >= 9)

    assert told.pauses[:9] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
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


async def test_crds_that_come_and_go(fake: FakeApi, api: Api, told: Told) -> None:
    """Flux installed while we run is found and followed; removed, its objects go and it is absent, said once."""
    told.held = asyncio.Event()
    git = "kube/flux/GitRepository"
    fake.lists[GIT] = [{"metadata": {"name": "fleet", "namespace": "flux-system"}}]
    fake.watches[GIT] = [NO_STREAMED_LISTS, lines(end="open")]

    async with running(follow_kinds(api, told.put, told.rhythm())):
        await told.until(lambda: told.snapshot.source(git).status == "absent" and 60.0 in told.pauses)
        before = len(told.said)
        told.held.set()
        await told.until(lambda: told.pauses.count(60.0) == 2)
        assert len(told.said) == before

        fake.groups[FLUX] = {"v1": [("gitrepositories", "GitRepository")]}
        told.held.set()
        await told.until(lambda: list(told.snapshot.flux) == ["GitRepository/flux-system/fleet"])

        fake.groups.clear()
        told.held.set()
        await told.until(lambda: told.snapshot.source(git).status == "absent")
        assert not told.snapshot.flux


async def test_an_upgrade_changes_the_version_that_is_followed(fake: FakeApi, api: Api, told: Told) -> None:
    """When a newer version appears, the kind is followed in that one."""
    told.held = asyncio.Event()
    old = f"/apis/{FLUX}/v1beta2/gitrepositories"
    served = [("gitrepositories", "GitRepository")]
    fake.groups[FLUX] = {"v1beta2": served}
    for path in (old, GIT):
        fake.lists[path] = [{"metadata": {"name": "fleet", "namespace": "f", "resourceVersion": "1"}}]
        fake.watches[path] = [NO_STREAMED_LISTS]

    async with running(follow_kinds(api, told.put, told.rhythm())):
        await told.until(lambda: bool(told.snapshot.flux) and 60.0 in told.pauses)
        assert told.snapshot.flux["GitRepository/f/fleet"].api_version == f"{FLUX}/v1beta2"
        fake.groups[FLUX] = {"v1beta2": served, "v1": served}
        told.held.set()
        await told.until(lambda: told.snapshot.flux["GitRepository/f/fleet"].api_version == f"{FLUX}/v1")


async def test_discovery_that_fails_is_tried_again(fake: FakeApi, api: Api, told: Told) -> None:
    """While the groups cannot be listed every kind is as failed as that; then they are found."""
    fake.once["/apis"] = [refuse(500)]
    fake.groups[FLUX] = {"v1": [("gitrepositories", "GitRepository")]}
    fake.lists[GIT] = []
    fake.watches[GIT] = [lines(bookmark("1", initial_end=True))]

    async with running(follow_kinds(api, told.put, told.rhythm())):
        await told.until(lambda: told.snapshot.source("kube/flux/GitRepository").status == "ok")

    assert told.said[0] == Failed(
        "kube/flux/OCIRepository", 7.0, f"{fake.url}/apis answered 500: no; look at the API server's log", "failed"
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [
                event("ADDED", "a", "1"),
                event("DELETED", "a", "2"),
                bookmark("5", initial_end=True),
                bookmark("6"),
                error_event(410, "Gone"),
                event("ADDED", "b", "1", status=7),
            ]
        ).map(lambda line: line + b"\n"),
        max_size=8,
    ),
    st.booleans(),
)
async def test_any_chunks_are_changes_or_one_of_our_errors(chunks: list[bytes], initial: bool) -> None:  # noqa: FBT001
    """However a stream is cut into chunks and whatever is in it, nothing but ApiError comes out."""
    queue = make_chunks()
    for chunk in [b"", *chunks, None]:
        queue.put_nowait(chunk)
    digest = Digest(_Nowhere(), Resource("kube/nodes", PATH, NODES), Rhythm(gather=0), initial=initial)
    with contextlib.suppress(ApiError):
        async for changes in digest.read(queue):
            assert not changes.changed.keys() & changes.removed.keys()


class _Nowhere:
    """An API that is only a name."""

    server = "https://192.0.2.10:6443"
    context = "lab"
    latency = None

    async def get(self, path: str, query: object = (), *, timeout: float = 0) -> bytes:
        raise NotImplementedError

    async def stream(self, path: str, query: object = (), *, idle: float = 0) -> Any:
        yield f"{path}{query}{idle}".encode()

    async def close(self) -> None:
        """Nothing is open."""


async def test_a_page_of_html_from_a_proxy(fake: FakeApi, api: Api, told: Told) -> None:
    """A login page where the API should be is a failure in one sentence, for as long as it is there."""
    fake.always[PATH] = body(b"<html>\n<body>Please log in</body>\n</html>\n")

    async with running(follow_resource(api, RESOURCE, told.put, told.rhythm())):
        await told.until(lambda: len(told.failures) >= 2)

    assert all("\n" not in failed.reason for failed in told.failures)
    assert {failed.kind for failed in told.failures} == {"failed"}
