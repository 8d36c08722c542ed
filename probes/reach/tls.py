"""What the certificates that a server shows come to. Pure.

Whether a certificate is believed is OpenSSL's word, against what this machine trusts: a node, containerd or a pod may
trust others.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from probes.model.reach import Tone
from probes.model.text import clean
from probes.reach.hello import Flight
from probes.reach.raw import Raw

Outcome = Literal[
    "ok", "expires-soon", "expired", "wrong-name", "untrusted", "lost", "random", "no-tls", "refused", "unreachable",
    "unassessed",
]  # fmt: skip

SOON: Final = 14 * 86400.0
"""Seconds that a certificate should still be good for: those renewed by machines are renewed long before."""
_NAMES: Final = 8


class Certificate(msgspec.Struct, frozen=True):
    """What a server's own certificate says."""

    names: tuple[str, ...] = ()
    issuer: str = ""
    expires: float = 0.0
    """Seconds since the epoch."""


class Verdict(msgspec.Struct, frozen=True):
    """What the handshakes of one vantage with one server come to."""

    outcome: Outcome
    said: str
    tone: Tone
    reason: str = ""
    phase: str = ""


def read_certificate(der: bytes) -> Certificate | None:
    """Read a certificate in DER; None for what is none."""
    from cryptography import x509  # noqa: PLC0415 - takes long to import

    try:
        found = x509.load_der_x509_certificate(der)
        expires = found.not_valid_after_utc.timestamp()
        issuer = clean(found.issuer.rfc4514_string())[:120]
        alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [*alternatives.get_values_for_type(x509.DNSName)]
        names += [str(each) for each in alternatives.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        return Certificate((clean(found.subject.rfc4514_string())[:120],), issuer, expires)
    except (ValueError, x509.DuplicateExtension):
        return None
    return Certificate(tuple(clean(name)[:80] for name in names[:_NAMES]), issuer, expires)


def judge(host: str, judged: Sequence[tuple[Raw, Flight]], shown: Certificate | None, now: float) -> Verdict:
    """Say what handshakes come to; ``judged``: those whose certificates were held against what this machine trusts."""
    if not judged:
        return Verdict("unassessed", "not assessed", "unknown", "nothing was tried")
    opened = [(raw, flight) for raw, flight in judged if raw.connected is not None]
    if not opened:
        return _unopened(judged[0][0].ended)
    whole = [flight for _, flight in opened if flight.complete]
    if refusal := next((flight.refused for _, flight in opened if flight.refused), ""):
        return Verdict("no-tls", "no TLS", "critical", f"instead of certificates: {clean(refusal)[:120]}", "tls")
    if not whole:
        return _lost(opened)
    if len(whole) < len(judged):
        why = f"{len(judged) - len(whole)} of {len(judged)} handshakes did not bring the certificates"
        return Verdict("random", "comes at times", "critical", why, "tls")
    if distrust := next((flight.distrust for flight in whole if flight.distrust), ""):
        return _distrusted(host, distrust, shown)
    return _believed(shown, now)


def _believed(shown: Certificate | None, now: float) -> Verdict:
    left = shown.expires - now if shown is not None else None
    if left is not None and left < SOON:
        why = f"its certificate expires on {_day(shown)}"
        return Verdict("expires-soon", f"ok, for {max(0, int(left // 86400))} days", "warning", why)
    return Verdict("ok", "ok" if left is None else f"ok, for {int(left // 86400)} days", "ok")


def _unopened(said: str) -> Verdict:
    if "refused" in said.lower():
        return Verdict("refused", "refused", "critical", "nobody listens there", "connect")
    why = "no connection opened in time" if said == "late" else said
    return Verdict("unreachable", "no connection", "critical", why, "connect")


def _lost(opened: Sequence[tuple[Raw, Flight]]) -> Verdict:
    most = max(raw.count for raw, _ in opened)
    ended = [raw.ended for raw, _ in opened]
    if all(each not in {"late", "end", ""} for each in ended):
        return Verdict("lost", "broken off at tls", "critical", f"the connection broke off: {ended[0]}", "tls")
    if most == 0 and "end" in ended:
        return Verdict("no-tls", "no TLS", "critical", "it ended the connection without a word of TLS", "tls")
    came = f"{most} bytes came" if most else "nothing came"
    why = (
        f"connections open, and of the certificates {came}: full-size packets are lost, or the server stalls; "
        "probe tcp tells which"
    )
    return Verdict("lost", "certificates lost", "critical", why, "tls")


def _distrusted(host: str, distrust: str, shown: Certificate | None) -> Verdict:
    words = distrust.lower()
    if "expired" in words:
        return Verdict("expired", "expired", "critical", f"its certificate expired on {_day(shown)}", "tls")
    if "mismatch" in words:
        names = ", ".join(shown.names) if shown is not None and shown.names else "others"
        return Verdict("wrong-name", "wrong name", "critical", f"its certificate is for {names}, not for {host}", "tls")
    by = f", issued by {shown.issuer}" if shown is not None and shown.issuer else ""
    return Verdict("untrusted", "not trusted", "critical", f"{clean(distrust)}{by}", "tls")


def _day(shown: Certificate | None) -> str:
    return datetime.fromtimestamp(shown.expires, UTC).strftime("%Y-%m-%d") if shown is not None else "an unknown day"
