"""Probes against the demo: path MTU is what the incident made of it; what the demo has not is told so."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from lab.cluster import LabCluster
from probes.model.reach import Result
from probes.rules.diagnose import diagnose
from tests.testbed.probing import codes
from tui.__main__ import main
from tui.cli.connect import connected
from tui.cli.place import Place
from tui.cli.probing import Prober
from tui.probing import CannotProbe
from tui.views.probes_wanted import wanted_of


def probe(
    capsys: pytest.CaptureFixture[str], incident: str, *argv: str
) -> tuple[int, Sequence[dict[str, Any]], list[str]]:
    status = main(["--demo", incident, "probe", *argv, "-o", "json"])
    read = json.loads(capsys.readouterr().out)
    return status, read["results"], codes(read)


def test_a_healthy_cluster_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Every direction carries what its device believes, and nothing is sent from this machine's own network."""
    status, results, codes = probe(capsys, "healthy", "pmtu")
    assert (status, codes, len(results)) == (0, [], 12)
    assert {(each["kind"], each["sizes"]["mtu"]) for each in results} == {("node", 1500), ("pod", 1450)}


def test_what_a_bad_way_out_does_to_flux_stands_beneath_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A probe of a named host observes its vantages alone; what it finds wrong is held against the whole cluster."""
    main(["--demo", "flux-clone-timeouts", "probe", "ping", "198.51.100.7", "-n", "30", "-o", "json"])
    found = json.loads(capsys.readouterr().out)["findings"]
    assert [each["code"] for each in found] == ["egress-loss"]
    assert "flux-fetch-timeout" in {each["code"] for each in found[0]["symptoms"]}


def test_the_way_to_a_git_server_by_ssh(capsys: pytest.CaptureFixture[str]) -> None:
    """What ``p`` on the incident's finding asks for tells its cause: greetings get lost, small as they are."""
    status, results, codes = probe(capsys, "flux-clone-timeouts", "git")
    assert status == 2
    assert {(each["target"], each["outcome"]) for each in results} == {
        ("ssh://github.com/example/homelab.git", "random")
    }
    assert codes == ["egress-loss"]


def test_a_missing_device_is_a_dead_overlay(capsys: pytest.CaptureFixture[str]) -> None:
    """Without flannel's device on one node no size passes between its pods and others, and the underlay is well."""
    status, results, codes = probe(capsys, "flannel-missing-after-upgrade", "pmtu")
    assert (status, codes) == (2, ["overlay-dead"])
    dead = {(each["vantage"], each["target"]) for each in results if each["outcome"] != "ok"}
    assert all("pod@eq14-001" in ends for ends in dead)
    assert len(dead) == 4


def test_mixed_mtu_loses_large_packets_between_pods(capsys: pytest.CaptureFixture[str]) -> None:
    """Pods that believe 1450 on an overlay of 1400 lose without a word from 1401 bytes on; the underlay is well."""
    status, results, codes = probe(capsys, "flux-http2-vxlan", "pmtu")
    assert status == 2
    assert len(codes) == 1
    pods = {(each["outcome"], each["sizes"]["mtu"]) for each in results if each["kind"] == "pod"}
    assert pods == {("silent", 1400)}


@pytest.mark.parametrize(("kind", "phase"), [("git", "clone"), ("http", "transfer")])
def test_what_only_http2_loses_stands_side_by_side_on_one_screen(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str, phase: str
) -> None:
    """The contrast that solved the incident: from each place one version comes whole, of the other the body is lost."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--demo", "flux-http2-cancelled", "probe", kind]) == 2
    screen = capsys.readouterr().out.splitlines()[:24]
    for place in ("boromir", "pod@boromir", "samwise", "pod@samwise", "theoden", "pod@theoden"):
        assert any(line.startswith(f"{place} h1") and " ok" in line and " 0/3 " in line for line in screen)
        assert any(line.startswith(f"{place} h2") and f"fails at {phase}" in line for line in screen)
    assert "CANCEL (err 8)" in " ".join(screen)
    assert any("http2-broken" in line for line in screen)
    assert max(map(len, screen)) <= 80


def test_what_is_taken_for_http2_is_told_by_the_control_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    """In that incident nothing goes by size: path MTU, segments and certificates are well, and so is each node."""
    for kind, targets in (("pmtu", ()), ("tcp", ()), ("tls", ())):
        status, _, codes = probe(capsys, "flux-http2-cancelled", kind, *targets)
        assert (status, codes) == (0, []), kind


def test_a_mesh_shows_what_small_packets_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    """In the incident of mixed MTUs every pod's small packets come back and its full-size ones do not."""
    status, results, _ = probe(capsys, "flux-http2-vxlan", "mesh")
    assert status == 2
    pairs = [each for each in results if "controller" not in each["target"]]
    assert {(each["kind"], each["outcome"]) for each in pairs} == {("node", "ok"), ("pod", "large-lost")}


