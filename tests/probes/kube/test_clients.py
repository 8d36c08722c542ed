"""Both clients against a real HTTP server: what one promises, the other keeps as well."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from probes.kube import http as shared
from probes.kube.client import Api, connect
from probes.kube.errors import (
    AnswerInvalid,
    ApiError,
    ApiTimeout,
    ApiUnreachable,
    CredentialsFailed,
    Gone,
    KubeconfigInvalid,
    NotInstalled,
    Refused,
    Restricted,
    Throttled,
    Unauthorized,
)
from probes.kube.kubeconfig import read
from probes.kube.official import OfficialApi
from probes.kube.plain import PlainApi
from tests.probes.kube.conftest import WriteKubeconfig, b64
from tests.probes.kube.fake import FakeApi, Pki, body, bookmark, hang, lines, refuse

Open = Callable[..., Api]
NODES = "/api/v1/nodes"


@pytest.fixture(params=["plain", "official"])
async def open_api(request: pytest.FixtureRequest, write_kubeconfig: WriteKubeconfig) -> AsyncIterator[Open]:
    """Connect to a server with one of the two clients, and close it at the end."""
    opened: list[Api] = []

    def open_one(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Api:
        api = connect(read(write_kubeconfig(server, user, **cluster)), watch=request.param == "official")
        assert isinstance(api, PlainApi if request.param == "plain" else OfficialApi)
        opened.append(api)
        return api

    yield open_one
    for api in opened:
        await api.close()


async def test_a_list_is_read_whole(fake: FakeApi, open_api: Open) -> None:
    """A GET brings the body as it is, with the query as it was meant, and says how long the API took."""
    fake.lists[NODES] = [{"metadata": {"name": "a"}}]
    api = open_api(fake.url)
    before = api.latency

    raw = await api.get(NODES, [("limit", "500"), ("fieldSelector", "type!=Normal,reason=a b")])

    assert b'"a"' in raw
    assert fake.asked[0].method == "GET"
    assert fake.asked[0].query == {"limit": "500", "fieldSelector": "type!=Normal,reason=a b"}
    assert fake.asked[0].all("User-Agent") == [shared.USER_AGENT]
    assert before is None
    assert api.latency is not None
    assert 0 < api.latency < 5
    assert (api.server, api.context) == (fake.url, "lab")


async def test_tls_with_client_certificate(
    fake_tls: FakeApi, open_api: Open, pki: Pki, write_kubeconfig: WriteKubeconfig
) -> None:
    """CA, client certificate and key from data log in as whom they name."""
    fake_tls.lists[NODES] = []
    user = {"client-certificate-data": b64(pki.client_cert), "client-key-data": b64(pki.client_key)}

    await open_api(fake_tls.url, user, **{"certificate-authority-data": b64(pki.ca)}).get(NODES)

    assert fake_tls.asked[0].peer == "operator"


async def test_tls_server_name(fake_tls: FakeApi, open_api: Open, pki: Pki) -> None:
    """The certificate is held to tls-server-name instead of the address, both ways."""
    fake_tls.lists[NODES] = []
    good = open_api(
        fake_tls.url, **{"certificate-authority": str(pki.ca_file), "tls-server-name": "kubernetes.default"}
    )
    await good.get(NODES)
    bad = open_api(fake_tls.url, **{"certificate-authority": str(pki.ca_file), "tls-server-name": "other.example.com"})

    with pytest.raises(ApiUnreachable, match=r"certificate .* is not trusted: .*; check certificate-authority"):
        await bad.get(NODES)


async def test_an_unknown_ca_is_refused_unless_told_to_skip(fake_tls: FakeApi, open_api: Open) -> None:
    """Without the cluster's CA the certificate is not trusted; insecure-skip-tls-verify says it need not be."""
    fake_tls.lists[NODES] = []
    with pytest.raises(ApiUnreachable, match="is not trusted"):
        await open_api(fake_tls.url).get(NODES)

    await open_api(fake_tls.url, **{"insecure-skip-tls-verify": True}).get(NODES)


async def test_impersonation_is_sent(fake: FakeApi, open_api: Open) -> None:
    """What the kubeconfig says in as, as-groups, as-uid and as-user-extra goes with every request and watch."""
    fake.lists[NODES] = []
    user = {
        "token": "t",
        "as": "jane",
        "as-groups": ["dev", "ops"],
        "as-uid": "7",
        "as-user-extra": {"a/b": ["x", "y"]},
    }
    api = open_api(fake.url, user)

    await api.get(NODES)
    stream = api.stream(NODES, [("watch", "true")])
    await anext(stream)
    await stream.aclose()

    for asked in fake.asked:
        assert asked.all("Authorization") == ["Bearer t"]
        assert asked.all("Impersonate-User") == ["jane"]
        assert asked.all("Impersonate-Group") == ["dev", "ops"]
        assert asked.all("Impersonate-Uid") == ["7"]
        assert asked.all("Impersonate-Extra-a%2Fb") == ["x", "y"]
    assert len(fake.asked) == 2


