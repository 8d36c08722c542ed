"""Settings: read with care, written so that they are read back the same."""

from pathlib import Path

import pytest

from tui.advice import advice
from tui.settings import ContextSettings, HostSettings, Settings, SettingsError, config_home, dump, load

FULL = Settings(
    contexts={
        "k3s-home": ContextSettings(
            user="root",
            jump="bastion",
            nodes={"eq14-001": HostSettings(host="192.0.2.11")},
            vantages={"hypervisor": HostSettings(host="pve", user="admin")},
        )
    }
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """dump and load are each other's inverse."""
    file = tmp_path / "config.yaml"
    file.write_text(dump(FULL))
    assert load(file) == FULL


def test_what_is_advised_can_be_set(tmp_path: Path) -> None:
    """`headroom` reaches the diagnosis; 100 bytes unless it is set, 0 for no advice, and nothing that is no size."""
    file = tmp_path / "config.yaml"
    file.write_text("headroom: 0")
    assert (advice(load(file)).headroom, advice(Settings()).headroom) == (0, 100)
    file.write_text("headroom: -1")
    with pytest.raises(SettingsError, match=r"Expected `int` >= 0 - at `\$.headroom`"):
        load(file)


def test_a_missing_file_is_an_empty_one_unless_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody must write settings before the first look; who names a file means it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load() == Settings()
    with pytest.raises(SettingsError, match="there is no such file"):
        load(tmp_path / "other.yaml")


def test_a_relative_xdg_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The XDG base directory specification says so."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")
    assert config_home() == Path.home() / ".config" / "underlay"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("contexts: [a]", "contexts"),
        ("contexts: {a: {usr: root}}", "usr"),
        ("contexts: {a: {nodes: {n: {host: [1]}}}}", "host"),
        ("contexts: {a: {user: {", "config.yaml"),
        ("!!python/object/apply:os.system [true]", "config.yaml"),
        ("\x00", "config.yaml"),
        ("just text", "config.yaml"),
    ],
)
def test_bad_settings_are_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    """What is wrong, in which file and where in it, and never a traceback."""
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file)
    message = str(caught.value)
    assert said in message
    assert str(file) in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "{}"])
def test_an_empty_file_sets_nothing(text: str, tmp_path: Path) -> None:
    """A file of comments is no error."""
    file = tmp_path / "config.yaml"
    file.write_text(text)
    assert load(file) == Settings()
