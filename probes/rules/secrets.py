"""secrets: External Secrets stores and secrets that are not in sync, and what that means for those who use them.

A Secret that was synced once keeps working while its store is down: degraded, no outage. The condition's message is
generic; the cause is only in the Warning Event (external-secrets pkg/controllers/externalsecret). A store that could
not be validated says Ready all the same, with the reason ValidationUnknown (pkg/controllers/secretstore/common.go).
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from probes.model.flux import ObjectRef
from probes.model.images import SecretEvent
from probes.model.kube import Condition
from probes.model.secrets import SecretObject
from probes.model.snapshot import KUBE, Snapshot
from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.failures import NETWORK, Failure, failure_of
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.places import EXTERNAL_SECRETS, Places
from probes.rules.words import age_text, for_text

GRACE: Final = 300.0
"""Seconds that a new object may take before what it lacks is more than a note."""
STORE_KINDS: Final = frozenset({"SecretStore", "ClusterSecretStore"})
_GONE: Final = frozenset({"SecretDeleted", "SecretMissing"})
"""Reasons that say that the target Secret is not there."""
_BY_FAILURE: Final = {
    "dns": "secret-store-dns",
    "unknown-name": "secret-store-dns",
    "connect-timeout": "secret-store-timeout",
    "tls-stall": "secret-store-timeout",
    "timeout": "secret-store-timeout",
    "connect-refused": "secret-store-unreachable",
    "no-route": "secret-store-unreachable",
    "broken-off": "secret-store-timeout",
    "tls-trust": "secret-store-tls-trust",
    "denied": "secret-store-denied",
    "rate-limit": "secret-store-rate-limit",
}
_FORCE: Final = (
    "After a repair it is tried again at its next interval, or at once: kubectl annotate es NAME force-sync=$(date "
    "+%s) --overwrite (not where refreshPolicy is CreatedOnce)."
)


class _Case(msgspec.Struct, frozen=True):
    """An object that is not Ready, and why."""

    item: SecretObject
    ready: Condition | None
    events: tuple[SecretEvent, ...]
    """Its Warning Events, the newest first."""

    @property
    def cause(self) -> str:
        """The most telling message there is."""
        telling = [event.message for event in self.events if failure_of(event.message) is not None]
        said = [event.message for event in self.events]
        return next(iter((*telling, *said)), self.ready.message if self.ready else "")

    @property
    def failure(self) -> Failure | None:
        """How far the request got, where that is told."""
        return failure_of(self.cause)


def judge_secrets(snapshot: Snapshot, places: Places) -> Iterator[Finding]:
    """Judge all External Secrets objects; an object that is not Ready is part of exactly one finding."""
    items = sorted(snapshot.secrets.values(), key=lambda item: item.ref)
    amiss = [item for item in items if _status(item) != "True"]
    if amiss:
        events = _events(snapshot.secret_events)
        cases = [_Case(item, _ready(item), events.get(item.ref, ())) for item in amiss]
        for group in _groups(cases):
            yield _finding(snapshot, group, places)
    for item in items:
        ready = _ready(item)
        if ready is not None and ready.status == "True" and ready.reason == "ValidationUnknown":
            yield _unproven(snapshot, item, ready)


def _ready(item: SecretObject) -> Condition | None:
    return next((condition for condition in item.conditions if condition.type == "Ready"), None)


def _status(item: SecretObject) -> str:
    ready = _ready(item)
    return ready.status if ready else "Unknown"


def _events(events: Mapping[str, SecretEvent]) -> dict[ObjectRef, tuple[SecretEvent, ...]]:
    found: dict[ObjectRef, list[SecretEvent]] = {}
    for event in events.values():
        namespace = "" if event.kind.startswith("Cluster") else event.namespace
        found.setdefault(ObjectRef(event.kind, namespace, event.name), []).append(event)
    return {
        ref: tuple(sorted(some, key=lambda event: (-(event.last_at or 0.0), event.message)))
        for ref, some in found.items()
    }


def _groups(cases: list[_Case]) -> list[list[_Case]]:
    """Put together the secrets of one store that fail alike; everything else stands by itself."""
    groups: dict[tuple[str, ObjectRef, str], list[_Case]] = {}
    for case in cases:
        store = case.item.store if case.item.ref.kind == "ExternalSecret" else None
        ref = store or case.item.ref
        kind = case.failure.kind if case.failure else ""
        groups.setdefault((_code(case), ref, kind), []).append(case)
    return list(groups.values())


def _code(case: _Case) -> str:
    if case.ready is None:
        return "secret-never-handled"
    if case.item.ref.kind in STORE_KINDS:
        return _BY_FAILURE.get(case.failure.kind if case.failure else "", "secret-store-not-ready")
    if case.item.ref.kind != "ExternalSecret":
        return "secret-not-ready"
    return "secret-degraded" if _kept(case) else "secret-outage"


def _kept(case: _Case) -> bool:
    """Whether its target Secret was written once, and is not said to be gone."""
    reason = case.ready.reason if case.ready else ""
    return case.item.refreshed_at is not None and reason not in _GONE


def _severity(snapshot: Snapshot, code: str, group: list[_Case]) -> Severity:
    created = [case.item.created_at for case in group]
    if code in {"secret-outage", "secret-never-handled"} and all(
        at is not None and snapshot.at - at <= GRACE for at in created
    ):
        return Severity.NOTE
    return Severity.CRITICAL if code == "secret-outage" else Severity.WARNING


def _finding(snapshot: Snapshot, group: list[_Case], places: Places) -> Finding:
    first = group[0]
    code = _code(first)
    refs = sorted(case.item.ref for case in group)
    subject = (first.item.store if len(group) > 1 else None) or first.item.ref
    network = first.failure is not None and first.failure.kind in NETWORK
    nodes = tuple(sorted(places.namespaces.get(EXTERNAL_SECRETS, ()))) if network else ()
    seen = [quote for case in group for quote in _quotes(snapshot, case)]
    if nodes:
        said = f"the pods of External Secrets run on {listed(nodes)}"
        at = snapshot.source(f"{KUBE}pods").at
        seen = [*seen[: MOST_EVIDENCE - 1], Evidence("kubectl -n external-secrets get pods -o wide", said, "API", at)]
    return Finding(
        code,
        _severity(snapshot, code, group),
        subject,
        f"{_what(snapshot, code, group, refs)}: {_why(first)}",
        tuple(seen[:MOST_EVIDENCE]),
        f"kubectl get {first.item.ref.kind.lower()} shows Ready=True with a refresh time after the failure",
        detail=_detail(code, first),
        about=nodes[:MOST_EVIDENCE],
    )


def _what(snapshot: Snapshot, code: str, group: list[_Case], refs: list[ObjectRef]) -> str:
    """Say what it means for those who use it."""
    first, now = group[0], snapshot.at
    names = listed([f"{ref.namespace}/{ref.name}" for ref in refs])
    since = for_text(min((c.ready.changed_at for c in group if c.ready and c.ready.changed_at), default=None), now)
    if code == "secret-degraded":
        oldest = min(case.item.refreshed_at for case in group if case.item.refreshed_at is not None)
        if len(group) > 1:
            return (
                f"{names} are not synced{since}; their Secrets stay in use, the oldest of {age_text(now - oldest)} ago"
            )
        return f"not synced{since}; its Secret stays in use, as it was {age_text(now - oldest)} ago"
    if code == "secret-outage":
        if len(group) > 1:
            return f"the Secrets of {names} do not exist{since}, what needs them cannot start"
        return f"its Secret does not exist{since}, what needs it cannot start"
    if code == "secret-never-handled":
        return f"no controller has looked at it{for_text(first.item.created_at, now)}"
    what = "the store is not usable" if first.item.ref.kind in STORE_KINDS else "not in sync"
    return f"{what}{since}"


def _why(case: _Case) -> str:
    if case.failure is not None:
        return f"{case.failure.host}: {case.failure.said}" if case.failure.host else case.failure.said
    return " ".join(case.cause.split())[:160] or "it has no conditions"


def _quotes(snapshot: Snapshot, case: _Case) -> Iterator[Evidence]:
    """Quote the condition as it stands, and the newest Event, which alone tells the cause."""
    ref = case.item.ref
    place = f"-n {ref.namespace} " if ref.namespace else ""
    if case.ready is None:
        said = "it has no Ready condition"
    else:
        said = f"Ready={case.ready.status} {case.ready.reason}: {case.ready.message}"
    at = snapshot.source(f"{KUBE}secrets/{ref.kind}").at
    yield Evidence(f"kubectl {place}get {ref.kind.lower()} {ref.name} -o yaml", said, "API", at)
    told = next((event for event in case.events if event.message == case.cause), None)
    if told is not None:
        yield Evidence(f"Event {told.reason} of {ref.kind} {ref.name}", told.message, "API", told.last_at)


def _detail(code: str, case: _Case) -> str:
    parts = []
    if case.failure is None and not case.events:
        parts.append("The condition does not tell the cause, and the Event that does lives an hour: there is none now.")
    if code == "secret-degraded":
        parts.append("Nothing that runs breaks by it; a changed or rotated value does not arrive.")
    if code == "secret-outage":
        parts.append("It was never synced, or the target was deleted.")
    if case.failure is not None and case.failure.kind in NETWORK:
        parts.append("The way from the operator's pod to the provider: try its API from that node with a large answer.")
    return " ".join((*parts, _FORCE))


def _unproven(snapshot: Snapshot, item: SecretObject, ready: Condition) -> Finding:
    at = snapshot.source(f"{KUBE}secrets/{item.ref.kind}").at
    place = f"-n {item.ref.namespace} " if item.ref.namespace else ""
    said = f"Ready=True {ready.reason}: {ready.message}"
    seen = Evidence(f"kubectl {place}get {item.ref.kind.lower()} {item.ref.name} -o yaml", said, "API", at)
    return Finding(
        "secret-store-unproven",
        Severity.NOTE,
        item.ref,
        "Ready, but it could not be validated: that proves nothing of its provider",
        (seen,),
        "an ExternalSecret of it has a refresh time within its interval",
        detail="Some providers cannot be asked without reading a secret. Judge it by the secrets that use it.",
    )
