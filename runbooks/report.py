"""Report: a run's journal as Markdown, to read afterwards and to hand on. Pure."""

import time
from collections.abc import Iterable, Iterator, Sequence

from runbooks.events import GateSeen, LockHeld, LockLost, RunEnded, StepBegun, StepEnded, StepHappened, StepOutput
from runbooks.journal import Answered, AnyRecord, Intended, Opened, Resumed, Told, progress
from runbooks.plan import Plan

_MARKS = {"held": "✔", "excused": "▲", "waiting": "✖", "unknown": "?"}


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at))


def report(records: Sequence[AnyRecord]) -> str:
    """Write the report of a run."""
    far = progress(records)
    plan = far.plan
    lines = [
        f"# {plan.title}",
        "",
        f"Run `{plan.run}` of `{plan.runbook}` on `{plan.context}`, begun by {far.who} at {_when(far.began)}; "
        f"{far.end or 'it never ended: its process did'}.",
        "",
        *([far.text, ""] if far.text else []),
        *_intent(plan),
        "## What happened",
        "",
        *(f"- {line}" for line in _story(records, plan)),
    ]
    return "\n".join(lines) + "\n"


def _intent(plan: Plan) -> Iterator[str]:
    yield from ("## What was planned", "")
    yield from (f"- {name}: `{value}`" for name, value in plan.parameters.items())
    yield ""
    for number, step in enumerate(plan.steps, 1):
        yield f"{number}. {step.name}{f' on {step.node}' if step.node else ''}"
        yield from (f"   - `{line}`" for line in step.by_hand)
    for title, entries in (
        ("To be cleared", plan.clears),
        ("To go with that", tuple(f"{left.finding}: {left.reason}" for left in plan.leaves if left.cause)),
        ("Not to be cleared", tuple(f"{left.finding}: {left.reason}" for left in plan.leaves if not left.cause)),
        ("Agreed to", plan.consents),
    ):
        if entries:
            yield from ("", f"{title}:", "")
            yield from (f"- {entry}" for entry in entries)
    yield ""


def _story(records: Iterable[AnyRecord], plan: Plan) -> Iterator[str]:
    names = {step.id: f"step {n}" for n, step in enumerate(plan.steps, 1)}
    states: dict[tuple[str, str], str] = {}
    for record in records:
        for line in _lines(record, names, states):
            yield f"{_clock(record.at)} {line}"


def _lines(record: AnyRecord, names: dict[str, str], states: dict[tuple[str, str], str]) -> Iterator[str]:
    """Write a record; of a gate, the conditions that stand otherwise than they last did."""
    match record:
        case Told(event=GateSeen(step=step, conditions=conditions)):
            for each in conditions:
                if states.get((step, each.text)) != each.state:
                    states[step, each.text] = each.state
                    said = "excused, no better before the run: " if each.state == "excused" else ""
                    yield f"{names.get(step, 'run')}: {_MARKS[each.state]} {each.text}: {said}{each.seen}"
        case Opened(who=who):
            yield f"the plan was written down for {who}"
        case Resumed(who=who):
            yield f"taken up again by {who}"
        case Answered(ask=ask, answer=answer):
            typed = f", typed {answer.typed!r}" if answer.typed else ""
            reason = f": {answer.reason}" if answer.reason else ""
            yield f"{names.get(ask.step, 'run')}: {ask.text} {answer.choice}{typed}{reason}"
        case Intended(step=step, sends=sends):
            yield from (f"{names[step]}: sent `{line}`" for line in sends)
        case Told(event=event):
            yield from _event(event, names)


def _event(event: object, names: dict[str, str]) -> Iterator[str]:
    match event:
        case LockHeld(holder=holder):
            yield f"the lock is held by {holder}"
        case LockLost(reason=reason):
            yield f"the lock could not be renewed: {reason}"
        case StepBegun(step=step, resumed=resumed):
            yield f"{names[step]} {'is taken up again' if resumed else 'begins'}"
        case StepOutput(step=step, text=text):
            yield f"{names.get(step, 'run')}: {text}"
        case StepHappened(step=step, seen=seen):
            yield f"{names[step]} happened: {seen}"
        case StepEnded(step=step, outcome=outcome, reason=reason):
            yield f"{names[step]} ended: **{outcome}**{f' ({reason})' if reason else ''}"
        case RunEnded(end=end, left=left):
            yield f"the run is {end}"
            yield from (f"left behind: {each}" for each in left)
