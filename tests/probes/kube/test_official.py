"""The gaps of the official client that are closed here: plugins, providers, refused and expiring credentials."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from probes.kube import credential
from probes.kube.errors import ApiUnreachable, CredentialsFailed, KubeconfigInvalid, Unauthorized
from probes.kube.kubeconfig import read
from probes.kube.official import OfficialApi
from tests.probes.kube.conftest import WriteKubeconfig, b64
from tests.probes.kube.fake import FakeApi, Pki

NODES = "/api/v1/nodes"
VERSION = "client.authentication.k8s.io/v1"
Script = Callable[..., dict[str, Any]]
Open = Callable[..., OfficialApi]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Write a plugin and return the exec section that runs it."""

    def write(text: str, **section: Any) -> dict[str, Any]:
        path = tmp_path / "plugin"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return {"exec": {"command": str(path), "apiVersion": VERSION, **section}}

    return write


@pytest.fixture
async def open_api(write_kubeconfig: WriteKubeconfig) -> AsyncIterator[Open]:
    """Connect with the official client, and close it at the end."""
    opened: list[OfficialApi] = []

    def open_one(
        server: str, user: dict[str, Any], clock: Callable[[], float] = lambda: 1795161600.0, **cluster: Any
    ) -> OfficialApi:
        path = write_kubeconfig(server, user, **cluster)
        api = OfficialApi(read(path).context(), reload=lambda: read(path).context(), clock=clock)
        opened.append(api)
        return api

    yield open_one
    for api in opened:
        await api.close()


def gives(**status: Any) -> str:
    """Write a script that prints an ExecCredential."""
    return f"cat <<'END'\n{json.dumps({'apiVersion': VERSION, 'kind': 'ExecCredential', 'status': status})}\nEND\n"


async def test_a_plugin_gives_a_token_once(fake: FakeApi, open_api: Open, script: Script, tmp_path: Path) -> None:
    """A plugin runs before the first request and not again while its token is good."""
    fake.lists[NODES] = []
    fake.accept("abc")
    api = open_api(fake.url, script(f"echo run >> {tmp_path}/runs\n" + gives(token="abc")))  # noqa: S106

    await asyncio.gather(*(api.get(NODES) for _ in range(3)))

    assert (tmp_path / "runs").read_text() == "run\n"
    assert [asked.all("Authorization") for asked in fake.asked] == [["Bearer abc"]] * 3


async def test_a_plugin_is_told_what_it_may_know(fake: FakeApi, open_api: Open, script: Script, tmp_path: Path) -> None:
    """A plugin has no terminal, gets its env and arguments, and the cluster where it asks for it."""
    fake.lists[NODES] = []
    text = (
        f'cat > {tmp_path}/stdin\necho "$KUBERNETES_EXEC_INFO" > {tmp_path}/info\necho "$1 $REGION" > {tmp_path}/env\n'
    )
    section = script(
        text + gives(token="abc"),  # noqa: S106
        args=["get-token"],
        env=[{"name": "REGION", "value": "north"}],
        provideClusterInfo=True,
    )
    cluster = {"certificate-authority-data": b64(b"ca"), "tls-server-name": "kubernetes"}

    await open_api(fake.url, section, **cluster).get(NODES)

    info = json.loads((tmp_path / "info").read_text())
    assert (tmp_path / "stdin").read_bytes() == b""
    assert (tmp_path / "env").read_text() == "get-token north\n"
    assert info["apiVersion"] == VERSION
    assert info["spec"] == {
        "interactive": False,
        "cluster": {"server": fake.url, "certificate-authority-data": b64(b"ca"), "tls-server-name": "kubernetes"},
    }


