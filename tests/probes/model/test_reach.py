"""Results of probes: one value for every kind, that says the same after it was written and read back."""

import msgspec
import pytest

from probes.model.reach import Attempt, Result, Sizes, Way, percentile

FULL = Result(
    "pmtu",
    "pod@a",
    "pod",
    "pod@b",
    "silent",
    "critical",
    "silent above 1350",
    1700000000.0,
    node="a",
    pod="default/web",
    peer="b",
    direction="there",
    way=Way("10.42.1.2", "eth0", 1450),
    sizes=Sizes(1350, 1351),
    attempts=(Attempt(size=1351, packets=(3, 0), failed="echo"), Attempt(size=1350, packets=(3, 3), rtts=(0.1, 0.2))),
)


def test_a_result_reads_back_as_written() -> None:
    """What an evidence file keeps is equal to what was found."""
    assert msgspec.json.decode(msgspec.json.encode(FULL), type=Result) == FULL


def test_a_try_that_was_not_made_is_not_well() -> None:
    """Only what was completed is well: neither what failed nor what could not be sent."""
    assert [each.well for each in (Attempt(), Attempt(failed="tls"), Attempt(unable="no curl"))] == [True, False, False]


def test_the_address_is_that_of_the_way_or_of_a_try() -> None:
    """Where the way is not known, the address that a try was made to is."""
    assert FULL.address == "10.42.1.2"
    assert msgspec.structs.replace(FULL, way=Way(), attempts=(Attempt(), Attempt(address="::1"))).address == "::1"
    assert msgspec.structs.replace(FULL, way=Way(), attempts=()).address == ""


@pytest.mark.parametrize(
    ("values", "share", "value"), [((), 0.5, None), ((3.0, 1.0, 2.0), 0.5, 2.0), ((1.0, 2.0), 0.95, 2.0)]
)
def test_percentiles_are_nearest_ranks(values: tuple[float, ...], share: float, value: float | None) -> None:
    """A percentile is a value that was measured, and there is none of nothing."""
    assert percentile(values, share) == value
