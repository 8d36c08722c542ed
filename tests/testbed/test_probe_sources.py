"""Probes of what Flux and the kubelets fetch, against real servers: git, and what goes wrong on the way to it."""

import base64
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.testbed import forge, underlay
from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError, wait_until
from tests.testbed.probing import NODES, codes, probe

pytestmark = pytest.mark.testbed

EVERYWHERE = {"operator", *NODES, *(f"pod@{node}" for node in NODES)}
FLEET = "https://git.outside.test/fleet.git"
SSH = "ssh://git@git.outside.test/fleet.git"


@pytest.fixture(autouse=True)
def _trusted(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the operator trust the outside world's certificates, as the nodes do, and keep its own temporary files."""
    monkeypatch.setenv("SSL_CERT_FILE", str(testbed.ca))
    folder = testbed.folder / "tmp"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("TMPDIR", str(folder))


def verdicts(read: dict[str, Any]) -> set[tuple[str, str]]:
    """Give every outcome with the phase it failed in."""
    return {(each["outcome"], each["phase"]) for each in read["results"]}


def reasons(read: dict[str, Any]) -> str:
    """Give all reasons as one text."""
    return "\n".join({each["reason"] for each in read["results"]})


def left_behind(testbed: Testbed) -> list[str]:
    """List what a clone may leave: processes and temporary folders of nodes and of the operator's machine."""
    found = [str(path) for path in (testbed.folder / "tmp").iterdir()]
    for node in NODES:
        script = "pgrep -a -x git; pgrep -a git-remote; pgrep -x curl; ls -d /tmp/underlay-git.*"
        found += testbed.run_on(node, ("sh", "-c", f"({script}) 2>/dev/null"), check=False).stdout.splitlines()
    return found


def nothing_is_left(testbed: Testbed) -> None:
    """Wait until clones have left nothing behind; what stays is told."""
    with suppress(TestbedError):
        wait_until(lambda: left_behind(testbed) == [], 15, "nothing is left of the clones")
    assert left_behind(testbed) == []


def test_the_clusters_own_repositories_are_cloned_from_everywhere(testbed: Testbed) -> None:
    """Both repositories of Flux, by both versions of HTTP, from operator, nodes and pods; nothing stays behind."""
    status, read = probe(testbed, "git")
    assert (status, verdicts(read)) == (0, {("ok", "")})
    assert {(each["target"], each["vantage"]) for each in read["results"]} == {
        (f"https://git.outside.test/{name}.git", vantage) for name in ("fleet", "shop") for vantage in EVERYWHERE
    }
    for each in read["results"]:
        assert [attempt["variant"] for attempt in each["attempts"]] == ["HTTP/1.1", "HTTP/2"]
        assert all(
            list(attempt["seconds"]) == ["dns", "connect", "tls", "refs", "clone"] for attempt in each["attempts"]
        )
        assert (each["facts"]["by"], each["facts"]["spoken"]) == ("git", "1.1 2")
        assert 524288 < int(each["facts"]["pack"]) < 600000
    assert {each["called"] for each in read["results"]} == {"flux-system/flux-system", "flux-system/shop"}
    assert left_behind(testbed) == []


def test_a_pack_that_only_http2_loses_is_told(testbed: Testbed) -> None:
    """A server that cancels packs of HTTP/2: refs pass by both versions, git's own words tell where they part."""
    with forge.forging(testbed, "cancel", 8450) as url:
        status, read = probe(testbed, "git", f"{url}/fleet.git", "--from", "node,pod")
        told = underlay.run(testbed, "probe", "git", f"{url}/fleet.git", "--from", "node,pod")
    screen = told.stdout.splitlines()[:24]
    assert (status, verdicts(read), codes(read)) == (2, {("h2-only-fails", "clone")}, ["http2-broken"])
    assert "was not closed cleanly: CANCEL (err 8)" in reasons(read)
    for place in EVERYWHERE - {"operator"}:
        assert any(line.startswith(f"{place} h1") and " ok" in line for line in screen), place
        assert any(line.startswith(f"{place} h2") and "fails at clone" in line for line in screen), place
    assert any("http2-broken" in line for line in screen), "the contrast and what it comes to, on one screen"


def test_a_node_without_git_fetches_the_same_pack(testbed: Testbed) -> None:
    """Where there is no git, curl posts git's own requests: the same verdicts, the same size, nothing written."""
    with without_git(testbed, "samwise"), forge.forging(testbed, "cancel", 8451) as url:
        _, well = probe(testbed, "git", FLEET, "--nodes", "samwise", "--from", "node,pod")
        status, broken = probe(testbed, "git", f"{url}/fleet.git", "--nodes", "samwise", "--from", "node,pod")
    assert {(each["outcome"], each["facts"]["by"]) for each in well["results"]} == {("ok", "curl")}
    assert all(524288 < int(each["facts"]["pack"]) < 600000 for each in well["results"])
    assert (status, verdicts(broken)) == (2, {("h2-only-fails", "clone")})


@contextmanager
def without_git(testbed: Testbed, node: str) -> Iterator[None]:
    """Take git off a node's path for a while."""
    testbed.run_on(node, ("mv", "/usr/bin/git", "/usr/bin/git.away"))
    try:
        yield
    finally:
        testbed.run_on(node, ("mv", "/usr/bin/git.away", "/usr/bin/git"))


def test_a_url_that_moved_is_told(testbed: Testbed) -> None:
    """A permanent redirect is followed as Flux does, and where it leads is said; one without end ends after five."""
    with forge.forging(testbed, "moved", 8452) as url:
        status, read = probe(testbed, "git", f"{url}/old/fleet.git", "--nodes", "boromir")
    assert (status, {each["facts"]["redirects-to"] for each in read["results"]}) == (0, {FLEET})
    with forge.forging(testbed, "endless", 8453) as url:
        status, read = probe(testbed, "git", f"{url}/x.git", "--nodes", "boromir", "-n", "1")
    assert (status, verdicts(read)) == (2, {("fails", "refs")})
    assert "redirects more than 5 times" in reasons(read)


def test_what_answers_and_is_no_repository_is_told(testbed: Testbed) -> None:
    """404 is no such repository; an unknown name fails at dns, a certificate for others at tls."""
    status, read = probe(testbed, "git", "https://git.outside.test/nosuch.git", "--nodes", "boromir")
    assert (status, {each["said"] for each in read["results"]}) == (2, {"no such repository"})
    other = "https://198.51.100.10/fleet.git"
    status, read = probe(testbed, "git", "https://nosuch.outside.test/x.git", other, "--nodes", "boromir", "-n", "1")
    assert (status, verdicts(read)) == (2, {("fails", "dns"), ("fails", "tls")})


def test_a_pack_without_end_is_stopped(testbed: Testbed) -> None:
    """10 GiB are stopped at 64 MiB and call the way good; a pack that trickles ends in time; nothing stays behind."""
    with forge.forging(testbed, "huge", 8454) as url:
        _, read = probe(testbed, "git", f"{url}/fleet.git", "--nodes", "boromir", "--from", "node", "-n", "1")
    assert {each["facts"]["pack"] for each in read["results"]} == {str(64 * 2**20)}
    assert "stopped at 64 MiB" in reasons(read)
    with forge.forging(testbed, "trickle", 8455) as url:
        began = time.monotonic()
        status, read = probe(testbed, "git", f"{url}/fleet.git", "--from", "node", "-n", "1", "--timeout", "3")
    assert time.monotonic() - began < 30
    assert (status, verdicts(read)) == (2, {("fails", "clone")})
    assert "no end within 9 s" in reasons(read)
    assert left_behind(testbed) == []


def test_killed_in_the_middle_of_a_clone_nothing_stays_behind(testbed: Testbed) -> None:
    """underlay killed (SIGKILL) while nodes, pods and operator clone: no git and no folder is left, at once."""
    with forge.forging(testbed, "trickle", 8456) as url:
        with cloning(testbed, f"{url}/fleet.git") as process:
            process.kill()
        nothing_is_left(testbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_told_to_end_it_ends_at_once(testbed: Testbed, number: signal.Signals) -> None:
    """Ctrl-c and a lost terminal end a probe within seconds, and what it started with it."""
    with forge.forging(testbed, "trickle", 8457) as url, cloning(testbed, f"{url}/fleet.git") as process:
        began = time.monotonic()
        process.send_signal(number)
        assert process.wait(20) == 128 + number
        assert time.monotonic() - began < 15
        nothing_is_left(testbed)


@contextmanager
def cloning(testbed: Testbed, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a probe whose clones do not end by themselves; entered once git runs on every node and here."""
    argv = underlay.argv(testbed, "probe", "git", url, "--timeout", "20")
    with subprocess.Popen(
        testbed.operator_command(argv), cwd=underlay.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        try:
            wait_until(lambda: all(runs_git(testbed, node) for node in NODES), 30, "git runs on every node")
            wait_until(lambda: any((testbed.folder / "tmp").iterdir()), 30, "git runs here")
            yield process
        finally:
            process.kill()


def runs_git(testbed: Testbed, node: str) -> bool:
    """Whether a node clones."""
    return bool(testbed.run_on(node, ("sh", "-c", "ls -d /tmp/underlay-git.* 2>/dev/null"), check=False).stdout)


def test_a_host_key_is_held_against_fluxs_only_with_consent(testbed: Testbed) -> None:
    """Without consent no Secret is read; with it a known key is well and another one is critical; no key is shown."""
    key = testbed.run_on("boromir", ("ssh-keyscan", "-t", "ed25519", "git.outside.test")).stdout
    known = next(line for line in key.splitlines() if not line.startswith("#"))
    other = Path(testbed.folder / "known_hosts").read_text().split(maxsplit=2)[2].split()[0]
    before = secrets_read(testbed)
    with ssh_source(testbed, known):
        status, read = probe(testbed, "git", "flux-system/by-ssh", "--nodes", "boromir")
        assert (status, verdicts(read)) == (1, {("not-compared", "")})
        assert secrets_read(testbed) == before
        status, read = probe(testbed, "git", "by-ssh", "--nodes", "boromir", "--read-secret")
        assert (status, verdicts(read)) == (0, {("ok", "")})
        assert secrets_read(testbed) == before + 1
        assert all(each["facts"]["banner"].startswith("SSH-2.0-OpenSSH") for each in read["results"])
        assert "PRIVATE" not in json.dumps(read)
    with ssh_source(testbed, f"git.outside.test ssh-ed25519 {other}"):
        status, read = probe(testbed, "git", SSH, "--nodes", "boromir", "--read-secret")
        assert (status, verdicts(read)) == (2, {("other-host-key", "")})


def secrets_read(testbed: Testbed) -> int:
    """Count how often underlay read a Secret, by the API's audit log."""
    lines = testbed.plane.audit_log.read_text().splitlines()
    said = [json.loads(line) for line in lines if '"secrets"' in line]
    return sum(
        each["user"]["username"] == "underlay"
        and each["objectRef"].get("resource") == "secrets"
        and each["stage"] == "ResponseComplete"
        for each in said
    )


@contextmanager
def ssh_source(testbed: Testbed, known: str) -> Iterator[None]:
    """Have Flux fetch a repository by SSH, with a Secret as ``flux bootstrap`` makes it."""
    metadata = {"namespace": "flux-system", "name": "by-ssh"}
    held = {"identity": "-----BEGIN OPENSSH PRIVATE KEY-----", "known_hosts": known}
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "data": {name: base64.b64encode(text.encode()).decode() for name, text in held.items()},
        },
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": metadata,
            "spec": {"url": SSH, "interval": "1m", "secretRef": {"name": "by-ssh"}},
        },
    ]
    manifest = testbed.folder / "by-ssh.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    testbed.kubectl("apply", "-f", str(manifest))
    try:
        yield
    finally:
        testbed.kubectl("delete", "-f", str(manifest), "--ignore-not-found")
        manifest.unlink()
