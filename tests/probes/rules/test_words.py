"""Ages and revisions in words."""

import pytest

from probes.rules.words import age_text, for_text, revision_text


@pytest.mark.parametrize(
    ("revision", "text"),
    [
        ("main@sha1:4f0a92d7be0123456789", "main@4f0a92d"),
        ("latest@sha256:4f0a92d7be", "latest@4f0a92d"),
        ("sha256:4f0a92d7be", "4f0a92d"),
        ("main@md5:4f0a92d7be", "main@md5:4f0a92d7be"),
        ("main@shallow", "main@shallow"),
        ("6.5.4", "6.5.4"),
        ("", ""),
    ],
)
def test_a_revision_is_short_where_it_is_a_hash(revision: str, text: str) -> None:
    """As many digits as git shows, and everything else as it is."""
    assert revision_text(revision) == text


def test_since_when_is_told_where_it_is_known_and_past() -> None:
    """A moment that is not known, or lies ahead by a clock that differs, is no age."""
    assert for_text(940.0, 1000.0) == ", for at least 60 seconds"
    assert for_text(1000.0, 1000.0) == ", for at least 0 seconds"
    assert for_text(1000.1, 1000.0) == for_text(None, 1000.0) == ""


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1.0, "0 seconds"), (119.9, "119 seconds"), (120.0, "2 minutes"), (7200.0, "2 hours"), (172800.0, "2 days")],
)
def test_an_age_is_never_more_than_it_is(seconds: float, text: str) -> None:
    """The unit of which there are two at least, rounded down."""
    assert age_text(seconds) == text
