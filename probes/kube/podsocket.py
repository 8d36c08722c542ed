"""A websocket to a process in a container, the API's exec: it starts something, so it is no part of the client."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlencode

from probes.kube import http as shared
from probes.kube.errors import ApiError
from probes.kube.kubeconfig import Context
from probes.kube.login import Login, aiohttp, headers_of
from probes.kube.tls import tls
from probes.model.text import clean
from probes.transports.base import CommandRefused, ConfigRefused, LoginRefused, TransportError, Unreachable

_PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_LARGEST: Final = 4 * 1024 * 1024


class PodSockets:
    """Starts commands in the containers of one cluster's pods, each over a connection of its own."""

    def __init__(self, context: Context, reload: Callable[[], Context]) -> None:
        self._login = Login(context, reload)
        self._client: Any = None

    async def dial(self, namespace: str, pod: str, argv: Sequence[str]) -> "PodSocket":
        """Start a command in a pod's default container; raises TransportError."""
        where = f"{namespace}/{pod}"
        query = [*(("command", each) for each in argv), ("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
        path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec"
        try:
            session = await self._login.lease()
        except ApiError as error:
            raise LoginRefused(str(error)) from error
        try:
            context = session.context
            if context.tls_server_name:
                raise ConfigRefused("tls-server-name of the kubeconfig is not honoured by exec: probe by SSH instead")
            headers = await headers_of(session, "GET", path, shared.USER_AGENT)
            if self._client is None:
                self._client = aiohttp().ClientSession(trust_env=False)
            secure = {"ssl": tls(context)} if context.server.startswith("https:") else {}
            socket = await self._client.ws_connect(
                f"{context.server.rstrip('/')}{path}?{urlencode(query)}",
                headers=headers,
                protocols=_PROTOCOLS,
                max_msg_size=_LARGEST,
                heartbeat=15.0,
                proxy=context.proxy_url or None,
                **secure,
            )
        except (OSError, aiohttp().ClientError) as error:
            raise _refused(error, where, self._login.server) from error
        finally:
            await session.release()
        return PodSocket(socket)

    async def close(self) -> None:
        """End all connections."""
        if self._client is not None:
            await self._client.close()
        await self._login.close()


class PodSocket:
    """One of them."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def receive(self) -> bytes | None:
        """Wait for a message; None at the end."""
        kinds = aiohttp().WSMsgType
        while True:
            message = await self._socket.receive()
            if message.type == kinds.BINARY:
                return bytes(message.data)
            if message.type in {kinds.CLOSE, kinds.CLOSING, kinds.CLOSED, kinds.ERROR}:
                return None

    async def send(self, message: bytes) -> None:
        """Send a message."""
        await self._socket.send_bytes(message)

    async def close(self) -> None:
        """End the connection."""
        await self._socket.close()


def _refused(error: Exception, where: str, server: str) -> TransportError:
    status = getattr(error, "status", 0)
    if status == HTTPStatus.FORBIDDEN:
        return CommandRefused(f"you may not start commands in {where}: that needs the verb create on pods/exec")
    if status == HTTPStatus.NOT_FOUND:
        return CommandRefused(f"the cluster has no pod {where}: give exec:NAMESPACE/POD")
    return Unreachable(f"{server} does not open a way into {where}: {clean(str(error))[:160]}")
