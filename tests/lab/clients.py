"""Clients of the demo cluster that are not ours: plain HTTPS and kubectl."""

import asyncio
import base64
import json
import os
import shutil
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from lab.cluster import LabCluster

Json = dict[str, Any]


@dataclass
class Client:
    """An HTTPS client with the kubeconfig's certificate."""

    session: aiohttp.ClientSession
    base: str

    async def get(self, path: str, **headers: str) -> tuple[int, Json]:
        async with self.session.get(self.base + path, headers=headers) as response:
            return response.status, await response.json()

    async def send(self, method: str, path: str, body: Any, content_type: str = "application/json") -> tuple[int, Json]:
        headers = {"Content-Type": content_type}
        async with self.session.request(method, self.base + path, data=json.dumps(body), headers=headers) as response:
            return response.status, await response.json()


async def connect(cluster: LabCluster, *, certificate: bool = True) -> Client:
    config = json.loads(cluster.kubeconfig.read_text())
    user = config["users"][0]["user"]
    authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"])
    context = ssl.create_default_context(cadata=authority.decode())
    if certificate:
        pem = cluster.folder / "client.pem"
        pem.write_bytes(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
        context.load_cert_chain(pem)
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
    return Client(session, config["clusters"][0]["cluster"]["server"])


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition; AssertionError when it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.01)


def kubectl_path() -> str:
    """Find the kubectl to drive the API with: $KUBECTL or the one on the PATH (Debian: kubernetes-client)."""
    found = os.environ.get("KUBECTL") or shutil.which("kubectl")
    assert found, "these tests drive the demo's API with the real kubectl: install it (Debian: kubernetes-client)"
    return found


async def kubectl(cluster: LabCluster, *argv: str, seconds: float = 20.0) -> tuple[int, str]:
    """Run kubectl against the cluster: (exit status, stdout and stderr)."""
    home = Path(cluster.folder)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(cluster.kubeconfig)}
    process = await asyncio.create_subprocess_exec(
        kubectl_path(), *argv, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(seconds):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
