"""A registry that asks for a token and keeps its blobs elsewhere; run as ``-m tests.testbed.wharf KIND PORT CERT KEY``.

In front of the outside world's real registry it does what the large ones do: a challenge, a token, a redirect.
"""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from aiohttp import web

from tests.testbed import topology
from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError

HOST: Final = "registry.outside.test"
BLOBS: Final = "web.outside.test"
BEHIND: Final = "http://127.0.0.1:5000"
TOKEN: Final = "c2VjcmV0"  # noqa: S105 - anybody gets it
SLOW_SECONDS: Final = 3.2
SIGNATURE: Final = "signature=c2lnbmVk"


class Wharf:
    """The registry and, on the next port, the host of its blobs."""

    def __init__(self, kind: str, port: int) -> None:
        self._kind = kind
        self._port = port

    async def challenge(self, request: web.Request) -> web.StreamResponse:
        """``GET /v2/``, and whatever comes without a token."""
        if request.path == "/token":
            if self._kind == "denied":
                return web.Response(status=403)
            assert request.query["scope"].endswith(":pull")
            return web.json_response({"token": TOKEN})
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="https://{HOST}:{self._port}/token",service="{HOST}"'
            return web.Response(status=401, headers={"WWW-Authenticate": realm})
        if self._kind == "limited":
            return web.Response(status=429)
        if "/blobs/" in request.path:
            if self._kind == "late":
                await asyncio.sleep(SLOW_SECONDS)
            to = f"https://{BLOBS}:{self._port + 1}{request.path}?{SIGNATURE}"
            return web.Response(status=307, headers={"Location": to})
        response = await self._behind(request)
        response.headers["ratelimit-limit"] = "100;w=21600"
        response.headers["ratelimit-remaining"] = "98;w=21600"
        return response

    async def blob(self, request: web.Request) -> web.StreamResponse:
        """Give a blob to whoever has the signed URL and shows no token to this host."""
        if "Authorization" in request.headers or request.query_string != SIGNATURE:
            return web.Response(status=400)
        if self._kind == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if self._kind == "trickle":
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b"x")
                await asyncio.sleep(0.2)
        return await self._behind(request)

    async def _behind(self, request: web.Request) -> web.Response:
        told = {name: request.headers[name] for name in ("Accept", "Range") if name in request.headers}
        async with (
            aiohttp.ClientSession() as client,
            client.request(request.method, BEHIND + request.path, headers=told) as answer,
        ):
            kept = ("Content-Type", "Docker-Content-Digest", "Content-Range")
            headers = {name: answer.headers[name] for name in kept if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=headers)


async def _serve(kind: str, port: int, certificate: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    wharf = Wharf(kind, port)
    for number, handler in ((port, wharf.challenge), (port + 1, wharf.blob)):
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handler)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, topology.WORLD_ADDRESS, number, ssl_context=context).start()
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextmanager
def harbouring(bed: Testbed, kind: str, port: int) -> Iterator[str]:
    """Run one in the outside world; gives its host, with its port."""
    pki = bed.machines.pki
    files = (str(pki.path("world", "crt")), str(pki.path("world", "key")))
    argv = bed.fabric.inside("world", (sys.executable, "-m", "tests.testbed.wharf", kind, str(port), *files))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise TestbedError(f"the registry {kind} did not start")
            yield f"{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
