"""A journal holds what a crash must not take: synced, private, one writer, and readable up to its last whole line."""

import fcntl
import os
from pathlib import Path

import pytest

from runbooks.events import Answer, Ask, RunEnded, StepEnded, StepHappened
from runbooks.journal import (
    Answered,
    AnyRecord,
    Based,
    Intended,
    Journal,
    JournalError,
    Told,
    find,
    journals,
    progress,
    read,
)
from runbooks.plan import Plan
from runbooks.report import report
from runbooks.sight import Mark, Stood
from tests.probes.worlds import AT
from tests.runbooks.test_plan import made

STEP = "01-restart-unit-samwise"


@pytest.fixture
def plan() -> Plan:
    return made(given={"nodes": "samwise"})


def opened(folder: Path, plan: Plan) -> Journal:
    return Journal.create(folder, plan, who="ops@laptop", at=AT)


def test_what_is_written_is_read_back(tmp_path: Path, plan: Plan) -> None:
    """Every kind of record comes back equal, and the fold tells how far the run is."""
    journal = opened(tmp_path / "runs", plan)
    records: list[AnyRecord] = [
        Answered(AT, Ask("step", STEP, "Do it?", ("confirm",), "samwise"), Answer("confirm", "samwise")),
        Based(AT, {"path-mtu samwise": Stood("waiting", "lost", ("samwise to theoden",))}),
        Intended(AT + 1, STEP, Mark(AT, "k3s", "a" * 32, 0), ("samwise: systemd-run",)),
        Told(AT + 2, StepHappened(AT + 2, STEP, "its effect is there")),
        Told(AT + 3, StepEnded(AT + 3, STEP, "done")),
        Told(AT + 4, RunEnded(AT + 4, "completed", "All done.")),
    ]
    for record in records:
        journal.write(record)
    journal.close()
    assert read(journal.path)[1:] == records
    far = progress(read(journal.path))
    assert (far.plan, far.who, far.end, far.open) == (plan, "ops@laptop", "completed", False)
    assert far.intended[STEP].mark.invocation_id == "a" * 32
    assert far.happened == frozenset({STEP})
    assert far.ended[STEP] == "done"
    assert far.baseline == {"path-mtu samwise": Stood("waiting", "lost", ("samwise to theoden",))}
    told = report(read(journal.path))
    assert "step 1: sent `samwise: systemd-run`" in told
    assert "step 1 ended: **done**" in told


def test_it_is_private_and_nobody_elses(tmp_path: Path, plan: Plan) -> None:
    """Mode 0600 in a folder of 0700; a second process cannot take up a run that is being run, nor begin its file."""
    journal = opened(tmp_path / "runs", plan)
    assert oct(journal.path.stat().st_mode & 0o777) == "0o600"
    assert oct(journal.path.parent.stat().st_mode & 0o777) == "0o700"
    with pytest.raises(JournalError, match="being run by another process"):
        Journal.reopen(journal.path, who="ops@laptop", at=AT)
    with pytest.raises(JournalError, match="cannot be written"):
        opened(tmp_path / "runs", plan)
    journal.close()
    again, far = Journal.reopen(journal.path, who="ops@laptop", at=AT)
    again.close()
    assert far.open


def test_a_line_that_was_cut_off_was_never_written(tmp_path: Path, plan: Plan) -> None:
    """What a crash left of a record goes when the run is taken up again; a broken one in the middle is told."""
    journal = opened(tmp_path, plan)
    journal.close()
    whole = journal.path.read_bytes()
    with journal.path.open("ab") as file:
        file.write(b'{"record":"intended","at":1.0,"st')
    assert len(read(journal.path)) == 1
    again, far = Journal.reopen(journal.path, who="ops@laptop", at=AT)
    again.close()
    assert far.intended == {}
    assert journal.path.read_bytes().startswith(whole + b'{"record":"resumed"')
    journal.path.write_bytes(b"{}\n" + whole)
    with pytest.raises(JournalError, match=r"\.jsonl:1: no record of a run"):
        read(journal.path)


def test_a_record_is_on_disk_when_it_is_written(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record is synced before anything depends on it; a disk that is full is one sentence."""
    synced: list[int] = []
    sync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(descriptor)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    journal = opened(tmp_path, plan)
    before = len(synced)
    journal.write(Based(AT, {}))
    assert len(synced) == before + 1
    journal.close()
    full = Journal(Path("/dev/full"), os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(JournalError, match="No space left on device; nothing more is done"):
        full.write(Based(AT, {}))
    full.close()


def test_runs_are_found_by_parts_of_their_names(tmp_path: Path, plan: Plan) -> None:
    """By how a name begins or ends; what is none or several is told."""
    opened(tmp_path, plan).close()
    assert find(tmp_path, "abcd").stem == plan.run
    assert [path.stem for path in journals(tmp_path)] == [plan.run]
    with pytest.raises(JournalError, match="no run is called"):
        find(tmp_path, "ffff")
    assert journals(tmp_path / "nowhere") == []


def test_the_flock_ends_with_its_process(tmp_path: Path, plan: Plan) -> None:
    """It is an advisory lock of the open file: closing it, as the kernel does for the dead, lets it go."""
    journal = opened(tmp_path, plan)
    journal.close()
    with journal.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
