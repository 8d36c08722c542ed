"""Waiting: for a gate to open, by looking until all that it asks for is seen at once and for long enough."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from probes.rules.finding import Diagnosis
from runbooks.conditions import KINDS
from runbooks.desk import Desk
from runbooks.events import Ask, ConditionState, GateSeen
from runbooks.eyes import Eyes
from runbooks.gates import holds, judge
from runbooks.plan import PlannedStep
from runbooks.sight import Condition, Gate, Mark, Sight, Stood, mark_of

PACE: Final = 1.0
"""Seconds between two looks."""
_EVERYBODY: Final = 20
"""Nodes up to which all are asked at each look; of more, the others are heard of by their own events."""
_PROBE_EVERY: Final = 5.0
_BEFORE: Final = 30.0
"""Seconds in which the conditions to begin a step must hold."""


class Waiting:
    """Waits for gates of one run."""

    def __init__(
        self,
        eyes: Eyes,
        desk: Desk,
        *,
        baseline: Callable[[], Mapping[str, Stood]],
        findings: frozenset[str],
        pace: float = PACE,
    ) -> None:
        self._eyes = eyes
        self._desk = desk
        self._baseline = baseline
        self._findings = findings
        self._pace = pace

    async def glance(self, conditions: tuple[Condition, ...], node: str) -> tuple[bool | None, str]:
        """Tell whether conditions hold now; None where nobody can tell, with the reason."""
        gate = _Looking(Gate(conditions), "", node, time.time(), Mark())
        for _ in range(3):
            sight, probed = await self._look(gate)
            states = self._judge(gate, sight, probed)
            if not any(each.state == "unknown" for each in states):
                return all(each.state == "held" for each in states), "; ".join(each.seen for each in states)
            await self._desk.rest(self._pace)
        return None, next(each.seen for each in states if each.state == "unknown")

    async def begin(self, step: PlannedStep) -> bool:
        """Wait until a step may begin; False where the operator decided to begin it all the same."""
        gate = Gate(step.before, timeout=_BEFORE)
        return await self._wait(_Looking(gate, step.id, step.node, self._desk.clock(), Mark(), before=True))

    async def end(self, step: PlannedStep, since: float, mark: Mark) -> tuple[bool, tuple[str, ...]]:
        """Wait until a step's gate has held for its soak; False where the operator decided to go on without.

        Besides gives, in words, what was excused when it opened: what does not hold, or nobody can tell, as before.
        """
        if step.gate is None:
            return True, ()
        gate = _Looking(step.gate, step.id, step.node, since, mark)
        return await self._wait(gate), gate.excused

    async def _wait(self, gate: "_Looking") -> bool:
        clock = time.monotonic
        deadline = clock() + gate.gate.timeout
        held: float | None = None
        while True:
            sight, probed = await self._look(gate)
            states = self._judge(gate, sight, probed)
            now = clock()
            held = (now if held is None else held) if holds(states) else None
            gate.excused = tuple(each.text for each in states if each.state == "excused")
            shift = self._desk.clock() - now
            ends = None if held is None else held + gate.gate.soak + shift
            self._desk.tell(GateSeen(self._desk.clock(), gate.step, states, deadline + shift, ends, gate.before))
            if held is not None and now >= held + gate.gate.soak:
                if not gate.stale_probes(now) or gate.gate.soak == 0:
                    return True
                gate.probed_at = 0.0  # before it opens, probe once more
                continue
            if held is None and now > deadline:
                lacking = [f"{each.text}: {each.seen}" for each in states if each.state not in {"held", "excused"}]
                if not await self._ask(gate, lacking):
                    return False
                deadline = clock() + gate.gate.timeout
            await self._desk.rest(self._pace)

    async def _ask(self, gate: "_Looking", lacking: list[str]) -> bool:
        """Ask what to do about a gate that did not open in time; True: wait on."""
        what = "may not begin" if gate.before else "was done, but what must be seen after it is not"
        answer = await self._desk.ask(
            Ask(
                "gate",
                gate.step,
                f"The step {what}. Wait on, abort, or go on all the same?",
                ("wait", "override", "pause", "abort"),
                typed=gate.node or "override",
                says=tuple(lacking),
            )
        )
        return answer.choice == "wait"

    async def _look(self, gate: "_Looking") -> tuple[Diagnosis, Mapping[str, Stood]]:
        """Ask the nodes anew, and once everything else holds, send the probes."""
        self._desk.check()
        diagnosis = await self._eyes.look(self._names(gate))
        probing = [each for each in gate.gate.conditions if KINDS[each.kind].probe]
        if probing and gate.stale_probes(time.monotonic()):
            passive = [each for each in gate.gate.conditions if not KINDS[each.kind].probe]
            sight = self._sight(gate, diagnosis, {})
            if holds(tuple(judge(sight, each, self._baseline()) for each in passive)):
                gate.reached = await self._eyes.reach(probing)
                gate.probed_at = time.monotonic()
                diagnosis = self._eyes.now
            else:
                gate.reached = {}
        return diagnosis, gate.reached

    def _names(self, gate: "_Looking") -> tuple[str, ...]:
        everybody = tuple(self._eyes.now.views)
        about = tuple(dict.fromkeys(each.node for each in gate.gate.conditions if each.node))
        return everybody if len(everybody) <= _EVERYBODY or gate.first() else about

    def _sight(self, gate: "_Looking", diagnosis: Diagnosis, reached: Mapping[str, Stood]) -> Sight:
        return Sight(diagnosis, gate.since, gate.mark, gate.previous, reached, self._findings)

    def _judge(
        self, gate: "_Looking", diagnosis: Diagnosis, reached: Mapping[str, Stood]
    ) -> tuple[ConditionState, ...]:
        sight = self._sight(gate, diagnosis, reached)
        states = tuple(judge(sight, each, self._baseline()) for each in gate.gate.conditions)
        gate.previous = mark_of(diagnosis, gate.node, self._desk.clock())
        return states


class _Looking(msgspec.Struct):
    """One gate while it is waited for."""

    gate: Gate
    step: str
    node: str
    since: float
    mark: Mark
    before: bool = False
    previous: Mark = Mark()
    reached: Mapping[str, Stood] = {}
    probed_at: float = 0.0
    excused: tuple[str, ...] = ()
    """In words, what was excused at the last look."""
    looks: int = 0

    def stale_probes(self, now: float) -> bool:
        """Whether probes have to be sent anew."""
        return any(KINDS[each.kind].probe for each in self.gate.conditions) and now - self.probed_at > _PROBE_EVERY

    def first(self) -> bool:
        """Whether everybody has to be asked: at first, and every tenth time."""
        self.looks += 1
        return self.looks % 10 == 1
