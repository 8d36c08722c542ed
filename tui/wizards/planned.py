"""A plan to review: what it clears and leaves, its parameters, every step with its exact commands and gate. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from runbooks.actions import WriteFile
from runbooks.gates import words
from runbooks.plan import Plan, PlannedStep
from runbooks.runbook import Parameter, Runbook
from runbooks.sight import Condition, Gate
from tui.format import Glyphs, Span, status
from tui.widgets.blocks import Block, Bullet, Field, Fields, Heading, Paragraph, sections
from tui.wizards.signs import Commands, Content, Hanging, duration, planned_spans, weight_span

READABLE: Final = 4000
"""Steps of a plan that can be read here; one with more is not begun here."""
PARAMETER: Final = "parameter:"
"""What the key of a parameter's line begins with."""
STEP: Final = "step:"
"""What the key of a step's line begins with."""


class Entered(NamedTuple):
    """A parameter as it stands."""

    parameter: Parameter
    text: str
    """Its value as it would be given; empty where it has none."""
    source: str
    """Where the value is from: ``given``, ``from the diagnosis``, ``default``; empty where there is none."""
    wrong: str = ""
    """What is wrong with it, in one sentence."""


def review(
    runbook: Runbook,
    plan: Plan | None,
    wrong: str,
    entered: Sequence[Entered],
    context: str,
    glyphs: Glyphs,
) -> tuple[Block, ...]:
    """Write a plan up; ``wrong`` says why there is none."""
    about = [Paragraph(runbook.title, "header")]
    about += [Paragraph(runbook.about)] if runbook.about else []
    parts: list[tuple[Heading, Sequence[Block]]] = []
    if plan is not None:
        parts.append((Heading("What it does", _weight(plan)), tuple(_does(plan, context, glyphs))))
    if entered:
        parts.append((Heading("Parameters", Span("enter changes one", "muted")), tuple(_parameters(entered, glyphs))))
    if plan is None:
        parts.append((Heading("No plan"), (Bullet(status("critical", glyphs), wrong),)))
    else:
        parts.append((Heading("Steps", Span(_count(plan), "muted")), tuple(_steps(plan.steps, glyphs))))
        if any(not c.absolute for step in plan.steps if step.gate for c in step.gate.conditions):
            parts.append((Heading("Now", Span("these must not get worse", "muted")), tuple(_baseline(plan, glyphs))))
    return (*about, *sections(parts))


def _weight(plan: Plan) -> Span:
    weights = {step.action.weight for step in plan.steps}
    return weight_span("disrupts" if "disrupts" in weights else "changes" if "changes" in weights else "nothing")


def _count(plan: Plan) -> str:
    many = len(plan.steps)
    nodes = f" on {len(plan.nodes)} node{'s' if len(plan.nodes) != 1 else ''}" if plan.nodes else ""
    return f"{many} step{'s' if many != 1 else ''}{nodes}, one after another"


def _does(plan: Plan, context: str, glyphs: Glyphs) -> Iterator[Block]:
    fields = [Field("context", Span(context or "none", "accent"))]
    fields += [Field("server", Span(plan.server, "muted"))] if plan.server else []
    fields += [Field("nodes", Span(", ".join(plan.nodes)))] if plan.nodes else []
    fields += [Field("expect", Span(plan.expect))] if plan.expect else []
    yield Fields(tuple(fields))
    for consent in plan.consents:
        yield Hanging((Span(" "), status("warning", glyphs), Span(" ")), (Span(consent, "warning"),))
    for warning in plan.warnings:
        yield Bullet(status("warning", glyphs), warning)
    yield Paragraph("")
    for cleared in plan.clears:
        yield Hanging((Span(" clears          ", "muted"),), (Span(cleared),))
    if not plan.clears:
        yield Paragraph("It clears nothing that is found now.", "muted")
    for left in plan.leaves:
        lead = Span(" goes with it    ", "muted") if left.cause else Span(" does not clear  ", "warning")
        yield Hanging((lead,), (Span(left.finding), Span(f": {left.reason}", "muted")))


