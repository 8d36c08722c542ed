"""Ping and mesh against real paths: what is lost is told from what is cut, and what is silent from what is dead."""

from typing import Any

import pytest

from tests.testbed import probing, roads
from tests.testbed.cluster import Testbed
from tests.testbed.probing import NODES, WEB, outcomes, probe

pytestmark = pytest.mark.testbed

PAIRS = {(a, b) for a in NODES for b in NODES if a != b}


def found(read: dict[str, Any], kind: str) -> dict[tuple[str, str], str]:
    """Give the outcome of every ping from vantages of one kind."""
    return {
        (each["vantage"], each["target"]): each["outcome"]
        for each in read["results"]
        if each["kind"] == kind and not each["target"].startswith("source-controller")
    }


def hops(read: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str]]:
    """Give (outcome, phase) of every way of an artifact."""
    return {
        (each["vantage"], each["target"]): (each["outcome"], each["phase"])
        for each in read["results"]
        if each["target"].startswith("source-controller")
    }


WAYS = {
    (f"{taker}-controller@{node}", f"source-controller {way}")
    for taker, node in (("kustomize", "boromir"), ("helm", "samwise"))
    for way in ("service", "pod")
}


def test_a_clean_mesh_is_well(testbed: Testbed) -> None:
    """All pairs of nodes and of pods, and the artifact by service and by pod, whole and with full-size segments."""
    roads.forget(testbed)
    with probing.artifacts(testbed):
        status, read = probe(testbed, "mesh", "--from", "node,pod")
    assert found(read, "node") == dict.fromkeys(PAIRS, "ok")
    assert found(read, "pod") == dict.fromkeys({(f"pod@{a}", f"pod@{b}") for a, b in PAIRS}, "ok")
    assert hops(read) == dict.fromkeys(WAYS, ("ok", ""))
    bodies = {max(a["body"] for a in each["attempts"]) for each in read["results"] if "controller@" in each["vantage"]}
    assert bodies == {131072}
    assert (status, read["directions"], read["missing_vantages"]) == (0, 12, {})


def test_fragments_dropped_show_in_the_overlay_and_in_the_artifact(testbed: Testbed) -> None:
    """VXLAN cut to 1400 bytes, fragments dropped: pods lose full-size packets alone, an artifact stalls from afar."""
    fragments = roads.dropping(testbed, "lan", "FORWARD", "-f")
    with probing.artifacts(testbed), roads.narrow_routes(testbed, 1400), fragments:
        status, read = probe(testbed, "mesh", "--from", "node,pod")
    assert set(found(read, "node").values()) <= {"told", "ok"}
    assert set(found(read, "pod").values()) == {"large-lost"}
    from_afar, own_node = ("fails", "transfer"), ("ok", "")
    expected = {way: from_afar if way[0].startswith("kustomize") else own_node for way in WAYS}
    assert (status, hops(read)) == (2, expected)


def test_a_dead_overlay_is_silent_at_every_size(testbed: Testbed) -> None:
    """UDP 8472 dropped: nodes are well, pods hear nothing, and no size is blamed."""
    with roads.dropping(testbed, "lan", "FORWARD", "-p", "udp", "--dport", "8472"):
        _, read = probe(testbed, "mesh", "--from", "node,pod")
    assert set(found(read, "node").values()) == {"ok"}
    assert set(found(read, "pod").values()) == {"inconclusive"}


def test_random_loss_is_not_blamed_on_size(testbed: Testbed) -> None:
    """Two packets in a hundred dropped at random by the router: lossy from everywhere, at both sizes alike."""
    chance = ("-p", "icmp", "-m", "statistic", "--mode", "random", "--probability", "0.02")
    with roads.dropping(testbed, "router", "FORWARD", *chance):
        status, read = probe(testbed, "ping", WEB, "-n", "100", "--from", "node")
    assert (status, outcomes(read)) == (1, {"lossy"})
    shares = [each["lost"] / each["sent"] for each in read["results"]]
    assert all(0 < share < 0.1 for share in shares)
    assert {each["sent"] for each in read["results"]} == {200}


def test_a_clean_path_loses_nothing(testbed: Testbed) -> None:
    """A hundred packets of each size from every node and pod, and all come back."""
    status, read = probe(testbed, "ping", WEB, "-n", "100", "--from", "node,pod")
    assert (status, outcomes(read), {(each["sent"], each["lost"]) for each in read["results"]}) == (
        0,
        {"ok"},
        {(200, 0)},
    )


def test_filtered_echo_is_inconclusive(testbed: Testbed) -> None:
    """A router that forwards no ICMP: nothing is claimed of the path."""
    with roads.dropping(testbed, "router", "FORWARD", "-p", "icmp"):
        status, read = probe(testbed, "ping", WEB, "-n", "3", "--from", "node,pod")
    assert (status, outcomes(read)) == (3, {"inconclusive"})
