"""Saving what a screen shows: a file of its own in the state folder, that nobody else may read."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 80
_TRIES: Final = 100


class NotSaved(Exception):
    """Nothing was saved; its text is one sentence for the operator."""


def state_folder(environ: Mapping[str, str]) -> Path:
    """Tell where saved texts are kept: under $XDG_STATE_HOME, else ~/.local/state (XDG base directories)."""
    given = environ.get("XDG_STATE_HOME", "")
    base = Path(given) if given.startswith("/") else Path(environ.get("HOME", "~")).expanduser() / ".local" / "state"
    return base / "underlay"


def save(name: str, text: str, now: float, environ: Mapping[str, str] | None = None) -> Path:
    """Write a text to a new file, mode 0600 in a folder of mode 0700, and tell where; raises NotSaved."""
    folder = state_folder(os.environ if environ is None else environ) / "saved"
    stem = _UNSAFE.sub("-", name).strip("-.")[:_LONGEST] or "text"
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for place in range(_TRIES):
            path = folder / f"{stem}-{stamp}{f'-{place}' if place else ''}.txt"
            try:
                # Exclusive and never through a link: the folder may be on a host that others use.
                handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(text)
            return path
    except OSError as error:
        raise NotSaved(f"nothing was saved in {folder}: {error.strerror or error}") from error
    raise NotSaved(f"nothing was saved in {folder}: {_TRIES} files of that name are there already")
