"""The API over the official client's session: plugins, auth-providers, proxies, and watches that stay open.

The client's answers are taken raw, and a watch has no total time limit.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, Final

from probes.kube import http as shared
from probes.kube.errors import ApiTimeout, from_status
from probes.kube.kubeconfig import Context
from probes.kube.login import Login, Session, aiohttp, headers_of, lost
from probes.model.text import clean

_BODY_OF_ERROR: Final = 1 << 16


class OfficialApi:
    """An API of any kubeconfig."""

    def __init__(
        self, context: Context, reload: Callable[[], Context], *, clock: Callable[[], float] = time.time
    ) -> None:
        """``reload`` reads the context anew when its credentials were refused; raises KubeconfigInvalid."""
        self.server = context.server
        self.context = clean(context.name)
        self.latency: float | None = None
        self._login = Login(context, reload, clock=clock)

    async def get(self, path: str, query: shared.Query = (), *, timeout: float = shared.GET_TIMEOUT) -> shared.Body:
        """Read one answer whole, within ``timeout`` seconds; raises ApiError."""
        try:
            async with asyncio.timeout(timeout), self._answer(path, query, idle=timeout) as answer:
                body = bytearray()
                async for part in self._chunks(answer, path, timeout):
                    body += part
                    if len(body) > shared.LARGEST_ANSWER:
                        raise shared.too_large(self.server, path)
                return body
        except TimeoutError as error:
            raise ApiTimeout(f"{self.server}{path} did not answer within {timeout:g} s; it is retried") from error

    async def stream(
        self, path: str, query: shared.Query = (), *, idle: float = shared.IDLE_TIMEOUT
    ) -> AsyncGenerator[bytes, None]:
        """Read an answer that does not end, after an empty chunk when it begins; raises ApiError."""
        async with self._answer(path, query, idle=idle) as answer:
            yield b""
            async for part in self._chunks(answer, path, idle):
                yield part

    async def close(self) -> None:
        """End all connections."""
        await self._login.close()

    @contextlib.asynccontextmanager
    async def _answer(self, path: str, query: shared.Query, *, idle: float) -> AsyncIterator[Any]:
        """Ask, logging in anew once after a 401; the answer is closed at the end, whatever was read of it."""
        for attempt in range(2):
            session = await self._login.lease()
            answer = None
            try:
                answer = await self._ask(session, path, query, idle)
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    session.accepted = True
                elif attempt == 0 and await self._login.may_log_in_anew(session):
                    continue
                if answer.status != HTTPStatus.OK:
                    body = await answer.content.read(_BODY_OF_ERROR)
                    raise from_status(answer.status, body, self.server, path)
                yield answer
                return  # noqa: TRY300 - an else block would leave errors of the reading unmapped
            except (OSError, aiohttp().ClientError) as error:
                raise lost(error, self.server, path, idle) from error
            finally:
                if answer is not None:
                    answer.close() if not answer.content.at_eof() else answer.release()
                await session.release()

    async def _ask(self, session: Session, path: str, query: shared.Query, idle: float) -> Any:
        headers = await headers_of(session, "GET", path, shared.USER_AGENT)
        timeout = aiohttp().ClientTimeout(
            total=None, sock_connect=shared.CONNECT_TIMEOUT, sock_read=idle, connect=2 * shared.CONNECT_TIMEOUT
        )
        started = time.perf_counter()
        answer = await session.client.call_api(
            "GET", session.client.configuration.host + shared.target(path, query), headers, _request_timeout=timeout
        )
        self.latency = time.perf_counter() - started
        return answer.response

    async def _chunks(self, answer: Any, path: str, idle: float) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.content.iter_any():
                yield chunk
        except (OSError, aiohttp().ClientError) as error:
            raise lost(error, self.server, path, idle) from error
