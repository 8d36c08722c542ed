"""Copying and saving."""

import stat
from pathlib import Path

import pytest

from tui.clipboard import LARGEST, copy
from tui.saving import NotSaved, save, state_folder


class Terminal:
    def __init__(self) -> None:
        self.text = ""

    def copy_to_clipboard(self, text: str) -> None:
        self.text = text


def test_copy() -> None:
    """A text is copied whole, and what was done is said."""
    terminal = Terminal()
    assert copy(terminal, "one") == "copied"
    assert copy(terminal, "one\ntwo") == "copied 2 lines"
    assert terminal.text == "one\ntwo"
    assert copy(terminal, "") == "nothing here to copy"


@pytest.mark.parametrize("line", ["x" * 99, "é" * 50, "節" * 33])
def test_copy_is_bounded(line: str) -> None:
    """A terminal never gets more than it takes, whole lines of the end, and never half a character."""
    terminal = Terminal()
    assert "ctrl-s" in copy(terminal, "\n".join([line] * 3000))
    assert len(terminal.text.encode()) <= LARGEST
    assert set(terminal.text.split("\n")) == {line}
    copy(terminal, "é" * LARGEST)
    assert set(terminal.text) == {"é"}


def test_save(tmp_path: Path) -> None:
    """A file is new, private, and its name is harmless, whatever it is called after."""
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    first = save("journal-../../etc/passwd", "text", 0, environ)
    second = save("journal-../../etc/passwd", "other", 0, environ)
    assert first.parent == second.parent == tmp_path / "underlay" / "saved"
    assert first != second
    assert first.read_text("utf-8") == "text"
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


def test_save_follows_no_link(tmp_path: Path) -> None:
    """A link that somebody laid in the way is not written through."""
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    target = tmp_path / "victim"
    folder = state_folder(environ) / "saved"
    folder.mkdir(parents=True)
    (folder / "a-19700101-000000.txt").symlink_to(target)
    assert save("a", "text", 0, environ).name == "a-19700101-000000-1.txt"
    assert not target.exists()


def test_save_says_why_not(tmp_path: Path) -> None:
    """Where nothing can be written, one sentence says so."""
    (tmp_path / "underlay").write_text("a file")
    with pytest.raises(NotSaved, match="nothing was saved in"):
        save("a", "text", 0, {"XDG_STATE_HOME": str(tmp_path)})


def test_state_folder() -> None:
    """A relative XDG_STATE_HOME is ignored, as the specification asks."""
    assert state_folder({"HOME": "/home/x"}) == Path("/home/x/.local/state/underlay")
    assert state_folder({"HOME": "/home/x", "XDG_STATE_HOME": "state"}) == Path("/home/x/.local/state/underlay")