def test_random_loss_is_seen_at_both_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a third of all packets out are lost, ping says so, and within the cluster nothing is lost."""
    status, results, _ = probe(capsys, "flux-clone-timeouts", "ping", "198.51.100.7", "-n", "30")
    assert (status, {each["outcome"] for each in results}) == (2, {"lossy"})
    assert all(0.3 < each["lost"] / each["sent"] < 0.37 for each in results)
    status, results, _ = probe(capsys, "flux-clone-timeouts", "ping")
    assert (status, {each["outcome"] for each in results}) == (0, {"ok"})


@pytest.mark.parametrize("kind", ["ping", "mesh", "pmtu", "tcp", "tls", "http", "dns"])
def test_a_healthy_cluster_is_well_by_every_kind(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """Nothing is wrong and nothing unknown: certificates are believed, and the artifact comes whole."""
    status, results, codes = probe(capsys, "healthy", kind, "-n", "2")
    assert (status, codes, {each["outcome"] for each in results}) == (0, [], {"ok"})


def test_what_was_taken_for_http2_is_shown_to_be_size(capsys: pytest.CaptureFixture[str]) -> None:
    """Both versions of HTTP stall at the certificates alike; small segments pass; and Flux's failure is beneath it."""
    status, results, _ = probe(capsys, "flux-http2-vxlan", "http", "-n", "2")
    assert (status, {(each["outcome"], each["phase"]) for each in results}) == (2, {("fails", "tls")})
    status, results, codes = probe(capsys, "flux-http2-vxlan", "tcp")
    assert (status, codes, {each["outcome"] for each in results}) == (2, ["egress-mtu-blackhole"], {"blackhole"})
    status, results, _ = probe(capsys, "flux-http2-vxlan", "tls", "-n", "2")
    assert (status, {each["outcome"] for each in results}) == (2, {"lost"})


def test_loss_is_no_blackhole(capsys: pytest.CaptureFixture[str]) -> None:
    """Where a third of all packets is lost connections stall at any segment size, and no size is blamed."""
    status, results, codes = probe(capsys, "flux-clone-timeouts", "tcp")
    assert (status, codes, {each["outcome"] for each in results}) == (2, ["egress-loss"], {"random-loss"})


def test_names_are_answered_where_coredns_is_reached(capsys: pytest.CaptureFixture[str]) -> None:
    """All are answered in a healthy cluster; where CoreDNS's node lost its overlay, only those beside it are."""
    status, results, _ = probe(capsys, "healthy", "dns", "-n", "1")
    assert (status, {each["outcome"] for each in results}) == (0, {"ok"})
    status, results, _ = probe(capsys, "flannel-missing-after-upgrade", "dns", "-n", "1")
    assert status == 2
    asked = [each for each in results if each["called"] != "resolv.conf"]
    assert {each["outcome"] for each in asked if each["node"] == "eq14-001"} == {"ok"}
    assert {each["outcome"] for each in asked if each["node"] != "eq14-001"} == {"silent"}


def test_a_pod_that_is_named_is_asked_through_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is no SSH a command in a container speaks for its pod; pods that are not there are told."""
    where = "exec:default/nettest"
    status, results, _ = probe(capsys, "flux-clone-timeouts", "ping", "198.51.100.7", "--from", where, "-n", "30")
    assert (status, [(each["vantage"], each["outcome"]) for each in results]) == (2, [(where, "lossy")])
    status, results, _ = probe(capsys, "flux-clone-timeouts", "tls", "--from", where, "-n", "1")
    assert [(each["vantage"], each["pod"]) for each in results] == [(where, "default/nettest")]
    assert main(["--demo", "healthy", "probe", "ping", "--from", "exec:default/nobody"]) == 3
    assert "the cluster has no pod default/nobody" in capsys.readouterr().err


async def test_the_screens_ask_a_source_and_a_registry_by_every_kind_that_tells() -> None:
    """What is proposed says all of it in one sentence, and every kind of it answers, from all that is named."""
    async with LabCluster("healthy") as lab:
        place = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo="healthy")
        async with connected(place) as cluster:
            judged = diagnose(await cluster.observe(20))
            source = next(each for each in judged.snapshot.flux.values() if each.ref.kind == "GitRepository")
            wanted = wanted_of(judged, source.ref)
            assert wanted is not None
            wanted = msgspec.structs.replace(
                wanted, kinds=(*wanted.kinds, "registry"), images=("ghcr.io/example/web:1.0", "NO IMAGE")
            )
            prober = Prober(cluster, place)
            found: list[Result] = []
            try:
                proposal = await prober.propose(wanted)
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("SSL_CERT_FILE", str(lab.trusted))
                    await proposal.send(found.append)
                with pytest.raises(CannotProbe, match="no image"):
                    await prober.propose(msgspec.structs.replace(wanted, kinds=("registry",), images=("NO IMAGE",)))
            finally:
                await prober.close()
    assert ",," not in proposal.says
    assert all(word in proposal.says for word in ("shallow clones", "TLS handshakes", "small segments", "up to a blob"))
    assert len(found) == proposal.total
    assert {(each.probe, each.outcome) for each in found} == {
        (kind, "ok") for kind in ("http", "git", "tls", "tcp", "registry")
    }
