"""Login: the official client's session with the credentials of a kubeconfig context, whoever speaks through it.

The client (kubernetes.aio) brings auth-providers, proxies and transport. Its import costs 0.35 s, so it happens with
the first request, off the loop. What it leaves open is closed here: impersonation is sent, a plugin that fails is an
error, a 401 makes us log in anew once, keys are never written to files.
"""

import asyncio
import importlib
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from probes.kube import http as shared
from probes.kube.credential import Credential, run_plugin
from probes.kube.errors import (
    ApiError,
    ApiTimeout,
    ApiUnreachable,
    CredentialsFailed,
    KubeconfigInvalid,
    detail,
    from_os,
)
from probes.kube.kubeconfig import Context, Pem, Secret
from probes.kube.tls import tls

_SKEW: Final = 30.0
"""Seconds before its end at which a credential counts as expired."""
_SPARE: Final = 10.0
"""Seconds in which a login that failed is not tried again: some twenty resources would each run the plugin."""


class Session:
    """One official client with the credentials it was opened with, and how many requests are on it."""

    def __init__(self, client: Any, context: Context, expires_at: float | None) -> None:
        self.client = client
        self.context = context
        self.expires_at = expires_at
        self.token_file = shared.TokenFile(context.token_file) if context.token_file else None
        self.users = 0
        self.retired = False
        self.accepted = False
        """Whether the server ever took these credentials."""
        self.opened_at = time.monotonic()

    async def release(self) -> None:
        """Let go of it; the last to go closes a retired one."""
        self.users -= 1
        if self.retired and self.users == 0:
            await self.client.close()


class Login:
    """Opens sessions for one context, keeps one open, and lets go of it when its credentials are no longer taken."""

    def __init__(
        self, context: Context, reload: Callable[[], Context], *, clock: Callable[[], float] = time.time
    ) -> None:
        """``reload`` reads the context anew when its credentials were refused; raises KubeconfigInvalid."""
        self.server = context.server
        self._fresh: Context | None = context
        self._reload = reload
        self._clock = clock
        self._session: Session | None = None
        self._opening = asyncio.Lock()
        self._failed: tuple[float, ApiError] | None = None
        """The last login that failed, and when."""
        _check_proxy(context)

    async def close(self) -> None:
        """End all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.client.close()

    async def lease(self) -> Session:
        """Give the session, opened where there is none; whoever took it calls its ``release``. Raises ApiError."""
        async with self._opening:
            session = self._session
            if session is not None and session.expires_at is not None and session.expires_at - _SKEW < self._clock():
                await self._retire(session)
                session = None
            if session is None:
                session = self._session = await self._log_in()
            session.users += 1
            return session

    async def _log_in(self) -> Session:
        if self._failed is not None and time.monotonic() - self._failed[0] < _SPARE:
            raise type(self._failed[1])(str(self._failed[1])) from self._failed[1]
        context, self._fresh = self._fresh, None
        try:
            session = await self._open(context if context is not None else self._reload())
        except ApiError as error:
            self._failed = (time.monotonic(), error)
            raise
        self._failed = None
        return session

    async def may_log_in_anew(self, refused: Session) -> bool:
        """Forget refused credentials, so that the next request reads the kubeconfig and logs in again.

        False for credentials that are new and were never taken: others like them would be refused as well.
        """
        async with self._opening:
            if self._session is refused:
                if not refused.accepted and time.monotonic() - refused.opened_at < _SPARE:
                    return False
                await self._retire(refused)
        return True

    async def _retire(self, session: Session) -> None:
        self._session = None
        session.retired = True
        if session.users == 0:
            await session.client.close()

    async def _open(self, context: Context) -> Session:
        client_module = await asyncio.to_thread(importlib.import_module, "kubernetes.aio.client")
        credential = await run_plugin(context) if context.exec_plugin is not None else Credential()
        if credential.cert is not None:
            context = msgspec.structs.replace(context, cert=Pem(credential.cert), key=Pem(credential.key))
        configuration = client_module.Configuration(host=context.server)
        configuration.tls_server_name = context.tls_server_name or None
        configuration.proxy = context.proxy_url or None
        configuration.client_session_kwargs = {"trust_env": not _loopback(context.server)}
        bearer = await _bearer(context, credential)
        if bearer:
            configuration.api_key["BearerToken"] = bearer
        client = client_module.ApiClient(configuration)
        if context.server.startswith("https:"):
            client.rest_client.ssl_context = tls(context)  # its own way writes keys to files in /tmp
        return Session(client, context, credential.expires_at)


async def headers_of(session: Session, method: str, path: str, agent: str) -> Any:
    """Merge the client's credentials and ours into one set, in which a name may come more than once."""
    if session.token_file is not None:
        session.client.configuration.api_key["BearerToken"] = f"Bearer {session.token_file.token()}"
    _, _, given, _, _ = await session.client.param_serialize(method, path, auth_settings=["BearerToken"])
    headers = importlib.import_module("multidict").CIMultiDict(given)
    headers["Accept"] = "application/json"
    headers["User-Agent"] = agent
    for name, value in shared.impersonation(session.context.impersonate):
        headers.add(name, value)
    return headers


