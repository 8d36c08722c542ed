"""The testbed as a fixture: one for the whole run, for every test that needs a real cluster."""

import os
from collections.abc import Iterator

import pytest

from tests.testbed.cluster import Testbed, available


def require_testbed() -> None:
    """Skip where there can be no testbed; where CI is set that is a failure: there it must run."""
    reason = available()
    if reason and os.environ.get("CI"):
        pytest.fail(f"CI is set, but {reason}", pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def testbed() -> Iterator[Testbed]:
    """One healthy testbed for the run; a test that changes it puts it back."""
    require_testbed()
    bed = Testbed(f"s{os.getpid()}", lease_seconds=2.0)
    bed.up(owner=os.getpid())
    try:
        yield bed
    finally:
        bed.down()
