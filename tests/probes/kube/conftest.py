"""A fake API, a PKI, and kubeconfigs for them."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from probes.kube.client import Api, connect
from probes.kube.kubeconfig import read
from probes.kube.official import OfficialApi
from probes.kube.plain import PlainApi
from tests.probes.kube.fake import FakeApi, Pki
from tests.probes.kube.told import Told

WriteKubeconfig = Callable[..., Path]
Open = Callable[..., Api]


@pytest.fixture
async def fake() -> AsyncIterator[FakeApi]:
    """Serve an API over plain HTTP."""
    async with FakeApi().serve() as api:
        yield api


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Make one PKI for all tests."""
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def fake_tls(pki: Pki) -> AsyncIterator[FakeApi]:
    """Serve an API over TLS."""
    async with FakeApi().serve(pki.server_context()) as api:
        yield api


@pytest.fixture
def write_kubeconfig(tmp_path: Path) -> WriteKubeconfig:
    """Write a kubeconfig with one context ``lab`` and return its path."""

    def write(server: str, user: dict[str, Any] | None = None, **cluster: Any) -> Path:
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(document), "utf-8")
        return path

    return write


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


@pytest.fixture(params=[False, True], ids=["plain", "official"])
async def api(request: pytest.FixtureRequest, fake: FakeApi, write_kubeconfig: WriteKubeconfig) -> AsyncIterator[Api]:
    """Connect to the fake API with either client."""
    fake.lists["/api/v1/nodes"] = []
    opened = connect(read(write_kubeconfig(fake.url)), watch=request.param)
    yield opened
    await opened.close()


@pytest.fixture
def told() -> Told:
    """Listen."""
    return Told()


def b64(data: bytes) -> str:
    """Encode as kubeconfig holds it."""
    return base64.b64encode(data).decode()
