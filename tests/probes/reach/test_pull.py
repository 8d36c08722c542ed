"""What a pull says, in containerd's and cri-tools' own words, and what several come to."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.model.reach import Attempt
from probes.reach import pull

R = "registry.test/shop/web:1.0"
UNPACK = f'pulling image: rpc error: code = Unknown desc = failed to pull and unpack image "{R}": '
RESOLVE = f'{UNPACK}failed to resolve reference "{R}": failed to do request: Head "https://registry.test/v2/": '


@pytest.mark.parametrize(
    ("text", "phase", "word"),
    [
        (f"{RESOLVE}net/http: TLS handshake timeout", "tls", ""),
        (f"{RESOLVE}dial tcp 192.0.2.1:443: i/o timeout", "connect", ""),
        (f"{RESOLVE}dial tcp 192.0.2.1:443: connect: connection refused", "connect", ""),
        (f"{RESOLVE}dial tcp: lookup registry.test on 10.43.0.10:53: no such host", "dns", ""),
        (f"{RESOLVE}dial tcp: lookup registry.test on 10.43.0.10:53: read udp: i/o timeout", "dns", ""),
        (f"{RESOLVE}x509: certificate signed by unknown authority", "tls", ""),
        (f"{RESOLVE}EOF", "manifest", ""),
        (f"{UNPACK}failed to copy: httpReadSeeker: failed open: failed to do request: Get https://x", "blob", ""),
        (f"{UNPACK}failed to authorize: failed to fetch anonymous token: unexpected status: 403", "token", ""),
        (f"{UNPACK}pull access denied, repository does not exist: insufficient_scope", "", "denied"),
        (f"{UNPACK}unexpected status from HEAD request to https://x: 429 Too Many Requests", "", "rate-limited"),
        (f"{UNPACK}{R}: not found", "", "no-image"),
        ("something else", "pull", ""),
    ],
)
def test_messages_are_put_where_they_happened(text: str, phase: str, word: str) -> None:
    """Each class of containerd's messages; what is unknown is of the pull."""
    assert pull.classify(text) == (phase, word)
    found = pull.read(Completed(("pull",), 1, f"FATA[0010] {text}\ntook 1.0 11.0\n"), 60)
    assert (found.failed, found.answer) == (phase, word or "ok")


def test_a_pull_has_its_time() -> None:
    """And whether the image was there before it."""
    said = "present\nImage is up to date for sha256:0123\ntook 100.0 102.5\n"
    found = pull.read(Completed(("pull",), 0, said), 60)
    assert (found.seconds, found.answer, found.variant) == ({"pull": 2.5}, "ok", "pull of an image that was there")


@pytest.mark.parametrize(
    ("code", "said", "why"),
    [(127, "", "no k3s and no crictl"), (1, "sudo: a password is required\ntook 1 1\n", "sudo asks for a password")],
)
def test_a_node_that_cannot_pull_says_nothing_of_the_way(code: int, said: str, why: str) -> None:
    """It is not assessed, with the reason."""
    assert why in pull.read(Completed(("pull",), code, said), 60).unable


@given(said=st.text(max_size=200), code=st.integers(0, 255))
def test_garbage_is_no_pull(said: str, code: int) -> None:
    """Whatever a node says, there is an Attempt, and none without crictl's own word is well."""
    found = pull.read(Completed(("pull",), code, said), 60)
    assert not found.seconds or "Image is up to date for" in said


GOOD = Attempt(seconds={"pull": 2.0}, answer="ok")
LOST = Attempt(failed="tls", reason="TLS handshake timeout", answer="ok")


@pytest.mark.parametrize(
    ("tries", "outcome", "phase"),
    [
        ([GOOD, GOOD], "ok", ""),
        ([GOOD, LOST], "random", "tls"),
        ([LOST, LOST], "fails", "tls"),
        ([Attempt(seconds={"pull": 90.0}, answer="ok")], "slow", "pull"),
        ([Attempt(answer="no-image", reason="not found")], "no-image", ""),
        ([Attempt(unable="no k3s")], "unassessed", ""),
        ([], "unassessed", ""),
    ],
)
def test_verdicts(tries: Sequence[Attempt], outcome: str, phase: str) -> None:
    """What several pulls come to."""
    found = pull.judge(tries)
    assert (found.outcome, found.phase) == (outcome, phase)
