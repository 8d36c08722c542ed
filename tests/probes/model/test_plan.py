"""Plans: rounds put together, and what counts as success."""

import pytest

from probes.model.plan import DEFAULT, Criterion, Plan, Step, assess, is_name, merged, wrong_with
from probes.model.reach import Attempt, Result, Tone

GOOD = Attempt(variant="HTTP/2", seconds={"tls": 0.1})
NO_TLS = Attempt(variant="HTTP/2", failed="tls", reason="timed out")
NO_DNS = Attempt(variant="HTTP/2", failed="dns")
ROLES = {"cp1": "server", "w1": "agent", "w2": "agent"}


def result(
    vantage: str, *attempts: Attempt, tone: Tone = "ok", kind: str = "node", target: str = "https://x/"
) -> Result:
    lost = sum(bool(each.failed) for each in attempts)
    return Result(
        probe="http",
        vantage=vantage,
        kind=kind,
        target=target,
        outcome="ok" if tone == "ok" else "fails",
        tone=tone,
        said=tone,
        at=1.0,
        node=vantage if kind == "node" else "",
        phase="" if tone == "ok" else "tls",
        sent=len(attempts),
        lost=lost,
        times=(0.1,) * (len(attempts) - lost),
        attempts=attempts,
    )


def test_rounds_are_put_together() -> None:
    """Counts and times add up; what failed in some rounds and not in others is random, and says how often."""
    rounds = [result("cp1", GOOD), result("cp1", NO_TLS, tone="critical"), result("cp1", GOOD), result("w1", GOOD)]
    first, second = merged(rounds)
    assert (first.vantage, first.outcome, first.said) == ("cp1", "random", "fails in 1 of 3 rounds, at tls")
    assert (first.tone, first.sent, first.lost, len(first.times), len(first.attempts)) == ("critical", 3, 1, 2, 3)
    assert (second.vantage, second.outcome) == ("w1", "ok")
    always = merged([result("cp1", NO_TLS, tone="critical")] * 2)[0]
    assert (always.outcome, always.lost) == ("fails", 2)


def test_a_round_that_was_not_assessed_is_no_failure_and_no_success() -> None:
    """What the other rounds say counts; where none says anything it is unknown."""
    unable = result("cp1", Attempt(unable="gone"), tone="unknown")
    assert merged([result("cp1", GOOD), unable])[0].tone == "ok"
    assert merged([unable, unable])[0].tone == "unknown"


@pytest.mark.parametrize(
    ("criterion", "tone"),
    [
        (Criterion("http", 3, 3, "tls", ("cp1",)), "ok"),
        (Criterion("http", 3, 3, "", ("cp1",)), "critical"),
        (Criterion("http", 3, 3, "tls", ("agent",)), "critical"),
        (Criterion("http", 3, 3, "tls", ("agent",), any=True), "ok"),
        (Criterion("http", 2, 3, "tls", ("agent",)), "ok"),
        (Criterion("http", 9, 9, "tls", ("cp1",)), "unknown"),
        (Criterion("http", 9, 9, "tls", ("agent",)), "critical"),
        (Criterion("http", 1, 1, "", ("pod",)), "unknown"),
        (Criterion("http", 3, 3, "tls", ("node",)), "critical"),
    ],
)
def test_criteria(criterion: Criterion, tone: str) -> None:
    """Counted by vantage, by the phase named; too few tries are unknown, unless it can no more be met."""
    results = [
        result("cp1", GOOD, NO_DNS, GOOD),
        result("w1", GOOD, NO_TLS, GOOD, tone="critical"),
        result("w2", GOOD, GOOD, GOOD),
    ]
    plan = Plan((Step("http"),), success=(criterion,))
    assert wrong_with(plan) == ""
    assert [each.tone for each in assess(plan, results, ROLES)] == [tone]


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (Plan(()), "no probes"),
        (Plan((Step("http"),), repeat=0), "repeat is 0"),
        (Plan((Step("http"),), repeat=101), "repeat is 101"),
        (Plan((Step("http"),), interval=-1), "interval"),
        (Plan((Step("http"),), success=(Criterion("git", 1, 1),)), "does not probe"),
        (Plan((Step("http"),), success=(Criterion("http", 3, 2),)), "3 of 2"),
    ],
)
def test_what_is_wrong_with_a_plan_is_said(plan: Plan, why: str) -> None:
    """In a few words."""
    assert why in wrong_with(plan)


def test_the_default_is_a_plan() -> None:
    """Nothing is wrong with it, and names are names."""
    assert wrong_with(DEFAULT) == ""
    assert is_name("default")
    assert not is_name("../x")
