"""What is found about External Secrets."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probes.model.flux import ObjectRef
from probes.model.images import SecretEvent
from probes.model.kube import Condition, Pod
from probes.model.secrets import SecretObject
from probes.model.snapshot import Snapshot
from probes.rules.codes import RANK
from probes.rules.diagnose import diagnose
from probes.rules.finding import Finding
from probes.rules.places import Places, places_of
from probes.rules.secrets import judge_secrets
from tests.probes.worlds import healthy

NOW = 1_770_000_000.0
_CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "secrets.yaml").read_text())


def _ref(text: str) -> ObjectRef:
    kind, _, name = text.partition("/")
    return ObjectRef(kind, "" if kind.startswith("Cluster") else "ns", name)


def _ago(fields: dict[str, Any], key: str) -> float | None:
    return NOW - fields[key] if key in fields else None


def _object(name: str, fields: dict[str, Any]) -> SecretObject:
    conditions = []
    if "ready" in fields:
        conditions.append(Condition("Ready", "True", fields["ready"], "ok"))
    if "fails" in fields:
        conditions.append(Condition("Ready", "False", fields["fails"], fields["message"], _ago(fields, "since")))
    return SecretObject(
        _ref(name),
        conditions=tuple(conditions),
        store=_ref(fields["store"]) if "store" in fields else None,
        refreshed_at=_ago(fields, "refreshed"),
        created_at=_ago(fields, "created"),
    )


def _world(case: dict[str, Any]) -> Snapshot:
    objects = [_object(name, fields) for name, fields in case["objects"].items()]
    events = {}
    for number, (about, reason, message, ago) in enumerate(case.get("events", [])):
        ref = _ref(about)
        # The Event of a cluster-wide object is in a namespace all the same.
        namespace = ref.namespace or "default"
        events[str(number)] = SecretEvent(ref.kind, namespace, ref.name, reason, message, NOW - ago)
    keyed = {f"{item.ref.kind}/{item.ref.namespace}/{item.ref.name}": item for item in objects}
    return Snapshot(at=NOW, secrets=keyed, secret_events=events)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: str(case["case"]))
def test_cases(case: dict[str, Any]) -> None:
    """What is found, how bad it is and what is said; about what is not named nothing is found."""
    judged = list(judge_secrets(_world(case), Places()))
    found = [
        [f"{one.code} {one.severity.name.lower()}", f"{one.subject.kind} {one.subject.name}", one.summary]
        for one in judged
    ]
    assert sorted(found) == sorted(case["expects"])
    world = _world(case)
    turned = {field: dict(reversed(getattr(world, field).items())) for field in ("secrets", "secret_events")}
    assert list(judge_secrets(msgspec.structs.replace(world, **turned), Places())) == judged, "in another order"


_REASONS = st.sampled_from(["", "SecretSynced", "SecretSyncedError", "SecretDeleted", "ValidationUnknown"])
_OBJECTS = st.lists(
    st.builds(
        SecretObject,
        st.builds(
            ObjectRef,
            st.sampled_from(["ExternalSecret", "SecretStore", "ClusterSecretStore", "PushSecret"]),
            st.just("ns"),
            st.sampled_from("abc"),
        ),
        conditions=st.lists(
            st.builds(
                Condition,
                st.just("Ready"),
                st.sampled_from(["True", "False", "Unknown"]),
                _REASONS,
                st.sampled_from(["", "401 Unauthorized", "context deadline exceeded"]),
                st.none() | st.floats(NOW - 1e6, NOW),
            ),
            max_size=1,
        ).map(tuple),
        store=st.none() | st.just(ObjectRef("SecretStore", "ns", "a")),
        refreshed_at=st.none() | st.floats(NOW - 1e6, NOW),
        created_at=st.none() | st.floats(NOW - 1e6, NOW),
    ),
    max_size=8,
    unique_by=lambda item: item.ref,
)


@given(_OBJECTS)
def test_no_object_is_lost(objects: list[SecretObject]) -> None:
    """Every object that is not Ready is in exactly one finding, with its condition as it stands."""
    world = Snapshot(at=NOW, secrets={str(item.ref): item for item in objects})
    found = list(judge_secrets(world, Places()))
    for item in objects:
        ready = item.conditions[0] if item.conditions else None
        fine = ready is not None and ready.status == "True" and ready.reason != "ValidationUnknown"
        mine = [f for f in found for quote in f.evidence if _is_about(quote.source, item.ref)]
        assert len(mine) == (0 if fine else 1)
    assert all(finding.code in RANK for finding in found)


def _is_about(source: str, ref: ObjectRef) -> bool:
    return f"get {ref.kind.lower()} {ref.name} " in source


def test_secrets_fold_beneath_their_store() -> None:
    """A store that is down explains the secrets that are read from it, one or several, and no others."""
    failing = {"fails": "SecretSyncedError", "message": "no"}
    world = msgspec.structs.replace(
        healthy(),
        at=NOW,
        secrets=_world(
            {
                "objects": {
                    "ClusterSecretStore/doppler": {"fails": "InvalidProviderConfig", "message": "unable"},
                    "ExternalSecret/a": failing | {"store": "ClusterSecretStore/doppler"},
                    "ExternalSecret/b": failing | {"store": "SecretStore/vault"},
                }
            }
        ).secrets,
    )
    roots = diagnose(world).findings
    assert [(root.code, [symptom.subject.name for symptom in root.symptoms]) for root in roots] == [
        ("secret-store-not-ready", ["a"]),
        ("secret-outage", []),
    ]


def test_a_failure_on_the_way_says_where_the_operator_runs() -> None:
    """A time-out is told with the nodes of External Secrets; a refusal is not the way's fault."""
    pod = Pod("external-secrets", "es-1", node="samwise", phase="Running", app="external-secrets")
    objects = {
        "SecretStore/a": {"fails": "ValidationFailed", "message": "context deadline exceeded"},
        "SecretStore/b": {"fails": "ValidationFailed", "message": "403 Forbidden"},
    }
    found: list[Finding] = list(judge_secrets(_world({"objects": objects}), places_of({"external-secrets/es-1": pod})))
    assert [finding.about for finding in found] == [("samwise",), ()]


def test_a_cause_that_nobody_tells_any_more_is_said_to_be_so() -> None:
    """The condition is generic and the Event lives an hour."""
    objects = {"ExternalSecret/a": {"fails": "SecretSyncedError", "message": "could not get secret data"}}
    (finding,) = judge_secrets(_world({"objects": objects}), Places())
    assert "the Event that does lives an hour: there is none now" in finding.detail
