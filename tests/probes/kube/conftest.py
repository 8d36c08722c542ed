"""A fake API, a PKI, and kubeconfigs for them."""

import base64
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.probes.kube.fake import FakeApi, Pki

WriteKubeconfig = Callable[..., Path]


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


def b64(data: bytes) -> str:
    """Encode as kubeconfig holds it."""
    return base64.b64encode(data).decode()