def _parameters(entered: Sequence[Entered], glyphs: Glyphs) -> Iterator[Block]:
    labels = max(len(each.parameter.name) for each in entered)
    for each in entered:
        key = PARAMETER + each.parameter.name
        label = Span(f" {each.parameter.name.ljust(labels)}  ", "header")
        value = Span(each.text or "empty", "accent" if each.text else "muted")
        yield Hanging((label,), (value, Span(f"   {each.source}", "muted")), key)
        margin = Span(" " * (labels + 3))
        limits = said_limits(each.parameter)
        yield Hanging((margin,), (Span(each.parameter.about + (f" ({limits})" if limits else ""), "muted"),), key)
        if each.wrong:
            yield Hanging((margin,), (status("critical", glyphs, each.wrong),), key)


def said_limits(parameter: Parameter) -> str:
    """Say what a parameter may be."""
    said = []
    match parameter.type:
        case "nodes":
            said.append("names with commas between, in this order; or all")
        case "seconds":
            said.append("a time such as 30s or 5m")
        case "bool":
            said.append("yes or no")
        case "choice":
            said.append(" or ".join(parameter.choices))
        case "object" | "objects":
            said.append("KIND/NAMESPACE/NAME" + (", with commas between" if parameter.type == "objects" else ""))
        case "int":
            said.append("a whole number")
    if parameter.least is not None or parameter.most is not None:
        least = f"from {parameter.least:g} " if parameter.least is not None else ""
        most = f"up to {parameter.most:g}" if parameter.most is not None else ""
        unit = " seconds" if parameter.type == "seconds" else ""
        said.append(f"{least}{most}".strip() + unit)
    if parameter.optional:
        said.append("may be empty")
    return ", ".join(said)


def _steps(steps: Sequence[PlannedStep], glyphs: Glyphs) -> Iterator[Block]:
    """Write up every step; of one that differs from an earlier one only in its node, what is its own."""
    told: dict[str, int] = {}
    for number, step in enumerate(steps, 1):
        same = _sameness(step)
        earlier = told.setdefault(same, number)
        yield Paragraph("") if number > 1 else Paragraph("Each is confirmed when it is its turn.", "muted")
        yield step_title(number, step)
        yield from _action(step)
        if earlier != number:
            yield field("as", (Span(f"step {earlier}: why, risk and gate are the same for {step.node}", "muted"),))
            yield from _clears(step)
        else:
            yield from explained(step, glyphs)


def step_title(number: int, step: PlannedStep) -> Block:
    """Write the line that names a step."""
    where = (Span("  on ", "muted"), Span(step.node)) if step.node else ()
    typed = (Span(f"  type {step.typed}", "muted"),) if step.typed else ()
    spans = (Span(step.name, "header"), *where, Span("  "), weight_span(step.action.weight), *typed)
    return Hanging((Span(f" {number:>2} ", "accent"),), spans, STEP + step.id)


def _sameness(step: PlannedStep) -> str:
    """Tell steps that differ in nothing but their node."""

    def plain(text: str) -> str:
        return text.replace(step.node, "\0") if step.node else text

    conditions = [*step.before, *step.when, *step.unless, *(step.gate.conditions if step.gate else ())]
    times = (step.gate.timeout, step.gate.soak) if step.gate else ()
    said = [step.name, type(step.action).__name__, step.why, step.effect, step.risk, *(words(c) for c in conditions)]
    return "\n".join([*(plain(text) for text in said), str(times)])


def _action(step: PlannedStep) -> Iterator[Block]:
    """Show exactly what is done; the content of a file by itself, as it will be."""
    action = step.action
    if isinstance(action, WriteFile):
        yield field(
            "writes", (Span(action.path, "accent"), Span(f"  mode {action.mode}, whole or not at all", "muted"))
        )
        yield Content(action.content)
    elif step.by_hand:
        yield Commands(step.by_hand)
    elif text := getattr(action, "text", ""):
        yield Paragraph(text, indent=4)
    elif seconds := getattr(action, "seconds", 0):
        yield Paragraph(f"waits {duration(seconds)}", indent=4)
    else:
        yield Paragraph("looks anew, and changes nothing", "muted", indent=4)


