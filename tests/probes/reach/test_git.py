"""git: what is asked, what comes back, and what several fetches come to."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.reach import git
from probes.reach.cloning import judge_fetches
from probes.reach.http import Exchange
from probes.reach.request import Answer
from tests.tui.terminal.tmux import alive, until

BEFORE = Exchange("2", "2", 200, "192.0.2.1", {"dns": 0.1, "connect": 0.1, "tls": 0.1, "refs": 0.1})
GOOD = "took 100.00 101.50\npack 526000\nhead 0123\nCloning into bare repository '/tmp/x'...\n"
CANCELLED = """took 100.00 101.50
pack 0
head
error: RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)
error: 1234 bytes of body are still expected
fatal: early EOF
"""
STALLED = """took 100.00 130.10
pack 0
head
Receiving objects:  12% (1/8)
Receiving objects:  42% (3/8), 1.20 MiB | 300.00 KiB/s
"""


def test_a_clone_is_one_exchange_with_what_came_before() -> None:
    """Its phases follow those of info/refs, its body is the pack."""
    found = git.cloned(Completed(("1",), 0, GOOD), BEFORE, 30)
    assert (found.failed, found.body, found.seconds["clone"]) == ("", 526000, 1.5)
    assert list(found.seconds) == ["dns", "connect", "tls", "refs", "clone"]


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (128, CANCELLED, "RPC failed; curl 92 HTTP/2 stream 5 was not closed cleanly: CANCEL (err 8)"),
        (124, STALLED, "no end within 30 s: 42 % of the objects, 1.20 MiB received by then"),
        (124, "took 1 31\npack 0\nhead\n", "no end within 30 s: nothing received by then"),
        (128, "took 1 2\nfatal: repository 'x' not found\n", "repository 'x' not found"),
    ],
)
def test_a_clone_that_fails_says_why(code: int, said: str, reason: str) -> None:
    """git's first error counts, what follows is its echo; one that ran out of time tells how far it came."""
    found = git.cloned(Completed(("1",), code, said), BEFORE, 30)
    assert (found.failed, found.reason) == ("clone", reason)


def test_a_pack_that_is_too_large_is_well() -> None:
    """A pack stopped at its limit has shown that the way carries it."""
    said = "took 1 9\npack 0\nfatal: write error: File too large\n"
    found = git.cloned(Completed(("1",), 128, said), BEFORE, 30)
    assert (found.failed, found.body, found.reason) == ("", git.LARGEST, git.STOPPED)


@pytest.mark.parametrize(
    ("code", "why"), [(127, "no git"), (97, "temporary folder"), (98, "cut off"), (255, "cut off")]
)
def test_a_host_that_cannot_clone_says_nothing_of_the_way(code: int, why: str) -> None:
    """No git, no room, ended from outside: not assessed."""
    assert why in git.cloned(Completed(("1",), code, ""), BEFORE, 30).unable


@given(said=st.text(max_size=200), code=st.integers(0, 255))
def test_garbage_is_no_clone(said: str, code: int) -> None:
    """Whatever a host says, there is an Exchange."""
    git.cloned(Completed(("1",), code, said), BEFORE, 30)
    git.cloned(Completed(("1",), code, f"took {said} {said}\npack {said}"), BEFORE, 30)


def test_requests_are_as_the_protocol_has_them() -> None:
    """pkt-lines carry their own length (gitprotocol-common); a fetch wants one commit and one commit deep."""
    asked = git.ls_refs("https://example.test/a.git", "2")
    assert (asked.url, asked.method) == ("https://example.test/a.git/git-upload-pack", "POST")
    assert asked.body == "0014command=ls-refs\n00010014ref-prefix HEAD\n0000"
    fetch = git.fetching("https://example.test/a.git", "2", "a" * 40).body
    assert fetch == f"0012command=fetch\n00010010no-progress\n0032want {'a' * 40}\n000ddeepen 1\n0009done\n0000"


@pytest.mark.parametrize(
    ("text", "commit"),
    [
        (f"0032{'b' * 40} HEAD\n0000", "b" * 40),
        (f"0052{'b' * 40} HEAD symref-target:refs/heads/main\n0000", "b" * 40),
        ("0000", ""),
        ("<html>HEAD</html>", ""),
    ],
)
def test_the_head_is_read(text: str, commit: str) -> None:
    """What HEAD names stands before it; an empty repository has none."""
    assert git.head_of(Answer(Exchange("2", status=200), text=text)) == commit


