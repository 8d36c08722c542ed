"""flux: what each Flux object says, and what its Ready does not say.

Ready speaks of the last attempt, not of the newest revision: a failing fetch keeps the last artifact and the consumers
stay Ready on it, a suspended object keeps the Ready it had (source-controller, kustomize-controller). An object that is
not Ready gets exactly one finding, with its message as it stands.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from probes.model.flux import CONSUMER_KINDS, FluxObject, ObjectRef
from probes.model.kube import Condition
from probes.model.snapshot import KUBE, Snapshot
from probes.model.summary.flux import FluxSummary
from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.flux_messages import Message, message_of
from probes.rules.places import Places, controller_of
from probes.rules.words import age_text, for_text, revision_text

GRACE: Final = 300.0
"""Seconds beyond its own time limit that an object may take for what it has begun: until then it is a note."""
_TIMEOUTS: Final = {"Kustomization": 300.0, "HelmRelease": 300.0}
"""Seconds of spec.timeout where it is not set; a source has 60."""
_CACHED_KINDS: Final = frozenset({"OCIRepository", "HelmRepository", "HelmChart", "Bucket"})
_ABNORMAL: Final = ("Ready", "FetchFailed", "StorageOperationFailed", "BuildFailed", "Stalled", "Reconciling")
"""Conditions that are quoted."""


_WEBHOOK: Final = re.compile(r"https?://[a-z0-9-]{1,63}\.([a-z0-9-]{1,63})\.svc[.:/]")


class _World(msgspec.Struct, frozen=True):
    """What one object is judged by besides itself."""

    now: float
    rows: Mapping[ObjectRef, FluxSummary]
    places: Places
    seen_at: Mapping[str, float | None]
    """By kind, when the API last told its objects."""
    pods_at: float | None

    def source_of(self, item: FluxObject) -> FluxSummary | None:
        """Find what an object takes its artifact from."""
        return self.rows.get(item.source) if item.source else None

    def failing_source(self, item: FluxObject) -> FluxSummary | None:
        """Find the source that an object rests on and that fails, through a HelmChart as well."""
        row = self.source_of(item)
        if row is not None and row.ready == "True" and row.object.ref.kind == "HelmChart":
            row = self.source_of(row.object)
        return row if row is not None and row.ready == "False" and not row.object.suspended else None

    def leaves(self, row: FluxSummary) -> Iterator[FluxSummary]:
        """List the consumers of a source, those of its HelmCharts among them."""
        for ref in row.consumers:
            consumer = self.rows.get(ref)
            if consumer is None:
                continue
            if ref.kind == "HelmChart":
                yield from (self.rows[far] for far in consumer.consumers if far in self.rows)
            else:
                yield consumer


def judge_flux(snapshot: Snapshot, rows: Sequence[FluxSummary], places: Places) -> Iterator[Finding]:
    """Judge every Flux object by its row of the same snapshot; ages are told by the snapshot's own time."""
    kinds = {row.object.ref.kind for row in rows}
    seen_at = {kind: snapshot.source(f"{KUBE}flux/{kind}").at for kind in kinds}
    by_ref = {row.object.ref: row for row in rows}
    world = _World(snapshot.at, by_ref, places, seen_at, snapshot.source(f"{KUBE}pods").at)
    for row in rows:
        if not row.object.static:
            yield from _judge(row, world)


def _judge(row: FluxSummary, world: _World) -> Iterator[Finding]:
    item = row.object
    if item.suspended:
        yield _suspended(row, world)
    elif (stalled := _true(item, "Stalled")) is not None:
        yield _stalled(row, stalled, world)
    elif row.ready == "False":
        yield _failed(row, world)
    elif row.ready != "True":
        yield _unsettled(row, world)
    else:
        yield from _judge_ready(row, world)


def _true(item: FluxObject, kind: str) -> Condition | None:
    condition = item.condition(kind)
    return condition if condition is not None and condition.status == "True" else None


