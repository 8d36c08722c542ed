"""A plan, and what happens in a run, as plain text."""

import time
from collections.abc import Iterator

from runbooks.events import (
    AnyEvent,
    ConditionState,
    GateSeen,
    LockHeld,
    LockLost,
    RunEnded,
    RunStarted,
    StepActing,
    StepBegun,
    StepEnded,
    StepHappened,
    StepOutput,
)
from runbooks.gates import words
from runbooks.plan import Plan, PlannedStep
from tui.cli.grid import Cell, Paper, wrap

_TONES = {"held": "ok", "excused": "warning", "waiting": "critical", "unknown": "unknown"}
_ENDS = {"completed": "ok", "paused": "warning", "aborted": "warning", "failed": "critical", "refused": "critical"}


def _wrapped(paper: Paper, text: str, indent: str, first: str | None = None) -> Iterator[str]:
    lines = wrap(paper.text(text), max(20, paper.width - len(indent)))
    yield (indent if first is None else first) + lines[0]
    yield from (indent + line for line in lines[1:])


def _listed(paper: Paper, title: str, entries: tuple[str, ...], tone: str = "title") -> Iterator[str]:
    if not entries:
        return
    yield ""
    yield paper.paint(Cell(title, tone))
    for entry in entries:
        yield from _wrapped(paper, entry, "    ", "  - ")


def plan_text(plan: Plan, paper: Paper) -> Iterator[str]:
    """Write a plan: what it will do, where, by which commands, what it clears and what it does not."""
    yield paper.paint(Cell(f"{plan.title}", "title"))
    yield from _wrapped(paper, f"{plan.runbook} on {plan.context} ({plan.server}), run {plan.run}", "")
    for name, value in plan.parameters.items():
        yield from _wrapped(paper, f"{name}: {value or '-'}", "    ", "  ")
    if plan.expect:
        yield from ("", *_wrapped(paper, plan.expect, ""))
    yield from _listed(paper, "YOU AGREE THAT", plan.consents, "critical")
    yield from _listed(paper, "NOTE", plan.warnings, "warning")
    for number, step in enumerate(plan.steps, 1):
        yield from ("", *step_text(step, number, len(plan.steps), paper))
    yield from _listed(paper, "NO BETTER NOW, AND SO EXCUSED", tuple(_excused(plan)), "warning")
    yield from _listed(paper, "CLEARS", plan.clears)
    for title, goes in (("GOES WITH WHAT IT CLEARS", True), ("DOES NOT CLEAR", False)):
        left = (f"{each.finding}: {each.reason}" for each in plan.leaves if bool(each.cause) is goes)
        yield from _listed(paper, title, tuple(left))


def _excused(plan: Plan) -> Iterator[str]:
    """Say of what must not get worse what does not hold now; what has to be probed is told as the run begins."""
    gates = [step.gate for step in plan.steps if step.gate]
    keep = {each.key: each for gate in gates for each in gate.conditions if not each.absolute}
    for key, condition in keep.items():
        stood = plan.baseline.get(key)
        if stood is not None and stood.state != "held":
            unknown = "not known: " if stood.state == "unknown" else ""
            yield f"{words(condition)}: {unknown}{stood.seen}"


def step_text(step: PlannedStep, number: int, total: int, paper: Paper) -> Iterator[str]:
    """Write one step: what it is, why, its commands, effect, risk, and what must be seen."""
    where = f" on {step.node}" if step.node else ""
    yield paper.paint(Cell(f"{number}/{total} {step.name}{where}", "title"))
    for line in step.by_hand:
        yield f"      $ {paper.text(line)}"
    for line in step.diff.splitlines():
        yield f"        {paper.text(line)}"
    for label, text in (
        ("why", step.why),
        ("effect", step.effect),
        ("risk", step.risk),
        ("only if", "; ".join(words(each) for each in step.when)),
        ("unless", "; ".join(words(each) for each in step.unless)),
        ("first", "; ".join(words(each) for each in step.before)),
        ("clears", ", ".join(step.clears)),
        ("says", getattr(step.action, "text", "")),
    ):
        if text:
            yield from _wrapped(paper, text, " " * 15, f"      {label:<9}")
    if step.gate:
        for label, absolute in (("then", True), ("no worse", False)):
            wanted = [each for each in step.gate.conditions if each.absolute is absolute]
            if wanted:
                said = "; ".join(words(each) for each in wanted)
                yield from _wrapped(paper, said, " " * 15, f"      {label:<9}")
        soak = f", and go on for {step.gate.soak:g} s" if step.gate.soak else ""
        yield from _wrapped(paper, f"within {step.gate.timeout:g} s{soak}", " " * 15, " " * 15)
    if step.typed:
        yield from _wrapped(paper, f"typing {step.typed}", " " * 15, f"      {'confirm':<9}")


def event_lines(event: AnyEvent, plan: Plan, paper: Paper) -> Iterator[str]:
    """Write an event as lines; of gates only those that the caller wants shown are given to this."""
    at = time.strftime("%H:%M:%S", time.localtime(event.at))
    match event:
        case StepBegun(step=step, number=number):
            yield ""
            yield from step_text(next(s for s in plan.steps if s.id == step), number, len(plan.steps), paper)
        case StepActing(sends=sends):
            for line in sends:
                yield from _wrapped(paper, f"{at} {paper.glyphs.arrow} {line}", " " * 11, "")
        case GateSeen(conditions=conditions, soak_ends=soak):
            yield from (_condition(at, each, paper) for each in conditions)
            if soak is not None and soak > event.at:
                yield f"{at} {paper.symbol('ok')} all hold; they must for {soak - event.at:.0f} s"
        case RunEnded(end=end, text=text, left=left):
            yield ""
            yield from _wrapped(paper, f"{paper.symbol(_ENDS[end])} {end}: {text}", "  ", "")
            for each in left:
                yield from _wrapped(paper, f"left behind: {each}", "    ", "  - ")
        case _:
            yield from _wrapped(paper, f"{at} {_said(event, paper)}", " " * 11, "")


def _said(event: AnyEvent, paper: Paper) -> str:
    """Say an event that is one line."""
    match event:
        case RunStarted(run=run, resumed=resumed, journal=journal):
            return f"  run {run} {'goes on' if resumed else 'begins'}; journal {journal}"
        case LockHeld(holder=holder):
            return f"{paper.symbol('ok')} the lock is held by {holder}"
        case LockLost(reason=reason):
            return f"{paper.symbol('critical')} the lock could not be renewed: {reason}"
        case StepOutput(text=text):
            return f"  {text}"
        case StepHappened(seen=seen):
            return f"{paper.symbol('ok')} it happened: {seen}"
        case StepEnded(outcome=outcome, reason=reason):
            tone = "ok" if outcome in {"done", "already"} else "critical" if outcome == "failed" else "warning"
            return f"{paper.symbol(tone)} {outcome}{f': {reason}' if reason else ''}"
    return ""


def _condition(at: str, each: ConditionState, paper: Paper) -> str:
    mark = paper.paint(Cell(paper.symbol(_TONES[each.state]), _TONES[each.state]))
    said = "excused, no better before the run: " if each.state == "excused" else ""
    return f"{at} {mark} {paper.text(each.text)}: {said}{paper.text(each.seen or each.state)}"
