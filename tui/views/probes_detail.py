"""One result of a probe written up: the verdict, its tries phase by phase, what it was measured over, earlier runs."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from probes.model.network import NodeNetwork
from probes.model.reach import Attempt, Result, percentile
from probes.rules.codes import FAMILIES
from probes.rules.finding import Diagnosis, Finding
from tui.format import Glyphs, Span, milliseconds, size, status
from tui.probed import Past, Probed, key_of
from tui.views.finding_detail import SEVERITY, seen
from tui.views.findings import finding_key
from tui.views.probes_cells import Reading, figure
from tui.views.probes_meaning import meaning
from tui.views.timeline import ago
from tui.widgets.blocks import Block, Field, Fields, Flow, Grid, Heading, Paragraph
from tui.widgets.cells import Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.sparkline import draw

_CODES: Final = frozenset((*FAMILIES["crossing"], *FAMILIES["egress"]))
"""Findings that rest on probes."""
_PHASES: Final = {"connect": "TCP", "first-byte": "WAIT", "transfer": "BODY"}
_SPARK: Final = 40
_SIDES: Final = (
    Column("vantage", "FROM", 10, 34),
    Column("said", "VERDICT", 22, 44),
    Column("lost", "LOST", 4, 7, right=True),
    Column("times", "p50/p95", 11, 14, right=True, priority=1),
    Column("age", "AGE", 4, 7, right=True),
    Column("reason", "REASON", 12, 200, priority=2, grow=True),
)
_RUNS: Final = (
    Column("age", "AGE", 4, 7, right=True),
    Column("said", "VERDICT", 12, 50),
    Column("lost", "LOST", 4, 7, right=True),
    Column("times", "p50", 6, 10, right=True, grow=True),
)
_SIZES: Final = (
    Column("variant", "", 0, 6),
    Column("size", "BYTES", 5, 6, right=True),
    Column("back", "BACK", 5, 7, right=True),
    Column("rtt", "p50", 6, 8, right=True),
    Column("said", "SAID", 8, 200, grow=True),
)


def side_by_side(results: Sequence[Result], glyphs: Glyphs, *, to: bool = False) -> tuple[Block, ...]:
    """Hold results against each other, a row each; ``to``: they differ by where they lead."""
    rows = tuple(
        Row(
            f"{each.vantage} {each.target}",
            (
                Span(f"{each.vantage} {glyphs.arrow} {each.target}" if to else each.vantage),
                status(each.tone, glyphs, each.said),
                _lost(each.lost, each.sent),
                Span(figure(Reading(each), late=True), "muted"),
                Ticking(each.at, ago),
                Span(each.reason, "muted"),
            ),
        )
        for each in results
    )
    return (Grid(_SIDES, rows, status("none", glyphs, "not run")),)


def judged(diagnosis: Diagnosis, results: Sequence[Result], glyphs: Glyphs) -> list[Block]:
    """Say what results come to together, and beside what is known of the cluster: the findings that rest on them."""
    probes = {(each.vantage, f"underlay probe {each.probe} {each.target}") for each in results}
    found = [
        each
        for each in _flat(diagnosis.findings)
        if each.code in _CODES and any((evidence.vantage, evidence.source) in probes for evidence in each.evidence)
    ]
    blocks: list[Block] = []
    for each in found:
        sign = status(SEVERITY[each.severity], glyphs)
        blocks += [Heading(each.code, sign), Paragraph(each.summary, key=finding_key(each))]
        blocks.append(Paragraph(f"Would be wrong if {each.refutes}.", "muted", key=finding_key(each)))
    return blocks


def _flat(findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from _flat(finding.symptoms)


def result_document(result: Result, probed: Probed, diagnosis: Diagnosis, glyphs: Glyphs) -> tuple[Block, ...]:
    """Write one result up."""
    blocks: list[Block] = [
        Flow(
            (
                status(result.tone, glyphs, result.said),
                Span(f"{result.probe} {result.vantage} {glyphs.arrow} {result.target}"),
                *((Span(result.asked, "header"),) if result.asked else ()),
                *((Span(result.called, "muted"),) if result.called else ()),
                Ticking(result.at, seen),
            )
        )
    ]
    if result.reason:
        blocks.append(Paragraph(result.reason, result.tone if result.tone != "ok" else "text"))
    if found := meaning(result.probe, result.outcome):
        blocks += [Heading("What it means"), Paragraph(found.means)]
        blocks += [Heading("Would be wrong if"), Paragraph(found.refutes)]
    blocks += [Heading("Tries", _counted(result)), *_tries(result, glyphs)]
    blocks += [Heading("Measured over"), Fields(tuple(_over(result, diagnosis)))]
    key = key_of(result)
    samples = probed.samples.get(key, {}).get("", ())
    if len(samples) > 1:
        blocks.append(Heading("Times of all runs", Span(f"the last {len(samples)}", "muted")))
        blocks.append(Flow((draw(samples, min(_SPARK, len(samples)), glyphs, least=0.0), Span(_span_of(samples)))))
    past = probed.past.get(key, ())
    if len(past) > 1:
        blocks += [Heading("Runs", Span(str(len(past)), "muted")), Grid(_RUNS, tuple(_runs(past, glyphs)))]
    return tuple(blocks)


def _span_of(samples: Sequence[float | None]) -> str:
    known = [each for each in samples if each is not None]
    lost = len(samples) - len(known)
    told = f"{milliseconds(min(known))} to {milliseconds(max(known))}" if known else "nothing came back"
    return told + (f", {lost} lost" if lost else "")


def _lost(lost: int, sent: int) -> Span:
    return Span(f"{lost}/{sent}" if sent else "", "warning" if lost else "muted")


def _counted(result: Result) -> Span:
    if not result.sent:
        return Span("")
    return Span(f"{result.lost} of {result.sent} lost", "warning" if result.lost else "muted")


def _tries(result: Result, glyphs: Glyphs) -> tuple[Block, ...]:
    if not result.attempts:
        return (Paragraph("None was sent.", "muted"),)
    if any(each.size is not None for each in result.attempts):
        rows = tuple(Row(f"{each.variant} {each.size} {n}", _size(each, glyphs)) for n, each in _numbered(result))
        return (Grid(_SIZES, rows),)
    phases = list(dict.fromkeys(phase for each in result.attempts for phase in (*each.seconds, each.failed) if phase))
    columns = (
        Column("variant", "TRY", 4, 14),
        *(Column(phase, _PHASES.get(phase, phase.upper()), 6, 10, right=True, priority=1) for phase in phases),
        Column("body", "BYTES", 5, 10, right=True, priority=2),
        Column("address", "ADDRESS", 7, 40, priority=3),
        Column("answer", "ANSWER", 12, 200, grow=True),
    )
    rows = tuple(
        Row(
            str(n),
            (
                Span(each.variant or str(n + 1)),
                *(_phase(each, phase, glyphs) for phase in phases),
                Span(size(each.body, glyphs) if each.body else "", "muted"),
                Span(each.address, "muted"),
                _answer(each, glyphs),
            ),
        )
        for n, each in _numbered(result)
    )
    return (Grid(columns, rows),)


def _numbered(result: Result) -> list[tuple[int, Attempt]]:
    return list(enumerate(result.attempts))


def _phase(each: Attempt, phase: str, glyphs: Glyphs) -> Span:
    if each.failed == phase:
        return Span(glyphs.critical, "critical")
    taken = each.seconds.get(phase)
    return Span(glyphs.none, "muted") if taken is None else Span(milliseconds(taken, glyphs))


def _answer(each: Attempt, glyphs: Glyphs) -> Span:
    if each.unable:
        return status("unknown", glyphs, each.unable)
    if each.failed:
        said = each.answer or f"fails at {_PHASES.get(each.failed, each.failed).lower()}"
        return status("critical", glyphs, f"{said}: {each.reason}" if each.reason else said)
    return status("ok", glyphs, each.answer)


def _size(each: Attempt, glyphs: Glyphs) -> tuple[Span, ...]:
    sent, back = each.packets or (0, 0)
    middle = percentile(each.rtts, 0.5)
    tone = "unknown" if each.unable else "ok" if back == sent else "warning" if back else "critical"
    if not back and each.answer and not each.unable:
        tone = "warning"
    said = each.unable or each.answer or each.reason or ("comes back" if back else "")
    return (
        Span(each.variant, "muted"),
        Span(str(each.size)),
        Span(f"{back}/{sent}", "muted" if back == sent else "warning"),
        Span(milliseconds(middle, glyphs) if middle is not None else ""),
        status(tone, glyphs, said),
    )


def _over(result: Result, diagnosis: Diagnosis) -> Iterator[Field]:
    """Say what the result was measured over, and what its vantage's node says of itself now."""
    way = result.way
    yield Field("from", Span(_where(result)))
    if result.address:
        yield Field("to address", Span(result.address))
    if way.dev:
        via = f" by {way.gateway}" if way.gateway else ", on the same link"
        yield Field("leaves by", Span(f"{way.dev}, MTU {way.mtu or 'not known'}{via}"))
    if way.prefsrc:
        yield Field("from address", Span(way.prefsrc))
    if way.learned:
        until = f", for another {way.expires} s" if way.expires else ""
        yield Field("learned MTU", Span(f"{way.learned}{until}: its kernel sends nothing larger", "warning"))
    if result.sizes and result.sizes.lost_from:
        yield Field("lost from", Span(f"{result.sizes.lost_from} bytes on, without a word", "critical"))
    for name, value in result.facts.items():
        yield Field(name.replace("-", " "), Span(value))
    network = diagnosis.snapshot.networks.get(result.node)
    if network is not None:
        yield from _node(result, network)


