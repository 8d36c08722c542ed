"""Gates: what must be seen before a step counts as done, or may begin. Pure: a sight in, how it stands out.

A condition that cannot be told is ``unknown`` and lets nothing pass.
"""

from collections.abc import Mapping

from runbooks.conditions import KINDS
from runbooks.events import ConditionState
from runbooks.sight import Condition, Sight


def words(condition: Condition) -> str:
    """Say in words what must hold."""
    return KINDS[condition.kind].about.format_map({"node": condition.node, **condition.args})


def judge(sight: Sight, condition: Condition, baseline: Mapping[str, str]) -> ConditionState:
    """Tell how a condition stands; one that only must not get worse is excused where it did not hold before either.

    ``baseline``: by Condition.key, the state at plan time.
    """
    state, seen = KINDS[condition.kind].judge(sight, condition)
    before = baseline.get(condition.key, "held")
    if state != "held" and not condition.absolute and before in {"waiting", "unknown"}:
        # What could be told before and cannot be now is worse than it was.
        state = "excused" if state == "waiting" or before == "unknown" else state
    return ConditionState(words(condition), state, seen, condition.absolute)


def holds(states: tuple[ConditionState, ...]) -> bool:
    """Tell whether a gate holds now."""
    return all(each.state in {"held", "excused"} for each in states)
