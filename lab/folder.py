"""Private folders, as a demo's with its keys and configuration: gone with the process however it ends."""

import os
import re
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

_PREFIX: Final = "underlay-demo-"
_REST: Final = re.compile(r"([0-9]{1,10})-\w+")
_SIGNALS: Final = (signal.SIGTERM, signal.SIGHUP)
_open: set[Path] = set()


@contextmanager
def private_folder(prefix: str = _PREFIX) -> Iterator[Path]:
    """Make a folder of mode 0700 and remove it in the end, also when the process is told to end or hangs up."""
    sweep(Path(tempfile.gettempdir()), prefix)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-") as name:
        folder = Path(name)
        _open.add(folder)
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                # Whoever has a handler of its own also cleans up.
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _end)
        try:
            yield folder
        finally:
            _open.discard(folder)


def sweep(parent: Path, prefix: str = _PREFIX) -> None:
    """Remove our own folders whose process is gone: one that was killed could not."""
    for folder in parent.glob(f"{prefix}*"):
        found = _REST.fullmatch(folder.name.removeprefix(prefix))
        try:
            ours = folder.lstat().st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
        except OSError:
            continue  # another demo has just removed it
        if found and ours and not _alive(int(found[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _end(number: int, _frame: FrameType | None) -> None:
    for folder in tuple(_open):
        shutil.rmtree(folder, ignore_errors=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
