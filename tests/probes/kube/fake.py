"""A Kubernetes API that says what a test tells it to, over real HTTP or TLS on a port of its own."""

import asyncio
import contextlib
import datetime
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Reply = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Asked(msgspec.Struct):
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: list[tuple[str, str]]
    peer: str

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]


class FakeApi:
    """Lists with paging, discovery, and watches out of a script."""

    def __init__(self) -> None:
        self.url = ""
        self.lists: dict[str, list[Any]] = {}
        self.groups: dict[str, dict[str, list[tuple[str, str]]]] = {}
        """Group -> version -> (plural, kind)."""
        self.version = "100"
        self.asked: list[Asked] = []
        self.once: dict[str, list[Reply]] = {}
        """Replies that go before everything else, each once."""
        self.always: dict[str, Reply] = {}
        self.watches: dict[str, list[Reply]] = {}
        """What the next watches of a path do; after the last one a watch stays open and says nothing."""
        self.token = ""
        self.closing = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        headers = [(k, v) for k, v in request.headers.items()]
        cert = request.transport.get_extra_info("peercert") if request.transport else None
        peer = dict(pair for (pair,) in cert["subject"]).get("commonName", "") if cert else ""
        self.asked.append(Asked(request.method, path, dict(request.query), headers, peer))
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return status(401, "Unauthorized")
        if self.once.get(path):
            return await self.once[path].pop(0)(request)
        if path in self.always:
            return await self.always[path](request)
        if path == "/apis":
            groups = [{"name": g, "versions": [{"version": v} for v in vs]} for g, vs in self.groups.items()]
            return web.json_response({"kind": "APIGroupList", "groups": groups})
        group, _, version = path.removeprefix("/apis/").partition("/")
        if version in self.groups.get(group, {}):
            resources = [{"name": p, "kind": k, "verbs": ["list"]} for p, k in self.groups[group][version]]
            return web.json_response({"kind": "APIResourceList", "resources": resources})
        if path not in self.lists:
            return status(404, "the server could not find the requested resource")
        if request.query.get("watch") == "true":
            script = self.watches.get(path)
            return await (script.pop(0) if script else lines())(request)
        return self.page(request)

    def accept(self, token: str) -> None:
        """Answer 401 to every other token from now on."""
        self.token = token

    def page(self, request: web.Request) -> web.Response:
        """Answer a list as the real one pages it."""
        objects = self.lists[request.path]
        start, limit = int(request.query.get("continue", "0")), int(request.query.get("limit", "0")) or len(objects)
        meta = {"resourceVersion": self.version}
        if start + limit < len(objects):
            meta["continue"] = str(start + limit)
        return web.json_response({"metadata": meta, "items": objects[start : start + limit]})

    @contextlib.asynccontextmanager
    async def serve(self, security: ssl.SSLContext | None = None) -> AsyncIterator["FakeApi"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.2, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=security).start()
        scheme = "https" if security else "http"
        self.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.closing.set()
            await runner.cleanup()

    def paths(self) -> list[str]:
        """Name the paths that were asked, in order."""
        return [asked.path for asked in self.asked]


def status(code: int, message: str, reason: str = "") -> web.Response:
    """Make a metav1.Status."""
    body = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
    return web.json_response(body, status=code)


def refuse(code: int, message: str = "no") -> Reply:
    """Reply with a status."""

    async def reply(request: web.Request) -> web.StreamResponse:
        return status(code, message)

    return reply


def body(data: bytes, **headers: str) -> Reply:
    """Reply with bytes as they are."""

    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return reply


def hang(api: FakeApi) -> Reply:
    """Never reply."""

    async def reply(request: web.Request) -> web.StreamResponse:
        await api.closing.wait()
        return web.Response()

    return reply


def event(kind: str, name: str, version: str, **more: Any) -> bytes:
    """Write a watch event of an object that has little but a name."""
    return json.dumps(
        {"type": kind, "object": {"metadata": {"name": name, "resourceVersion": version}, **more}}
    ).encode()


def bookmark(version: str, *, initial_end: bool = False) -> bytes:
    """Write a BOOKMARK event."""
    annotations = {"k8s.io/initial-events-end": "true"} if initial_end else {}
    meta = {"resourceVersion": version, "annotations": annotations}
    return json.dumps({"type": "BOOKMARK", "object": {"kind": "Node", "metadata": meta}}).encode()


def error_event(code: int, reason: str) -> bytes:
    """Write an ERROR event."""
    return json.dumps({"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": reason}}).encode()


def lines(*events: bytes, end: str = "open", gate: asyncio.Event | None = None) -> Reply:
    """Reply as a watch: these events, then ``open`` until the server goes, a clean ``close``, or ``cut`` in two."""

    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for line in events:
            await response.write(line + b"\n")
        if end == "cut":
            if gate is not None:
                await gate.wait()
            assert request.transport is not None
            request.transport.abort()
        elif end == "open":
            await asyncio.Event().wait()  # the handler is cancelled when either side goes
        return response

    return reply


class Pki:
    """A cluster's own CA, a server certificate for 127.0.0.1 and a client certificate."""

    def __init__(self, folder: Path, *, ca_key_identifier: bool = True) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issuer = _name("cluster-ca")
        self.ca = self._sign(self._issuer, self._key, ca=True, identifiers=ca_key_identifier)
        self.server_cert, self.server_key = self._issue("kube-apiserver", folder / "server.pem")
        self.client_cert, self.client_key = self._issue("operator", folder / "client.pem")
        self.server_pem = folder / "server.pem"
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self.ca)

    def server_context(self) -> ssl.SSLContext:
        """Make the server's side, which asks for a client certificate and takes none as well."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=self.ca.decode())
        context.load_cert_chain(self.server_pem)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def _issue(self, name: str, path: Path) -> tuple[bytes, bytes]:
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(_name(name), key, ca=False, identifiers=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(cert + pem)
        return cert, pem

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool, identifiers: bool) -> bytes:
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if identifiers:
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        if not ca:
            names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("kubernetes.default")]
            uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
            builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