def _node(result: Result, network: NodeNetwork) -> Iterator[Field]:
    """Say what a vantage's node says of itself: a result is worth what its ground was."""
    mtus = {link.ifname: link.mtu for link in network.links or ()}
    for route in network.routes or ():
        if route.dst == "default":
            mtu = f", MTU {mtus[route.dev]}" if mtus.get(route.dev) else ""
            yield Field("default route", Span(f"by {route.gateway or 'the link'} on {route.dev}{mtu}"))
    resolvers = [" ".join(each.nameservers) for each in network.resolvers or () if each.path == "/etc/resolv.conf"]
    if resolvers and resolvers[0]:
        yield Field("node's resolver", Span(resolvers[0]))
    pods = sorted({each.mtu for each in network.pod_netns or () if each.mtu})
    if result.kind == "pod" and pods:
        yield Field("pods' MTUs", Span(", ".join(map(str, pods))))


def _where(result: Result) -> str:
    place = {
        "operator": "this machine",
        "node": f"node {result.node}",
        "pod": f"the network of {result.pod or 'a pod'} on {result.node}",
        "host": f"host {result.vantage}",
    }
    return place.get(result.kind, result.vantage)


def _runs(past: Sequence[Past], glyphs: Glyphs) -> Iterator[Row]:
    for each in reversed(past):
        cells = (
            Ticking(each.at, ago),
            status(each.tone, glyphs, each.said),
            _lost(each.lost, each.sent),
            Span(milliseconds(each.middle, glyphs) if each.middle is not None else "", "muted"),
        )
        yield Row(f"run {each.at}", cells)
