"""A git server's sshd: how it greets, and what its host keys say."""

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.model.reach import Attempt
from probes.reach import sshd
from probes.transports.known_hosts import KnownHosts, KnownKey

WELL = """dns 100.000000 100.010000 198.51.100.10
connect 100.010000 100.030000
banner 100.030000 100.050000 SSH-2.0-OpenSSH_9.2p1\r
"""
MINE, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_a_greeting_has_its_phases() -> None:
    """Name, connection and the server's line, each with its time; the line's end is no part of it."""
    found = sshd.greeted(Completed(("1",), 0, WELL), 5)
    assert found.seconds == pytest.approx({"dns": 0.01, "connect": 0.02, "banner": 0.02})
    assert (found.answer, found.address, found.well) == ("SSH-2.0-OpenSSH_9.2p1", "198.51.100.10", True)


@pytest.mark.parametrize(
    ("lines", "code", "extra", "failed", "reason"),
    [
        (0, 6, "", "dns", "the name does not resolve there"),
        (1, 7, "bash: /dev/tcp/198.51.100.10/22: Connection refused\n", "connect", "Connection refused"),
        (1, 124, "", "connect", "no end within 5 s"),
        (2, 8, "", "banner", "connected, and nothing greets"),
    ],
)
def test_what_fails_is_put_where_it_did(lines: int, code: int, extra: str, failed: str, reason: str) -> None:
    """The first phase without an end is the one that failed, with the system's words."""
    said = "".join(WELL.splitlines(keepends=True)[:lines]) + extra
    found = sshd.greeted(Completed(("1",), code, said), 5)
    assert (found.failed, found.reason) == (failed, reason)


@given(said=st.text(max_size=200), code=st.integers(0, 255))
def test_garbage_is_no_greeting(said: str, code: int) -> None:
    """Whatever a host says, there is an Attempt, and keys are those that are keys."""
    sshd.greeted(Completed(("1",), code, said), 5)
    sshd.scanned(Completed(("1",), code, f"host {said} {said}"))


def test_keys_are_read_and_written_as_ssh_does() -> None:
    """ssh-keyscan's lines, comments left out; a fingerprint is the unpadded SHA-256."""
    said = f"# git.test:22 SSH-2.0-x\ngit.test ssh-ed25519 {MINE}\ngit.test ssh-rsa not-base64\n"
    assert sshd.scanned(Completed(("1",), 0, said)) == {"ssh-ed25519": MINE}
    assert sshd.fingerprint(MINE).startswith("SHA256:")
    assert "=" not in sshd.fingerprint(MINE)


def known(text: str) -> list[KnownKey]:
    read = KnownHosts()
    read.add(text, "known_hosts")
    return read.of_host("git.test", 22)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"git.test ssh-ed25519 {MINE}", "ok"),
        (f"git.test,198.51.100.10 ssh-ed25519 {MINE}", "ok"),
        (f"git.test ssh-ed25519 {OTHER}", "other-host-key"),
        (f"@revoked git.test ssh-ed25519 {MINE}", "other-host-key"),
        (f"git.test ssh-rsa {OTHER}", "unknown-host-key"),
        (f"other.test ssh-ed25519 {MINE}", "unknown-host-key"),
        ("", "unknown-host-key"),
    ],
)
def test_host_keys_are_compared(text: str, outcome: str) -> None:
    """Another key of the same kind is another server; a kind that was never trusted is an unknown one."""
    well = sshd.judge([sshd.greeted(Completed(("1",), 0, WELL), 5)])
    assert sshd.judge_key(well, {"ssh-ed25519": MINE}, known(text), "known_hosts").outcome == outcome


def test_nothing_compared_is_not_well() -> None:
    """Without consent, or without keys to compare, the server is reached and no more."""
    well = sshd.judge([sshd.greeted(Completed(("1",), 0, WELL), 5)])
    assert sshd.judge_key(well, {"ssh-ed25519": MINE}, None, "ask").outcome == "not-compared"
    assert sshd.judge_key(well, {}, known(f"git.test ssh-ed25519 {MINE}"), "x").outcome == "not-compared"


GOOD = Attempt(seconds={"dns": 0.1, "connect": 0.1, "banner": 0.1}, answer="SSH-2.0-x")
LOST = Attempt(seconds={"dns": 0.1}, failed="connect", reason="no end")


@pytest.mark.parametrize(
    ("tries", "outcome"),
    [
        ([GOOD, GOOD], "ok"),
        ([GOOD, LOST], "random"),
        ([LOST, LOST], "fails"),
        ([Attempt(seconds={"banner": 5.0}, answer="SSH-2.0-x")], "slow"),
        ([Attempt(seconds={"banner": 0.1}, answer="HTTP/1.1 400 Bad Request")], "not-ssh"),
        ([Attempt(unable="there is no bash")], "unassessed"),
        ([], "unassessed"),
    ],
)
def test_verdicts(tries: Sequence[Attempt], outcome: str) -> None:
    """What several greetings come to."""
    assert sshd.judge(tries).outcome == outcome