async def test_a_plugin_gives_a_certificate(fake_tls: FakeApi, open_api: Open, script: Script, pki: Pki) -> None:
    """A client certificate of a plugin logs in as whom it names."""
    fake_tls.lists[NODES] = []
    text = gives(clientCertificateData=pki.client_cert.decode(), clientKeyData=pki.client_key.decode())

    await open_api(fake_tls.url, script(text), **{"certificate-authority": str(pki.ca_file)}).get(NODES)

    assert fake_tls.asked[0].peer == "operator"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("echo 'please log\x1b[2J in' >&2; exit 3", "ended with 3: please log␛[2J in; run it by hand"),
        ("exit 0", "gave no ExecCredential"),
        ("echo nonsense", "gave no ExecCredential"),
        (gives(), "gave neither token nor certificate"),
        (gives(clientCertificateData="x"), "a certificate without its key"),
        (gives(token="a\nb"), "no header may hold"),  # noqa: S106
        (gives(token="x").replace("k8s.io/v1", "k8s.io/v1beta1"), "speaks client.authentication.k8s.io/v1beta1 and"),  # noqa: S106
    ],
)
async def test_a_failed_plugin_is_an_error(fake: FakeApi, open_api: Open, script: Script, text: str, says: str) -> None:
    """A plugin that fails is CredentialsFailed, and not one request goes out without credentials."""
    fake.lists[NODES] = []

    with pytest.raises(CredentialsFailed) as caught:
        await open_api(fake.url, script(text)).get(NODES)

    assert says in str(caught.value)
    assert "exec plugin of context “lab”" in str(caught.value)
    assert fake.asked == []


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"command": "no-such-plugin", "apiVersion": VERSION, "installHint": "get it"}, "did not start: .*; get it"),
        ({"apiVersion": VERSION}, "missing required field `command`"),
        ({"command": 7, "apiVersion": VERSION}, "Expected `str`"),
        ({"command": "x", "apiVersion": VERSION, "interactiveMode": "Always"}, "wants a terminal"),
    ],
)
async def test_a_plugin_that_cannot_run(fake: FakeApi, open_api: Open, section: dict[str, Any], says: str) -> None:
    """A plugin that is missing, described badly or in need of a terminal is CredentialsFailed."""
    with pytest.raises(CredentialsFailed, match=says):
        await open_api(fake.url, {"exec": section}).get(NODES)


