"""Runs of probes that are kept in the state folder: files of their owner alone, and no more than so many."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from probes.model.evidence import SCHEMA, Run
from tui.saving import state_folder

MOST: Final = 100
"""Runs that are kept; the oldest goes first."""
_MOST_BYTES: Final = 64 * 2**20
"""Of all together."""
_LARGEST: Final = 32 * 2**20
_NAME: Final = re.compile(r"[0-9]{8}-[0-9]{6}-[a-z0-9-]{1,40}")
_TRIES: Final = 100


class EvidenceError(Exception):
    """A run cannot be kept or read; its text is one sentence for the operator."""


def folder(environ: Mapping[str, str] | None = None) -> Path:
    """Tell where runs are kept."""
    return state_folder(os.environ if environ is None else environ) / "probes"


def keep(run: Run, environ: Mapping[str, str] | None = None) -> Run:
    """Write a run to a file of its own, mode 0600, and give it with the name it got; raises EvidenceError."""
    home = folder(environ)
    kind = re.sub(r"[^a-z0-9]+", "-", run.probe.lower()).strip("-")[:36] or "run"
    stamp = datetime.fromtimestamp(run.at, UTC).strftime("%Y%m%d-%H%M%S")
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in range(_TRIES):
            name = f"{stamp}-{kind}{f'-{place}' if place else ''}"
            named = msgspec.structs.replace(run, name=name)
            try:
                # Exclusive and never through a link: the folder may be on a host that others use.
                handle = os.open(home / f"{name}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(named))
            _prune(home)
            return named
    except OSError as error:
        raise EvidenceError(f"the run is not kept: {home}: {error.strerror or error}") from error
    raise EvidenceError(f"the run is not kept: {home} has {_TRIES} of this second already")


def _prune(home: Path) -> None:
    files = sorted((path for path in home.glob("*.json") if _NAME.fullmatch(path.stem)), reverse=True)
    size = 0
    for number, path in enumerate(files):
        size += path.lstat().st_size
        if number and (number >= MOST or size > _MOST_BYTES):
            path.unlink(missing_ok=True)


def names(environ: Mapping[str, str] | None = None) -> list[str]:
    """List the runs that are kept, the newest first."""
    home = folder(environ)
    found = [path.stem for path in home.glob("*.json") if _NAME.fullmatch(path.stem)] if home.is_dir() else []
    return sorted(found, reverse=True)


def load(name: str, environ: Mapping[str, str] | None = None) -> Run:
    """Read a run by its name, by the beginning of it, as ``last`` or ``last-N``, or from a file.

    Raises EvidenceError.
    """
    known = names(environ)
    back = re.fullmatch(r"last(?:-([0-9]{1,3}))?", name)
    if back:
        number = int(back[1] or 0)
        if number >= len(known):
            raise EvidenceError(f"there is no run {name}: {len(known)} are kept; see underlay probe runs")
        return _read(folder(environ) / f"{known[number]}.json")
    alike = [each for each in known if each.startswith(name)]
    if name in known or len(alike) == 1:
        return _read(folder(environ) / f"{name if name in known else alike[0]}.json")
    if alike:
        raise EvidenceError(f"{name} is the beginning of {len(alike)} runs: give more of it; see underlay probe runs")
    if Path(name).is_file():
        return _read(Path(name))
    raise EvidenceError(f"there is no run {name[:80]}: see underlay probe runs")


def _read(path: Path) -> Run:
    try:
        if path.stat().st_size > _LARGEST:
            raise EvidenceError(f"{path} is too large for a run of probes")
        run = msgspec.json.decode(path.read_bytes(), type=Run)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror or error}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path} is no run of probes: {error}") from error
    if run.schema != SCHEMA:
        raise EvidenceError(f"{path} is of another version: {run.schema[:40]}")
    return run
