"""The known_hosts of a Flux Secret: all that is ever read of a Secret, and only when an operator allows it."""

import base64
import binascii
from typing import Final

import msgspec

from probes.kube.client import Api
from probes.kube.errors import ApiError

_LARGEST: Final = 256 * 1024


class NotRead(Exception):
    """The known_hosts could not be read; its text is one sentence for the operator."""


class _Data(msgspec.Struct):
    """Of the keys of a Secret this one; what the others hold is never decoded."""

    known_hosts: str = ""


class _Secret(msgspec.Struct):
    data: _Data | None = None


async def read_known_hosts(api: Api, namespace: str, name: str) -> str:
    """Read the lines of known_hosts in a Secret; raises NotRead."""
    where = f"Secret {namespace}/{name}"
    try:
        raw = await api.get(f"/api/v1/namespaces/{namespace}/secrets/{name}", timeout=10.0)
        data = msgspec.json.decode(raw, type=_Secret).data or _Data()
        text = base64.b64decode(data.known_hosts, validate=True).decode("utf-8", "replace")
    except ApiError as error:
        raise NotRead(f"{where} cannot be read: {error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise NotRead(f"{where} is not as a Secret is") from error
    if not text.strip():
        raise NotRead(f"{where} has no known_hosts")
    return text[:_LARGEST]
