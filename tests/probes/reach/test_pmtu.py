"""Path MTU: the search finds what a path carries, and its verdict claims no more than the echoes show."""

from collections.abc import Callable

import pytest

from probes.reach.echo import PACKETS, Echo
from probes.reach.pmtu import ROUNDS, PathMtu, judge, wanted

Road = Callable[[int], Echo]


def carries(limit: int, *, by: str | None = None) -> Road:
    """Make a path that carries ``limit`` bytes; of more, ``by`` tells, nobody where that is None."""

    def road(size: int) -> Echo:
        if size <= limit:
            return Echo(size, sent=PACKETS, received=PACKETS, rtts=(0.001,) * PACKETS)
        return Echo(size, sent=PACKETS, told=None if by is None else limit, by=by or "")

    return road


def searched(top: int, road: Road) -> tuple[PathMtu, list[Echo]]:
    """Search a path to the end."""
    seen: list[Echo] = []
    for _ in range(ROUNDS):
        sizes = wanted(top, seen)
        if not sizes:
            return judge(top, seen), seen
        assert len(sizes) <= 12
        seen += [road(size) for size in sizes]
    raise AssertionError("the search does not end")


@pytest.mark.parametrize("top", [1280, 1450, 1500, 8950, 9000, 65535])
def test_a_path_that_carries_everything_costs_two_sizes(top: int) -> None:
    """Where the device's own MTU comes back the path is well, after one round."""
    found, seen = searched(top, carries(top))
    assert (found.outcome, found.mtu, len(seen)) == ("ok", top, 2)


@pytest.mark.parametrize("top", [1450, 1500, 9000])
@pytest.mark.parametrize("limit", [128, 129, 576, 1000, 1279, 1280, 1350, 1399, 1400, 1420, 1448, 1449])
def test_a_blackhole_is_found_to_the_byte(top: int, limit: int) -> None:
    """Silent above N names N exactly, and N + 1 was lost, wherever N is."""
    found, _ = searched(top, carries(limit))
    assert (found.outcome, found.mtu, found.lost_from) == ("silent", limit, limit + 1)


@pytest.mark.parametrize(("by", "top"), [("192.0.2.1", 1500), ("", 1450), ("2001:db8::1", 9000)])
def test_who_tells_is_named(by: str, top: int) -> None:
    """A limit that somebody tells is no blackhole: EMSGSIZE of the sender's own kernel neither."""
    found, seen = searched(top, carries(1400, by=by))
    assert (found.outcome, found.mtu, found.by, found.lost_from) == ("told", 1400, by, None)
    assert len(seen) == 3


def test_a_liar_is_found_out() -> None:
    """A router tells 1400 and beyond it only 1300 bytes pass, without a word: that is a blackhole."""

    def road(size: int) -> Echo:
        return carries(1300)(size) if size <= 1400 else carries(1400, by="192.0.2.1")(size)

    found, _ = searched(1500, road)
    assert (found.outcome, found.mtu, found.lost_from) == ("silent", 1300, 1301)


def test_a_second_teller_is_believed() -> None:
    """Two tunnels in a row: the first tells 1400, the second 1300, and 1300 passes."""

    def road(size: int) -> Echo:
        return carries(1300, by="198.51.100.1")(size) if size <= 1400 else carries(1400, by="192.0.2.1")(size)

    found, _ = searched(1500, road)
    assert (found.outcome, found.mtu) == ("told", 1300)


def test_an_unnumbered_refusal_is_searched() -> None:
    """An old ping says only that a message is too long; the size that passes is found all the same."""

    def road(size: int) -> Echo:
        return carries(1400)(size) if size <= 1400 else Echo(size, told=0)

    found, _ = searched(1500, road)
    assert (found.outcome, found.mtu) == ("told", 1400)


def test_silence_at_every_size_is_no_mtu() -> None:
    """Echo that is filtered entirely leaves path MTU unknown."""
    found, seen = searched(1500, carries(0))
    assert (found.outcome, found.mtu, len(seen)) == ("inconclusive", None, 2)
    assert "no echo came back at any size" in found.reason


def test_loss_that_does_not_go_by_size_is_no_blackhole() -> None:
    """A small size lost and a larger one returned is loss, not MTU."""

    def road(size: int) -> Echo:
        return carries(0)(size) if size == 1500 or 300 < size < 600 else carries(1500)(size)

    found, _ = searched(1500, road)
    assert found.outcome == "inconclusive"
    assert "does not go by size" in found.reason


def test_one_lost_packet_is_not_a_lost_size() -> None:
    """One of three that comes back is enough for a size, and the losses are counted."""
    found, _ = searched(1500, lambda size: Echo(size, sent=3, received=1, rtts=(0.001,)))
    assert (found.outcome, found.sent, found.received) == ("ok", 6, 2)


def test_a_neighbour_that_tells_of_no_way_is_unreachable() -> None:
    """Unreachable is somebody's word, not silence."""
    words = "192.0.2.11: Destination Host Unreachable"
    found, _ = searched(1500, lambda size: Echo(size, sent=3, unreachable=words))
    assert (found.outcome, found.reason) == ("unreachable", words)


def test_a_probe_that_cannot_be_sent_says_nothing_of_the_path() -> None:
    """Without ping nothing is assessed, and the reason is kept."""
    found, _ = searched(1500, lambda size: Echo(size, unable="there is no ping there: install iputils"))
    assert (found.outcome, found.reason) == ("unassessed", "there is no ping there: install iputils")
    assert judge(1500, ()).outcome == "unassessed"
