"""Moments and durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.kube.scalars import epoch, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1h", 3600.0),
        ("1h0m0s", 3600.0),
        ("1m30s", 90.0),
        ("1.5s", 1.5),
        (".5h", 1800.0),
        ("500ms", 0.5),
        ("10us", 1e-05),
        ("10µs", 1e-05),
        ("1ns", 1e-09),
        ("0", 0.0),
        ("-1m", -60.0),
        ("+2s", 2.0),
    ],
)
def test_duration_as_go_reads_it(text: str, expected: float) -> None:
    """A duration is what Go's time.ParseDuration makes of it."""
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", [None, "", "1", "h", "1h ", "1 h", "1d", "1h1", "--1s", "1m,", "9" * 65 + "s", "\u0661s"]
)
def test_what_is_no_duration_is_none(text: str | None) -> None:
    """What Go would refuse is no duration here either."""
    assert seconds(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20T08:00:00Z", 1795161600.0),
        ("2026-11-20T08:00:00.250000Z", 1795161600.25),
        ("2026-11-20T08:00:00.123456789Z", 1795161600.123456),
        ("2026-11-20T10:00:00+02:00", 1795161600.0),
        ("2026-11-20T08:00:00", 1795161600.0),
    ],
)
def test_moment_in_epoch_seconds(text: str, expected: float) -> None:
    """An RFC 3339 moment, to the nanosecond or with an offset, is epoch seconds; without an offset it is UTC."""
    assert epoch(text) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("text", [None, "", "now", "0001-01-01T00:00:00Z", "2026-13-01T00:00:00Z", "2" * 65])
def test_what_is_no_moment_is_none(text: str | None) -> None:
    """Go's zero time and garbage are no moments."""
    assert epoch(text) is None


@given(st.text(max_size=70))
def test_nothing_raises(text: str) -> None:
    """Any text is a moment, a duration, or none."""
    assert epoch(text) is None or isinstance(epoch(text), float)
    assert seconds(text) is None or isinstance(seconds(text), float)
