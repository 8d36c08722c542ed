"""The incidents of the demo cluster, as the glance tells them: the cause first, what follows from it beneath."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lab.incident import load

ROOT = Path(__file__).parent.parent.parent.parent
PROBED = ("egress-", "http2-")
"""Codes that begin so are told by probes, not at a glance."""


class Told(msgspec.Struct, frozen=True):
    """What must be told of an incident."""

    first: tuple[str, str]
    """Code and subject of the first finding."""
    beneath: tuple[str, ...]
    says: tuple[str, ...]
    """Words about what the incident's own author had believed: of any finding, its summary and detail."""
    others: tuple[str, ...] = ()
    """Codes of further roots above a note."""


INCIDENTS = {
    "flux-http2-vxlan": Told(
        ("mtu-half-changed", "overlay"),
        ("flannel-mtu-mismatch", "subnet-env-edited", "subnet-env-mtu-differs", "pod-mtu-mixed", "pod-mtu-stale"),
        (
            # "A full k3s restart was needed for a clean slate."
            "flannel keeps flannel.1 as it is: a restart of k3s alone, on however many nodes, repairs neither",
            # "Codeberg is unreachable from pods"; then GitHub was tried.
            "github.com and helm.openwebui.com have nothing in common and fail alike",
            "Another host, mirror or protocol (SSH for HTTPS) is reached by the same way and fails alike",
            # "HTTP/2 is broken over VXLAN"; "protocols add framing overhead".
            "HTTP/2 is not at fault either: TCP cuts whatever it carries into segments of one size",
            "No protocol's framing, HTTP/2's neither, can push a packet over the MTU",
            "Pods reach the internet by the uplink, not by flannel.1: its MTU alone does not break this",
            # A mismatch of letters in the mirror's URL was corrected on the way.
            "the case of letters in a GitHub URL",
            "Do not restart source-controller meanwhile",
        ),
        ("outside-failing",),
    ),
    "flux-http2-cancelled": Told(
        ("flux-fetch-timeout", "flux-system"),
        (),
        (
            # "Codeberg is unreachable from pods"; "HTTP/2 is broken over VXLAN".
            "Small requests that succeed (curl -I, nc, ping) prove nothing about large ones",
        ),
    ),
    "flux-clone-timeouts": Told(
        ("flux-fetch-timeout", "flux-system"),
        ("flux-source-no-artifact",),
        (
            # "Timeout increased from 180s to 600s"; "other protocols work"; "switch from HTTPS to SSH".
            "raising it does not cure a stall",
            "Small requests that succeed (curl -I, nc, ping) prove nothing about large ones",
            "HTTPS or SSH, HTTP/1.1 or HTTP/2 make no difference",
        ),
    ),
    "registry-tls-timeouts": Told(
        ("outside-failing", "egress"),
        (
            "image-pull-timeout",
            "secret-store-timeout",
            "secret-degraded",
            "flux-tls-stall",
            "flux-controller-not-ready",
        ),
        (
            "none of them, but the way out that they share",
            # Probes of /v2/ alone; OCI sources that flap while their releases are Ready.
            "A quick 401 from /v2/ proves neither",
            "Every HelmRelease that uses it (external-secrets/external-secrets) is Ready on the cached artifact",
            "Nothing that runs breaks by it",
        ),
        ("flux-release-failed",),
    ),
    "flannel-missing-after-upgrade": Told(
        ("vxlan-link-missing", "eq14-001"),
        (
            *("vxlan-port-not-listening", "peer-unreachable", "coredns-unreachable", "flux-source-dns"),
            *("flux-webhook-timeout", "k3s-keeps-no-device"),
        ),
        (
            # CoreDNS and Kyverno were suspected, CoreDNS was restarted.
            "CoreDNS itself is healthy: restarting it changes nothing",
            "The webhook is seldom what is broken",
            "neither the server nor the internet",
            "never makes a deleted flannel.1 again by itself",
        ),
    ),
}


def _all(findings: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for finding in findings:
        yield finding
        yield from _all(finding["symptoms"])


@pytest.mark.parametrize("name", INCIDENTS)
def test_an_incident_is_told_by_its_cause(name: str) -> None:
    """The root cause comes first with its symptoms beneath, and the text corrects what was believed at the time."""
    told = INCIDENTS[name]
    argv = [sys.executable, "-m", "tui", "--demo", name, "status", "-o", "json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in {1, 2}, done.stderr
    findings = json.loads(done.stdout)["findings"]
    first = findings[0]
    assert (first["code"], first["subject"]["name"]) == told.first
    assert set(told.beneath) <= {finding["code"] for finding in _all(first["symptoms"])}
    others = {finding["code"] for finding in findings[1:] if finding["severity"] != "note"}
    assert others == set(told.others)
    text = "\n".join(f"{finding['summary']}\n{finding['detail']}" for finding in _all(findings))
    assert [words for words in told.says if words not in text] == []
    expected = {code for code in load(name).expects if not code.startswith(PROBED)}
    assert expected <= {finding["code"] for finding in _all(findings)}
