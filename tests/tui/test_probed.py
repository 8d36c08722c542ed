"""What is kept of probes: bounded, and each run's results beside those before it."""

import msgspec

from tests.probes.worlds import AT
from tests.tui.results import http, pmtu, probed, proposal
from tui.probed import MOST, RUNS, SAMPLES, Key, Probed, begun, ended, key_of, samples_of, told, variants_of


def test_the_newest_result_counts_and_those_before_it_are_remembered() -> None:
    """A second run replaces the result, and both are among the runs there were, oldest first."""
    first, second = pmtu("samwise", "theoden"), pmtu("samwise", "theoden", 1400, "silent", at=AT + 60)
    found = told(probed(first), [second])
    key = Key("pmtu", "samwise", "theoden")
    assert found.latest == {key: second}
    assert [(each.at, each.tone) for each in found.past[key]] == [(AT, "ok"), (AT + 60, "critical")]


def test_memory_is_bounded() -> None:
    """Results, times and runs have an end; of results the oldest go."""
    found = Probed()
    one = pmtu("samwise", "theoden")
    for number in range(RUNS + 30):
        found = told(found, [msgspec.structs.replace(one, at=AT + number)])
    key = key_of(one)
    assert len(found.past[key]) == RUNS
    assert len(found.samples[key][""]) == SAMPLES
    others = [msgspec.structs.replace(one, target=str(number)) for number in range(MOST)]
    found = told(found, others)
    assert len(found.latest) == len(found.past) == len(found.samples) == MOST
    assert key not in found.latest


def test_times_are_kept_by_version_and_what_was_lost_is_a_gap() -> None:
    """Each version of HTTP has its own times; those of packets are one row, with what was lost of them."""
    found = samples_of(http("samwise", h2="tls"))
    assert found["HTTP/1.1"] == [0.08] * 3
    assert found["HTTP/2"] == [None] * 3
    assert found[""] == [0.08] * 3 + [None] * 3
    lossy = msgspec.structs.replace(pmtu("samwise", "theoden"), lost=1)
    assert samples_of(lossy) == {"": [0.001, 0.002, 0.001, None]}
    assert variants_of(http("samwise")) == ("HTTP/1.1", "HTTP/2")
    assert variants_of(lossy) == ()


def test_a_run_counts_what_it_found_by_how_good_it_is() -> None:
    """A run tells how far it is, of how many, and how it ended."""
    made = told(begun(Probed(), proposal(), AT), [pmtu("a", "b"), pmtu("b", "a", 1400, "silent")])
    assert made.run is not None
    assert made.is_running
    assert (made.run.done, dict(made.run.tones)) == (2, {"ok": 1, "critical": 1})
    over = ended(made, "stopped")
    assert not over.is_running
    again = begun(over, proposal(), AT + 9)
    assert again.run is not None
    assert (again.run.number, again.run.done) == (2, 0)
    assert again.latest == made.latest
