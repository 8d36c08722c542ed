"""The clipboard of the terminal, by OSC 52: it works over SSH, and a terminal that does not know it ignores it."""

from typing import Final, Protocol

LARGEST: Final = 74_994
"""Bytes of text that terminals take at once: 100,000 of base64 are what xterm and tmux allow."""


class Clips(Protocol):
    """What can hand a text to the terminal's clipboard."""

    def copy_to_clipboard(self, text: str) -> None:
        """Hand it over."""


def copy(app: Clips, text: str) -> str:
    """Copy a text and say so; of one that is too long the end is copied, from the start of a line, and that is said."""
    if not text:
        return "nothing here to copy"
    encoded = text.encode(errors="replace")
    if len(encoded) <= LARGEST:
        app.copy_to_clipboard(text)
        lines = text.count("\n") + 1
        return f"copied {lines} lines" if lines > 1 else "copied"
    end = encoded[-LARGEST:].decode(errors="ignore").partition("\n")
    kept = end[2] or end[0]
    app.copy_to_clipboard(kept)
    return f"copied the last {kept.count(chr(10)) + 1} lines: a terminal takes {LARGEST} bytes; ctrl-s saves all of it"
