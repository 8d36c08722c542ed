"""Which way a size is lost: only what small datagrams show is claimed of large ones."""

import pytest

from probes.model.observation import Completed
from probes.reach.oneway import command, direction

REFUSED = Completed(("x",), 0, "bash: read: read error: 0: Connection refused")
SILENT = Completed(("x",), 0, "")


@pytest.mark.parametrize(
    ("small", "large", "way"),
    [
        (REFUSED, SILENT, "there"),
        (REFUSED, REFUSED, "back"),
        (SILENT, SILENT, "both"),
        (SILENT, REFUSED, "both"),
        (None, None, "both"),
        (REFUSED, None, "both"),
    ],
)
def test_ways(small: Completed | None, large: Completed | None, way: str) -> None:
    """Where nobody refuses small datagrams nothing is said of large ones."""
    assert direction(small, large) == way


def test_sizes_are_those_of_the_packet() -> None:
    """The headers of IPv4 and of IPv6 are counted in."""
    assert (command("192.0.2.1", 1401)[-1], command("2001:db8::1", 1401)[-1]) == ("1373", "1353")
