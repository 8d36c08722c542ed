"""What the testbed stands on and needs no root for: package sources, names, the rule of when it must run."""

import os
from pathlib import Path

import pytest

from tests.testbed import debian, fixtures, state
from tests.testbed.commands import TestbedError, wait_until

DEB822 = """\
# the archive
Types: deb
URIs: http://archive.test/debian
Suites: trixie trixie-updates
Components: main contrib
Signed-By: /usr/share/keyrings/archive.gpg

Types: deb
URIs: http://archive.test/security
Suites: trixie-security
Components: main
"""
ONE_LINE = """\
# deb http://commented.test/debian trixie main
deb-src http://sources.test/debian trixie main
deb [arch=amd64 signed-by=/etc/apt/keyrings/other.gpg] http://other.test/packages stable main
deb [arch=amd64] http://archive.test/debian trixie main
"""


@pytest.mark.parametrize(
    ("path", "text", "signed_by"),
    [
        ("sources.list.d/debian.sources", DEB822, "/usr/share/keyrings/archive.gpg"),
        ("sources.list", ONE_LINE, ""),
        ("sources.list.d/debian.list", ONE_LINE, ""),
    ],
)
def test_the_archive_is_found_in_both_formats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, text: str, signed_by: str
) -> None:
    """The machine's own release's main archive is taken, no other suite, no source-only or commented line."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / path).write_text(text)
    monkeypatch.setattr(debian, "APT", tmp_path)
    monkeypatch.setattr(debian, "release", lambda: {"ID": "debian", "VERSION_CODENAME": "trixie"})
    assert debian.archive() == debian.Source("http://archive.test/debian", signed_by)


def test_no_archive_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a source of the release the error says what is missing and what to do."""
    monkeypatch.setattr(debian, "APT", tmp_path)
    with pytest.raises(TestbedError, match=r"no source of Debian .* main in .*: add the archive to sources\.list"):
        debian.archive()


@pytest.mark.parametrize("ident", ["", "a-b", "UPPER", "../etc", "a" * 13, "ä"])
def test_a_name_that_cannot_be_one_is_refused(ident: str) -> None:
    """A testbed's name becomes part of paths and namespaces: only a-z and 0-9."""
    with pytest.raises(TestbedError, match="cannot name a testbed"):
        state.folder(ident)


def test_where_ci_is_set_a_testbed_must_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root on Debian a test skips with its reason; with CI set the same is a failure."""
    monkeypatch.setattr(fixtures, "available", lambda: "the testbed needs root")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="the testbed needs root"):
        fixtures.require_testbed()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI is set, but the testbed needs root"):
        fixtures.require_testbed()


def test_waiting_ends() -> None:
    """A condition that never holds ends with what was waited for."""
    with pytest.raises(TestbedError, match=r"the moon: not within 0\.1 s"):
        wait_until(lambda: False, 0.1, "the moon")


def test_a_process_that_is_gone_orphans_its_testbed() -> None:
    """Process id and start time together name the owner; a reused id does not count."""
    own = state.born(os.getpid())
    assert own.isdigit()
    assert not state.State(2, 1.0, os.getpid(), own).orphaned
    assert state.State(2, 1.0, os.getpid(), "1").orphaned
    assert not state.State(2, 1.0).orphaned
