"""The fixture `testbed` for the tests of this folder."""

from tests.testbed.fixtures import testbed

__all__ = ["testbed"]
