"""A run as it stands: its line of state, its steps with the current one unfolded, its question and its end. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from probes.model.text import clean
from probes.rules.finding import Diagnosis
from runbooks.events import Ask, GateSeen
from runbooks.gates import judge
from runbooks.plan import PlannedStep
from runbooks.sight import Condition, Sight
from tui.format import Glyphs, Span, fit, status
from tui.widgets.blocks import Block, Bullet, Heading, Line, Paragraph, Part
from tui.widgets.cells import Ticking
from tui.wizards.planned import MARGIN, STEP, explained, field
from tui.wizards.progress import Progress, StepProgress
from tui.wizards.signs import (
    Commands,
    Cut,
    Hanging,
    condition_spans,
    elapsed,
    outcome_sign,
    outcome_span,
    planned_spans,
    remaining,
    weight_span,
)

_AROUND: Final = 60
"""Steps before and after the current one that are listed; the others are counted."""
OUTPUT: Final = 8
"""Lines of output that are shown beneath a step; the rest can be unfolded."""
_OUTPUT_BESIDE_GATE: Final = 2
"""Likewise, while its gate is looked at."""


class Ticks(NamedTuple):
    """A line in which what follows the clock stands among what does not."""

    parts: tuple[Span | Ticking, ...]
    key: str = ""

    def lines(self, cells: int, glyphs: Glyphs) -> Iterator[Line]:  # noqa: ARG002 - as every block
        """Draw it."""
        yield Line(tuple(Part(each) for each in self.parts), self.key)


def state_line(progress: Progress, now: float, glyphs: Glyphs) -> tuple[Span, ...]:
    """Say in one line how far the run is, for how long, on which node, and who holds the lock until when."""
    plan = progress.plan
    place = progress.place + 1
    parts = [Span(f" step {max(place, 1)} of {len(plan.steps)}", "header")]
    planned = progress.planned
    if planned is not None and planned.node and len(plan.nodes) > 1:
        parts.append(Span(f"   node {plan.nodes.index(planned.node) + 1} of {len(plan.nodes)}", "header"))
    began = progress.began_at
    until = progress.ended.at if progress.ended else now
    if began is not None:
        parts += [Span("   "), Span(elapsed(began, until).text, "muted")]
    parts += [Span("   "), *lock_spans(progress, now, glyphs)]
    parts.append(Span(f"   run {plan.run}", "muted"))
    return tuple(parts)


def lock_spans(progress: Progress, now: float, glyphs: Glyphs) -> tuple[Span, ...]:
    """Say who holds the cluster's lock, and when it is renewed or ends."""
    if progress.ended is not None:
        return ()
    if progress.lost:
        return (status("critical", glyphs, f"lock lost: {progress.lost}"),)
    if progress.lock is None:
        return (Span("no lock yet", "muted"),)
    who = progress.lock.holder.removeprefix(progress.plan.run).strip() or progress.lock.holder
    if progress.lock.until <= now:
        return (status("stale", glyphs, f"the lock of {who} has run out"),)
    return (Span(f"lock of {who}, {remaining(progress.lock.until, now).text} left", "muted"),)


def run_blocks(progress: Progress, glyphs: Glyphs, *, unfolded: bool = False) -> tuple[Block, ...]:
    """List the steps around the current one; it is unfolded, with all of its output where that is wanted."""
    steps = progress.plan.steps
    place = max(progress.place, 0)
    first, last = max(0, place - _AROUND), min(len(steps), place + 1 + _AROUND)
    blocks: list[Block] = [Paragraph(note, "warning") for note in progress.notes]
    if first:
        blocks.append(Paragraph(f"{first} steps before these are in the report", "muted"))
    for index in range(first, last):
        step = steps[index]
        state = progress.step(step.id)
        is_current = step.id == progress.current
        blocks.append(_title(index + 1, step, state, glyphs, is_current=is_current and progress.is_live))
        if is_current:
            blocks += _current(step, state, progress, glyphs, unfolded=unfolded)
        elif state.outcome in {"failed", "skipped", "overridden"} and state.reason:
            blocks.append(field("because", (Span(state.reason, "muted"),)))
    if last < len(steps):
        blocks.append(Paragraph(f"{len(steps) - last} more steps after these", "muted"))
    return tuple(blocks)


