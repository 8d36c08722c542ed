"""Image pulls and external secrets: what fails, and what was said of it."""

from collections.abc import Iterator, Sequence
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.images import PullEvent, SecretEvent
from probes.model.kube import Condition
from probes.model.secrets import SecretObject
from probes.model.summary.pulls import PullFailure
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, age, natural, status
from tui.views.absence import doubt, nothing
from tui.views.finding_detail import seen
from tui.views.flux import key_of
from tui.views.flux_detail import ref_text
from tui.views.timeline import ago
from tui.widgets.blocks import Block, Field, Fields, Flow, Heading, Paragraph
from tui.widgets.cells import Cell, Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

PULLS: Final = (
    Column("registry", "REGISTRY", 10, 34),
    Column("image", "IMAGE", 14, 60),
    Column("node", "NODE", 6, 24),
    Column("pods", "PODS", 4, 5, right=True),
    Column("last", "LAST", 5, 8, right=True, priority=1),
    Column("message", "SAID", 16, 300, priority=2, grow=True),
)
EVENTS: Final = (
    Column("last", "LAST", 5, 8, right=True),
    Column("count", "TIMES", 5, 6, right=True, priority=2),
    Column("node", "NODE", 6, 24, priority=1),
    Column("subject", "OBJECT", 12, 44),
    Column("reason", "REASON", 6, 22),
    Column("message", "MESSAGE", 16, 400, grow=True),
)
SECRETS: Final = (
    Column("ref", "OBJECT", 16, 56),
    Column("ready", "READY", 8, 30),
    Column("store", "STORE", 8, 40, priority=1),
    Column("refreshed", "REFRESHED", 9, 9, right=True, priority=2),
    Column("message", "SAID", 12, 300, priority=3, grow=True),
)


def pull_key(row: PullFailure) -> str:
    """Make the key of a group of failing pulls."""
    return f"pull {row.registry} {row.image} {row.node}"


def pulls(diagnosis: Diagnosis, now: float, glyphs: Glyphs = UNICODE) -> Listing:
    """List the pulls that fail, by registry, image and node."""
    state = diagnosis.snapshot.resource("pods")
    items = tuple(
        Item(Row(pull_key(row), _pull(row, glyphs)), ObjectRef("Registry", "", row.registry), is_fault=True)
        for row in diagnosis.pulls
    )
    badge = status("warning", glyphs, str(len(items))) if items else status("ok", glyphs)
    none = nothing(state, "pods", glyphs)
    if state.status == "ok":
        none = status("ok", glyphs, f"no image pull fails: {len(diagnosis.snapshot.pods)} pods assessed")
    else:
        badge = badge if items else status("unknown", glyphs)
    return Listing(items, none, badge, doubt(state, now, glyphs))


def _pull(row: PullFailure, glyphs: Glyphs) -> tuple[Cell, ...]:
    return (
        status("warning", glyphs, row.registry),
        Span(row.image),
        Span(row.node or "not scheduled", "text" if row.node else "unknown"),
        Span(str(len(row.pods))),
        Ticking(row.last_at, ago),
        Span(row.message, "muted"),
    )


def events(diagnosis: Diagnosis, now: float, glyphs: Glyphs = UNICODE) -> Listing:
    """List the warning Events of pulls and of external secrets, the newest first."""
    snapshot = diagnosis.snapshot
    told = [
        (each.last_at or 0, f"event {key}", _pull_event(each), ObjectRef("Pod", each.namespace, each.pod))
        for key, each in snapshot.pull_events.items()
    ]
    told += [
        (each.last_at or 0, f"event {key}", _secret_event(each), ObjectRef(each.kind, each.namespace, each.name))
        for key, each in snapshot.secret_events.items()
    ]
    told.sort(key=lambda each: (-each[0], each[1]))
    items = tuple(Item(Row(key, cells), ref, is_fault=True) for _, key, cells, ref in told)
    badge = status("warning", glyphs, str(len(items))) if items else status("none", glyphs)
    state = snapshot.resource("pull_events")
    return Listing(items, nothing(state, "warning Events within the hour", glyphs), badge, doubt(state, now, glyphs))


def _pull_event(event: PullEvent) -> tuple[Cell, ...]:
    return (
        Ticking(event.last_at, ago),
        Span(str(event.count)),
        Span(event.node),
        Span(f"{event.namespace}/{event.pod}"),
        Span(event.reason, "warning"),
        Span(event.message),
    )


def _secret_event(event: SecretEvent) -> tuple[Cell, ...]:
    return (
        Ticking(event.last_at, ago),
        Span(""),
        Span(""),
        Span(ref_text(ObjectRef(event.kind, event.namespace, event.name))),
        Span(event.reason, "warning"),
        Span(event.message),
    )