def patience(item: FluxObject) -> float:
    """Tell how many seconds an object may take for one attempt before it is late."""
    own = item.timeout or (item.interval if item.ref.kind == "Kustomization" else None)
    return (own or _TIMEOUTS.get(item.ref.kind, 60.0)) + GRACE


def _finding(
    code: str, severity: Severity, row: FluxSummary, world: _World, summary: str, detail: str = "", refutes: str = ""
) -> Finding:
    """Name something about an object, quoting its conditions as they stand."""
    ref = row.object.ref
    at = world.seen_at.get(ref.kind)
    source = f"kubectl -n {ref.namespace} get {ref.kind.lower()} {ref.name} -o yaml"
    quotes: dict[str, str] = {}
    for kind in _ABNORMAL:
        condition = row.object.condition(kind)
        if condition is not None and condition.message not in quotes:
            quotes[condition.message] = f"{kind}={condition.status} {condition.reason}: {condition.message}"
    lines = list(quotes.values()) or ["it has no conditions"]
    wrong_if = refutes or f"{source} shows Ready=True for the last attempt"
    seen = tuple(Evidence(source, line, "API", at) for line in lines)
    return Finding(code, severity, ref, summary, seen, wrong_if, detail=detail)


def _asked(item: FluxObject, now: float) -> str:
    """Say that a request to reconcile is still open, where one is."""
    if not item.requested_at or item.requested_at == item.handled_at:
        return ""
    at = _moment(item.requested_at)
    return f"; a reconcile asked for{'' if at is None else f' {age_text(now - at)} ago'} was not taken up"


def _suspended(row: FluxSummary, world: _World) -> Finding:
    item = row.object
    ready = item.condition("Ready")
    said = f"Ready={ready.status}" if ready else "nothing of itself"
    summary = f"suspended: nothing is reconciled, and it says {said} of its last run{_asked(item, world.now)}"
    detail = "flux resume takes it up again. Until then no request is handled and no change arrives."
    refutes = "spec.suspend is not true"
    return _finding("flux-suspended", Severity.NOTE, row, world, summary, detail, refutes)


def _stalled(row: FluxSummary, stalled: Condition, world: _World) -> Finding:
    since = for_text(stalled.changed_at, world.now)
    summary = f"stalled and not tried again before it is changed{since}: {_brief(stalled.message)}"
    detail = "Stalled is for what a retry cannot cure, such as an invalid URL; network trouble never stalls an object."
    return _finding("flux-stalled", Severity.WARNING, row, world, summary, detail)


def _failed(row: FluxSummary, world: _World) -> Finding:
    """Name a failure by the class of its message."""
    item = row.object
    message = message_of(item.ref.kind, row.reason, row.message)
    failed = _true(item, "FetchFailed") or item.condition("Ready")
    since = for_text(failed.changed_at if failed else None, world.now)
    said = _said(row, message, since)
    summary = f"{_whom(row, message, world)}{said}{_serving(row, world.now)}{_asked(item, world.now)}"
    severity, detail = _weigh(row, message, world)
    found = _finding(message.code, severity, row, world, summary, f"{detail}{message.detail}")
    return _placed(found, world) if message.network else found


def _said(row: FluxSummary, message: Message, since: str) -> str:
    """Say what failed and since when; where no network is at fault, in the message's own words as well."""
    if message.code == "flux-not-ready":
        return f"not ready{since}: {row.reason}: {_brief(row.message)}"
    if message.network:
        return f"{message.said}{since}"
    return f"{message.said}{since}: {_brief(message.failure.quote if message.failure else row.message)}"


