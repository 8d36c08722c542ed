"""What both clients share: the request's headers and the bounds of an answer."""

import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from probes.kube.errors import AnswerInvalid, CredentialsFailed, detail
from probes.kube.kubeconfig import Context, Impersonation

Query = Sequence[tuple[str, str]]

Body = bytes | bytearray
"""An answer as it came, gathered in place: a page of nodes is megabytes, and joining parts would hold them twice."""

USER_AGENT: Final = "underlay (read-only)"
CONNECT_TIMEOUT: Final = 5.0
"""Seconds for TCP and TLS together, each."""
GET_TIMEOUT: Final = 30.0
"""Seconds for one whole answer."""
IDLE_TIMEOUT: Final = 90.0
"""Seconds without a byte after which a stream counts as lost; bookmarks come about once a minute."""
LARGEST_ANSWER: Final = 256 * 2**20
"""Bytes; a page of 500 pods is about 4 MB."""
_TOKEN_FILE_AGE: Final = 60.0
"""Seconds a token file is believed; client-go rest/token_source.go rereads it each minute."""


def target(path: str, query: Query) -> str:
    """Join path and query as they go on the request line."""
    return f"{quote(path, safe='/:')}?{urlencode(query)}" if query else quote(path, safe="/:")


def impersonation(who: Impersonation) -> list[tuple[str, str]]:
    """Spell out as, as-groups, as-uid and as-user-extra (client-go transport/round_trippers.go)."""
    if not who.user:
        return []
    headers = [("Impersonate-User", who.user)]
    headers += [("Impersonate-Group", group) for group in who.groups]
    if who.uid:
        headers.append(("Impersonate-Uid", who.uid))
    for key, values in who.extra:
        name = f"Impersonate-Extra-{quote(key, safe='')}"
        headers += [(name, value) for value in values]
    return headers


class TokenFile:
    """A bearer token that somebody else renews in a file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._token = ""
        self._read_at = float("-inf")

    def token(self) -> str:
        """Read the token, anew when what we have is a minute old; raises CredentialsFailed."""
        now = time.monotonic()
        if not self._token or now - self._read_at > _TOKEN_FILE_AGE:
            try:
                token = Path(self._path).read_text("ascii").strip()
            except (OSError, ValueError) as error:
                why = detail(getattr(error, "strerror", None) or "it is not text")
                raise CredentialsFailed(
                    f"the token file {detail(self._path)} cannot be read: {why}; check tokenFile in the kubeconfig"
                ) from error
            if not token or not token.isprintable():
                raise CredentialsFailed(f"the token file {detail(self._path)} holds no token; renew it")
            self._token, self._read_at = token, now
        return self._token

    def forget(self) -> None:
        """Read the file at the next request: the token was refused."""
        self._read_at = float("-inf")


def authorization(context: Context, token_file: TokenFile | None) -> str:
    """Make the Authorization header; empty for a client certificate. A token file goes before a token."""
    if token_file is not None:
        return f"Bearer {token_file.token()}"
    if context.token is not None:
        return f"Bearer {context.token.reveal()}"
    if context.basic is not None:
        return f"Basic {base64.b64encode(context.basic.reveal().encode()).decode()}"
    return ""


def too_large(server: str, path: str) -> AnswerInvalid:
    """Say that an answer went over its bound."""
    return AnswerInvalid(f"{server}{path} answered more than {LARGEST_ANSWER // 2**20} MiB; it was not read to its end")
