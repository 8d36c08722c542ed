"""Servers that misbehave, names that nobody has, nodes that go: clear verdicts, limits held, nothing left behind."""

import json
import subprocess
import time
from typing import Any

import pytest

from tests.testbed import hostile, outages, roads, underlay
from tests.testbed.cluster import Testbed
from tests.testbed.commands import wait_until
from tests.testbed.probing import NODES, WEB, codes, outcomes, probe

pytestmark = pytest.mark.testbed

LARGE = f"https://{WEB}/large.bin"


@pytest.fixture(autouse=True)
def _trusted(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operator trust the outside world's certificates, as the nodes do."""
    monkeypatch.setenv("SSL_CERT_FILE", str(testbed.ca))


def failed(read: dict[str, Any]) -> set[tuple[str, str]]:
    """Give every outcome with the phase it failed in."""
    return {(each["outcome"], each["phase"]) for each in read["results"]}


def bodies(read: dict[str, Any]) -> list[int]:
    """List the bytes that every attempt received."""
    return [attempt.get("body", 0) for each in read["results"] for attempt in each["attempts"]]


def left(testbed: Testbed, program: str) -> bool:
    """Tell whether a program runs on any node."""
    return any(testbed.run_on(node, ("pgrep", "-x", program), check=False).stdout.strip() for node in NODES)


def test_a_body_that_never_ends_ends_in_time(testbed: Testbed) -> None:
    """A server that trickles bytes for ever: transfer, within the time allowed, from operator and nodes alike."""
    with hostile.serving(testbed, "trickle", 8450) as url:
        began = time.monotonic()
        status, read = probe(testbed, "http", url, "--timeout", "4", "-n", "1", "--from", "operator,node")
        assert time.monotonic() - began < 30
    assert (status, failed(read)) == (2, {("fails", "transfer")})
    assert not left(testbed, "curl")


def test_no_redirect_is_followed(testbed: Testbed) -> None:
    """A server that sends everybody in a circle is asked once an attempt, and its answer is an answer."""
    with hostile.serving(testbed, "circle", 8451) as url:
        status, read = probe(testbed, "http", url, "-n", "1", "--from", "operator,node")
    assert (status, outcomes(read)) == (0, {"ok"})
    assert {attempt["answer"].split()[0] for each in read["results"] for attempt in each["attempts"]} == {"302"}


def test_ten_gigabytes_are_not_taken(testbed: Testbed) -> None:
    """Of a body that is far larger than what was asked for no more than its beginning is taken."""
    with hostile.serving(testbed, "huge", 8452) as url:
        _, read = probe(testbed, "http", url, "-n", "1", "--from", "operator,node")
    # How fast a busy machine sends is another matter.
    assert outcomes(read) <= {"ok", "slow"}, [each["reason"] for each in read["results"]]
    assert max(bodies(read)) < 2**23
    assert not left(testbed, "curl")


def test_a_wrong_certificate_and_an_unknown_host_are_told(testbed: Testbed) -> None:
    """A certificate for others fails at tls with that reason, a name that nobody has at dns."""
    status, read = probe(testbed, "http", "https://198.51.100.10/", "-n", "1", "--from", "operator,node")
    assert (status, failed(read)) == (2, {("fails", "tls")})
    assert all("certificate" in each["reason"] or "match" in each["reason"] for each in read["results"])
    status, read = probe(testbed, "http", "https://nosuch.outside.test/", "-n", "1", "--from", "operator,node")
    assert (status, failed(read)) == (2, {("fails", "dns")})


def test_a_node_that_goes_while_it_is_asked_is_told_and_the_others_are_not_held_up(testbed: Testbed) -> None:
    """A node unplugged in the middle of a probe: it is not assessed, with the reason; the others are well."""
    argv = underlay.argv(testbed, "probe", "ping", WEB, "-n", "60", "--from", "node", "-o", "json")
    with subprocess.Popen(
        testbed.operator_command(argv), cwd=underlay.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: bool(testbed.run_on("theoden", ("pgrep", "-x", "ping"), check=False).stdout), 30, "it pings")
        with outages.unplugged(testbed, "theoden"):
            said, _ = process.communicate(timeout=60)
    told = json.loads(said)
    assert {each["vantage"]: each["outcome"] for each in told["results"] if each["vantage"] != "theoden"} == {
        "boromir": "ok",
        "samwise": "ok",
    }
    lost = [each for each in told["results"] if each["vantage"] == "theoden"]
    assert [(each["outcome"], bool(each["reason"])) for each in lost] == [("unassessed", True)]
    wait_until(lambda: not left(testbed, "ping"), 20, "no ping is left on any node")


def test_what_is_taken_for_http2_is_a_matter_of_size(testbed: Testbed) -> None:
    """A way out of 1420 bytes that nobody tells of: both versions stall in the body, small segments never do."""
    roads.forget(testbed)
    silenced = roads.dropping(testbed, "router", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed")
    with roads.narrow(testbed, "router", "eth0", 1420), silenced:
        _, http = probe(testbed, "http", LARGE, "-n", "2", "--timeout", "5", "--from", "node,pod")
        status, tcp = probe(testbed, "tcp", f"http://{WEB}/large.bin", "--from", "node,pod")
    assert {each["outcome"] for each in http["results"]} == {"fails"}
    assert {each["phase"] for each in http["results"]} <= {"tls", "first-byte", "transfer"}
    assert (status, outcomes(tcp), codes(tcp)) == (2, {"blackhole"}, ["egress-mtu-blackhole"])
    assert {each["direction"] for each in tcp["results"]} == {"back"}