@pytest.mark.parametrize(
    ("location", "to"),
    [
        ("https://other.test/A/b.git/info/refs?service=git-upload-pack", "https://other.test/A/b.git"),
        ("/moved/b.git/info/refs?service=git-upload-pack", "https://example.test/moved/b.git"),
        ("https://other.test/login", ""),
        ("ssh://other.test/b.git/info/refs", ""),
        ("file:///etc/info/refs", ""),
        ("", ""),
    ],
)
def test_a_redirect_leads_to_a_repository_or_nowhere(location: str, to: str) -> None:
    """Only http URLs of the same request count; nothing else is ever asked."""
    answer = Answer(Exchange("2", status=301), {"location": location})
    assert git.redirected("https://example.test/a/b.git", answer) == to


def test_a_url_is_asked_without_its_secrets() -> None:
    """User, password and query of a URL go nowhere."""
    assert git.spelled("https://user:pass@example.test:8443/a.git?t=1#x") == "https://example.test:8443/a.git"
    for odd in ("ssh://example.test/a", "https:///a", "example.test/a"):
        with pytest.raises(ValueError, match="no http URL"):
            git.spelled(odd)


FINE = Exchange("1.1", "1.1", 200, seconds={"refs": 0.1, "clone": 1.0}, body=526000)
CUT = Exchange("2", "2", 200, seconds={"refs": 0.1}, failed="clone", reason="CANCEL")
LOCKED = Exchange("1.1", "1.1", 401, seconds={"refs": 0.1})
LONG = Exchange("1.1", "1.1", 200, seconds={"refs": 0.1, "clone": 40.0}, body=2**20)
LARGE = Exchange("1.1", "1.1", 200, seconds={"refs": 0.1, "clone": 40.0}, body=2**26)


@pytest.mark.parametrize(
    ("exchanges", "outcome", "phase"),
    [
        ([FINE, CUT, FINE, CUT], "h2-only-fails", "clone"),
        ([FINE, FINE], "ok", ""),
        ([LOCKED, LOCKED], "login", ""),
        ([Exchange("2", "2", 404)], "refused", ""),
        ([Exchange("2", "2", 503)], "refused", ""),
        ([LONG, LONG], "slow", "clone"),
        ([LARGE, LARGE], "ok", ""),
        ([Exchange("2", unable="there is no git there")], "unassessed", ""),
        ([], "unassessed", ""),
    ],
)
def test_verdicts(exchanges: Sequence[Exchange], outcome: str, phase: str) -> None:
    """A login asked for is no failure and no health; a large pack may take its time."""
    found, word = judge_fetches(exchanges)
    assert (word, found.phase) == (outcome, phase)


def program(path: Path, text: str) -> None:
    """Put a program in place of another."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mktemp", 'd=$(/usr/bin/mktemp "$@"); kill -TERM "$PPID"; echo "$d"'),
        ("git", 'mkdir "$HOME/r"; (trap "" TERM; sleep 60) & echo $! >"$FORKED"; kill -TERM "$SCRIPT"; sleep 60'),
    ],
    ids=["while the folder is made", "while git has children that do not listen"],
)
def test_told_to_end_a_clone_leaves_nothing(tmp_path: Path, name: str, text: str) -> None:
    """Whenever the script is told to end, its folder is gone with it, and so is whatever git started."""
    programs, own, forked = tmp_path / "bin", tmp_path / "tmp", tmp_path / "forked"
    programs.mkdir()
    own.mkdir()
    program(programs / "git", "exit 1")
    program(programs / name, text)
    sh, option, script, *rest = git.cloning("http://127.0.0.1:1/x.git", "1.1", 30)
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "TMPDIR": str(own), "FORKED": str(forked)}
    argv = (sh, option, f"SCRIPT=$$; export SCRIPT\n{script}", *rest)
    done = subprocess.run(argv, env=environ, capture_output=True, timeout=30, check=False)
    assert done.returncode == 98
    assert list(own.iterdir()) == []
    assert not forked.exists() or until(lambda: not alive(int(forked.read_text())))