def _whom(row: FluxSummary, message: Message, world: _World) -> str:
    """Name the host that was asked, where the failure is about one."""
    if message.failure is None:
        return ""
    source = world.source_of(row.object) if row.object.ref.kind == "HelmChart" else None
    host = message.failure.host or _host(row.object.url) or (_host(source.object.url) if source else "")
    return f"{host}: " if host else ""


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _serving(row: FluxSummary, now: float) -> str:
    """Say what is in use meanwhile."""
    item = row.object
    if item.ref.kind in CONSUMER_KINDS:
        return f"; {revision_text(item.revision)} stays applied" if item.revision else ""
    if not item.revision:
        return "; it has no artifact to serve"
    old = (
        f", {age_text(now - item.artifact_at)} old" if item.artifact_at is not None and now >= item.artifact_at else ""
    )
    return f"; it serves {revision_text(item.revision)}{old}"


def _weigh(row: FluxSummary, message: Message, world: _World) -> tuple[Severity, str]:
    """Tell how bad a failure is: what waits is as bad as what it waits for, what nobody lacks is a note."""
    item = row.object
    if message.code in {"flux-dependency-not-ready", "flux-source-no-artifact"}:
        return _waiting(row, message, world), ""
    if item.ref.kind in _CACHED_KINDS and item.revision:
        leaves = list(world.leaves(row))
        if leaves and all(leaf.object.ref.kind == "HelmRelease" and leaf.ready == "True" for leaf in leaves):
            names = ", ".join(f"{leaf.object.ref.namespace}/{leaf.object.ref.name}" for leaf in leaves[:3])
            return Severity.NOTE, f"Every HelmRelease that uses it ({names}) is Ready on the cached artifact. "
    return Severity.WARNING, ""


def _waiting(row: FluxSummary, message: Message, world: _World) -> Severity:
    """Tell how bad waiting is: a note while what is waited for is merely at work, or has just become Ready."""
    item = row.object
    awaited: Collection[ObjectRef] = item.depends_on if message.code == "flux-dependency-not-ready" else ()
    awaited = awaited or ((item.source,) if item.source else ())
    rows = [world.rows[ref] for ref in awaited if ref in world.rows]
    if not rows or any(one.ready == "False" or one.object.suspended for one in rows):
        return Severity.WARNING
    ready = item.condition("Ready")
    began = ready.changed_at if ready else None
    return Severity.NOTE if began is not None and world.now - began <= patience(item) else Severity.WARNING


def _placed(found: Finding, world: _World) -> Finding:
    """Say where those run that did not get through: a webhook's pods, else the object's controller."""
    if found.code == "flux-webhook-timeout":
        return _placed_webhook(found, world)
    controller = controller_of(found.subject)
    nodes = world.places.controller(controller)
    if not nodes:
        return found
    seen = Evidence("kubectl get pods -A -o wide", f"{controller} runs on {', '.join(nodes)}", "API", world.pods_at)
    return msgspec.structs.replace(found, evidence=(*found.evidence, seen), about=nodes)


def _placed_webhook(found: Finding, world: _World) -> Finding:
    service = _WEBHOOK.search(" ".join(quote.excerpt for quote in found.evidence))
    nodes = tuple(sorted(world.places.namespaces.get(service[1], ()))) if service else ()
    if service is None or not nodes:
        return found
    said = f"the pods of namespace {service[1]} run on {listed(nodes)}"
    seen = Evidence(f"kubectl -n {service[1]} get pods -o wide", said, "API", world.pods_at)
    return msgspec.structs.replace(found, evidence=(*found.evidence, seen), about=nodes[:MOST_EVIDENCE])


