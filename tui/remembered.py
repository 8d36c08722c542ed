"""How the screens were left: kept in the state folder, and of no consequence where it cannot be."""

import os
from pathlib import Path
from typing import Final

import msgspec

FILE: Final = "view.json"


class Remembered(msgspec.Struct, frozen=True):
    """How the screens were left."""

    theme: str = ""
    """Empty: as the terminal asks for."""
    pane: int = 1
    zoomed: bool = False


def state_home() -> Path:
    """Tell underlay's folder under XDG_STATE_HOME."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "underlay"


def recall(folder: Path | None = None) -> Remembered:
    """Read how the screens were left; what cannot be read was never written."""
    try:
        return msgspec.json.decode(((folder or state_home()) / FILE).read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError, RuntimeError):
        return Remembered()


def keep(view: Remembered, folder: Path | None = None) -> None:
    """Write how the screens are left, whole or not at all."""
    home = folder or state_home()
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = home / f"{FILE}.{os.getpid()}"
        draft.write_bytes(msgspec.json.encode(view))
        draft.replace(home / FILE)
    except (OSError, RuntimeError):
        return  # a folder that cannot be written to is no reason to trouble an operator
