"""Both clients before servers that refuse, hang, cut, or are none; each failure is one of our errors."""

import asyncio
import gzip
import socket

import pytest
from aiohttp import web

from probes.kube import http as shared
from probes.kube.errors import (
    AnswerInvalid,
    ApiError,
    ApiTimeout,
    ApiUnreachable,
    Gone,
    KubeconfigInvalid,
    NotInstalled,
    Refused,
    Restricted,
    Throttled,
    Unauthorized,
)
from tests.probes.kube.conftest import Open, b64
from tests.probes.kube.fake import FakeApi, body, bookmark, hang, lines, refuse

NODES = "/api/v1/nodes"


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


async def test_plain_http_to_a_server_of_tls(fake: FakeApi, open_api: Open) -> None:
    """Go's server tells who forgot the s of https so, and so does the sentence."""

    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(status=400, text="Client sent an HTTP request to an HTTPS server.\n")

    fake.always[NODES] = reply

    with pytest.raises(Refused, match=f"{fake.url} speaks TLS: write https:// in the kubeconfig's server"):
        await open_api(fake.url).get(NODES)


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


async def test_an_answer_without_end_is_bounded(fake: FakeApi, open_api: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer over the bound is given up, also one that only grows when it is unpacked."""
    monkeypatch.setattr(shared, "LARGEST_ANSWER", 1_000_000)
    api = open_api(fake.url)
    for data, headers in ((b"x" * 1_000_001, {}), (gzip.compress(b"x" * 5_000_000), {"Content_Encoding": "gzip"})):
        fake.always[NODES] = body(data, **headers)
        with pytest.raises(AnswerInvalid, match="answered more than"):
            await api.get(NODES)


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
