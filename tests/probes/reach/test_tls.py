"""Certificates: what handshakes come to, and each kind of distrust by its own name."""

import subprocess
from pathlib import Path

import pytest

from probes.reach.hello import Flight
from probes.reach.raw import Raw
from probes.reach.tls import SOON, Certificate, judge, read_certificate

NOW = 1_700_000_000.0
GOOD = Certificate(("web.test",), "CN=ca", NOW + 90 * 86400)
WHOLE = (Raw(0.01, 0.02, 0.3, "end", 3000), Flight(complete=True, version="TLSv1.3"))
STALLED = (Raw(0.01, None, 4.0, "late", 0), Flight())
PART = (Raw(0.01, 0.02, 4.0, "late", 130), Flight())
CUT = (Raw(0.01, None, 0.1, "Connection reset by peer", 0), Flight())


def distrusted(words: str) -> tuple[Raw, Flight]:
    return WHOLE[0], Flight(complete=True, distrust=words)


@pytest.mark.parametrize(
    ("judged", "shown", "outcome", "words"),
    [
        ([WHOLE, WHOLE], GOOD, "ok", ""),
        ([WHOLE], None, "ok", ""),
        ([WHOLE], Certificate(("web.test",), "CN=ca", NOW + SOON - 1), "expires-soon", "2023-11-28"),
        ([STALLED, STALLED], None, "lost", "nothing came"),
        ([PART, STALLED], None, "lost", "130 bytes came"),
        ([CUT, CUT], None, "lost", "broke off"),
        ([WHOLE, STALLED], GOOD, "random", "1 of 2"),
        ([(Raw(0.01, 0.02, 0.1, "end", 20), Flight(refused="wrong version number"))], None, "no-tls", "wrong version"),
        ([(Raw(0.01, None, 0.1, "end", 0), Flight())], None, "no-tls", "without a word"),
        ([distrusted("certificate has expired")], Certificate((), "", NOW), "expired", "2023-11-14"),
        ([distrusted("Hostname mismatch, certificate is not valid")], GOOD, "wrong-name", "for web.test, not for it"),
        ([distrusted("unable to get local issuer certificate")], GOOD, "untrusted", "issued by CN=ca"),
        ([(Raw(ended="Connection refused"), Flight())], None, "refused", "nobody listens"),
        ([(Raw(ended="late"), Flight())], None, "unreachable", "in time"),
        ([], None, "unassessed", "nothing"),
    ],
)
def test_verdicts(judged: list[tuple[Raw, Flight]], shown: Certificate | None, outcome: str, words: str) -> None:
    """What is lost is not taken for what is wrong, and each kind of wrong is told with what shows it."""
    found = judge("it", judged, shown, NOW)
    assert found.outcome == outcome
    assert words in found.reason


def test_a_certificate_is_read(tmp_path: Path) -> None:
    """Names, issuer and end come from the certificate itself; what is none is told."""
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=x", "-addext", "subjectAltName=DNS:a.test,DNS:b.test,IP:192.0.2.1", "-days", "3"]
    files = ["-outform", "DER", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "der")]
    subprocess.run([*argv, *names, *files], check=True, capture_output=True, timeout=20)
    found = read_certificate((tmp_path / "der").read_bytes())
    assert found is not None
    assert (found.names, found.issuer) == (("a.test", "b.test", "192.0.2.1"), "CN=x")
    assert read_certificate(b"\x30\x03abc") is None
