"""Where there can be no testbed, one line says so for all tests of this folder."""

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give skips for want of a testbed one place in common, so that pytest's summary folds them into one line."""
    report = yield
    if report.skipped and item.get_closest_marker("testbed") and isinstance(report.longrepr, tuple):
        report.longrepr = ("tests/testbed", 0, report.longrepr[2])
    return report
