"""A TLS client without a wire: it says what to send first, and reads what came back from wherever that was sent.

A vantage only has to carry bytes: certificates are read and judged here, against what this machine trusts, and no
secret leaves it. The handshake is never finished, so no server is asked for anything.
"""

import ssl
from functools import cache
from typing import Final

import msgspec

_PADDING: Final = tuple(f"underlay-{number:02d}-{'x' * 200}" for number in range(6))
"""Protocols that no server knows: they make the first message longer than one segment of 1500 bytes carries."""


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
def _context(*, verify: bool, padded: bool) -> ssl.SSLContext:
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
        context = _context(verify=verify, padded=padded)
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
            return Flight(complete=True, version=self._speaker.version() or "", distrust=error.verify_message)
        except ssl.SSLError as error:
            return Flight(refused=(error.reason or str(error)).replace("_", " ").lower())
        version = self._speaker.version() or ""
        if not done:  # of TLS 1.2 the certificates have come, and were believed, once the client answers
            answers = self._out.pending > 0
            if answers and version == "TLSv1.3":
                return Flight(version=version, refused="it asks for another key before it shows its certificates")
            return Flight(complete=answers, version=version if answers else "")
        return Flight(
            complete=True,
            version=version,
            alpn=self._speaker.selected_alpn_protocol() or "",
            certificate=self._speaker.getpeercert(binary_form=True) or b"",
        )

    def _step(self) -> bool:
        try:
            self._speaker.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True
