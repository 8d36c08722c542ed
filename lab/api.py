"""The Kubernetes API of the demo cluster."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from lab import discovery, execution, reads, tables, writes
from lab.answers import Refusal, answer, status
from lab.kinds import KINDS, Kind
from lab.store import ConflictError, ExistsError, NotFoundError
from lab.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_READS: Final = frozenset(("GET", "HEAD"))
_PLAIN: Final = {"/livez": "ok", "/readyz": "ok", "/healthz": "ok", "/ping": "pong"}


@dataclass(frozen=True)
class Audit:
    """A request that could have changed something."""

    at: float
    method: str
    path: str
    agent: str
    code: int
    dry_run: bool


@dataclass
class Api:
    """The API server over a world; ``audit`` lists every request that was not a read."""

    world: World
    without: frozenset[str] = frozenset()
    """Groups whose operator is not installed."""
    forbidden: frozenset[str] = frozenset()
    """Kinds, as ``pods`` or ``leases.coordination.k8s.io``, that the client may not read or write."""
    bookmark_seconds: float = 60.0
    k3s: str = "v1.34.1+k3s1"
    audit: list[Audit] = field(default_factory=list)
    _open: set[asyncio.Transport] = field(default_factory=set)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is served."""
        return tuple(kind for kind in KINDS if kind.group not in self.without)

    def app(self) -> web.Application:
        """Make the application to serve."""
        app = web.Application(middlewares=[self._guard], client_max_size=4_000_000)
        app.router.add_route("*", "/{tail:.*}", self._route)
        return app

    def follow_servers(self) -> None:
        """Cut what is open whenever the last server's k3s stops, as its end does."""
        for machine in self.world.nodes.values():
            machine.dependents.add(self._judge)

    def _judge(self) -> None:
        if not self.world.api_serves:
            for transport in tuple(self._open):
                transport.abort()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Ask for a client certificate (k3s sets anonymous-auth=false), record writes, answer errors as Status."""
        transport = request.transport
        if transport is None:
            raise web.HTTPServiceUnavailable
        if not self.world.api_serves:
            transport.abort()
            raise web.HTTPServiceUnavailable
        self._open.add(transport)
        try:
            known = transport.get_extra_info("peercert")
            response = await handler(request) if known else answer(status(401, "Unauthorized"), 401)
        except Refusal as refusal:
            response = answer(refusal.body, refusal.code)
        except NotFoundError as error:
            response = answer(status(404, str(error)), 404)
        except ExistsError as error:
            response = answer(status(409, str(error), "AlreadyExists"), 409)
        except ConflictError as error:
            response = answer(status(409, str(error)), 409)
        finally:
            self._open.discard(transport)
        if request.method not in _READS and not request.path.endswith("reviews"):
            dry_run = request.query.get("dryRun") == "All"
            agent = request.headers.get("User-Agent", "")
            self.audit.append(
                Audit(self.world.clock(), request.method, request.path, agent, response.status, dry_run),
            )
        return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        path = request.path.rstrip("/") or "/"
        if path in _PLAIN:
            text = "".join(f"[+]{name} ok\n" for name in ("ping", "log", "etcd", "etcd-readiness"))
            verbose = "verbose" in request.query and path != "/ping"
            return web.Response(text=f"{text}{path[1:]} check passed\n" if verbose else _PLAIN[path])
        found = self._discover(path)
        if found is not None:
            return answer(found)
        if path == "/openapi/v2":
            return web.Response(body=discovery.OPENAPI, content_type="application/octet-stream")
        words = path.split("/")[1:]
        if words[-1].endswith("reviews") and request.method == "POST":
            kind = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "metadata": {}}
            return answer(kind | {"spec": {}, "status": {"allowed": True}}, 201)
        if words[-1] == "exec" and len(words) == 7:  # noqa: PLR2004 - api/v1/namespaces/NAME/pods/NAME/exec
            return await execution.serve(request, self.world, words[3], words[5])
        return await self._resource(request, words)

    def _discover(self, path: str) -> dict[str, Any] | None:
        match path.split("/")[1:]:
            case ["version"]:
                return discovery.version(self.k3s)
            case ["api"]:
                return discovery.core("127.0.0.1")
            case ["apis"]:
                return discovery.groups(self.kinds)
            case ["api", "v1"]:
                return discovery.resources(self.kinds, "v1")
            case ["apis", group]:
                return discovery.group(self.kinds, group)
            case ["apis", group, version]:
                return discovery.resources(self.kinds, f"{group}/{version}")
        return None

    async def _resource(self, request: web.Request, words: list[str]) -> web.StreamResponse:
        kind, namespace, name, sub = self._locate(words)
        if kind is None:
            raise Refusal(404, "the server could not find the requested resource")
        if kind.qualified in self.forbidden:
            raise Refusal(403, f'{kind.qualified} is forbidden: User "demo" cannot {request.method.lower()} it')
        if sub and sub not in kind.subresources:
            raise Refusal(404, "the server could not find the requested resource")
        store = self.world.store
        if request.method in _READS:
            if request.query.get("watch") in {"true", "1"}:
                query = reads.Query.of(request, kind, namespace, name)
                return await reads.watch_objects(request, store, query, self.bookmark_seconds)
            if name:
                return self._get(request, kind, namespace, name)
            return await reads.list_objects(request, store, reads.Query.of(request, kind, namespace))
        return await writes.write(request, self.world, kind, writes.Target(namespace, name, sub))

    def _get(self, request: web.Request, kind: Kind, namespace: str, name: str) -> web.Response:
        entry = self.world.store.get(kind, namespace, name)
        if reads.Query.of(request, kind, namespace).as_table:
            meta = {"resourceVersion": str(entry.revision)}
            return answer(tables.table(kind, [entry.obj], meta, self.world.clock()))
        return answer(entry.body)

    def _locate(self, words: list[str]) -> tuple[Kind | None, str, str, str]:
        """Take a path apart: kind, namespace, name and subresource."""
        if words[:2] == ["api", "v1"]:
            version, rest = "v1", words[2:]
        elif words[0] == "apis" and len(words) > 3:  # noqa: PLR2004 - apis/GROUP/VERSION/…
            version, rest = f"{words[1]}/{words[2]}", words[3:]
        else:
            return None, "", "", ""
        namespace = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:  # noqa: PLR2004 - namespaces/NAME/…
            namespace, rest = rest[1], rest[2:]
        found = (
            next((k for k in self.kinds if k.api_version == version and k.plural == rest[0]), None) if rest else None
        )
        name, sub = (*rest[1:], "", "")[:2]
        return found, namespace, name, sub
