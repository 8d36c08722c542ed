"""The control experiment against real paths: a blackhole is told from loss, with its direction."""

from typing import Any

import pytest

from tests.testbed import roads
from tests.testbed.cluster import Testbed
from tests.testbed.probing import WEB, outcomes, probe

pytestmark = pytest.mark.testbed

LARGE = f"http://{WEB}/large.bin"
SILENCED = ("-p", "icmp", "--icmp-type", "fragmentation-needed")


def counts(read: dict[str, Any], variant: str) -> set[tuple[int, int]]:
    """Give (stalled, tried) of a segment size from every vantage."""
    tries = [[a for a in each["attempts"] if a["variant"].startswith(variant)] for each in read["results"]]
    return {(sum("failed" in a for a in own), len(own)) for own in tries}


def test_a_clean_path_carries_both(testbed: Testbed) -> None:
    """From everywhere both segment sizes bring everything, and what the kernel says of them is told."""
    roads.forget(testbed)
    status, read = probe(testbed, "tcp", LARGE)
    assert (status, outcomes(read), len(read["results"])) == (0, {"ok"}, 7)
    sizes = {(each["kind"], each["facts"]["snd_mss"], each["facts"]["pmtu"]) for each in read["results"]}
    assert sizes == {("operator", "1448", "1500"), ("node", "1448", "1500"), ("pod", "1398", "1450")}
    assert counts(read, "usual") | counts(read, "mss") == {(0, 5)}


@pytest.mark.parametrize(("device", "direction"), [("eth0", "back"), ("eth1", "there")])
def test_a_blackhole_is_found_with_its_direction(testbed: Testbed, device: str, direction: str) -> None:
    """A smaller link on one way alone, and its frag-needed dropped: usual segments stall, small ones do not."""
    roads.forget(testbed)
    with roads.narrow(testbed, "router", device, 1400), roads.dropping(testbed, "router", "OUTPUT", *SILENCED):
        status, read = probe(testbed, "tcp", LARGE, "--from", "node,pod")
    assert (status, outcomes(read)) == (2, {"blackhole"})
    assert {each["direction"] for each in read["results"]} == {direction}
    assert (counts(read, "usual"), counts(read, "mss")) == ({(5, 5)}, {(0, 5)})
    resent = {sum(a.get("counters", {}).get("total_retrans", 0) for a in each["attempts"]) for each in read["results"]}
    assert (min(resent) > 0) is (direction == "there")


def test_an_mss_clamp_heals_it(testbed: Testbed) -> None:
    """The same link with a clamp on the router: everything passes, and the segments are as small as it says."""
    syn = ("-p", "tcp", "--tcp-flags", "SYN,RST", "SYN", "-j", "TCPMSS", "--set-mss", "1300")
    silenced = roads.dropping(testbed, "router", "OUTPUT", *SILENCED)
    with roads.mangling(testbed, "router", syn), roads.narrow(testbed, "router", "eth1", 1400), silenced:
        status, read = probe(testbed, "tcp", LARGE, "--from", "node,pod")
    assert (status, outcomes(read)) == (0, {"ok"})
    assert {int(each["facts"]["snd_mss"]) for each in read["results"]} == {1288}


def test_loss_at_any_size_is_no_blackhole(testbed: Testbed) -> None:
    """Half of all packets back lost at random: stalls or resends at both sizes, and no size is blamed."""
    chance = ("-o", "eth0", "-p", "tcp", "-m", "statistic", "--mode", "random", "--probability", "0.5")
    with roads.dropping(testbed, "router", "FORWARD", *chance):
        status, read = probe(testbed, "tcp", LARGE, "--from", "node,pod")
    assert outcomes(read) <= {"random-loss", "fails", "lossy"}
    assert status in {1, 2}


def test_nobody_there_is_told_from_a_refusal(testbed: Testbed) -> None:
    """A port where nobody listens refuses; a host whose packets are dropped does not answer."""
    _, read = probe(testbed, "tcp", f"{WEB}:444", "--from", "node")
    assert outcomes(read) == {"refused"}
    with roads.dropping(testbed, "router", "FORWARD", "-p", "tcp"):
        status, read = probe(testbed, "tcp", LARGE, "--from", "node", "-n", "1")
    assert (status, outcomes(read)) == (2, {"unreachable"})
