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
    watch = _Watch()
    seen: dict[str, Any] = {}
    try:
        async with asyncio.timeout(seconds):
            await _ask(httpx.URL(url), version, context, watch, seen)
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
    return Exchange(version, seconds=watch.seconds, failed=failed, reason=reason, **seen)


async def _ask(url: httpx.URL, version: Version, context: ssl.SSLContext, watch: _Watch, seen: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    port = url.port or (443 if url.scheme == "https" else 80)
    found = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    seen["address"] = address
    watch.note("dns")
    headers = {"Host": url.netloc.decode(), "Range": f"bytes=0-{BODY - 1}", "User-Agent": "underlay"}
    extensions = {"trace": watch.trace, "sni_hostname": url.host}
    transport = httpx.AsyncHTTPTransport(verify=context, http2=version == "2", trust_env=False)
    async with httpx.AsyncClient(transport=transport, timeout=None, trust_env=False) as client:  # noqa: S113 - ours is
        request = client.build_request("GET", url.copy_with(host=address), headers=headers, extensions=extensions)
        response = await client.send(request, stream=True)
        try:
            seen["status"] = response.status_code
            seen["spoken"] = "2" if response.http_version == "HTTP/2" else "1.1"
            seen["body"] = 0
            async for chunk in response.aiter_raw():
                seen["body"] += len(chunk)
                if seen["body"] >= BODY:
                    break
            watch.note("transfer")
        finally:
            await response.aclose()


def _next(watch: _Watch, url: str) -> str:
    """Give the phase that was under way."""
    phases = ["dns", "connect", *(["tls"] if url.startswith("https:") else []), "first-byte", "transfer"]
    return next((phase for phase in phases if phase not in watch.seconds), "transfer")
