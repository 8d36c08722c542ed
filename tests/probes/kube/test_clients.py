"""Both clients against a real HTTP server: what one promises, the other keeps as well."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from probes.kube import http as shared
from probes.kube.client import connect
from probes.kube.errors import (
    ApiUnreachable,
    CredentialsFailed,
)
from probes.kube.kubeconfig import read
from probes.kube.official import OfficialApi
from tests.probes.kube.conftest import Open, WriteKubeconfig, b64
from tests.probes.kube.fake import FakeApi, Pki, body, bookmark, hang, lines

NODES = "/api/v1/nodes"


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


async def test_a_gzipped_answer(fake: FakeApi, open_api: Open) -> None:
    """The API compresses large answers for whoever takes it."""
    fake.always[NODES] = body(gzip.compress(b"x" * 300_000), Content_Encoding="gzip")

    assert await open_api(fake.url).get(NODES) == b"x" * 300_000
    assert "gzip" in fake.asked[0].all("Accept-Encoding")[0]


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


async def test_a_hostile_context_name_is_harmless(write_kubeconfig: WriteKubeconfig) -> None:
    """The name of a context is cleaned before anybody shows it."""
    path = write_kubeconfig("https://192.0.2.10")
    path.write_text(path.read_text().replace("lab", '"x\\e[2J"'))

    assert [connect(read(path), watch=watch).context for watch in (False, True)] == ["x␛[2J", "x␛[2J"]


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