def secrets(diagnosis: Diagnosis, now: float, glyphs: Glyphs = UNICODE) -> Listing:
    """List External Secrets stores and secrets, those that are not ready first."""
    found = sorted(
        diagnosis.snapshot.secrets.values(), key=lambda item: (_ready(item) == "True", natural(key_of(item.ref)))
    )
    items = tuple(
        Item(Row(f"secret {key_of(item.ref)}", _secret(item, glyphs)), item.ref, is_fault=_ready(item) != "True")
        for item in found
    )
    bad = sum(item.is_fault for item in items)
    badge = status("critical", glyphs, str(bad)) if bad else status("ok" if items else "none", glyphs)
    state = diagnosis.snapshot.resource("secrets")
    return Listing(items, nothing(state, "External Secrets objects", glyphs), badge, doubt(state, now, glyphs))


def _condition(item: SecretObject) -> Condition | None:
    return next((each for each in item.conditions if each.type == "Ready"), None)


def _ready(item: SecretObject) -> str:
    condition = _condition(item)
    return condition.status if condition else "Unknown"


def _secret(item: SecretObject, glyphs: Glyphs) -> tuple[Cell, ...]:
    condition = _condition(item)
    name = {"True": "ok", "False": "critical"}.get(_ready(item), "unknown")
    return (
        Span(ref_text(item.ref)),
        status(name, glyphs, condition.reason if condition else "no condition yet"),
        Span(item.store.name if item.store else item.provider, "muted"),
        Ticking(item.refreshed_at, ago),
        Span(condition.message if condition else "", "muted"),
    )


def pull_document(diagnosis: Diagnosis, row: PullFailure, glyphs: Glyphs = UNICODE) -> tuple[Block, ...]:
    """Spell out failing pulls, and say whether the registry, the node or the image is what they share."""
    others = [other for other in diagnosis.pulls if other is not row]
    same = {
        "this registry on other nodes": [o for o in others if o.registry == row.registry and o.node != row.node],
        "this node from other registries": [o for o in others if o.node == row.node and o.registry != row.registry],
        "this image on other nodes": [o for o in others if o.image == row.image and o.node != row.node],
    }
    fields = [Field("image", Span(row.image)), Field("registry", Span(row.registry)), Field("node", Span(row.node))]
    fields += [Field("pods", Span(", ".join(row.pods)))]
    shared = [
        Field(what, status("warning", glyphs, f"{len(found)} fail") if found else Span("none fails", "muted"))
        for what, found in same.items()
    ]
    pods = set(row.pods)
    mine = [e for e in diagnosis.snapshot.pull_events.values() if f"{e.namespace}/{e.pod}" in pods]
    mine.sort(key=lambda event: -(event.last_at or 0))
    return (
        Paragraph(row.message, "critical"),
        Fields(tuple(fields)),
        Fields(tuple(shared)),
        *_said([(event.last_at, event.reason, event.count, event.message) for event in mine]),
    )


def _said(events: Sequence[tuple[float | None, str, int, str]]) -> Iterator[Block]:
    """Spell out Events, nothing of them cut."""
    yield Heading("Events", Span(str(len(events)), "muted"))
    if not events:
        yield Paragraph("none any more: the API keeps Events for an hour", "muted")
    for at, reason, count, message in events:
        times = (Span(f"{count} times"),) if count > 1 else ()
        yield Flow((Span(reason, "warning"), *times, Ticking(at, seen)))
        yield Paragraph(message, indent=3)


def secret_document(diagnosis: Diagnosis, item: SecretObject, glyphs: Glyphs = UNICODE) -> tuple[Block, ...]:
    """Spell out an External Secrets object; never what a secret holds."""
    fields = [Field("object", Span(ref_text(item.ref)))]
    if item.store:
        fields.append(Field("store", Span(ref_text(item.store))))
    if item.provider:
        fields.append(Field("provider", Span(item.provider)))
    if item.target:
        fields.append(Field("writes", Span(f"Secret {item.target}")))
    if item.refresh_interval is not None:
        fields.append(Field("every", Span(age(item.refresh_interval))))
    fields.append(Field("refreshed", Ticking(item.refreshed_at, ago)))
    for each in item.conditions:
        name = {"True": "ok", "False": "critical"}.get(each.status, "unknown")
        said = ": ".join(word for word in (each.reason, each.message) if word)
        fields.append(Field(each.type, (status(name, glyphs, each.status), Span(f"  {said}"))))
    events = [
        event
        for event in diagnosis.snapshot.secret_events.values()
        if (event.kind, event.namespace, event.name) == (item.ref.kind, item.ref.namespace, item.ref.name)
    ]
    events.sort(key=lambda event: -(event.last_at or 0))
    told = [(event.last_at, event.reason, 1, event.message) for event in events]
    return Fields(tuple(fields)), *_said(told)
