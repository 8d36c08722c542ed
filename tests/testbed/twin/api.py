"""A small client of the Kubernetes API on the standard library: what the twin and the seeding need."""

import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
NOT_FOUND, CONFLICT = 404, 409


class ApiError(Exception):
    """An answer of the API that is no success; `status` is the HTTP status, 0 where nothing answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}" if status else message)
        self.status = status


@dataclass(frozen=True)
class Access:
    """Where an API is and what proves who asks: host, port and the paths of CA, certificate and key."""

    host: str
    port: int
    ca: str
    cert: str
    key: str
    agent: str

    def connect(self, timeout: float) -> http.client.HTTPSConnection:
        """Open nothing yet: a connection that verifies the server against the CA."""
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)


class Api:
    """One kept-open connection for one thread; `watch` opens its own."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._connection = access.connect(timeout=10)

    def request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> dict[str, Any]:
        """Send one request, give the decoded answer; ApiError for every status from 400 and for a dead wire."""
        headers = {"Accept": JSON, "User-Agent": self.access.agent}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        try:
            self._connection.request(method, path, data, headers)
            answer = self._connection.getresponse()
            payload = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ApiError(0, f"{method} {path}: {error}") from error
        if answer.status >= http.client.BAD_REQUEST:
            raise ApiError(answer.status, f"{method} {path}: {payload[:500].decode(errors='replace')}")
        decoded: dict[str, Any] = json.loads(payload) if payload[:1] == b"{" else {}
        return decoded

    def get(self, path: str) -> dict[str, Any] | None:
        """One object, or None where there is none."""
        try:
            return self.request("GET", path)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def watch(self, path: str, seconds: int = 300) -> Iterator[tuple[str, dict[str, Any]]]:
        """List, then watch: yields ("LISTED", list) first, then (type, object) until the server ends the watch."""
        listed = self.request("GET", path)
        yield "LISTED", listed
        version = listed["metadata"]["resourceVersion"]
        joint = "&" if "?" in path else "?"
        connection = self.access.connect(timeout=seconds + 15)
        try:
            connection.request(
                "GET",
                f"{path}{joint}watch=true&resourceVersion={version}&timeoutSeconds={seconds}",
                headers={"Accept": JSON, "User-Agent": self.access.agent},
            )
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise ApiError(answer.status, f"watch {path}")
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event["type"], event["object"]
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ApiError(0, f"watch {path}: {error}") from error
        finally:
            connection.close()
