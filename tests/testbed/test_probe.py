"""Probes against real paths: each condition is made by the kernel's own means, and its verdict is the right one."""

import json
import subprocess
import time
from typing import Any

import pytest

from tests.testbed import roads, underlay
from tests.testbed.cluster import Testbed

pytestmark = pytest.mark.testbed

WEB = "web.outside.test"
NODES = ("boromir", "samwise", "theoden")


def probe(testbed: Testbed, *argv: str) -> tuple[int, dict[str, Any]]:
    """Run a probe to its end; gives exit status and document."""
    done: subprocess.CompletedProcess[str] = underlay.run(testbed, "probe", *argv, "-o", "json")
    assert done.stderr == "", done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    assert read["exit_status"] == done.returncode
    return done.returncode, read


def paths(read: dict[str, Any], kind: str) -> dict[tuple[str, str], tuple[str, int | None]]:
    """Give outcome and MTU of every path from vantages of one kind."""
    found = [each for each in read["results"] if each["kind"] == kind]
    return {(each["vantage"], each["target"]): (each["found"]["outcome"], each["found"]["mtu"]) for each in found}


def codes(read: dict[str, Any]) -> list[str]:
    """List what was concluded."""
    return [each["code"] for each in read["conclusions"]]


def test_clean_paths_are_well(testbed: Testbed) -> None:
    """Between all nodes 1500 bytes, between all pods 1450 in both directions, nothing concluded, within seconds."""
    roads.forget(testbed)
    began = time.monotonic()
    status, read = probe(testbed, "pmtu", "--from", "node,pod")
    assert time.monotonic() - began < 10
    pairs = {(a, b) for a in NODES for b in NODES if a != b}
    assert paths(read, "node") == dict.fromkeys(pairs, ("ok", 1500))
    assert paths(read, "pod") == {(f"pod@{a}", f"pod@{b}"): ("ok", 1450) for a, b in pairs}
    assert (status, codes(read), read["missing_vantages"]) == (0, [], {})
    assert {each["way"]["dev"] for each in read["results"]} == {"eth0"}


def test_a_router_that_tells_is_named(testbed: Testbed) -> None:
    """A link of 1400 bytes behind the router, its ICMP allowed: told, by the router, from nodes and pods."""
    with roads.narrow(testbed, "router", "eth1", 1400):
        status, read = probe(testbed, "pmtu", WEB, "--from", "node,pod")
    found = [(each["found"]["outcome"], each["found"]["mtu"], each["found"]["by"]) for each in read["results"]]
    assert found == [("told", 1400, "192.0.2.1")] * 6
    assert (status, codes(read)) == (1, [])


def test_a_blackhole_is_found_to_the_byte(testbed: Testbed) -> None:
    """The same link with the router's frag-needed dropped: silent above 1400, a blackhole, from nodes and pods."""
    with (
        roads.narrow(testbed, "router", "eth1", 1400),
        roads.dropping(testbed, "router", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed"),
    ):
        status, read = probe(testbed, "pmtu", WEB, "--from", "node,pod")
    found = [(each["found"]["outcome"], each["found"]["mtu"], each["found"]["lost_from"]) for each in read["results"]]
    assert found == [("silent", 1400, 1401)] * 6
    assert (status, codes(read)) == (2, ["pmtu-blackhole"])


def test_filtered_echo_is_inconclusive(testbed: Testbed) -> None:
    """A router that forwards no ICMP at all says nothing of MTU, and nothing is claimed."""
    with roads.dropping(testbed, "router", "FORWARD", "-p", "icmp"):
        status, read = probe(testbed, "pmtu", WEB, "--from", "node,pod")
    assert {each["found"]["outcome"] for each in read["results"]} == {"inconclusive"}
    assert (status, codes(read)) == (3, [])


def test_dropped_fragments_are_told_from_a_blackhole(testbed: Testbed) -> None:
    """Nodes that cut VXLAN to 1400 bytes, a switch that drops fragments: pods lose above 1350, the underlay nothing."""
    fragments = roads.dropping(testbed, "lan", "FORWARD", "-f")
    with roads.narrow_routes(testbed, 1400), fragments:
        status, read = probe(testbed, "pmtu", "--from", "node,pod")
    assert set(paths(read, "node").values()) == {("told", 1400)}
    assert set(paths(read, "pod").values()) == {("silent", 1350)}
    assert (status, codes(read)) == (2, ["vxlan-fragments-dropped"])


def test_fragments_that_arrive_are_a_warning(testbed: Testbed) -> None:
    """The same without the filter: pods carry 1450, in fragments, and that is said."""
    with roads.narrow_routes(testbed, 1400):
        status, read = probe(testbed, "pmtu", "--from", "node,pod")
    assert set(paths(read, "pod").values()) == {("ok", 1450)}
    assert (status, codes(read)) == (1, ["underlay-smaller-than-overlay"])


def test_a_dropped_vxlan_port_is_no_mtu(testbed: Testbed) -> None:
    """UDP 8472 dropped between the nodes: no size passes between pods, every size between nodes."""
    with roads.dropping(testbed, "lan", "FORWARD", "-p", "udp", "--dport", "8472"):
        status, read = probe(testbed, "pmtu", "--from", "node,pod")
    assert set(paths(read, "node").values()) == {("ok", 1500)}
    assert set(paths(read, "pod").values()) == {("inconclusive", None)}
    assert (status, codes(read)) == (2, ["overlay-dead"])
