"""Findings as a tree: root causes, the worst first, with what they explain folded beneath."""

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

from probes.model.flux import ObjectRef
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis, Finding, Severity, subject_text
from tui.format import Glyphs, Span, age, status, width
from tui.views.absence import nothing
from tui.views.kinds import KINDS
from tui.widgets.blocks import wrap
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

COLUMNS: Final = (
    Column("subject", "SUBJECT", least=16, most=26),
    Column("summary", "WHAT IS WRONG", least=24, most=400, grow=True),
    Column("since", "SINCE", least=7, most=7, right=True, priority=1),
)
_NAMES: Final = {Severity.NOTE: "none", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}
Since = Mapping[tuple[str, ObjectRef], float]


class _Drawing(NamedTuple):
    """What rows of findings are drawn with."""

    glyphs: Glyphs
    since: Since
    began: Mapping[ObjectRef, float]
    folded: Collection[str]


def severity_span(severity: Severity, glyphs: Glyphs) -> Span:
    """Show a severity as symbol and tone."""
    return status(_NAMES[severity], glyphs)


def short_subject(subject: ObjectRef) -> str:
    """Write a subject as the flux command would: ``git flux-system``; the namespace only where it is another."""
    if subject.kind not in KINDS:
        return subject_text(subject)
    place = "" if subject.namespace == "flux-system" else f"{subject.namespace}/"
    return f"{KINDS[subject.kind]} {place}{subject.name}"


def detail(finding: Finding, cells: int, most: int, glyphs: Glyphs) -> list[tuple[Span, ...]]:
    """Say in a few lines what one finding is: the whole of its summary, then what was seen and where."""
    subject = subject_text(finding.subject)
    rest = cells - width(finding.code) - width(subject) - 8
    lines: list[tuple[Span, ...]] = [
        (
            Span(f" {glyphs.rule * 2} ", "muted"),
            Span(finding.code, severity_span(finding.severity, glyphs).tone),
            Span("  ", "muted"),
            Span(subject, "header"),
            Span(f" {glyphs.rule * max(0, rest)}", "muted"),
        )
    ]
    lines += [(Span(f" {line}"),) for line in wrap(finding.summary, cells - 2, glyphs)]
    if finding.detail:
        lines += [(Span(f" {line}", "muted"),) for line in wrap(finding.detail, cells - 2, glyphs)]
    for each in finding.evidence:
        where = f"{each.vantage}: " if each.vantage else ""
        excerpt = "" if each.excerpt in finding.summary else f": {each.excerpt}"
        said = wrap(f"{where}{each.source}{excerpt}", cells - 4, glyphs)
        lines += [(Span("   " + line, "muted"),) for line in said]
    if len(lines) > most > 1:
        lines = [*lines[: most - 1], (Span(f" {glyphs.ellipsis} ", "muted"), Span("enter shows all of it", "accent"))]
    return lines[:most]


def finding_key(finding: Finding) -> str:
    """Name a finding by its code and subject; of one registry several images may fail, on several nodes."""
    subject = finding.subject
    which = finding.evidence[0].source if subject.kind == "Registry" and finding.evidence else ""
    return f"{finding.code}/{subject.kind}/{subject.namespace}/{subject.name}/{which}"


def finding_at(diagnosis: Diagnosis, key: str) -> Finding | None:
    """Look up a finding by its key, among root causes and symptoms."""
    return next((finding for finding, _ in _flat(diagnosis.findings) if finding_key(finding) == key), None)


def _flat(findings: Collection[Finding], depth: int = 0) -> Iterator[tuple[Finding, int]]:
    for finding in findings:
        yield finding, depth
        yield from _flat(finding.symptoms, depth + 1)


class Causes(NamedTuple):
    """Findings that explain others, and how many findings there are altogether."""

    keys: frozenset[str]
    total: int


def causes(diagnosis: Diagnosis) -> Causes:
    """Find the findings that explain others."""
    every = [finding for finding, _ in _flat(diagnosis.findings)]
    return Causes(frozenset(finding_key(finding) for finding in every if finding.symptoms), len(every))


def are_same(one: Diagnosis, other: Diagnosis) -> bool:
    """Tell whether the findings are the same, and all that dates them."""
    return one.findings is other.findings and one.flux is other.flux and one.snapshot.nodes is other.snapshot.nodes