def lost(error: Exception, server: str, path: str, idle: float) -> ApiError:
    """Turn what a connection died of into our error; the caller chains the cause."""
    aiohttp_errors = aiohttp()
    why = f"{server} does not answer as an API server does: {detail(str(error))}"
    match error:
        case aiohttp_errors.ConnectionTimeoutError():
            why = f"{server} does not answer; check the address, the VPN and the firewall"
        case TimeoutError():
            return ApiTimeout(f"{server}{path} said nothing for {idle:g} s; it is retried")
        case aiohttp_errors.ClientConnectorCertificateError():
            return from_os(error.certificate_error, server)
        case aiohttp_errors.ClientConnectorError():
            return from_os(error.os_error, server)
        case aiohttp_errors.ClientHttpProxyError():
            why = f"the proxy before {server} answered {error.status}; check proxy-url"
        case aiohttp_errors.ClientPayloadError():
            why = f"{server}{path} was cut off in the middle of its answer; it is retried"
        case aiohttp_errors.ServerDisconnectedError():
            why = f"{server} closed the connection without an answer; is it an API server?"
        case OSError():
            return from_os(error, server)
    return ApiUnreachable(why)


def aiohttp() -> Any:
    """Import aiohttp where it is needed first; kubernetes.aio has brought it by then."""
    return importlib.import_module("aiohttp")


def _loopback(server: str) -> bool:
    """Whether environment proxies are passed over for it, as in Go (net/http ProxyFromEnvironment)."""
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_proxy(context: Context) -> None:
    if context.proxy_url and urlsplit(context.proxy_url).scheme not in {"http", "https"}:
        raise KubeconfigInvalid(
            f"proxy-url of context “{detail(context.name)}” is not an http proxy; underlay speaks through those alone"
        )


async def _bearer(context: Context, credential: Credential) -> str:
    """Make the Authorization header of what was given; a token file is read with each request instead."""
    if credential.token is not None:
        return f"Bearer {credential.token.reveal()}"
    if context.auth_provider is not None:
        return await _from_provider(context, context.auth_provider)
    return shared.authorization(context, None) if not context.token_file else ""


async def _from_provider(context: Context, provider: Secret) -> str:
    """Let the official client's loader do oidc and gcp; whatever goes wrong there is CredentialsFailed."""
    loader_module = await asyncio.to_thread(importlib.import_module, "kubernetes.aio.config.kube_config")
    section = provider.reveal()
    name = detail(str(section.get("name")))
    who = f"the auth-provider {name} of context “{detail(context.name)}”"
    if section.get("name") not in {"oidc", "gcp"}:
        raise CredentialsFailed(f"{who} is one that kubectl has given up; use an exec plugin")
    document = {
        "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": context.server}}],
        "users": [{"name": "it", "user": {"auth-provider": section}}],
    }
    loader = loader_module.KubeConfigLoader(document)
    try:
        found = await (loader.load_gcp_token() if name == "gcp" else loader._load_oid_token())  # noqa: SLF001 - no other way in
    except Exception as error:  # the edge of a source: it raises whatever its parts raise
        raise CredentialsFailed(f"{who} gave no token ({type(error).__name__}); log in again with kubectl") from error
    return str(found)
