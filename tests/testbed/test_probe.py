"""Probes against real paths: each condition is made by the kernel's own means, and its verdict is the right one."""

import subprocess
import time
from typing import Any

import pytest

from tests.testbed import hostile, roads, underlay
from tests.testbed.cluster import Testbed
from tests.testbed.commands import wait_until
from tests.testbed.probing import NODES, WEB, codes, probe, wait_for_service

pytestmark = pytest.mark.testbed


def outcomes(read: dict[str, Any]) -> set[tuple[str, str]]:
    """Give every outcome with the phase it failed in."""
    return {(each["outcome"], each["phase"]) for each in read["results"]}


def paths(read: dict[str, Any], kind: str) -> dict[tuple[str, str], tuple[str, int | None]]:
    """Give outcome and MTU of every path from vantages of one kind."""
    found = [each for each in read["results"] if each["kind"] == kind]
    return {(each["vantage"], each["target"]): (each["outcome"], each["sizes"]["mtu"]) for each in found}


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


def test_a_probe_asks_of_the_api_what_its_vantages_need(testbed: Testbed) -> None:
    """Outwards from nodes the API is asked for its nodes alone; from this machine it is not asked at all."""

    def asked(*argv: str) -> list[str]:
        before = len(testbed.plane.audited_verbs("underlay"))
        assert probe(testbed, *argv)[0] == 0
        return testbed.plane.audited_verbs("underlay")[before:]

    assert asked("tls", WEB, "-n", "1", "--from", "node") == ["list"]
    assert asked("tls", WEB, "-n", "1", "--from", "operator") == []
    assert len(asked("tls", WEB, "-n", "1", "--from", "pod")) == 2


def test_a_router_that_tells_is_named(testbed: Testbed) -> None:
    """A link of 1400 bytes behind the router, its ICMP allowed: told, by the router, from nodes and pods."""
    with roads.narrow(testbed, "router", "eth1", 1400):
        status, read = probe(testbed, "pmtu", WEB, "--from", "node,pod")
    found = [(each["outcome"], each["sizes"]["mtu"], each["sizes"]["by"]) for each in read["results"]]
    assert found == [("told", 1400, "192.0.2.1")] * 6
    assert (status, codes(read)) == (1, [])