def explained(step: PlannedStep, glyphs: Glyphs, before: Iterable[Block] | None = None) -> Iterator[Block]:
    """Say why a step is done, what it does, what can go wrong, when it is done and when it counts as done.

    ``before``: what must hold before it, as it was seen; none: as it is planned.
    """
    for label, said, tone in (
        ("why", step.why, "text"),
        ("effect", step.effect, "text"),
        ("risk", step.risk, "warning"),
    ):
        if said:
            yield field(label, (Span(said, tone),))
    yield from _clears(step)
    if before is not None:
        yield from before
    planned = () if before is not None else step.before
    for label, conditions in (("before", planned), ("only if", step.when), ("unless", step.unless)):
        for condition in conditions:
            yield field(label, (Span(words(condition)),))
    if step.gate is not None:
        yield from _gate(step.gate, glyphs)


def _clears(step: PlannedStep) -> Iterator[Block]:
    for cleared in step.clears:
        yield field("clears", (Span(cleared),))


def _gate(gate: Gate, glyphs: Glyphs) -> Iterator[Block]:
    soak = f", and stay so for {duration(gate.soak)}" if gate.soak else ""
    yield field("gate", (Span(f"within {duration(gate.timeout)} all of these hold{soak}:", "muted"),))
    for condition in gate.conditions:
        yield Hanging((Span(" " * MARGIN),), planned_spans(condition, glyphs))


_LABEL: Final = 8
MARGIN: Final = 4 + _LABEL
"""Cells before what is beneath a step's labels."""


def field(label: str, spans: tuple[Span, ...]) -> Block:
    """Write a label and what belongs to it, beneath a step."""
    return Hanging((Span(f"    {label.ljust(_LABEL)}", "muted"),), spans)


def _baseline(plan: Plan, glyphs: Glyphs) -> Iterator[Block]:
    """Say how what must not get worse stands now: each condition once, those that do not hold first."""
    known: dict[str, Condition] = {
        each.key: each for step in plan.steps if step.gate for each in step.gate.conditions if not each.absolute
    }
    states = [(plan.baseline.get(key), condition) for key, condition in known.items()]
    for stood, condition in sorted(states, key=lambda pair: pair[0] is not None and pair[0].state == "held"):
        if stood is None:
            yield Bullet(status("unknown", glyphs), f"{words(condition)}: is probed when the run begins")
        else:
            name = {"held": "ok", "waiting": "warning"}.get(stood.state, "unknown")
            seen = f": {stood.seen}" if stood.seen else ""
            yield Bullet(status(name, glyphs), words(condition) + seen)


def text(plan: Plan) -> str:
    """Write a plan as plain text, its commands uncut and in one line each: what an operator copies."""
    said = [f"# {plan.title}", f"# {plan.runbook} on {plan.context}, run {plan.run}"]
    said += [f"# {name}: {value}" for name, value in plan.parameters.items()]
    said += [f"# consent: {each}" for each in plan.consents] + [f"# warning: {each}" for each in plan.warnings]
    said += [f"# clears: {each}" for each in plan.clears]
    leads = ((f"# {'goes with it' if each.cause else 'does not clear'}", each) for each in plan.leaves)
    said += [f"{lead}: {each.finding}: {each.reason}" for lead, each in leads]
    for number, step in enumerate(plan.steps, 1):
        said += ["", f"# {number} {step.name}" + (f" on {step.node}" if step.node else "")]
        said += [f"# why: {step.why}"] if step.why else []
        said += list(step.by_hand)
        if step.gate is not None:
            soak = f", and stay so for {duration(step.gate.soak)}" if step.gate.soak else ""
            said.append(f"# then, within {duration(step.gate.timeout)}{soak}:")
            said += [f"#   {words(each)}" for each in step.gate.conditions]
    return "\n".join(said) + "\n"
