"""Journal: what a run was going to do, did and saw, one line of JSON each, on disk before anything depends on it.

One file a run, only ever added to, each record synced, mode 0600. Whoever has it open for a run holds its flock: a run
is nobody else's at the same time. A last line that a crash cut off counts as never written.
"""

import fcntl
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Self

import msgspec

from probes.model.text import clean
from runbooks.events import Answer, AnyEvent, Ask, End, GateSeen, Outcome, RunEnded, StepEnded, StepHappened
from runbooks.plan import Plan
from runbooks.sight import Mark, Stood

SUFFIX: Final = ".jsonl"


class JournalError(Exception):
    """A journal cannot be used; its text is one sentence for the operator."""


class Record(msgspec.Struct, frozen=True, tag_field="record"):
    """A line of a journal; ``at`` in seconds since the epoch."""

    at: float


class Opened(Record, frozen=True, tag="opened"):
    """The run was begun: the plan it goes by, from now on and when it is resumed."""

    plan: Plan
    who: str


class Resumed(Record, frozen=True, tag="resumed"):
    """The run was taken up again."""

    who: str


class Based(Record, frozen=True, tag="based"):
    """How what has to be probed stood when the run began."""

    stood: dict[str, Stood]


class Answered(Record, frozen=True, tag="answered"):
    """A question was answered."""

    ask: Ask
    answer: Answer


class Intended(Record, frozen=True, tag="intended"):
    """A step is about to be sent: from here on it may have happened."""

    step: str
    mark: Mark
    """What tells afterwards whether it did."""
    sends: tuple[str, ...]


class Told(Record, frozen=True, tag="told"):
    """Something happened."""

    event: AnyEvent


AnyRecord = Opened | Resumed | Based | Answered | Intended | Told


class Progress(msgspec.Struct, frozen=True):
    """How far a run is, by its journal."""

    plan: Plan
    who: str
    began: float
    touched: float
    """When its last record was written."""
    intended: Mapping[str, Intended] = {}
    """By step: those that were sent, or were about to be."""
    happened: frozenset[str] = frozenset()
    ended: Mapping[str, Outcome] = {}
    baseline: Mapping[str, Stood] | None = None
    excused: Mapping[str, tuple[str, ...]] = {}
    """By step, in words: what its gate let pass because it was no better before the run."""
    end: End | None = None
    """How it ended last; None: it did not end, its process did."""
    text: str = ""

    @property
    def open(self) -> bool:
        """Whether it can be resumed: not completed, not aborted."""
        return self.end not in {"completed", "aborted"}


def progress(records: Iterable[AnyRecord]) -> Progress:
    """Fold a journal; raises JournalError where it does not begin as one."""
    records = list(records)
    if not records or not isinstance(records[0], Opened):
        raise JournalError("it does not begin with a plan")
    first = records[0]
    intended: dict[str, Intended] = {}
    happened: set[str] = set()
    ended: dict[str, Outcome] = {}
    baseline: Mapping[str, Stood] | None = None
    excused: dict[str, tuple[str, ...]] = {}
    end: End | None = None
    text = ""
    for record in records:
        match record:
            case Based(stood=stood):
                baseline = stood
            case Intended():
                intended[record.step] = record
            case Resumed():
                end, text = None, ""
            case Told(event=GateSeen(step=step, conditions=conditions, before=False)):
                excused[step] = tuple(each.text for each in conditions if each.state == "excused")
            case Told(event=StepHappened(step=step)):
                happened.add(step)
            case Told(event=StepEnded(step=step, outcome=outcome)) if outcome != "failed":
                ended[step] = outcome
            case Told(event=RunEnded(end=how, text=said)):
                end, text = how, said
    return Progress(
        plan=first.plan,
        who=first.who,
        began=first.at,
        touched=records[-1].at,
        intended=intended,
        happened=frozenset(happened),
        ended=ended,
        baseline=baseline,
        excused={step: said for step, said in excused.items() if said},
        end=end,
        text=text,
    )


class Journal:
    """A run's journal, open for writing."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @classmethod
    def create(cls, folder: Path, plan: Plan, *, who: str, at: float) -> Self:
        """Begin a run's journal with its plan; raises JournalError."""
        path = folder / f"{plan.run}{SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise JournalError(
                f"{path}: cannot be written: {error.strerror}; without a journal nothing is run"
            ) from error
        journal = cls(path, descriptor)
        journal._lock()
        journal.write(Opened(at, plan, who))
        _sync_folder(folder)
        return journal

    @classmethod
    def reopen(cls, path: Path, *, who: str, at: float) -> tuple[Self, Progress]:
        """Take up a run again, from where its journal ends; raises JournalError."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        except OSError as error:
            raise JournalError(f"{path}: cannot be opened: {error.strerror}") from error
        journal = cls(path, descriptor)
        try:
            journal._lock()
            whole = path.read_bytes()
            kept = whole[: whole.rfind(b"\n") + 1]
            if len(kept) != len(whole):
                os.ftruncate(descriptor, len(kept))
            far = progress(_decode(kept, path))
            journal.write(Resumed(at, who))
        except BaseException:
            journal.close()
            raise
        return journal, far

    def _lock(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise JournalError(f"{self.path.stem} is being run by another process on this machine") from error

    def write(self, record: AnyRecord) -> None:
        """Add a record; when this returns it is on disk. Raises JournalError."""
        line = msgspec.json.encode(record) + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
            os.fsync(self._descriptor)
        except OSError as error:
            raise JournalError(f"{self.path}: cannot be written: {error.strerror}; nothing more is done") from error

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_DECODER: Final = msgspec.json.Decoder(AnyRecord)


def _decode(raw: bytes, path: Path) -> list[AnyRecord]:
    found: list[AnyRecord] = []
    for number, line in enumerate(raw.splitlines(), 1):
        try:
            found.append(_DECODER.decode(line))
        except msgspec.MsgspecError as error:
            raise JournalError(f"{path}:{number}: no record of a run: {clean(str(error))[:200]}") from error
    return found


def read(path: Path) -> list[AnyRecord]:
    """Read a journal, a last line that was cut off left out; raises JournalError."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise JournalError(f"{path}: cannot be read: {error.strerror}") from error
    return _decode(raw[: raw.rfind(b"\n") + 1], path)


def find(folder: Path, run: str) -> Path:
    """Give the path of a run's journal, by its name or what it begins or ends with; raises JournalError."""
    there = sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() else []
    found = [path for path in there if path.stem == run] or [
        path for path in there if run and (path.stem.startswith(run) or path.stem.endswith(run))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise JournalError(f"{clean(run)} may be {', '.join(path.stem for path in found[:5])}: say which")
    raise JournalError(f"no run is called {clean(run)[:80]}; `underlay runs list` lists them")


def journals(folder: Path) -> list[Path]:
    """List the journals there are, the newest run first."""
    there = folder.glob(f"*{SUFFIX}") if folder.is_dir() else ()
    return sorted(there, key=lambda path: path.stat().st_mtime, reverse=True)
