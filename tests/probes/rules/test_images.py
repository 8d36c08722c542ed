"""What is found about image pulls."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probes.model.network import Resolvers
from probes.model.snapshot import Snapshot
from probes.model.summary.pulls import PullFailure, registry_of
from probes.rules.codes import RANK
from probes.rules.finding import Severity, subject_text
from probes.rules.images import judge_pulls, pull_of
from tests.probes.worlds import healthy, with_network

_FOLDER = Path(__file__).parent / "cases"
_MESSAGES: list[dict[str, Any]] = yaml.safe_load((_FOLDER / "pulls.yaml").read_text())
_GROUPS: list[dict[str, Any]] = yaml.safe_load((_FOLDER / "pull-groups.yaml").read_text())
_SAID = {
    "tls": 'failed to do request: Head "https://registry/v2/": net/http: TLS handshake timeout',
    "denied": "pull access denied, repository does not exist or may require authorization",
    "gone": "docker.io/library/x:1: not found",
    "rate": "429 Too Many Requests",
    "full": "no space left on device",
    "silent": "Back-off pulling image",
}


def _row(node: str, image: str, message: str) -> PullFailure:
    return PullFailure(registry_of(image), image, node, (f"ns/{node}-pod",), message, 900.0)


@pytest.mark.parametrize("case", _MESSAGES, ids=lambda case: f"{case['code']}: {case['message'][-50:]}")
def test_a_message_is_classed_by_its_words(case: dict[str, Any]) -> None:
    """Each text that containerd or kubelet is known to write is of one class, whether the way is at fault or not."""
    found = pull_of(case["message"])
    assert (found.code, found.network, found.blob) == (
        case["code"],
        case.get("network", False),
        case.get("blob", False),
    )
    assert found.code in RANK


@pytest.mark.parametrize("case", _GROUPS, ids=lambda case: str(case["case"]))
def test_pulls_are_put_together_by_what_they_share(case: dict[str, Any]) -> None:
    """One finding a cause: a node, a registry, an image, or the way out that all share."""
    rows = [_row(node, image, _SAID[said]) for node, image, said in case["pulls"]]
    found = [[f.code, _subject(f.subject), list(f.about)] for f in judge_pulls(Snapshot(), rows)]
    assert found == case["expects"]


def _subject(ref: Any) -> str:
    return f"{ref.kind} {ref.name}"


_ROWS = st.lists(
    st.builds(
        _row,
        st.sampled_from(["", "boromir", "samwise", "theoden"]),
        st.sampled_from(["ghcr.io/a:1", "quay.io/a:1", "quay.io/b:2", "nginx"]),
        st.sampled_from([case["message"] for case in _MESSAGES]) | st.text(max_size=20),
    ),
    max_size=9,
)


@given(_ROWS)
def test_no_pull_is_lost(rows: list[PullFailure]) -> None:
    """Every pull that fails is in exactly one finding, with its message as it stands."""
    found = list(judge_pulls(Snapshot(), rows))
    told = [quote.excerpt for finding in found for quote in finding.evidence]
    assert sorted(told) == sorted(row.message for row in rows)
    assert all(finding.severity is Severity.WARNING and finding.summary for finding in found)
    assert len({(finding.code, finding.subject) for finding in found}) == len(found)
    assert all(subject_text(finding.subject) for finding in found)


def test_a_pull_that_does_not_get_through_is_told_with_the_way_out() -> None:
    """MTU, default route and resolvers of the node stand beside the failure; of a refusal they would say nothing."""
    world = with_network(healthy(), "samwise", resolvers=(Resolvers("/etc/resolv.conf", ("192.0.2.1",)),))
    (stalled,) = judge_pulls(world, [_row("samwise", "ghcr.io/a:1", _SAID["tls"])])
    assert stalled.evidence[-1].excerpt == "default via 192.0.2.1 dev eth0; mtu 1500; nameserver 192.0.2.1"
    assert stalled.evidence[-1].vantage == "samwise"
    (refused,) = judge_pulls(world, [_row("samwise", "ghcr.io/a:1", _SAID["denied"])])
    assert [quote.excerpt for quote in refused.evidence] == [_SAID["denied"]]


def test_a_way_out_that_is_not_known_is_said_to_be_so() -> None:
    """What the node did not tell is not made up."""
    world = with_network(healthy(), "samwise", routes=None, links=None, unassessed={"routes": "no ip"})
    (stalled,) = judge_pulls(world, [_row("samwise", "ghcr.io/a:1", _SAID["tls"])])
    assert stalled.evidence[-1].excerpt == (
        "no default route is known; its MTU is not known; its resolvers are not known"
    )


def test_a_thousand_nodes_are_counted_not_listed() -> None:
    """The sentence names a few nodes, and the evidence is bounded."""
    rows = [_row(f"node-{i:04}", "ghcr.io/a:1", _SAID["tls"]) for i in range(1000)]
    (finding,) = judge_pulls(Snapshot(), rows)
    assert finding.summary == (
        "ghcr.io/a:1 cannot be pulled on node-0000, node-0001, node-0002 and 997 more: TCP connects, then the TLS "
        "handshake is not answered; 1000 pods wait"
    )
    assert len(finding.evidence) == 10
    assert len(finding.about) == 10
