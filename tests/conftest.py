"""Fixtures of every test: nobody's own settings are read, and the testbed is one for the whole run."""

import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.testbed.beforehand import Making
from tests.testbed.fixtures import testbed

__all__ = ["testbed"]


MAKING = pytest.StashKey[Making]()


def pytest_configure() -> None:
    """Let what tests start be told to end, however the tests themselves were started: what is ignored is inherited."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the tests on the testbed last: what it stands on is made meanwhile, the first time."""
    items.sort(key=_needs_testbed)
    if items and _needs_testbed(items[-1]) and not _needs_testbed(items[0]) and not config.option.collectonly:
        config.stash[MAKING] = Making()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Make no longer what nobody waits for."""
    if MAKING in config.stash:
        config.stash[MAKING].end()


def _needs_testbed(item: pytest.Item) -> bool:
    return "testbed" in getattr(item, "fixturenames", ()) or item.get_closest_marker("testbed") is not None


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings and state of whoever runs the tests out of them."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    assert Path(home).is_dir()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where CI is set a skipped test is a failed one: there everything it needs has been installed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CI is set, but this test skipped: {call.excinfo and call.excinfo.value}"
    return report
