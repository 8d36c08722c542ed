"""Writes to the Kubernetes API: patch, create, replace, delete and evict, one request each; and reads around them."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec

from probes.kube import http as shared
from probes.kube.errors import ApiError, ApiTimeout, detail, from_status
from probes.kube.kubeconfig import Context
from probes.kube.login import Login, aiohttp, headers_of, lost

AGENT: Final = "underlay (runbooks)"
MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
TIMEOUT: Final = 15.0
_BODY: Final = 64 * 2**20


class Conflict(Exception):
    """What was to be changed has changed meanwhile, or is there already."""


class Forbidding(Exception):
    """An eviction is refused for now: a PodDisruptionBudget, or one that nobody can satisfy; says which."""


class ApiWriter:
    """Writes to one cluster; every error is an ApiError, or a Conflict."""

    def __init__(self, context: Context, reload: Callable[[], Context]) -> None:
        self.server = context.server
        self._login = Login(context, reload)

    async def get(self, path: str, query: shared.Query = ()) -> bytes:
        """Read one object or list."""
        return await self._request("GET", shared.target(path, query), None, "")

    async def patch(self, path: str, patch: Any, kind: str = MERGE) -> bytes:
        """Patch an object."""
        return await self._request("PATCH", shared.target(path, ()), patch, kind)

    async def create(self, path: str, body: Any) -> bytes:
        """Create an object; Conflict where there is one."""
        return await self._request("POST", shared.target(path, ()), body, "application/json")

    async def replace(self, path: str, body: Any) -> bytes:
        """Replace an object of the very resourceVersion that ``body`` has."""
        return await self._request("PUT", shared.target(path, ()), body, "application/json")

    async def delete(self, path: str, *, uid: str, version: str) -> None:
        """Delete the very object of this uid and resourceVersion."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid, "resourceVersion": version},
        }
        await self._request("DELETE", shared.target(path, ()), options, "application/json")

    async def evict(self, namespace: str, name: str, uid: str) -> None:
        """Ask for the eviction of the very pod of this uid; raises Forbidding where it may not go now."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        try:
            await self._evict(path, body)
        except ApiError as error:
            if error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.INTERNAL_SERVER_ERROR}:
                raise Forbidding(str(error)) from error
            raise

    async def _evict(self, path: str, body: dict[str, Any]) -> None:
        try:
            await self._request("POST", path, body, "application/json")
        except ApiError as error:
            # Before Kubernetes 1.22 there is no policy/v1 (kubectl pkg/drain asks discovery; the answer says as much).
            if error.status not in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND} or "policy/v1" not in str(error):
                raise
            await self._request("POST", path, body | {"apiVersion": "policy/v1beta1"}, "application/json")

    async def close(self) -> None:
        """End all connections."""
        await self._login.close()

    async def _request(self, method: str, target: str, body: Any, kind: str) -> bytes:
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self._once(method, target, body, kind, attempt=0)
        except TimeoutError as error:
            raise ApiTimeout(f"{self.server}{target} did not answer within {TIMEOUT:g} s") from error

    async def _once(self, method: str, target: str, body: Any, kind: str, attempt: int) -> bytes:
        session = await self._login.lease()
        try:
            headers = await headers_of(session, method, target, AGENT)
            if kind:
                headers["Content-Type"] = kind
            timeout = aiohttp().ClientTimeout(total=None, sock_connect=shared.CONNECT_TIMEOUT, sock_read=TIMEOUT)
            answer = (
                await session.client.call_api(
                    method, session.client.configuration.host + target, headers, body, _request_timeout=timeout
                )
            ).response
            with contextlib.closing(answer):
                if answer.status != HTTPStatus.UNAUTHORIZED:
                    session.accepted = True
                elif attempt == 0 and await self._login.may_log_in_anew(session):
                    return await self._once(method, target, body, kind, attempt=1)
                raw = bytes(await answer.content.read(_BODY))
                while more := await answer.content.read(_BODY):
                    raw += more
            if answer.status == HTTPStatus.CONFLICT:
                raise Conflict(_message(raw) or f"{target} has changed meanwhile")
            if answer.status >= HTTPStatus.BAD_REQUEST:
                raise _refusal(answer.status, raw, self.server, target)
        except (OSError, aiohttp().ClientError) as error:
            raise lost(error, self.server, target, TIMEOUT) from error
        else:
            return raw
        finally:
            await session.release()


def _message(raw: bytes) -> str:
    try:
        said = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return ""
    return str(said.get("message", "")) if isinstance(said, dict) else ""


def _refusal(status: int, raw: bytes, server: str, target: str) -> ApiError:
    """Say what the API said; its words for a write that is not allowed are not those for a read."""
    error = from_status(status, raw, server, target)
    if status in {HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.NOT_FOUND}:
        said = detail(_message(raw)) or "no reason given"
        told = type(error)(f"the API refuses it: {said}")
        told.status = status
        return told
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        told = type(error)(detail(_causes(raw)) or str(error))
        told.status = status
        return told
    return error


def _causes(raw: bytes) -> str:
    """Read which budget forbids an eviction."""
    try:
        said = json.loads(raw)
        causes = [str(cause.get("message", "")) for cause in said.get("details", {}).get("causes", [])]
    except (ValueError, AttributeError):
        return ""
    return " ".join([str(said.get("message", "")), *causes]).strip()
