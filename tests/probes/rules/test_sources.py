"""What it means that a source does not answer: a warning, an API that is away, or that nothing is known at all."""

import msgspec
import pytest

from probes.kube.resources import CORE, KINDS
from probes.model.observation import Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from probes.rules.finding import Verdict
from tests.probes.worlds import AT, healthy

SOURCES = [resource.source for resource in CORE] + [kind.source for kind in KINDS]


@pytest.mark.parametrize("kind", ["unreachable", "timeout"])
def test_an_api_that_is_away_is_one_finding(kind: str) -> None:
    """However many resources were to be read, that nobody answers is one thing, and it is critical."""
    judged = diagnose(fold(healthy(), [Failed(source, AT, "connection refused", kind) for source in SOURCES]))
    assert [(f.code, f.summary) for f in judged.findings] == [
        (
            "api-unreachable",
            f"the API does not answer, so nothing new is known of {len(SOURCES)} of its resources: connection refused",
        )
    ]
    assert judged.verdict is Verdict.CRITICAL
    assert {gap.what for gap in judged.gaps} == {source.removeprefix("kube/") for source in SOURCES}


def test_one_resource_that_fails_is_a_warning() -> None:
    """While the API tells its nodes it is there; what it does not tell is named."""
    judged = diagnose(fold(healthy(), [Failed("kube/pull_events", AT, "too slow", "timeout")]))
    assert [(f.code, f.summary) for f in judged.findings] == [
        ("resource-unread", "pull events cannot be read: too slow")
    ]
    assert judged.verdict is Verdict.WARNING


def test_rights_that_are_missing_are_one_finding_with_all_their_evidence() -> None:
    """Each resource is refused in its own words; who is restricted reads one finding, and every refusal as evidence."""
    sources = ["kube/leases", "kube/pods", "kube/pull_events", *(kind.source for kind in KINDS)]
    judged = diagnose(fold(healthy(), [Failed(s, AT, f"403: {s} is forbidden", "restricted") for s in sources]))
    (finding,) = judged.findings
    assert finding.code == "resource-unread"
    assert [seen.excerpt for seen in finding.evidence] == [f"403: {s} is forbidden" for s in sorted(sources)]
    assert finding.summary.endswith("and 12 more cannot be read: 403: kube/flux/Bucket is forbidden")


def test_one_cause_is_one_finding() -> None:
    """A plugin that gives no credentials fails every resource with one sentence, which is told once."""
    failed = [Failed(s, AT, "the exec plugin ended with 1", "failed") for s in SOURCES]
    other = Failed("kube/leases", AT, "garbage", "failed")
    judged = diagnose(fold(healthy(), [*failed, other]))
    assert [f.summary.rpartition(": ")[2] for f in judged.findings] == ["the exec plugin ended with 1", "garbage"]


def test_to_be_refused_the_nodes_is_no_outage() -> None:
    """Missing rights are told as such: the API is there."""
    judged = diagnose(fold(healthy(), [Failed("kube/nodes", AT, "403: forbidden", "restricted")]))
    assert [(f.code, f.severity.name) for f in judged.findings] == [("resource-unread", "WARNING")]


def test_a_cluster_without_nodes_is_not_healthy() -> None:
    """Where there is nothing to look at, nothing was assessed."""
    world = fold(msgspec.structs.replace(Snapshot(), context="empty"), [Observed("kube/nodes", AT, Listed({}))])
    assert diagnose(world).verdict is Verdict.UNASSESSED
