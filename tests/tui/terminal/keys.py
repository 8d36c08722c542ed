"""The line of keys at the bottom of a screen, read as its operator reads it."""

import re
from typing import Final, NamedTuple

_NAMES: Final = {
    "↵": "Enter",
    "enter": "Enter",
    "space": "Space",
    "esc": "Escape",
    "tab": "Tab",
    "pgup": "PageUp",
    "pgdn": "PageDown",
}
_PAUSE: Final = re.compile(r"\s{2,}")
_PANES: Final = re.compile(r"\d-(\d)")


class Offered(NamedTuple):
    """A key that a screen offers."""

    key: str
    """By tmux's name."""
    word: str
    """What it is said to do."""


def offered(screen: str) -> list[Offered]:
    """List the keys that the last line of a screen offers; ``1-5`` stands for its last."""
    line = screen.rstrip().rpartition("\n")[2]
    found = []
    for part in _PAUSE.split(line.strip()):
        name, _, word = part.partition(" ")
        if word:
            found.append(Offered(_tmux_name(name), word))
    return found


def _tmux_name(name: str) -> str:
    if panes := _PANES.fullmatch(name):
        return panes[1]
    if name.startswith("ctrl-"):
        return "C-" + name.removeprefix("ctrl-")
    return _NAMES.get(name, name)
