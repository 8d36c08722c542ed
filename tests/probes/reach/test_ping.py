"""Pings of two sizes: what they come to, and never more than they show."""

import pytest

from probes.reach.echo import Echo
from probes.reach.ping import EACH, SMALL, judge, together
from probes.reach.sounding import _shares


def small(sent: int = 20, received: int = 20, **more: object) -> Echo:
    return Echo(SMALL, sent, received, **more)  # type: ignore[arg-type]


def large(sent: int = 20, received: int = 20, **more: object) -> Echo:
    return Echo(1500, sent, received, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("echoes", "outcome", "tone", "lost"),
    [
        ((small(), large()), "ok", "ok", (40, 0)),
        ((small(), large(received=0)), "large-lost", "critical", (20, 0)),
        ((small(), large(received=0, told=1400, by="192.0.2.1")), "told", "warning", (20, 0)),
        ((small(), large(0, 0, told=1400)), "told", "warning", (20, 0)),
        ((small(received=19), large(received=19)), "lossy", "warning", (40, 2)),
        ((small(received=15), large(received=13)), "lossy", "critical", (40, 12)),
        ((small(received=0), large(received=0)), "inconclusive", "unknown", (20, 20)),
        ((small(received=0), large(received=3)), "inconclusive", "unknown", (0, 0)),
        ((small(received=0, unreachable="192.0.2.1: no"), large(0, 0)), "unreachable", "critical", (20, 20)),
        ((small(0, 0, unable="there is no ping there"), large(0, 0)), "unassessed", "unknown", (0, 0)),
        ((small(0, 0), large(0, 0)), "unassessed", "unknown", (0, 0)),
        ((small(), large(1, 0)), "inconclusive", "unknown", (20, 0)),
        ((small(), large(0, 0, unable="may not")), "inconclusive", "unknown", (20, 0)),
    ],
)
def test_verdicts(echoes: tuple[Echo, Echo], outcome: str, tone: str, lost: tuple[int, int]) -> None:
    """Only what small packets show is blamed on size; nothing that comes back says nothing of the path."""
    found = judge(*echoes)
    assert (found.outcome, found.tone, (found.sent, found.lost)) == (outcome, tone, lost)
    assert found.reason or found.outcome in {"ok", "told"}


def test_many_packets_take_no_longer_than_few() -> None:
    """A hundred packets are sent by five programs of twenty, and none is left out."""
    assert _shares(100) == [20] * 5
    assert _shares(3) == [3]
    assert (sum(_shares(41)), max(_shares(41)) <= EACH, len(_shares(41))) == (41, True, 3)


def test_several_programs_count_as_one() -> None:
    """Their packets add up; one that could not send takes nothing from the others."""
    told = Echo(1500, 2, 0, told=1400, by="192.0.2.1")
    found = together((Echo(1500, 20, 19, (0.1,) * 19), told, Echo(1500, unable="its answer was cut off")))
    assert (found.sent, found.received, found.told, found.by, found.unable) == (22, 19, 1400, "192.0.2.1", "")