def _unsettled(row: FluxSummary, world: _World) -> Finding:
    """Judge an object that says neither yes nor no; new ones and those at work are given their time."""
    item, now = row.object, world.now
    reconciling, ready = _true(item, "Reconciling"), item.condition("Ready")
    limit = patience(item)
    if ready is None and reconciling is None:
        young = item.created_at is not None and now - item.created_at <= limit
        since = for_text(item.created_at, now)
        summary = f"no controller has looked at it{since}{_asked(item, now)}"
        detail = "Does the controller of its kind run, and does it watch this namespace?"
        severity = Severity.NOTE if young else Severity.WARNING
        return _finding("flux-never-handled", severity, row, world, summary, detail)
    began = reconciling.changed_at if reconciling else None
    behind = item.observed_generation is not None and item.observed_generation != item.generation
    if began is None and ready is not None and not behind:
        began = ready.changed_at
    late = began is None or now - began > limit
    severity = Severity.WARNING if late else Severity.NOTE
    given = f"An attempt is given {age_text(limit)} before it is called late."
    if behind:
        summary = (
            f"its conditions are about generation {item.observed_generation}, it is at {item.generation}"
            f"{for_text(began, now)}{_asked(item, now)}"
        )
        return _finding("flux-generation-behind", severity, row, world, summary, given)
    summary = f"at work{for_text(began, now)}: {_brief(row.message)}{_asked(item, now)}"
    return _finding("flux-progressing", severity, row, world, summary, given)


def _judge_ready(row: FluxSummary, world: _World) -> Iterator[Finding]:
    """Judge what an object is Ready with, and whether it is still looked after."""
    item = row.object
    if item.requested_at and item.requested_at != item.handled_at:
        yield from _judge_request(row, world)
    if item.ref.kind not in CONSUMER_KINDS:
        return
    if (source := world.failing_source(item)) is not None:
        summary = (
            f"Ready, but stale: {source.object.ref.kind} {source.object.ref.name} cannot be fetched"
            f"{', so ' + revision_text(item.revision) + ' stays applied' if item.revision else ''}"
        )
        detail = "Nothing that runs breaks by it; changes do not arrive."
        yield _finding("flux-stale", Severity.NOTE, row, world, summary, detail, "its source is Ready")
    elif row.stale and (fresh := world.source_of(item)) is not None:
        yield from _judge_lag(row, fresh.object, world)


def _judge_request(row: FluxSummary, world: _World) -> Iterator[Finding]:
    """Judge a reconcile that somebody asked for and that is not done."""
    item = row.object
    at = _moment(item.requested_at)
    if at is not None and world.now - at <= patience(item):
        return
    how_long = f" {age_text(world.now - at)} ago" if at is not None else " (when cannot be told)"
    yield _finding(
        "flux-request-unhandled",
        Severity.NOTE if at is None else Severity.WARNING,
        row,
        world,
        f"a reconcile asked for{how_long} was not taken up",
        "Its controller is down, or busy: two fetches at a time, and each that hangs takes its whole time limit.",
        "status.lastHandledReconcileAt equals the annotation reconcile.fluxcd.io/requestedAt",
    )


def _moment(text: str) -> float | None:
    """Read an RFC 3339 moment; anything may stand in the annotation."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _judge_lag(row: FluxSummary, source: FluxObject, world: _World) -> Iterator[Finding]:
    """Judge a consumer whose source has had a newer revision for longer than an attempt may take."""
    item = row.object
    known = source.artifact_at is not None
    lag = world.now - source.artifact_at if source.artifact_at is not None else 0.0
    if known and lag <= patience(item):
        return
    since = f"for {age_text(lag)}" if known else "for how long is not known"
    yield _finding(
        "flux-consumer-behind",
        Severity.WARNING if known else Severity.NOTE,
        row,
        world,
        f"Ready, but on {revision_text(item.revision)}; its source has had {revision_text(source.revision)} {since}",
        "Ready speaks of the last attempt, not of the newest revision: its controller has not taken the new one up.",
        "status.lastAppliedRevision equals the source's status.artifact.revision",
    )


_LONGEST: Final = 160


def _brief(message: str) -> str:
    """Cut a message for a sentence; the evidence has it whole."""
    line = " ".join(message.split())
    return line if len(line) <= _LONGEST else f"{line[:60]} … {line[-95:]}"
