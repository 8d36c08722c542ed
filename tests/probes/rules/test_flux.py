"""What is found about Flux objects."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probes.model.flux import CONSUMER_KINDS, SOURCE_KINDS, FluxObject, ObjectRef
from probes.model.kube import Condition, Pod
from probes.model.snapshot import Snapshot
from probes.model.summary.flux import summarize_flux
from probes.rules.codes import RANK
from probes.rules.finding import Finding, Severity
from probes.rules.flux import judge_flux
from probes.rules.places import places_of

NOW = 1_770_000_000.0
_CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "flux.yaml").read_text())


def _ref(text: str) -> ObjectRef:
    kind, _, name = text.partition("/")
    return ObjectRef(kind, "ns", name)


def _ago(fields: dict[str, Any], key: str) -> float | None:
    return NOW - fields[key] if key in fields else None


def _conditions(fields: dict[str, Any]) -> tuple[Condition, ...]:
    since, reason = _ago(fields, "since"), fields.get("reason", "GitOperationFailed")
    found = []
    if "ready" in fields:
        found.append(Condition("Ready", "True", "Succeeded", fields["ready"], since))
    if "fails" in fields:
        found.append(Condition("Ready", "False", reason, fields["fails"], since))
    if "works" in fields:
        found.append(Condition("Ready", "Unknown", "Progressing", fields["works"], since))
    if "fetch" in fields:
        found.append(Condition("FetchFailed", "True", reason, fields["fetch"], since))
    if "stalled" in fields:
        found.append(Condition("Stalled", "True", reason, fields["stalled"], since))
    if "reconciling" in fields:
        found.append(Condition("Reconciling", "True", "Progressing", "at it", _ago(fields, "reconciling")))
    return tuple(found)


def _object(name: str, fields: dict[str, Any]) -> FluxObject:
    requested = fields.get("requested", "")
    if isinstance(requested, int):
        requested = datetime.fromtimestamp(NOW - requested, UTC).isoformat()
    generation = fields.get("generation", 1)
    return FluxObject(
        _ref(name),
        generation=generation,
        observed_generation=fields.get("observed", generation),
        suspended=fields.get("suspended", False),
        conditions=_conditions(fields),
        url=fields.get("url", ""),
        static=fields.get("static", False),
        source=_ref(fields["source"]) if "source" in fields else None,
        depends_on=tuple(map(_ref, fields.get("depends", ()))),
        revision=str(fields.get("revision", "")),
        artifact_at=_ago(fields, "artifact"),
        requested_at=requested,
        handled_at=requested if fields.get("handled") else "",
        interval=fields.get("interval"),
        timeout=fields.get("timeout"),
        created_at=_ago(fields, "created"),
    )


def _judge(objects: list[FluxObject], pods: dict[str, Pod] | None = None) -> list[Finding]:
    flux = {f"{item.ref.kind}/{item.ref.namespace}/{item.ref.name}": item for item in objects}
    world = Snapshot(at=NOW, flux=flux, pods=pods or {})
    return list(judge_flux(world, summarize_flux(world), places_of(world.pods)))


@pytest.mark.parametrize("case", _CASES, ids=lambda case: str(case["case"]))
def test_cases(case: dict[str, Any]) -> None:
    """What is found about each object, how bad it is and what is said; about the others nothing is found."""
    found: dict[str, list[str]] = {}
    said: dict[str, str] = {}
    for finding in _judge([_object(name, fields) for name, fields in case["objects"].items()]):
        name = f"{finding.subject.kind}/{finding.subject.name}"
        suffix = "" if finding.severity is Severity.WARNING else f" {finding.severity.name.lower()}"
        found.setdefault(name, []).append(f"{finding.code}{suffix}")
        said[name] = finding.summary
    assert found == case["expects"]
    for name, text in case.get("says", {}).items():
        assert said[name] == text


_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)
_TIME = st.none() | st.floats(NOW - 1e6, NOW + 1e3)
_CONDITION = st.builds(
    Condition,
    st.sampled_from(["Ready", "FetchFailed", "Stalled", "Reconciling", "ArtifactInStorage"]),
    st.sampled_from(["True", "False", "Unknown"]),
    st.sampled_from(["", "Failed", "AuthenticationFailed", "DependencyNotReady"]),
    st.sampled_from(["context deadline exceeded", "dependency 'ns/a' is not ready", "x509: no"]) | _TEXT,
    _TIME,
)
_ANY_REF = st.builds(
    ObjectRef, st.sampled_from([*SOURCE_KINDS, *CONSUMER_KINDS]), st.just("ns"), st.sampled_from("abc")
)
_OBJECTS = st.lists(
    st.builds(
        FluxObject,
        _ANY_REF,
        generation=st.none() | st.integers(1, 2),
        observed_generation=st.none() | st.integers(-1, 2),
        suspended=st.booleans(),
        conditions=st.lists(_CONDITION, max_size=4, unique_by=lambda c: c.type).map(tuple),
        source=st.none() | _ANY_REF,
        depends_on=st.lists(_ANY_REF, max_size=2).map(tuple),
        revision=st.sampled_from(["", "main@sha1:aaaaaaaaaa", "1.0.0"]),
        artifact_at=_TIME,
        requested_at=st.sampled_from(["", "2026-02-01T00:00:00Z", "x"]),
        created_at=_TIME,
    ),
    max_size=8,
    unique_by=lambda item: item.ref,
)


@given(_OBJECTS)
def test_what_is_not_ready_has_one_finding_with_its_message(objects: list[FluxObject]) -> None:
    """Nothing is dropped: every object that is not Ready has exactly one finding, whose evidence has its message."""
    world = Snapshot(at=NOW, flux={str(item.ref): item for item in objects})
    rows = summarize_flux(world)
    found: dict[ObjectRef, list[Finding]] = {}
    for finding in judge_flux(world, rows, places_of({})):
        found.setdefault(finding.subject, []).append(finding)
        assert finding.code in RANK
        assert finding.summary
        assert "\n" not in finding.summary
    for row in rows:
        mine = found.get(row.object.ref, [])
        if row.ready == "True" and not row.object.suspended:
            continue
        assert len(mine) == 1
        told = [quote.excerpt for quote in mine[0].evidence]
        ready = row.object.condition("Ready")
        assert ready is None or any(ready.message in excerpt for excerpt in told)


def test_a_failure_on_the_way_says_where_the_controller_runs() -> None:
    """A time-out is told with the node of the controller that met it, a refusal by the server is not."""
    pod = Pod("flux-system", "source-controller-1", node="samwise", phase="Running", app="source-controller")
    late = _object("GitRepository/a", {"fails": "context deadline exceeded"})
    refused = _object("GitRepository/b", {"fails": "authentication required: no"})
    timeout, refusal = _judge([late, refused], {"flux-system/source-controller-1": pod})
    assert timeout.about == ("samwise",)
    assert any("source-controller runs on samwise" in quote.excerpt for quote in timeout.evidence)
    assert refusal.about == ()


def test_a_webhook_that_is_silent_is_told_with_its_pods() -> None:
    """The API server calls the webhook's pods: their nodes are what to look at, not the controller's."""
    said = 'failed calling webhook "v": Post "https://a-svc.ky.svc:443/v": context deadline exceeded'
    pod = Pod("ky", "a-1", node="theoden", phase="Running", app="a")
    (finding,) = _judge([_object("Kustomization/a", {"fails": said})], {"ky/a-1": pod})
    assert (finding.code, finding.about) == ("flux-webhook-timeout", ("theoden",))
    assert finding.summary.startswith("a-svc.ky.svc: an admission webhook does not answer the API server")


def test_it_says_when_flux_tries_again_and_what_not_to_do() -> None:
    """After a repair up to a quarter of an hour may pass, and a restart of source-controller loses what it serves."""
    (finding,) = _judge([_object("GitRepository/a", {"fails": "net/http: TLS handshake timeout"})])
    assert "every 15 minutes" in finding.detail
    assert "Do not restart source-controller" in finding.detail


def test_a_cached_artifact_is_told_with_who_uses_it() -> None:
    """A note says why it is one."""
    source = _object("OCIRepository/a", {"fails": "denied", "revision": "1@sha256:aa"})
    release = _object("HelmRelease/b", {"ready": "Ok", "source": "OCIRepository/a"})
    finding = next(one for one in _judge([source, release]) if one.subject.kind == "OCIRepository")
    assert "Every HelmRelease that uses it (ns/b) is Ready on the cached artifact." in finding.detail
