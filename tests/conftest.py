"""Fixtures of every test: nobody's own settings are read, and the testbed is one for the whole run."""

from pathlib import Path

import pytest

from tests.testbed.fixtures import testbed

__all__ = ["testbed"]


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings and state of whoever runs the tests out of them."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert Path(home).is_dir()
