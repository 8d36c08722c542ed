"""probe registry against a real registry, and against one that asks for a token and keeps its blobs elsewhere."""

import time
from typing import Any

import pytest

from tests.testbed import roads, underlay, wharf
from tests.testbed.cluster import Testbed
from tests.testbed.probing import codes, probe

pytestmark = pytest.mark.testbed

IMAGE = "shop/web:1.0"
STAGES = ["dns", "connect", "tls", "challenge", "token", "manifest", "redirect", "blob"]
ONE = ("--nodes", "samwise")


@pytest.fixture(autouse=True)
def _trusted(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operator trust the outside world's certificates, as the nodes do."""
    monkeypatch.setenv("SSL_CERT_FILE", str(testbed.ca))


def verdicts(read: dict[str, Any]) -> set[tuple[str, str]]:
    """Give every outcome with the stage it failed in."""
    return {(each["outcome"], each["phase"]) for each in read["results"]}


def test_every_stage_up_to_the_blob_is_well(testbed: Testbed) -> None:
    """Without a token and with one: every stage has its time, the blob's host and the limit are said, no token is."""
    with wharf.harbouring(testbed, "fine", 8460) as host:
        images = (f"registry.outside.test/{IMAGE}", f"{host}/{IMAGE}", host)
        status, read = probe(testbed, "registry", *images, *ONE, "-n", "1")
    # A busy machine is slow, which is no matter of the way.
    assert status in {0, 1}
    assert {outcome for outcome, _ in verdicts(read)} <= {"ok", "slow"}
    assert len(read["results"]) == 9
    for each in read["results"]:
        facts, attempt = each["facts"], each["attempts"][0]
        if each["target"] == f"{host}/{IMAGE}":
            assert list(attempt["seconds"]) == STAGES
            assert (facts["blob-host"], facts["token-host"]) == ("web.outside.test:8461", "registry.outside.test:8460")
            assert facts["rate-limit"] == "98 of 100 left in 21600 s"
        if "/" in each["target"]:
            assert (attempt["body"], facts["layer"]) == (131072, "1048576")
    assert wharf.TOKEN not in str(read)
    assert wharf.SIGNATURE not in str(read)


def test_a_slow_blob_host_is_told_from_a_slow_registry(testbed: Testbed) -> None:
    """A quick registry with a slow host of blobs: that is said and found; a slow registry is another matter."""
    with wharf.harbouring(testbed, "slow", 8462) as host:
        status, read = probe(testbed, "registry", f"{host}/{IMAGE}", *ONE, "--from", "node,pod", "-n", "1")
    assert (status, verdicts(read)) == (1, {("slow-blob", "blob")})
    assert codes(read) == ["registry-blob-slow"]
    assert read["findings"][0]["summary"].count("web.outside.test:8463") == 1
    with wharf.harbouring(testbed, "late", 8468) as host:
        status, read = probe(testbed, "registry", f"{host}/{IMAGE}", *ONE, "--from", "node,pod", "-n", "1")
    assert (status, verdicts(read), codes(read)) == (1, {("slow", "redirect")}, [])


@pytest.mark.parametrize(("kind", "status", "outcome"), [("denied", 1, "denied"), ("limited", 1, "rate-limited")])
def test_refusals_are_no_failures_of_the_way(testbed: Testbed, kind: str, status: int, outcome: str) -> None:
    """403 at the token and 429 at the manifest are the registry's own word."""
    with wharf.harbouring(testbed, kind, 8464) as host:
        found, read = probe(testbed, "registry", f"{host}/{IMAGE}", *ONE, "-n", "1")
    assert (found, verdicts(read)) == (status, {(outcome, "")})


def test_an_image_that_is_not_there_is_told(testbed: Testbed) -> None:
    """404 of the manifest is no such image, and a name without an address fails at dns."""
    images = ("registry.outside.test/shop/nosuch:1", "nosuch.outside.test/x:1")
    status, read = probe(testbed, "registry", *images, *ONE, "-n", "1")
    assert (status, verdicts(read)) == (2, {("no-image", ""), ("fails", "dns")})


def test_a_blob_that_trickles_ends_in_time(testbed: Testbed) -> None:
    """Bytes that come one by one for ever fail at the blob, with its host, once the time is over."""
    with wharf.harbouring(testbed, "trickle", 8466) as host:
        began = time.monotonic()
        status, read = probe(testbed, "registry", f"{host}/{IMAGE}", *ONE, "-n", "1", "--timeout", "3")
    assert time.monotonic() - began < 25
    assert (status, verdicts(read)) == (2, {("fails", "blob")})
    assert all(each["reason"].startswith("web.outside.test:8467: at transfer") for each in read["results"])


def test_large_packets_lost_show_at_the_blob(testbed: Testbed) -> None:
    """With everything above 1200 bytes dropped on the way in, what is small passes and the blob is what stalls."""
    lost = roads.dropping(testbed, "router", "FORWARD", "-p", "tcp", "-m", "length", "--length", "1201:65535")
    with lost:
        done = underlay.run(
            testbed, "probe", "registry", f"registry.outside.test/{IMAGE}", *ONE, "--from", "node", "--timeout", "4"
        )
    assert done.returncode == 2
    assert "fails at blob" in done.stdout or "fails at tls" in done.stdout


def test_what_a_change_of_the_network_did_is_shown(testbed: Testbed) -> None:
    """A run on a broken way and one on a way that was mended, with another MTU: both are told."""
    asked = ("registry", f"registry.outside.test/{IMAGE}", *ONE, "--from", "node", "-n", "1")
    with roads.dropping(testbed, "router", "FORWARD", "-p", "tcp", "--dport", "443"):
        assert underlay.run(testbed, "probe", *asked, "--timeout", "4").returncode == 2
    with roads.narrow(testbed, "samwise", "eth0", 1400):
        after = underlay.run(testbed, "probe", *asked)
    assert "kept as " in after.stdout
    compared = underlay.run(testbed, "probe", "compare", "last-1", "last")
    assert "samwise: mtu eth0 1500 → eth0 1400" in compared.stdout
    assert "better" in compared.stdout
    assert underlay.run(testbed, "probe", "runs").stdout.count("-registry") == 2


PLAN = """\
contexts:
  testbed:
    plans:
      egress:
        repeat: 2
        interval: 0.1
        probes:
          - {probe: http, targets: ["https://registry.outside.test/v2/"]}
          - {probe: git, targets: ["https://git.outside.test/fleet.git"]}
          - {probe: registry, targets: ["registry.outside.test/shop/web:1.0"]}
        success:
          - {probe: http, need: 4, of: 4, from: [samwise]}
          - {probe: http, need: 4, of: 4, without: tls, from: [server], any: true}
"""


def test_a_plan_waits_for_a_silent_resolver_once(testbed: Testbed) -> None:
    """A resolver that answers nobody: each name is looked up once from each node, and nothing else is asked for it."""
    with roads.dropping(testbed, "world", "INPUT", "-p", "udp", "--dport", "53"):
        status, read = probe(testbed, "plan", "--timeout", "4", "--from", "node")
    assert (status, verdicts(read)) == (2, {("fails", "dns")})
    assert {each["probe"] for each in read["results"]} == {"http", "git", "registry"}
    assert all(each["reason"].startswith("no resolver there answered for ") for each in read["results"])


def test_a_plan_is_held_against_its_criteria(testbed: Testbed) -> None:
    """Two rounds of three probes: met criteria are 0; cut off, a node fails its criterion and no other."""
    config = testbed.folder / "plan.yaml"
    config.write_text(PLAN)
    where = ("--config", str(config), "--from", "node")
    status, read = probe(testbed, "plan", "egress", *where)
    assert (status, [each["tone"] for each in read["criteria"]]) == (0, ["ok", "ok"])
    assert {(each["probe"], len(each["attempts"])) for each in read["results"]} == {
        ("http", 4),
        ("git", 4),
        ("registry", 2),
    }
    lost = ("-p", "tcp", "--dport", "443", "-s", testbed.node("samwise").address)
    with roads.dropping(testbed, "router", "FORWARD", *lost):
        status, read = probe(testbed, "plan", "egress", *where, "--timeout", "4")
    assert (status, [each["tone"] for each in read["criteria"]]) == (2, ["critical", "ok"])
    config.unlink()
