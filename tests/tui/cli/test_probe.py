"""What all probes on the command line share: what they import, and how versions of HTTP stand side by side."""

import subprocess
import sys

from probes.model.reach import Attempt, Result
from tui.cli.versions import side_by_side

HEAVY = {
    *("asyncssh", "kubernetes", "aiohttp", "httpx", "cryptography", "textual", "probes.rules.diagnose"),
    *("probes.collectors.node", "probes.kube.reflector", "probes.kube.podsocket"),
}


def test_a_probe_starts_without_what_it_may_not_need() -> None:
    """No wire, no rule and no collector is imported before somebody is asked: starting is half of a short probe."""
    for kind in ("ping", "pmtu", "tcp", "tls", "http", "registry"):
        code = f"import sys, tui.cli.probe, tui.cli.probe_{kind}; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
        assert HEAVY & set(done.stdout.split()) == set(), kind


FACTS = {"spoken": "1.1 2", "pack": "1000", "by": "git"}
TRIES = (
    Attempt(variant="HTTP/1.1", seconds={"refs": 0.1, "clone": 0.2}, answer="206 over HTTP/1.1"),
    Attempt(variant="HTTP/2", seconds={"refs": 0.1}, failed="clone"),
    Attempt(variant="HTTP/2", unable="cut off"),
)
RESULT = Result(
    "git", "a", "node", "https://x.test/y.git", "h2-only-fails", "critical", "only HTTP/2 fails", 0.0,
    phase="clone", sent=2, lost=1, times=(0.3,), facts=FACTS, attempts=TRIES,
)  # fmt: skip


def test_versions_that_part_have_a_row_each() -> None:
    """Each with its own verdict, losses and times; what brought no pack shows none."""
    first, second = side_by_side([RESULT])
    assert (first.vantage, first.said, first.tone, first.lost, first.sent) == ("a h1", "ok 206", "ok", 0, 1)
    assert first.facts == {**FACTS, "spoken": "1.1"}
    assert (second.vantage, second.said, second.tone, second.lost, second.sent) == (
        *("a h2", "fails at clone", "critical"),
        *(1, 1),
    )
    assert (second.facts, second.times) == ({"spoken": "", "by": "git"}, ())


def test_versions_that_agree_stay_together() -> None:
    """A result that fails or works by both is one row as it is."""
    alike = Result("http", "a", "node", "https://x.test/", "fails", "critical", "fails at tls", 0.0, attempts=TRIES)
    assert list(side_by_side([alike])) == [alike]
