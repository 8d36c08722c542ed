"""Certificates as seen from real vantages: whole and believed, or lost, or for somebody else."""

import pytest

from tests.testbed import hostile, roads
from tests.testbed.cluster import Testbed
from tests.testbed.probing import WEB, outcomes, probe

pytestmark = pytest.mark.testbed


@pytest.fixture(autouse=True)
def _trusted(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine trust the outside world's certificates."""
    monkeypatch.setenv("SSL_CERT_FILE", str(testbed.ca))


def test_certificates_come_and_are_believed(testbed: Testbed) -> None:
    """From operator, nodes and pods the same certificate, whole, believed, with what it says."""
    roads.forget(testbed)
    status, read = probe(testbed, "tls", WEB)
    assert (status, outcomes(read), len(read["results"])) == (0, {"ok"}, 7)
    for each in read["results"]:
        assert (each["facts"]["version"], each["lost"]) == ("TLSv1.2", 0)
        assert WEB in each["facts"]["names"]
        assert {"connect", "tls"} == set(each["attempts"][0]["seconds"])
    assert len({each["facts"]["expires"] for each in read["results"]}) == 1


def test_another_name_is_told(testbed: Testbed) -> None:
    """A certificate that is good for others: wrong name, with whose it is."""
    status, read = probe(testbed, "tls", "198.51.100.10", "--from", "node", "-n", "1")
    assert (status, outcomes(read)) == (2, {"wrong-name"})
    assert all(WEB in each["reason"] for each in read["results"])


def test_an_unknown_issuer_is_told(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine does not trust who issued it: not trusted, with the issuer."""
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
    status, read = probe(testbed, "tls", WEB, "--from", "pod", "-n", "1")
    assert (status, outcomes(read)) == (2, {"untrusted"})
    assert all("issued by" in each["reason"] for each in read["results"])


def test_certificates_that_never_come_are_lost(testbed: Testbed) -> None:
    """A server that takes a hello and says nothing: lost at tls, in time; one that speaks no TLS is told from it."""
    with hostile.serving(testbed, "stall", 8446):
        status, read = probe(testbed, "tls", f"{WEB}:8446", "-n", "2", "--from", "operator,node")
    assert (status, outcomes(read)) == (2, {"lost"})
    assert {each["phase"] for each in read["results"]} == {"tls"}
    status, read = probe(testbed, "tls", f"{WEB}:80", "-n", "1", "--from", "node")
    assert (status, outcomes(read)) == (2, {"no-tls"})
    status, read = probe(testbed, "tls", "nosuch.outside.test", "-n", "1", "--from", "node")
    assert (status, outcomes(read)) == (3, {"unassessed"})
    assert all("does not resolve" in each["reason"] for each in read["results"])