async def test_a_plugin_that_hangs(
    fake: FakeApi, open_api: Open, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that gives nothing is ended, with whatever it started."""
    monkeypatch.setattr(credential, "_PATIENCE", 0.3)

    with pytest.raises(CredentialsFailed, match=r"gave nothing within 0.3 s"):
        await open_api(fake.url, script("sleep 60 & wait")).get(NODES)


async def test_an_expired_token_is_renewed_before_it_is_refused(
    fake: FakeApi, open_api: Open, script: Script, tmp_path: Path
) -> None:
    """A plugin runs again shortly before its token expires."""
    fake.lists[NODES] = []
    now = 1795161600.0  # 2026-11-20T08:00:00Z
    text = f"echo run >> {tmp_path}/runs\n" + gives(token="abc", expirationTimestamp="2026-11-20T09:00:00Z")  # noqa: S106
    api = open_api(fake.url, script(text), clock=lambda: now)
    await api.get(NODES)
    await api.get(NODES)
    assert (tmp_path / "runs").read_text() == "run\n"

    now += 3600 - 10
    await api.get(NODES)

    assert (tmp_path / "runs").read_text() == "run\nrun\n"


async def test_a_refused_token_is_renewed_once(fake: FakeApi, open_api: Open, script: Script, tmp_path: Path) -> None:
    """After a 401 the plugin runs again; if that does not help either it is Unauthorized."""
    fake.lists[NODES] = []
    token = tmp_path / "token"
    token.write_text("one")
    template = gives(token="TOKEN").replace("<<'END'", "<<END").replace("TOKEN", f"$(cat {token})")  # noqa: S106
    api = open_api(fake.url, script(template))
    fake.accept("one")
    await api.get(NODES)

    fake.accept("two")
    token.write_text("two")
    await api.get(NODES)
    fake.accept("three")
    with pytest.raises(Unauthorized, match="log in again"):
        await api.get(NODES)

    sent = [asked.all("Authorization")[0].removeprefix("Bearer ") for asked in fake.asked]
    assert sent == ["one", "one", "two", "two", "two"]


async def test_a_failed_plugin_is_not_run_for_every_resource(
    fake: FakeApi, open_api: Open, script: Script, tmp_path: Path
) -> None:
    """Many requests at once share one failed login, and one that the server refuses."""
    fake.lists[NODES] = []
    api = open_api(fake.url, script(f"echo run >> {tmp_path}/runs\nexit 1"))
    answers = await asyncio.gather(*(api.get(NODES) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {CredentialsFailed}
    assert (tmp_path / "runs").read_text() == "run\n"

    (tmp_path / "runs").unlink()
    fake.accept("another")
    api = open_api(fake.url, script(f"echo run >> {tmp_path}/runs\n" + gives(token="abc")))  # noqa: S106
    answers = await asyncio.gather(*(api.get(NODES) for _ in range(20)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {Unauthorized}
    assert (tmp_path / "runs").read_text() == "run\n"


async def test_a_changed_kubeconfig_is_read_again(
    fake: FakeApi, open_api: Open, write_kubeconfig: WriteKubeconfig
) -> None:
    """Somebody logs in again while we run: the next 401 makes us read the kubeconfig anew."""
    fake.lists[NODES] = []
    api = open_api(fake.url, {"token": "old"})
    await api.get(NODES)

    fake.accept("new")
    write_kubeconfig(fake.url, {"token": "new"})

    assert b"items" in await api.get(NODES)


async def test_an_open_watch_outlives_a_new_login(
    fake: FakeApi, open_api: Open, write_kubeconfig: WriteKubeconfig
) -> None:
    """Logging in anew does not cut the watches that are open."""
    fake.lists[NODES] = []
    api = open_api(fake.url, {"token": "old"})
    stream = api.stream(NODES, [("watch", "true")], idle=0.5)
    await anext(stream)
    fake.accept("new")
    write_kubeconfig(fake.url, {"token": "new"})
    await api.get(NODES)

    pending = asyncio.ensure_future(anext(stream))
    done, _ = await asyncio.wait([pending], timeout=0.2)

    assert not done
    pending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pending


async def test_an_oidc_provider_with_a_good_token(fake: FakeApi, open_api: Open) -> None:
    """The official client's oidc provider hands out the id-token of the kubeconfig."""
    fake.lists[NODES] = []
    token = ".".join(b64(part).rstrip("=") for part in (b"{}", b'{"exp":4102444800}', b"x"))
    provider = {"name": "oidc", "config": {"id-token": token, "client-id": "c", "idp-issuer-url": "https://x"}}

    await open_api(fake.url, {"auth-provider": provider}).get(NODES)

    assert fake.asked[0].all("Authorization") == [f"Bearer {token}"]


@pytest.mark.parametrize(
    "provider",
    [
        {"name": "oidc"},
        {"name": "oidc", "config": {"id-token": "geheim.geheim"}},
        {"name": "gcp", "config": {}},
        {"name": "azure", "config": {"access-token": "geheim"}},
        {},
    ],
)
async def test_a_provider_that_gives_nothing(fake: FakeApi, open_api: Open, provider: dict[str, Any]) -> None:
    """A provider that fails is CredentialsFailed, without a word of its secrets; nothing goes out anonymously."""
    fake.lists[NODES] = []

    with pytest.raises(CredentialsFailed) as caught:
        await open_api(fake.url, {"auth-provider": {"x": 1, **provider}}).get(NODES)

    assert "geheim" not in str(caught.value)
    assert fake.asked == []


async def test_a_proxy(open_api: Open, fake: FakeApi) -> None:
    """A request goes through the proxy of the kubeconfig; one that refuses is told apart from the API."""
    fake.lists[NODES] = []
    asked: list[str] = []

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b"\r\n")[0].decode())
        if head.startswith(b"CONNECT"):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(forward, "127.0.0.1", 0) as server:
        proxy = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await open_api("http://api.invalid", {}, **{"proxy-url": proxy}).get(NODES) == b"{}"
        with pytest.raises(ApiUnreachable, match=r"the proxy before https://api.invalid answered 407"):
            await open_api("https://api.invalid", {}, **{"proxy-url": proxy}).get(NODES)

    assert asked == ["GET http://api.invalid/api/v1/nodes HTTP/1.1", "CONNECT api.invalid:443 HTTP/1.1"]


def test_a_proxy_of_another_kind(open_api: Open) -> None:
    """A socks proxy cannot be spoken through, and that is said before anything is sent past it."""
    with pytest.raises(KubeconfigInvalid, match="is not an http proxy"):
        open_api("https://192.0.2.10", {}, **{"proxy-url": "socks5://127.0.0.1:1080"})
