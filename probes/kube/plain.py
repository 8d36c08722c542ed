"""The API over http.client and ssl alone: what a plain kubeconfig needs, ready in milliseconds.

Each request runs in a daemon thread that holds one kept-alive connection; cancelling a request shuts its socket, so
that no thread outlives it.
"""

import asyncio
import contextlib
import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urlsplit

from probes.kube import http as shared
from probes.kube.errors import AnswerInvalid, ApiError, ApiTimeout, ApiUnreachable, from_os, from_status
from probes.kube.kubeconfig import Context
from probes.kube.tls import tls
from probes.model.text import clean

T = TypeVar("T")

_AT_ONCE: Final = 6
_CHUNK: Final = 1 << 16


class _Connection:
    """One connection to the API; its methods block, and run one at a time in a thread of ``in_thread``."""

    def __init__(self, server: str, security: ssl.SSLContext | None, tls_server_name: str) -> None:
        parts = urlsplit(server)
        host = parts.hostname or ""
        self._address = (host, parts.port or (443 if security else 80))
        self._prefix = parts.path
        self._security = security
        self._name = tls_server_name or host
        self._http = http.client.HTTPConnection(*self._address)
        self._sock: socket.socket | None = None
        """Ours as well as http.client's, which lets go of it with the head of an answer that ends the connection."""
        self._answer: http.client.HTTPResponse | None = None
        self._lock = threading.Lock()
        self._busy = False
        self.used = False
        self.closed = False

    def request(self, line: str, headers: list[tuple[str, str]], limit: float) -> http.client.HTTPResponse:
        """Send a GET and read the head of its answer, connecting where needed; raises OSError, HTTPException."""
        if self._sock is None:
            self._connect(limit)
        self.patience(limit)
        self._http.putrequest("GET", self._prefix + line, skip_accept_encoding=True)
        for name, value in headers:
            self._http.putheader(name, value)
        self._http.endheaders()
        self._answer = self._http.getresponse()
        self.used = True
        return self._answer

    def _connect(self, limit: float) -> None:
        sock = socket.create_connection(self._address, timeout=min(shared.CONNECT_TIMEOUT, limit))
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._security is not None:
                sock = self._security.wrap_socket(sock, server_hostname=self._name)
        except OSError:
            sock.close()
            raise
        with self._lock:
            self._sock = self._http.sock = sock
            if self.closed:
                raise ConnectionAbortedError

    def patience(self, limit: float) -> None:
        """Bound the next read."""
        if self._sock is not None:
            self._sock.settimeout(max(limit, 0.001))

    def close(self) -> None:
        """End it, from any thread: a thread that reads from it ends with an error, and then lets go of it."""
        with self._lock:
            self.closed = True
            if self._sock is not None:
                with contextlib.suppress(OSError):
                    self._sock.shutdown(socket.SHUT_RDWR)
            if not self._busy:
                self._release()

    def _release(self) -> None:
        for part in (self._answer, self._http, self._sock):
            if part is not None:
                with contextlib.suppress(OSError):
                    part.close()

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run a blocking call in a daemon thread, which does not hold up the end of the process."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result: T | None = None
            failure: BaseException | None = None
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits, not to the thread
                failure = error
            with self._lock:
                self._busy = False
                if self.closed:
                    self._release()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, result, failure)

        self._busy = True
        threading.Thread(target=run, name="kube-get", daemon=True).start()
        try:
            return await done
        except asyncio.CancelledError:
            self.close()
            raise


