"""What can go wrong between us and a Kubernetes API, each as one sentence for the operator.

Errors: ApiError
 ├ KubeconfigInvalid    a kubeconfig that cannot be used as it stands
 ├ CredentialsFailed    an exec plugin or auth-provider gave us nothing to log in with
 ├ ApiUnreachable       no connection, or it ended under the answer
 ├ ApiTimeout           connected, but no whole answer in time
 ├ Unauthorized         401: it does not know who we are
 ├ Restricted           403: it knows, and we may not
 ├ NotInstalled         404: there is no such resource
 ├ Gone                 410: a resourceVersion or continue token that has expired
 ├ Throttled            429: it wants us to come back later
 ├ AnswerInvalid        what came back is not what the API sends
 └ Refused              any other status
"""

import errno
import ssl
from typing import ClassVar, Final

import msgspec

from probes.model.text import clean

_LONGEST_DETAIL: Final = 300


class ApiError(Exception):
    """The API could not be asked; its text is one sentence for the operator."""

    kind: ClassVar[str] = "failed"
    """What ``Failed.kind`` becomes."""
    status: int | None = None
    """The HTTP status, where there was one."""


class KubeconfigInvalid(ApiError):
    """A kubeconfig that is malformed, unreadable, or has no such context."""


class CredentialsFailed(ApiError):
    """Credentials could not be obtained; we never go on without them."""


class ApiUnreachable(ApiError):
    """No connection to the API, or it was lost under the answer."""

    kind = "unreachable"


class ApiTimeout(ApiError):
    """The API did not answer in time."""

    kind = "timeout"


class Unauthorized(ApiError):
    """The API accepts none of our credentials."""

    kind = "restricted"


class Restricted(ApiError):
    """The user may not read this."""

    kind = "restricted"


class NotInstalled(ApiError):
    """The cluster has no such resource."""

    kind = "absent"


class Gone(ApiError):
    """The resourceVersion or continue token is too old; only a new list helps."""


class Throttled(ApiError):
    """The API asks us to come back later."""


class AnswerInvalid(ApiError):
    """The answer is cut, too large, or not of the API."""


class Refused(ApiError):
    """The API answered with another error."""


class _Status(msgspec.Struct):
    """metav1.Status, as much as is told on."""

    message: str | None = None
    reason: str | None = None
    code: int | None = None


def detail(text: str) -> str:
    """Clean outside text for use inside a sentence: one line, bounded, without a full stop."""
    text = clean(" ".join(text.split())).rstrip(". ")
    return text if len(text) <= _LONGEST_DETAIL else text[: _LONGEST_DETAIL - 1] + "…"


def from_status(status: int, body: bytes | bytearray, server: str, path: str) -> ApiError:
    """Turn an HTTP status of 400 and more into our error; ``body`` may be a metav1.Status or anything else."""
    try:
        message = detail(msgspec.json.decode(body, type=_Status).message or "")
    except (msgspec.MsgspecError, UnicodeDecodeError):
        message = ""
    said = f": {message}" if message else ""
    where = f"{server}{path}"
    error: ApiError
    match status:
        case 401:
            error = Unauthorized(f"{server} does not accept the credentials of the kubeconfig{said}; log in again")
        case 403:
            whole = "is forbidden" in message  # the API's own words name resource and user
            what = message if whole else f"reading {path} is not allowed{said or ' for this user'}"
            error = Restricted(f"{what}; ask for list and watch on it")
        case 404:
            error = NotInstalled(f"{path} is not installed in the cluster")
        case 410:
            error = Gone(f"the API no longer has that version of {path}; a new list is needed")
        case 429:
            error = Throttled(f"{server} asks to be left alone for a while{said}; it is retried")
        case 504:
            error = ApiTimeout(f"{where} did not answer in time{said}; it is retried")
        case 400 if b"HTTP request to an HTTPS server" in body:  # net/http's words, and its only ones
            error = Refused(f"{server} speaks TLS: write https:// in the kubeconfig's server")
        case _:
            error = Refused(f"{where} answered {status}{said}; look at the API server's log")
    error.status = status
    return error


def from_status_object(raw: bytes, server: str, path: str) -> ApiError:
    """Turn the Status object of a watch's ERROR event into our error."""
    try:
        status = msgspec.json.decode(raw, type=_Status)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return AnswerInvalid(f"the watch of {server}{path} ended with an error that cannot be read; it is retried")
    expired = status.reason in {"Expired", "Gone"}
    return from_status(410 if expired else status.code or 500, raw, server, path)


def from_os(error: OSError, server: str) -> ApiError:
    """Turn a failed connection into our error; the caller chains the cause."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = detail(error.verify_message or error.reason or "unknown reason")
        return ApiUnreachable(
            f"the certificate of {server} is not trusted: {why}; check certificate-authority and tls-server-name"
        )
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return ApiUnreachable(f"{server} does not answer; check the address, the VPN and the firewall")
    if isinstance(error, ConnectionRefusedError):
        return ApiUnreachable(f"{server} refuses connections; is the API server running there?")
    if isinstance(error, ssl.SSLError):
        return ApiUnreachable(f"no TLS with {server}: {detail(error.reason or str(error))}; is it an API server?")
    why = detail(error.strerror or str(error) or type(error).__name__)
    return ApiUnreachable(f"{server} cannot be reached: {why}; check the address and the network")
