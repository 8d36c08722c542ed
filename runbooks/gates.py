"""Gates: what must be seen before a step counts as done, or may begin. Pure: a sight in, how it stands out.

A condition that cannot be told is ``unknown`` and lets nothing pass.
"""

from collections.abc import Mapping

from runbooks.conditions import KINDS
from runbooks.events import ConditionState
from runbooks.kinds import stand
from runbooks.sight import Condition, Sight, Stood


def words(condition: Condition) -> str:
    """Say in words what must hold."""
    return KINDS[condition.kind].about.format_map({"node": condition.node, **condition.args})


def stood(sight: Sight, condition: Condition) -> Stood:
    """Tell how a condition stands, whatever was before."""
    return stand(KINDS[condition.kind].judge(sight, condition))


def judge(sight: Sight, condition: Condition, baseline: Mapping[str, Stood]) -> ConditionState:
    """Tell how a condition stands; one that only must not get worse is excused where it was as bad before.

    ``baseline``: by Condition.key, how it stood when the run began.
    """
    now = stood(sight, condition)
    before = baseline.get(condition.key, Stood("held"))
    probed = not KINDS[condition.kind].probe or condition.key in sight.reached
    excused = now.state != "held" and not condition.absolute and probed and _no_worse(now, before)
    return ConditionState(words(condition), "excused" if excused else now.state, now.seen, condition.absolute)


def _no_worse(now: Stood, before: Stood) -> bool:
    """Tell whether it was as bad before: for all for which it fails now; what could be told then can be told now."""
    match before.state, now.state:
        case "waiting", "waiting":
            return not before.failing or (bool(now.failing) and set(now.failing) <= set(before.failing))
        case "unknown", ("waiting" | "unknown"):
            return True
    return False


def holds(states: tuple[ConditionState, ...]) -> bool:
    """Tell whether a gate holds now."""
    return all(each.state in {"held", "excused"} for each in states)