async def test_basic_authentication(fake: FakeApi, open_api: Open) -> None:
    """A user name and password make a Basic header."""
    fake.lists[NODES] = []

    await open_api(fake.url, {"username": "u", "password": "p"}).get(NODES)

    assert fake.asked[0].all("Authorization") == ["Basic dTpw"]


async def test_a_token_file_is_read_again_when_refused(fake: FakeApi, open_api: Open, tmp_path: Path) -> None:
    """A token that was renewed in its file is taken up after a 401; a file without token is a clear error."""
    fake.lists[NODES] = []
    token = tmp_path / "token"
    token.write_text("old\n")
    api = open_api(fake.url, {"tokenFile": "token"})
    await api.get(NODES)

    fake.accept("new")
    token.write_text("new\n")
    await api.get(NODES)

    assert [asked.all("Authorization") for asked in fake.asked] == [["Bearer old"], ["Bearer old"], ["Bearer new"]]
    token.unlink()
    fake.accept("newer")
    with pytest.raises(CredentialsFailed, match="check tokenFile"):
        await api.get(NODES)


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (400, Refused, "answered 400: no"),
        (401, Unauthorized, "does not accept the credentials"),
        (403, Restricted, "reading /api/v1/nodes is not allowed: no"),
        (404, NotInstalled, "/api/v1/nodes is not installed"),
        (410, Gone, "a new list is needed"),
        (429, Throttled, "asks to be left alone"),
        (500, Refused, "answered 500: no"),
        (504, ApiTimeout, "did not answer in time"),
    ],
)
async def test_each_status_is_its_own_error(
    fake: FakeApi, open_api: Open, code: int, error: type[ApiError], says: str
) -> None:
    """A status becomes one of our errors, for a GET as for a watch."""
    fake.always[NODES] = refuse(code, "no\n")
    api = open_api(fake.url)

    with pytest.raises(error, match=says) as caught:
        await api.get(NODES)
    with pytest.raises(error, match=says):
        await anext(api.stream(NODES))

    assert caught.value.status == code
    assert "\n" not in str(caught.value)


async def test_an_error_that_is_no_status_object(fake: FakeApi, open_api: Open) -> None:
    """What a proxy says in HTML is not repeated."""

    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502, text="<html>\x1b[2J")

    fake.always[NODES] = reply

    with pytest.raises(Refused, match=r"answered 502; look at") as caught:
        await open_api(fake.url).get(NODES)
    assert "html" not in str(caught.value)


async def test_nobody_listens(open_api: Open) -> None:
    """A refused connection is ApiUnreachable and says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = f"https://127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(ApiUnreachable, match="refuses connections"):
            await open_api(server).get(NODES)


async def test_a_name_that_nobody_knows(open_api: Open) -> None:
    """A name that cannot be resolved is ApiUnreachable."""
    with pytest.raises(ApiUnreachable, match="cannot be reached"):
        await open_api("https://api.invalid:6443").get(NODES)


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 two hundred\r\n\r\n"])
async def test_something_else_listens(open_api: Open, greeting: bytes) -> None:
    """A server that hangs up or speaks another protocol is ApiUnreachable, whichever way it does."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(greeting)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ApiUnreachable):
            await open_api(f"http://127.0.0.1:{port}").get(NODES)


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"items":[',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ite',
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"ite\r\n',
    ],
)  # fmt: skip
async def test_an_answer_cut_in_the_middle(open_api: Open, answer: bytes) -> None:
    """An answer that ends before its end is an error, not a short list."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ApiUnreachable, match="cut off"):
            await open_api(f"http://127.0.0.1:{port}").get(NODES)


async def test_an_answer_that_never_comes(fake: FakeApi, open_api: Open) -> None:
    """A GET ends at its time limit, whatever the server does."""
    fake.always[NODES] = hang(fake)

    with pytest.raises(ApiTimeout, match=r"within 0.2 s"):
        await open_api(fake.url).get(NODES, timeout=0.2)


async def test_an_answer_that_trickles(fake: FakeApi, open_api: Open) -> None:
    """A server that sends a byte now and then does not hold a GET beyond its time limit."""

    async def trickle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while not fake.closing.is_set():
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    fake.always[NODES] = trickle

    with pytest.raises(ApiTimeout):
        await open_api(fake.url).get(NODES, timeout=0.4)


async def test_a_gzipped_answer(fake: FakeApi, open_api: Open) -> None:
    """The API compresses large answers for whoever takes it."""
    fake.always[NODES] = body(gzip.compress(b"x" * 300_000), Content_Encoding="gzip")

    assert await open_api(fake.url).get(NODES) == b"x" * 300_000
    assert "gzip" in fake.asked[0].all("Accept-Encoding")[0]


async def test_an_answer_without_end_is_bounded(fake: FakeApi, open_api: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer over the bound is given up, also one that only grows when it is unpacked."""
    monkeypatch.setattr(shared, "LARGEST_ANSWER", 1_000_000)
    api = open_api(fake.url)
    for data, headers in ((b"x" * 1_000_001, {}), (gzip.compress(b"x" * 5_000_000), {"Content_Encoding": "gzip"})):
        fake.always[NODES] = body(data, **headers)
        with pytest.raises(AnswerInvalid, match="answered more than"):
            await api.get(NODES)


