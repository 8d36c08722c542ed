"""Fetching against the demo: repositories, registries and plans are what the incident made of the way to them."""

import json
from typing import Any

import pytest

from tui.__main__ import main


def probe(capsys: pytest.CaptureFixture[str], incident: str, *argv: str) -> tuple[int, list[dict[str, Any]]]:
    status = main(["--demo", incident, "probe", *argv, "-o", "json"])
    results: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["results"]
    return status, results


def test_a_healthy_way_brings_repositories_and_blobs(capsys: pytest.CaptureFixture[str]) -> None:
    """The demo's nodes have no git: curl fetches the pack; a registry's blob comes from the host it redirects to."""
    status, results = probe(capsys, "healthy", "git")
    assert status == 0
    assert {(each["outcome"], each["facts"]["by"], each["kind"]) for each in results} == {
        ("ok", "curl", "node"),
        ("ok", "curl", "pod"),
    }
    status, results = probe(capsys, "healthy", "registry", "ghcr.io/fluxcd/helm-controller:v1.4.2")
    assert (status, {each["outcome"] for each in results}) == (0, {"ok"})
    assert {each["facts"]["blob-host"] for each in results} == {"blobs.ghcr.io"}


def test_a_broken_way_stalls_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    """Where full-size packets are lost on the way out, a repository's server never shows its certificate."""
    status, results = probe(capsys, "flux-http2-vxlan", "git")
    assert status == 2
    assert {(each["outcome"], each["phase"]) for each in results} == {("fails", "tls")}


def test_two_runs_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    """What is kept of two runs is held side by side, without any cluster."""
    for incident in ("flux-http2-vxlan", "flux-http2-vxlan"):
        probe(capsys, incident, "git", "--from", "node")
    assert main(["probe", "compare", "last-1", "last"]) == 1
    said = capsys.readouterr().out
    assert "results are as they were" in said
    assert main(["probe", "runs"]) == 0
    assert capsys.readouterr().out.count("-git") == 2
