"""Flux objects, findings, pulls, secrets and the timeline written up."""

import pytest

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from probes.model.observation import Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis, Evidence, Finding, Severity
from tests.probes.worlds import AT, healthy, with_network
from tests.tui.views.said import NOW, said, tones, widest
from tests.tui.views.troubled import APPS, GIT, SECRET, STORE, troubled
from tui.views import events, timeline
from tui.views.describe import about, describe, facts_yaml
from tui.views.finding_detail import cause_of, finding_document
from tui.views.flux import key_of
from tui.views.flux_detail import flux_document, ref_of


@pytest.fixture(name="judged")
def _judged() -> Diagnosis:
    return diagnose(troubled())


def test_flux_object(judged: Diagnosis) -> None:
    """A source says why it fails, what it still serves, what it was asked for, and whom it feeds."""
    text = said(flux_document(judged, GIT))
    for expected in (
        "✖ GitOperationFailed",
        "unable to clone: context deadline exceeded",
        "https://git.example/repo",
        "11m ago",
        "4, reconciled is 3",
        "1m (Flux's default)",
        "▲ 2026-01-02T03:04:05Z",
        "not yet",
        "Feeds",
        "Kustomization flux-system/apps",
    ):
        assert expected in text


def test_flux_consumer(judged: Diagnosis) -> None:
    """A consumer says which revision its source has that it has not, and what it waits for."""
    text = said(flux_document(judged, APPS))
    assert "source has" in text
    assert "main@sha1:aaaa" in text
    assert "Takes from" in text
    assert "Depends on" in text
    assert "is not there" in said(flux_document(judged, ObjectRef("Bucket", "a", "b")))


def test_keys_of_objects() -> None:
    """A key leads back to its object, also to one of the whole cluster."""
    assert ref_of(key_of(GIT)) == GIT
    assert ref_of(key_of(STORE)) == STORE
    assert ref_of("condition Ready") is None


def test_finding_with_evidence() -> None:
    """A finding shows what was seen, where and when, what it explains and what would refute it."""
    symptom = Finding("dns-timeout", Severity.CRITICAL, GIT, "lookup times out")
    root = Finding(
        "vxlan-link-missing",
        Severity.CRITICAL,
        ObjectRef("Node", "", "samwise"),
        "flannel.1 does not exist",
        (Evidence("ip -d link show flannel.1", "Device does not exist.", "samwise", 1000.0),),
        refutes="ip link shows it",
        runbooks=("restore-vxlan",),
        symptoms=(symptom,),
    )
    text = said(finding_document(root))
    for expected in (
        "✖ critical  vxlan-link-missing  samwise",
        "ip -d link show flannel.1",
        "samwise  1m ago",
        "Device does not exist.",
        "Explains  1",
        "lookup times out",
        "ip link shows it",
        "restore-vxlan",
    ):
        assert expected in text
    judged = Diagnosis(Snapshot(), findings=(root,))
    assert cause_of(judged, symptom) is root
    assert cause_of(judged, root) is None
    assert "Explained by" in said(finding_document(symptom, cause=root))
    assert about(judged, GIT) == [symptom]


def test_pulls(judged: Diagnosis) -> None:
    """A failing pull has its events, and says whether others fail like it."""
    listing = events.pulls(judged, NOW)
    assert [item.ref for item in listing.items] == [ObjectRef("Registry", "", "ghcr.io")]
    text = said(events.pull_document(judged, judged.pulls[0]))
    assert "[/nope] TLS handshake timeout" in text
    assert "3 times" in text
    assert "this node from other registries" in text


def test_no_failing_pull_is_good_only_where_pods_are_known() -> None:
    """Nothing seen is not nothing wrong."""
    unknown = events.pulls(diagnose(healthy()), NOW)
    assert unknown.nothing.tone != "ok"
    known = fold(healthy(), [Observed("kube/pods", AT, Listed({}))])
    assert events.pulls(diagnose(known), NOW).nothing.tone == "ok"


def test_events_newest_first(judged: Diagnosis) -> None:
    """Events of pulls and of secrets are one list."""
    refs = [item.ref for item in events.events(judged, NOW).items]
    assert refs == [STORE, ObjectRef("Pod", "apps", "web")]


def test_secrets(judged: Diagnosis) -> None:
    """A store that is not ready comes before a secret that is, with the Event that tells the cause."""
    listing = events.secrets(judged, NOW)
    assert [item.ref for item in listing.items] == [STORE, SECRET]
    text = said(events.secret_document(judged, judged.snapshot.secrets[key_of(STORE)]))
    assert "dial tcp: i/o timeout" in text
    assert "Secret token" in said(describe(judged, SECRET))


@pytest.mark.parametrize(
    "ref", [GIT, STORE, ObjectRef("Registry", "", "ghcr.io"), ObjectRef("Node", "", "samwise"), ObjectRef("X", "", "y")]
)
@pytest.mark.parametrize("cells", [60, 100])
def test_describe(judged: Diagnosis, ref: ObjectRef, cells: int) -> None:
    """Everything can be described within any width, and what nobody knows says so."""
    blocks = describe(judged, ref)
    assert widest(blocks, cells) <= cells
    assert ("Nothing is known" in said(blocks)) == (ref.kind == "X")


def test_facts_as_yaml(judged: Diagnosis) -> None:
    """The facts themselves can be read as YAML, moments as dates."""
    text = facts_yaml(judged, ObjectRef("Node", "", "samwise"))
    assert "ifname: flannel.1" in text
    assert "1970-01-01T00:16:40+00:00" in text
    assert facts_yaml(judged, ObjectRef("X", "", "y")) == ""


def test_timeline() -> None:
    """Changes are newest first, and each leads to what changed."""
    changes = (
        Change(1000.0, "samwise", "flannel.1 mtu", "1450", "1400"),
        Change(1001.0, key_of(GIT), "Ready", "True", "False: timeout"),
        Change(1002.0, "API", "kube/nodes", "ok", "unreachable"),
    )
    listing = timeline.timeline(changes)
    assert [item.ref for item in listing.items] == [None, GIT, ObjectRef("Node", "", "samwise")]
    assert listing.items[2].text(NOW) == "1m  samwise  flannel.1 mtu  1450 → 1400"
    assert "nothing has changed" in timeline.timeline(()).nothing.text


def test_hostile_text_stays_text() -> None:
    """Markup in what a cluster says is shown as it is."""
    links = with_network(healthy(), "samwise", unassessed={"fdb": "[red]x[/nope]"})
    assert tones(describe(diagnose(links), ObjectRef("Node", "", "samwise")), "[red]x[/nope]") == {"text"}