def _title(number: int, step: PlannedStep, state: StepProgress, glyphs: Glyphs, *, is_current: bool) -> Block:
    if state.outcome is not None:
        sign = outcome_sign(state.outcome, glyphs)
    else:
        sign = Span(glyphs.folded, "accent") if is_current else Span(glyphs.none, "muted")
    tone = "header" if is_current else "text" if state.outcome else "muted"
    where = (Span("  on ", "muted"), Span(step.node, tone)) if step.node else ()
    said: tuple[Span | Ticking, ...] = (Span("  "), weight_span(step.action.weight))
    if state.outcome is not None:
        said = (Span("  "), Span(outcome_span(state.outcome, glyphs).text.partition(" ")[2], "muted"))
        if state.acting_at is not None and state.ended_at is not None:
            said += (Span("  "), Span(elapsed(state.acting_at, state.ended_at).text, "muted"))
    elif state.acting_at is not None and is_current:
        said = (Span("  "), Ticking(state.acting_at, elapsed))
    lead = (Span(f" {fit(sign.text, 2, glyphs)}", sign.tone), Span(f"{number:>3} ", tone))
    return Ticks((*lead, Span(step.name, tone), *where, *said), STEP + step.id)


def _current(
    step: PlannedStep, state: StepProgress, progress: Progress, glyphs: Glyphs, *, unfolded: bool
) -> Iterator[Block]:
    """Unfold the current step: before it is sent why and what, then what it says and how its gate stands."""
    if state.phase in {"ahead", "begun"}:
        yield from _commands(state.sends or step.by_hand, step)
        seen = None if state.before is None else _conditions("before", state.before, glyphs, failed=False)
        yield from explained(step, glyphs, seen)
        return
    yield from _commands(state.sends, step)
    if step.effect and state.phase == "acting":
        yield field("effect", (Span(step.effect),))
    yield from _output(state, unfolded=unfolded, glyphs=glyphs)
    if state.seen:
        yield field("seen", (status("ok", glyphs), Span(f" {state.seen}")))
    elif state.phase == "acting":
        yield field("seen", (status("unknown", glyphs), Span(" nobody can tell yet whether it happened", "muted")))
    if state.gate is not None:
        has_failed = state.outcome == "failed" or (progress.ask is not None and progress.ask.about == "gate")
        yield from _conditions("gate", state.gate, glyphs, failed=has_failed)
    elif step.gate is not None and state.phase != "behind":
        yield field("gate", (Span("looked at once it has happened:", "muted"),))
        for condition in step.gate.conditions:
            yield Hanging((Span(" " * MARGIN),), planned_spans(condition, glyphs))
    if state.reason:
        yield field("because", (Span(state.reason),))


def _commands(sends: Sequence[str], step: PlannedStep) -> Iterator[Block]:
    if sends:
        yield Commands(tuple(sends))
    elif text := getattr(step.action, "text", ""):
        yield Paragraph(text, indent=4)


def _output(state: StepProgress, *, unfolded: bool, glyphs: Glyphs) -> Iterator[Block]:
    most = OUTPUT if state.gate is None else _OUTPUT_BESIDE_GATE
    shown = state.output if unfolded else state.output[-most:]
    hidden = state.unseen + len(state.output) - len(shown)
    if hidden:
        more = f"{glyphs.ellipsis} {hidden} lines before" + ("" if unfolded else ", o shows them")
        yield field("says", (Span(more, "muted"),))
    for place, line in enumerate(shown):
        yield field("says" if not place and not hidden else "", (Span(line),))


def _conditions(label: str, gate: GateSeen, glyphs: Glyphs, *, failed: bool) -> Iterator[Block]:
    good = sum(each.state in {"held", "excused"} for each in gate.conditions)
    count = Span(f"{good} of {len(gate.conditions)} hold")
    lead = Span(f"    {label.ljust(MARGIN - 4)}", "muted")
    if failed:
        yield Ticks((lead, count, Span(", and time is up", "critical")))
    elif gate.soak_ends is not None and gate.before:
        yield Ticks((lead, count))
    elif gate.soak_ends is not None:
        yield Ticks((lead, count, Span(", to stay so for another "), Ticking(gate.soak_ends, remaining)))
    else:
        yield Ticks((lead, count, Span(", for the rest there is "), Ticking(gate.deadline, remaining)))
    for state in gate.conditions:
        spans = condition_spans(state, glyphs, failed=failed)
        if state.state == "held":  # what holds needs no more than its line
            yield Cut(spans, MARGIN)
        else:
            yield Hanging((Span(" " * MARGIN),), spans)