def findings(diagnosis: Diagnosis, glyphs: Glyphs, since: Since, folded: Collection[str] = ()) -> Listing:
    """List root causes and, where they are not folded, their symptoms."""
    items: list[Item] = []
    draw = _Drawing(glyphs, since, _beginnings(diagnosis), folded)
    for root in diagnosis.findings:
        _append(items, root, "", "", draw)
    bad = diagnosis.count(Severity.CRITICAL)
    warned = diagnosis.count(Severity.WARNING)
    badge = status("ok", glyphs)
    if bad or warned:
        badge = status("critical", glyphs, str(bad)) if bad else status("warning", glyphs, str(warned))
    elif diagnosis.snapshot.resource("nodes").status == "loading":
        badge = status("loading", glyphs)
    elif diagnosis.gaps:
        badge = status("unknown", glyphs, str(len(diagnosis.gaps)))
    hidden = sum(1 for _ in _flat(diagnosis.findings)) - len(items)
    return Listing(tuple(items), _none(diagnosis, glyphs), badge, f"{hidden} folded" if hidden else "")


def _none(diagnosis: Diagnosis, glyphs: Glyphs) -> Span:
    """Say why nothing is found: no news is good news only where everything was assessed."""
    state = diagnosis.snapshot.resource("nodes")
    if state.status != "ok" and not diagnosis.views:
        return nothing(state, "nodes", glyphs)
    asked = [view.summary.source.status for view in diagnosis.views.values()]
    waiting = sum(status == "loading" for status in asked)
    if waiting:
        return status("loading", glyphs, f"nothing wrong so far; {waiting} of {len(asked)} nodes have yet to answer")
    if diagnosis.gaps:
        return status("unknown", glyphs, f"nothing wrong found; {len(diagnosis.gaps)} facts could not be assessed")
    return status("ok", glyphs, f"nothing is wrong: {len(asked)} nodes and {len(diagnosis.flux)} Flux objects assessed")


def _append(items: list[Item], finding: Finding, stem: str, branch: str, draw: _Drawing) -> None:
    key = finding_key(finding)
    is_fault = finding.worst > Severity.NOTE
    items.append(Item(_row(finding, key, stem + branch, draw), finding.subject, is_fault))
    if key in draw.folded:
        return
    glyphs = draw.glyphs
    rule = "| " if glyphs.ok.isascii() else "│ "
    below = stem + {"": "", glyphs.branch: rule, glyphs.last_branch: "  "}[branch]
    for place, symptom in enumerate(finding.symptoms):
        is_last = place == len(finding.symptoms) - 1
        _append(items, symptom, below, glyphs.last_branch if is_last else glyphs.branch, draw)


def _row(finding: Finding, key: str, stem: str, draw: _Drawing) -> Row:
    glyphs = draw.glyphs
    fold = ""
    if finding.symptoms:
        fold = f" {glyphs.folded if key in draw.folded else glyphs.unfolded}{len(finding.symptoms)}"
    sign = severity_span(finding.severity, glyphs)
    subject = (
        Span(stem, "muted"),
        Span(sign.text + " ", sign.tone),
        Span(short_subject(finding.subject), "header" if not stem else "text"),
        Span(fold, "accent"),
    )
    at, show = _began(finding, draw)
    return Row(key, (subject, Span(finding.summary), Ticking(at, show)))


def _beginnings(diagnosis: Diagnosis) -> dict[ObjectRef, float]:
    """Tell since when objects that are not ready say so themselves: the newest transition of their conditions."""
    began = {row.object.ref: row.attempted_at for row in diagnosis.flux if row.ready != "True"}
    for name, node in diagnosis.snapshot.nodes.items():
        ready = node.condition("Ready")
        if ready is not None and ready.status != "True":
            began[node_ref(name)] = ready.changed_at
    return {ref: at for ref, at in began.items() if at is not None}


def _began(finding: Finding, draw: _Drawing) -> tuple[float | None, Callable[[float | None, float], Span]]:
    """Tell when it began: as the API or our own attempts date it, else at the latest when it was first seen."""
    tried = [each.at for each in finding.evidence if each.at is not None and each.vantage == "operator"]
    dated = min(tried, default=None)
    if dated is None and (finding.subject.kind != "Node" or finding.code == "node-not-ready"):
        dated = draw.began.get(finding.subject)
    if dated is not None:
        return dated, _EXACT[draw.glyphs]
    return draw.since.get((finding.code, finding.subject)), _AT_LEAST[draw.glyphs]


def _show(sign: str, glyphs: Glyphs, at: float | None, now: float) -> Span:
    return Span("" if at is None else sign + age(now - at, glyphs), "muted")


class _PerGlyphs(dict[Glyphs, Callable[[float | None, float], Span]]):
    """One function for each set of symbols, so that equal rows stay equal."""

    def __init__(self, sign: str, ascii_sign: str) -> None:
        super().__init__()
        self._signs = (sign, ascii_sign)

    def __missing__(self, glyphs: Glyphs) -> Callable[[float | None, float], Span]:
        made = self[glyphs] = partial(_show, self._signs[glyphs.ok.isascii()], glyphs)
        return made


_EXACT: Final = _PerGlyphs("", "")
_AT_LEAST: Final = _PerGlyphs("≥", ">=")
