"""HTTP from this machine, by httpx: the operator's own vantage needs no program installed."""

import asyncio
import socket
import ssl
import time
from typing import Any, Final

import httpcore
import httpx

from probes.model.text import clean
from probes.reach.http import BODY, Exchange, Version
from probes.reach.naming import looked_up
from probes.reach.request import MOST, Answer, Request

_PHASES: Final = {
    "connection.connect_tcp.complete": "connect",
    "connection.start_tls.complete": "tls",
    "http11.receive_response_headers.complete": "first-byte",
    "http2.receive_response_headers.complete": "first-byte",
}


class _Watch:
    """When each phase of one exchange was completed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.stream: httpcore.AsyncNetworkStream | None = None
        """The connection, whose end nobody else sees to where its TLS handshake is cancelled."""
        self._last = time.perf_counter()

    def note(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds.setdefault(phase, now - self._last)
        self._last = now

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        if name in _PHASES:
            self.note(_PHASES[name])
        if name == "connection.connect_tcp.complete":
            self.stream = info.get("return_value")

    async def close(self) -> None:
        if self.stream is not None:
            await self.stream.aclose()


async def exchange(url: str, version: Version, *, seconds: float, context: ssl.SSLContext) -> Exchange:
    """Ask for the first 128 KiB of a URL by one version of HTTP; no proxy, no redirect, ``seconds`` at the most."""
    return (await answer(Request(url, version, first=BODY), seconds=seconds, context=context)).exchange


async def answer(request: Request, *, seconds: float, context: ssl.SSLContext) -> Answer:
    """Send a request; no proxy, no redirect, ``seconds`` at the most, and no more of a body than was asked for."""
    url, version = request.url, request.version
    watch = _Watch()
    seen: dict[str, Any] = {}
    heard: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            await _ask(httpx.URL(url), request, context, watch, seen, heard)
        failed, reason = "", ""
    except TimeoutError:
        failed, reason = _next(watch, url), f"no end within {seconds:g} s"
    except socket.gaierror as error:
        failed, reason = "dns", clean(error.strerror or str(error))
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        failed, reason = _next(watch, url), clean(str(error) or type(error).__name__)[:200]
    finally:
        await watch.close()
    if failed:
        watch.seconds.pop(failed, None)
    return Answer(Exchange(version, seconds=watch.seconds, failed=failed, reason=reason, **seen), **heard)


async def _ask(
    url: httpx.URL,
    request: Request,
    context: ssl.SSLContext,
    watch: _Watch,
    seen: dict[str, Any],
    heard: dict[str, Any],
) -> None:
    port = url.port or (443 if url.scheme == "https" else 80)
    address = await looked_up(url.host, port)
    seen["address"] = address
    watch.note("dns")
    headers = {"Host": url.netloc.decode(), "User-Agent": "underlay", "Accept-Encoding": "identity"}
    headers |= dict(request.headers)
    if request.first:
        headers["Range"] = f"bytes=0-{request.first - 1}"
    most = request.keep or request.first or MOST
    extensions = {"trace": watch.trace, "sni_hostname": url.host}
    transport = httpx.AsyncHTTPTransport(verify=context, http2=request.version == "2", trust_env=False)
    async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as client:  # noqa: S113 - ours is
        built = client.build_request(
            request.method,
            url.copy_with(host=address),
            headers=headers,
            content=request.body.encode() if request.method == "POST" else None,
            extensions=extensions,
        )
        response = await client.send(built, stream=True)
        try:
            seen["status"] = response.status_code
            seen["spoken"] = "2" if response.http_version == "HTTP/2" else "1.1"
            heard["headers"] = {name.lower(): value for name, value in response.headers.items()}
            seen["body"] = 0
            kept = bytearray()
            async for chunk in response.aiter_raw():
                seen["body"] += len(chunk)
                kept += chunk[: request.keep - len(kept)]
                if seen["body"] >= most:
                    break
            watch.note("transfer")
            heard["text"] = kept.decode("utf-8", "replace")
        finally:
            await response.aclose()


def _next(watch: _Watch, url: str) -> str:
    """Give the phase that was under way."""
    phases = ["dns", "connect", *(["tls"] if url.startswith("https:") else []), "first-byte", "transfer"]
    return next((phase for phase in phases if phase not in watch.seconds), "transfer")