def so_now(progress: Progress) -> tuple[str, ...]:
    """Say what the run has changed until now, for whoever thinks of leaving it: by what was seen, a sentence each."""
    done = [s for s in progress.plan.steps if s.writes and progress.step(s.id).outcome in {"done", "overridden"}]
    sent = [
        s
        for s in progress.plan.steps
        if s.writes and progress.step(s.id).acting_at is not None and progress.step(s.id).outcome in {None, "failed"}
    ]
    said = [f"{step.name}{f' on {step.node}' if step.node else ''} was sent and is not verified yet" for step in sent]
    if done:
        last = ", ".join(f"{step.name}{f' on {step.node}' if step.node else ''}" for step in done[-3:])
        more = f"{len(done) - 3} steps and " if len(done) > 3 else ""  # noqa: PLR2004 - as many as a line takes
        said.append(f"done and verified: {more}{last}")
    return tuple(said) or ("nothing has been changed",)


def end_blocks(progress: Progress, diagnosis: Diagnosis, glyphs: Glyphs) -> tuple[Block, ...]:
    """Say how the run ended, what is so now and what is safe, what it leaves, and what became of what it was for."""
    ended = progress.ended
    if ended is None:
        return ()
    name, said = {
        "completed": ("ok", "The run is completed."),
        "paused": ("warning", "The run rests."),
        "aborted": ("warning", "The run was given up."),
        "refused": ("critical", "The run was refused."),
    }.get(ended.end, ("critical", "The run failed."))
    blocks: list[Block] = [Heading("End", status(name, glyphs, said)), Paragraph(clean(ended.text))]
    blocks += [Bullet(status("warning", glyphs), f"left behind: {clean(left)}") for left in ended.left]
    if progress.plan.clears and ended.end != "refused":
        blocks.append(Heading("What it was for", Span("as it is seen now", "muted")))
        blocks += [_fate(key, progress, diagnosis, glyphs) for key in progress.plan.clears]
    return tuple(blocks)


def _fate(key: str, progress: Progress, diagnosis: Diagnosis, glyphs: Glyphs) -> Block:
    """Tell whether a finding that was to be cleared is found now; what was not looked at since is unknown."""
    code, _, subject = key.partition(" ")
    node = subject if subject in diagnosis.views else ""
    kind = "cleared" if node else "cleared-everywhere"
    since = progress.ended.at if progress.ended else 0.0
    acted = max((state.acting_at or 0.0 for state in progress.steps.values()), default=0.0)
    sight = Sight(diagnosis, since=acted or since)
    state = judge(sight, Condition(kind, node, {"finding": code}), {})
    sign = status({"held": "ok", "waiting": "critical"}.get(state.state, "unknown"), glyphs)
    said = {"held": "not found any more", "waiting": "still found"}.get(state.state, f"unknown: {state.seen}")
    return Bullet(sign, f"{key}: {said}")


def ask_lines(progress: Progress, cells: int, glyphs: Glyphs) -> list[tuple[Span, ...]]:
    """Write what is asked, and what should be known before it is answered: what the step itself says stands above."""
    ask = progress.ask
    if ask is None:
        return []
    step = next((each for each in progress.plan.steps if each.id == ask.step), None)
    told = {f"effect: {step.effect}", f"risk: {step.risk}"} if step else set()
    about = f"{step.name}{f' on {step.node}' if step.node else ''}: " if step else ""
    tone = "header" if ask.about in {"start", "step"} else "critical"
    blocks: list[Block] = [
        Hanging((Span("   "),), (Span(said, "critical" if said.startswith("✗") else "warning"),))
        for said in map(clean, ask.says)
        if said not in told
    ]
    blocks.append(Hanging((Span(" "),), (Span(about + clean(ask.text), tone),)))
    lines = [line for block in blocks for line in block.lines(max(cells - 1, 1), glyphs)]
    return [tuple(line.spans(0.0, glyphs)) for line in lines]


def hint(ask: Ask) -> tuple[Span, ...]:
    """Say how a question is answered where that is more than a key."""
    if not ask.typed:
        return ()
    keys = ("O" if "override" in ask.choices else "") or "y"
    return (Span(f" {keys}", "accent"), Span(", then type ", "muted"), Span(ask.typed, "accent"))
