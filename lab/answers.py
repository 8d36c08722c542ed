"""Answers of the Kubernetes API: JSON bodies and Status objects for what went wrong."""

import json
from typing import Any

from aiohttp import web

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
}


class Refusal(Exception):
    """A request that is answered with a Status."""

    def __init__(self, code: int, message: str, reason: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.body = status(code, message, reason, details)


def status(code: int, message: str, reason: str = "", details: dict[str, Any] | None = None) -> dict[str, Any]:
    """Make a v1 Status of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason or _REASONS.get(code, "InternalError"),
        **({"details": details} if details else {}),
        "code": code,
    }


def success(code: int = 200) -> dict[str, Any]:
    """Make a v1 Status of a success."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}


def answer(body: Any, code: int = 200) -> web.Response:
    """Make a JSON answer; bytes are JSON already."""
    data = body if isinstance(body, bytes) else dump(body)
    return web.Response(body=data, status=code, content_type="application/json")


def dump(body: Any) -> bytes:
    """JSON as the API server writes it: no blanks, a newline at its end."""
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