def test_a_blackhole_is_found_to_the_byte(testbed: Testbed) -> None:
    """The same link with the router's frag-needed dropped: silent above 1400, a blackhole, from nodes and pods."""
    with (
        roads.narrow(testbed, "router", "eth1", 1400),
        roads.dropping(testbed, "router", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed"),
    ):
        status, read = probe(testbed, "pmtu", WEB, "--from", "node,pod")
    found = [(each["outcome"], each["sizes"]["mtu"], each["sizes"]["lost_from"]) for each in read["results"]]
    assert found == [("silent", 1400, 1401)] * 6
    assert (status, codes(read)) == (2, ["egress-mtu-blackhole"])
    assert {each["direction"] for each in read["results"]} == {"there"}
    roads.forget(testbed)
    with (
        roads.narrow(testbed, "router", "eth0", 1400),
        roads.dropping(testbed, "router", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed"),
        roads.dropping(
            testbed, "router", "FORWARD", "-o", "eth0", "-p", "icmp", "-m", "length", "--length", "1401:9000"
        ),
    ):
        _, read = probe(testbed, "pmtu", WEB, "--from", "node")
    assert {(each["outcome"], each["direction"]) for each in read["results"]} == {("silent", "back")}


def test_filtered_echo_is_inconclusive(testbed: Testbed) -> None:
    """A router that forwards no ICMP at all says nothing of MTU, and nothing is claimed."""
    with roads.dropping(testbed, "router", "FORWARD", "-p", "icmp"):
        status, read = probe(testbed, "pmtu", WEB, "--from", "node,pod")
    assert {each["outcome"] for each in read["results"]} == {"inconclusive"}
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
    assert (status, codes(read)) == (1, ["overlay-fragmented"])


def test_a_dropped_vxlan_port_is_no_mtu(testbed: Testbed) -> None:
    """UDP 8472 dropped between the nodes: no size passes between pods, every size between nodes."""
    with roads.dropping(testbed, "lan", "FORWARD", "-p", "udp", "--dport", "8472"):
        status, read = probe(testbed, "pmtu", "--from", "node,pod")
    assert set(paths(read, "node").values()) == {("ok", 1500)}
    assert set(paths(read, "pod").values()) == {("inconclusive", None)}
    assert (status, codes(read)) == (2, ["vxlan-port-dropped"])


@pytest.fixture(autouse=True)
def _trusted(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operator trust the outside world's certificates, as the nodes do."""
    monkeypatch.setenv("SSL_CERT_FILE", str(testbed.ca))


LARGE = f"https://{WEB}/large.bin"


def test_both_versions_of_http_work_from_everywhere(testbed: Testbed) -> None:
    """From operator, nodes and pods HTTP/1.1 and HTTP/2 bring a large body, with every phase and the same address."""
    status, read = probe(testbed, "http", LARGE, "-n", "2")
    assert len(read["results"]) == 7
    assert (status, outcomes(read)) == (0, {("ok", "")})
    for each in read["results"]:
        assert (each["facts"], each["sent"]) == ({"spoken": "1.1 2", "full-size segments": "yes"}, 4)
        for attempt in each["attempts"]:
            assert set(attempt["seconds"]) == {"dns", "connect", "tls", "first-byte", "transfer"}
            assert attempt["answer"] == f"206 over {attempt['variant']}"
            assert (attempt["address"], attempt["body"]) == ("198.51.100.10", 131072)


def test_a_server_that_resets_http2_is_told_from_a_dead_one(testbed: Testbed) -> None:
    """Only HTTP/2 fails, at the first byte, from every vantage, while HTTP/1.1 brings its body."""
    with hostile.serving(testbed, "h2-reset", 8443) as url:
        status, read = probe(testbed, "http", url, "-n", "2")
    assert (status, outcomes(read)) == (2, {("h2-only-fails", "first-byte")})


def test_a_stall_at_the_certificate_is_put_there(testbed: Testbed) -> None:
    """A server that takes a ClientHello and says nothing: tls, from every vantage, within the time allowed."""
    with hostile.serving(testbed, "stall", 8444) as url:
        status, read = probe(testbed, "http", url, "--timeout", "1.5", "--from", "operator,node,pod")
    assert (status, outcomes(read)) == (2, {("fails", "tls")})


def test_large_packets_lost_stall_a_transfer_and_not_a_connection(testbed: Testbed) -> None:
    """With what is larger than 1000 bytes dropped, connections open, and nothing comes out of them in full."""
    with roads.dropping(testbed, "router", "FORWARD", "-p", "tcp", "-m", "length", "--length", "1001:65535"):
        status, read = probe(testbed, "http", LARGE, "--timeout", "1.5", "-n", "2", "--from", "node,pod")
    assert status == 2
    assert {each["outcome"] for each in read["results"]} == {"fails"}
    assert {each["phase"] for each in read["results"]} <= {"tls", "first-byte", "transfer"}
    assert all(attempt["address"] for each in read["results"] for attempt in each["attempts"])


def dns(read: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    """Give outcomes by vantage, what the resolver is, and name."""
    return {(each["vantage"], each["called"], each["asked"]): each["outcome"] for each in read["results"]}


def test_every_resolver_answers_everybody(testbed: Testbed) -> None:
    """The nodes' own resolver, CoreDNS by its pod and by its service answer nodes and pods, with the right address."""
    wait_for_service(testbed)
    status, read = probe(testbed, "dns", WEB, "-n", "2")
    assert (status, set(dns(read).values())) == (0, {"ok"})
    assert {each["called"] for each in read["results"]} == {
        "resolv.conf",
        "kube-dns service",
        "coredns on boromir",
    }
    named = {each["asked"]: each["facts"]["addresses"] for each in read["results"]}
    assert named == {WEB: "198.51.100.10", "kubernetes.default.svc.cluster.local": "10.43.0.1"}


def test_a_resolver_that_one_node_does_not_reach_is_found(testbed: Testbed) -> None:
    """DNS to the resolver dropped on samwise: samwise alone fails, for that resolver alone."""
    wait_for_service(testbed)
    with roads.dropping(testbed, "samwise", "OUTPUT", "-p", "udp", "--dport", "53", "-d", "198.51.100.10"):
        status, read = probe(testbed, "dns", WEB, "-n", "2", "--from", "node,pod")
    failing = {key for key, outcome in dns(read).items() if outcome != "ok"}
    assert (status, failing) == (2, {("samwise", "resolv.conf", WEB)})


def test_nothing_is_left_when_the_operator_is_killed(testbed: Testbed) -> None:
    """A probe whose process is killed leaves no command running on any node, long before its time is over."""

    def running() -> bool:
        return any(testbed.run_on(node, ("pgrep", "-x", "curl"), check=False).stdout.strip() for node in NODES)

    with hostile.serving(testbed, "stall", 8445) as url:
        argv = underlay.argv(testbed, "probe", "http", url, "--timeout", "60", "--from", "node,pod")
        line = testbed.operator_command(argv)
        with subprocess.Popen(line, cwd=underlay.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                wait_until(running, 15, "curl runs on a node")
            finally:
                process.kill()
        wait_until(lambda: not running(), 5, "no curl is left on any node")
