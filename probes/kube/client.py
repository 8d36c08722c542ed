"""The seam to one Kubernetes API: get and stream. There is no verb here that writes."""

import os
from collections.abc import AsyncGenerator
from typing import Final, Protocol

from probes.kube.http import GET_TIMEOUT, IDLE_TIMEOUT, Body, Query
from probes.kube.kubeconfig import Context, Kubeconfig, plain

_PROXIES: Final = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
"""Where a proxy may be set for every program; only the official client speaks through one."""


class Api(Protocol):
    """Reads from one cluster; every error is an ApiError."""

    @property
    def server(self) -> str:
        """Where the API is, for messages."""

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context."""

    @property
    def latency(self) -> float | None:
        """Seconds between the last request and the head of its answer; None before the first."""

    async def get(self, path: str, query: Query = (), *, timeout: float = GET_TIMEOUT) -> Body:
        """Read one answer whole, within ``timeout`` seconds."""

    def stream(self, path: str, query: Query = (), *, idle: float = IDLE_TIMEOUT) -> AsyncGenerator[bytes, None]:
        """Read an answer that does not end, chunk by chunk.

        The first chunk is empty: it says that the server accepted. ``idle`` seconds without a chunk raise ApiTimeout.
        """

    async def close(self) -> None:
        """End all connections."""


def connect(kubeconfig: Kubeconfig, name: str | None = None, *, watch: bool = False) -> Api:
    """Make the API of a context; it connects with its first request. Raises KubeconfigInvalid.

    A plain context that is read only once is served without the official client, whose import alone takes longer
    than a whole ``status``; ``watch`` asks for the official one.
    """
    context = kubeconfig.context(name)
    if not watch and is_plain(context):
        from probes.kube.plain import PlainApi  # noqa: PLC0415 - http.client and ssl: 40 ms, only where they are used

        return PlainApi(context)
    from probes.kube.official import OfficialApi  # noqa: PLC0415 - kubernetes and aiohttp: 350 ms, likewise

    return OfficialApi(context, reload=lambda: kubeconfig.reread().context(context.name))


def is_plain(context: Context) -> bool:
    """Tell whether the API of a context is read once without the official client: by no plugin and no proxy."""
    return plain(context) and not any(os.environ.get(name) for name in _PROXIES)