async def test_a_kept_connection_that_was_closed_is_no_error(open_api: Open) -> None:
    """A server closes idle connections when it likes; the next GET goes over a new one."""
    connections = 0

    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(answer_once, "127.0.0.1", 0) as server:
        api = open_api(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(3):
            assert await api.get(NODES) == b"{}"

    assert connections == 3


async def test_connections_are_kept(fake: FakeApi, open_api: Open) -> None:
    """Many GETs one after the other share a connection."""
    peers: set[Any] = set()

    async def reply(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        peers.add(request.transport.get_extra_info("peername"))
        return web.Response(body=b"{}")

    fake.always[NODES] = reply
    api = open_api(fake.url)
    for _ in range(5):
        await api.get(NODES)

    assert len(peers) == 1


async def test_a_stream_says_first_that_it_was_accepted(fake: FakeApi, open_api: Open) -> None:
    """A watch brings an empty chunk as soon as the server accepts, then what comes, and ends with the server's end."""
    fake.lists[NODES] = []
    fake.watches[NODES] = [lines(bookmark("5"), end="close")]

    chunks = [chunk async for chunk in open_api(fake.url).stream(NODES, [("watch", "true")])]

    assert chunks[0] == b""
    assert b"".join(chunks) == bookmark("5") + b"\n"


async def test_a_silent_stream_ends_after_its_idle_time(fake: FakeApi, open_api: Open) -> None:
    """A watch on which nothing comes is ApiTimeout, so that a dead connection is noticed."""
    fake.lists[NODES] = []
    stream = open_api(fake.url).stream(NODES, [("watch", "true")], idle=0.2)
    assert await anext(stream) == b""

    with pytest.raises(ApiTimeout, match=r"said nothing for 0.2 s"):
        await anext(stream)


async def test_a_cut_stream_is_unreachable(fake: FakeApi, open_api: Open) -> None:
    """A watch whose connection breaks is ApiUnreachable."""
    fake.lists[NODES] = []
    fake.watches[NODES] = [lines(bookmark("5"), end="cut")]

    with pytest.raises(ApiUnreachable):
        async for _ in open_api(fake.url).stream(NODES, [("watch", "true")]):
            pass


async def test_a_cancelled_get_ends_at_once(fake: FakeApi, open_api: Open) -> None:
    """Whoever gives up does not wait for the server, and the client goes on working."""
    asked = asyncio.Event()

    async def never(request: web.Request) -> web.StreamResponse:
        asked.set()
        return await hang(fake)(request)

    fake.once[NODES] = [never]
    fake.lists[NODES] = []
    api = open_api(fake.url)
    given_up = asyncio.ensure_future(api.get(NODES))
    await asked.wait()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up

    assert b"items" in await api.get(NODES)


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"])
async def test_an_answer_without_length_that_stops(open_api: Open, head: bytes) -> None:
    """An answer that lasts as long as its connection does is given up in time, and its connection with it."""
    hung_up = asyncio.Event()

    async def stop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b'{"items":[')
        assert await reader.read() == b""
        hung_up.set()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(stop, "127.0.0.1", 0) as server:
        api = open_api(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(ApiTimeout):
            await api.get(NODES, timeout=0.2)
        async with asyncio.timeout(5):
            await hung_up.wait()


async def test_a_ca_that_is_none(fake_tls: FakeApi, open_api: Open) -> None:
    """A CA or client certificate that holds none is KubeconfigInvalid and says which."""
    with pytest.raises(KubeconfigInvalid, match="certificate-authority of context “lab” holds no certificate"):
        await open_api(fake_tls.url, **{"certificate-authority-data": b64(b"nonsense")}).get(NODES)
    user = {"client-certificate-data": b64(b"x"), "client-key-data": b64(b"y")}
    with pytest.raises(KubeconfigInvalid, match="client-certificate and client-key of context “lab” do not fit"):
        await open_api(fake_tls.url, user, **{"insecure-skip-tls-verify": True}).get(NODES)


async def test_a_server_under_a_path(fake: FakeApi, open_api: Open) -> None:
    """A server with a path, as Rancher has it, gets its path before ours."""
    fake.lists["/k8s/clusters/c-1" + NODES] = []

    await open_api(fake.url + "/k8s/clusters/c-1").get(NODES)

    assert fake.paths() == ["/k8s/clusters/c-1" + NODES]


async def test_an_environment_proxy_is_left_to_the_official_client(
    monkeypatch: pytest.MonkeyPatch, write_kubeconfig: WriteKubeconfig
) -> None:
    """Only the official client speaks through proxies, so it is taken where one is set."""
    monkeypatch.setenv("HTTPS_PROXY", "http://192.0.2.1:3128")

    assert isinstance(connect(read(write_kubeconfig("https://192.0.2.10"))), OfficialApi)
