"""A TLS client without a wire: it says what to send first, and reads what came back from wherever that was sent.

A vantage only has to carry bytes: certificates are read and judged here, against what this machine trusts, and no
secret leaves it. The handshake is never finished, so no server is asked for anything.
"""

import os
import ssl
from functools import cache
from typing import Final

import msgspec

_PADDING: Final = tuple(f"underlay-{number:02d}-{'x' * 200}" for number in range(6))
"""Protocols that no server knows: they make the first message longer than one segment of 1500 bytes carries."""
_HANDSHAKE, _CERTIFICATE = 22, 11
"""Of a record, and of a message in it (RFC 5246 sections 6.2.1 and 7.4)."""

_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891")
"""How a HelloRetryRequest begins to call itself (RFC 8446 section 4.1.3)."""
_VERSIONS: Final = {1: "TLSv1", 2: "TLSv1.1", 3: "TLSv1.2"}


class Flight(msgspec.Struct, frozen=True):
    """What a server's first answer came to."""

    complete: bool = False
    """Whether its certificates came in whole."""
    version: str = ""
    """``TLSv1.3``; empty where the handshake did not come that far."""
    alpn: str = ""
    certificate: bytes = b""
    """The server's own, in DER; empty where it did not come or was not believed."""
    distrust: str = ""
    """Why the certificate is not to be believed, in OpenSSL's words; empty where it is, or was not judged."""
    refused: str = ""
    """What the server said instead of a handshake, in OpenSSL's words."""


@cache
def _context(trusted: str, *, verify: bool, padded: bool) -> ssl.SSLContext:  # noqa: ARG001 - OpenSSL reads it
    context = ssl.create_default_context() if verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verify:  # what is not believed is shown, and nothing is sent to it
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2", "http/1.1", *(_PADDING if padded else ())])
    return context


class Hello:
    """One handshake's beginning.

    ``verify``: whether the certificate is held against what this machine trusts. ``padded``: make it longer than one
    segment of 1500 bytes carries, so that a full-size one leaves.
    """

    def __init__(self, host: str, *, verify: bool, padded: bool = False) -> None:
        context = _context(os.environ.get("SSL_CERT_FILE", ""), verify=verify, padded=padded)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._speaker = context.wrap_bio(self._in, self._out, server_hostname=host)
        self._step()
        self.sent = self._out.read()
        """What a client sends first."""

    def read(self, answer: bytes) -> Flight:
        """Read what a server answered; may be done once."""
        self._in.write(answer)
        try:
            done = self._step()
        except ssl.SSLCertVerificationError as error:
            return Flight(complete=True, distrust=error.verify_message)
        except ssl.SSLError as error:
            return Flight(refused=(error.reason or str(error)).replace("_", " ").lower())
        if not done:  # of TLS 1.2 the certificates have come, and were believed, once the client answers
            if _RETRY in answer[:60]:
                return Flight(version="TLSv1.3", refused="it asks for another key before it shows its certificates")
            answers = self._out.pending > 0
            return Flight(answers, _version(answer) if answers else "", certificate=_first(answer) if answers else b"")
        return Flight(
            complete=True,
            version=self._speaker.version() or "",
            alpn=self._speaker.selected_alpn_protocol() or "",
            certificate=self._speaker.getpeercert(binary_form=True) or b"",
        )

    def _step(self) -> bool:
        try:
            self._speaker.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


def _version(answer: bytes) -> str:
    """Read the version of a first answer before TLS 1.3: that of its ServerHello (RFC 5246 section 7.4.1.3)."""
    return _VERSIONS.get(answer[10], "") if len(answer) > 10 else ""  # noqa: PLR2004 - record 5, message 4, version 2


def _first(answer: bytes) -> bytes:
    """Take the server's own certificate out of a first answer of TLS 1.2, which says it in clear (RFC 5246 7.4.2)."""
    said = bytearray()
    at = 0
    while at + 5 <= len(answer) and answer[at] == _HANDSHAKE:
        length = int.from_bytes(answer[at + 3 : at + 5])
        said += answer[at + 5 : at + 5 + length]
        at += 5 + length
    at = 0
    while at + 4 <= len(said):
        length = int.from_bytes(said[at + 1 : at + 4])
        if said[at] == _CERTIFICATE:
            size = int.from_bytes(said[at + 7 : at + 10])
            return bytes(said[at + 10 : at + 10 + size])
        at += 4 + length
    return b""