class PlainApi:
    """An API that needs no plugin, no auth-provider and no proxy."""

    def __init__(self, context: Context) -> None:
        """Read the certificates; raises KubeconfigInvalid."""
        self.server = context.server
        self.context = clean(context.name)
        self.latency: float | None = None
        self._context = context
        self._token_file = shared.TokenFile(context.token_file) if context.token_file else None
        self._tls = tls(context) if context.server.startswith("https:") else None
        self._headers = shared.impersonation(context.impersonate)
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def get(self, path: str, query: shared.Query = (), *, timeout: float = shared.GET_TIMEOUT) -> shared.Body:
        """Read one answer whole, within ``timeout`` seconds; raises ApiError."""
        try:
            async with asyncio.timeout(timeout), self._slots:
                return await self._get(path, query, timeout)
        except TimeoutError as error:
            raise ApiTimeout(f"{self.server}{path} did not answer within {timeout:g} s; it is retried") from error

    async def _get(self, path: str, query: shared.Query, timeout: float) -> shared.Body:
        for attempt in range(2):
            connection = self._idle.pop() if self._idle else self._connection()
            reused = connection.used
            try:
                answer, body = await connection.in_thread(partial(self._read, connection, path, query, timeout))
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if reused and attempt == 0 and not isinstance(error, TimeoutError):
                    self._drop_idle()  # the server closed what was kept alive: a GET may be sent again
                    continue
                raise self._lost(error, path, timeout) from error
            except ApiError:
                connection.close()
                raise
            if answer.will_close:
                connection.close()
            else:
                self._idle.append(connection)
            if answer.status == http.HTTPStatus.UNAUTHORIZED and self._token_file and attempt == 0:
                self._token_file.forget()
                continue
            if answer.status != http.HTTPStatus.OK:
                raise from_status(answer.status, body, self.server, path)
            return body
        raise ApiUnreachable(f"{self.server} closes every connection; look at the API server's log")

    async def stream(
        self, path: str, query: shared.Query = (), *, idle: float = shared.IDLE_TIMEOUT
    ) -> AsyncGenerator[bytes, None]:
        """Read an answer that does not end, after an empty chunk when it begins; raises ApiError."""
        connection = self._connection()
        try:
            answer = await connection.in_thread(lambda: self._head(connection, path, query, idle, gzip=False))
            if answer.status != http.HTTPStatus.OK:
                body = await connection.in_thread(lambda: answer.read(_CHUNK))
                raise from_status(answer.status, body, self.server, path)
            yield b""
            while chunk := await connection.in_thread(lambda: answer.read1(_CHUNK)):
                yield chunk
        except (http.client.HTTPException, OSError) as error:
            raise self._lost(error, path, idle) from error
        finally:
            connection.close()

    async def close(self) -> None:
        """End all connections."""
        self._drop_idle()

    def _connection(self) -> _Connection:
        return _Connection(self.server, self._tls, self._context.tls_server_name)

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _head(
        self, connection: _Connection, path: str, query: shared.Query, limit: float, *, gzip: bool
    ) -> http.client.HTTPResponse:
        headers = [("Accept", "application/json"), ("User-Agent", shared.USER_AGENT), *self._headers]
        credentials = shared.authorization(self._context, self._token_file)
        if credentials:
            headers.append(("Authorization", credentials))
        if gzip:
            headers.append(("Accept-Encoding", "gzip"))
        started = time.perf_counter()
        answer = connection.request(shared.target(path, query), headers, limit)
        self.latency = time.perf_counter() - started
        return answer

    def _read(
        self, connection: _Connection, path: str, query: shared.Query, timeout: float
    ) -> tuple[http.client.HTTPResponse, shared.Body]:
        answer = self._head(connection, path, query, timeout, gzip=True)
        inflate = zlib.decompressobj(wbits=31) if answer.headers.get("Content-Encoding") == "gzip" else None
        body = bytearray()
        while chunk := answer.read1(_CHUNK):
            if inflate is not None:
                try:
                    chunk = inflate.decompress(chunk, shared.LARGEST_ANSWER - len(body) + 1)
                except zlib.error as error:
                    raise AnswerInvalid(f"{self.server}{path} sent gzip that cannot be read; it is retried") from error
            body += chunk
            if len(body) > shared.LARGEST_ANSWER:
                raise shared.too_large(self.server, path)
        if answer.length or (inflate is not None and not inflate.eof):
            raise http.client.IncompleteRead(b"")
        answer.read()  # read1 leaves an answer open that has reached its length, and its connection in use
        return answer, body

    def _lost(self, error: Exception, path: str, limit: float) -> ApiError:
        if isinstance(error, TimeoutError) and not isinstance(error, ssl.SSLError) and self.latency is not None:
            return ApiTimeout(f"{self.server}{path} said nothing for {limit:g} s; it is retried")
        if isinstance(error, http.client.IncompleteRead):
            return ApiUnreachable(f"{self.server}{path} was cut off in the middle of its answer; it is retried")
        if isinstance(error, http.client.RemoteDisconnected):
            return ApiUnreachable(f"{self.server} closed the connection without an answer; is it an API server?")
        if isinstance(error, http.client.HTTPException):
            return ApiUnreachable(f"{self.server} does not speak HTTP as an API server does; check the address")
        return from_os(error, self.server) if isinstance(error, OSError) else ApiUnreachable(str(error))
