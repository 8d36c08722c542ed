"""Every world of cases/worlds: all that is told of it, word by word, at once and bit by bit."""

import pytest

from probes.rules.codes import RANK
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis
from tests.probes.rules.overlays import flat
from tests.probes.rules.told import Case, cases, told
from tests.probes.worlds import healthy

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.case}")
def test_all_that_is_told_of_a_world(case: Case) -> None:
    """Severity, code, subject and words of each finding, beneath its cause, and nothing else."""
    assert told(case) == case.told


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.family}: {case.case}")
def test_every_finding_can_be_checked(case: Case) -> None:
    """Each has evidence with a command or object, an excerpt and a vantage, and says what would refute it."""
    for finding in flat(diagnose(case.world).findings):
        assert finding.code in RANK
        assert finding.refutes, finding.code
        assert finding.evidence or finding.code == "peer-unreachable", finding.code
        assert all(quote.source and quote.excerpt and quote.vantage for quote in finding.evidence), finding.code


def _comparable(diagnosis: Diagnosis) -> object:
    views = [(name, view.summary, view.peers, view.findings) for name, view in diagnosis.views.items()]
    return diagnosis.findings, diagnosis.verdict, diagnosis.pulls, diagnosis.flux, diagnosis.places, views


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda number: f"{CASES[number].family}: {CASES[number].case}"
)
def test_what_is_judged_bit_by_bit_is_as_if_judged_at_once(number: int) -> None:
    """A diagnosis that builds on another is the same: after health, after the case before, and back to health."""
    well, world = healthy(), CASES[number].world
    at_once = _comparable(diagnose(world))
    from_health = diagnose(world, diagnose(well))
    assert _comparable(from_health) == at_once
    assert _comparable(diagnose(world, diagnose(CASES[number - 1].world))) == at_once
    assert diagnose(well, from_health).findings == ()
