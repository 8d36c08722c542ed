"""What is found about resolvers."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from probes.model.network import Resolvers
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.facts import NodeFacts, node_facts
from probes.rules.finding import Finding
from probes.rules.resolvers import HOST, K3S, SYSTEMD, inherited, judge_resolvers
from tests.probes.worlds import healthy, with_network

_CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "resolvers.yaml").read_text())
_PATHS = {"host": HOST, "systemd": SYSTEMD, "k3s": K3S}


def _world(case: dict[str, Any]) -> Snapshot:
    files = tuple(Resolvers(path, tuple(case[key])) for key, path in _PATHS.items() if key in case)
    unassessed = {"resolvers": case["unassessed"]} if "unassessed" in case else {}
    return with_network(healthy(), "samwise", resolvers=files or None, unassessed=unassessed)


def _facts(world: Snapshot) -> NodeFacts:
    view = diagnose(world).views["samwise"]
    return node_facts(world, view.summary, view.peers)


@pytest.mark.parametrize("case", _CASES, ids=lambda case: str(case["case"]))
def test_cases(case: dict[str, Any]) -> None:
    """What pods inherit is told from what the node itself asks; what cannot be read is not judged."""
    found = [f"{one.code} {one.severity.name.lower()}" for one in judge_resolvers(_facts(_world(case)))]
    assert found == case["expects"]


INHERITED: dict[str, tuple[dict[str, Any], tuple[str, ...] | None]] = {
    "the host's": ({"host": ["192.0.2.1"]}, ("192.0.2.1",)),
    "systemd's behind a stub": ({"host": ["127.0.0.53"], "systemd": ["192.0.2.2"]}, ("192.0.2.2",)),
    "the host's beside systemd's": ({"host": ["192.0.2.1"], "systemd": ["192.0.2.2"]}, ("192.0.2.1",)),
    "k3s's own before all": ({"host": ["192.0.2.1"], "k3s": ["192.0.2.3"]}, ("192.0.2.3",)),
    "not known without root": ({"host": ["192.0.2.1"], "unassessed": "needs root"}, None),
    "k3s's own, though something else is not known": (
        {"k3s": ["192.0.2.3"], "unassessed": "needs root"},
        ("192.0.2.3",),
    ),
    "none": ({}, None),
    "a stub without upstream": ({"host": ["127.0.0.53"]}, None),
}


@pytest.mark.parametrize("name", INHERITED)
def test_what_pods_inherit(name: str) -> None:
    """K3s's own file, else systemd's upstream one behind a stub, else the host's; unknown is not made up."""
    case, expected = INHERITED[name]
    assert inherited(_world(case).networks["samwise"]) == expected


def _asking(servers: dict[str, list[str]]) -> Snapshot:
    world = healthy()
    for name, some in servers.items():
        world = with_network(world, name, resolvers=(Resolvers(HOST, tuple(some)),))
    return world


def _disagreement(world: Snapshot) -> list[Finding]:
    return [finding for finding in diagnose(world).findings if finding.code == "resolvers-differ"]


def test_nodes_that_ask_different_resolvers_are_told_apart() -> None:
    """The few are named as those that it concerns; the order of the servers does not matter."""
    same = _asking({"boromir": ["192.0.2.1", "192.0.2.2"], "samwise": ["192.0.2.2", "192.0.2.1"]})
    assert _disagreement(same) == []
    other = _asking({"boromir": ["192.0.2.1"], "samwise": ["192.0.2.1"], "theoden": ["192.0.2.9"]})
    (finding,) = _disagreement(other)
    assert (finding.code, finding.about) == ("resolvers-differ", ("theoden",))
    assert finding.summary == ("nodes ask different resolvers: boromir and samwise: 192.0.2.1; theoden: 192.0.2.9")
    assert [quote.vantage for quote in finding.evidence] == ["boromir", "theoden"]


def test_a_node_that_does_not_tell_differs_from_nobody() -> None:
    """Unknown is no difference."""
    assert _disagreement(_asking({"boromir": ["192.0.2.1"]})) == []
    assert _disagreement(Snapshot()) == []


def test_many_sets_are_counted() -> None:
    """A sentence stays one."""
    names = tuple(f"node-{i}" for i in range(6))
    world = healthy(names)
    for number, name in enumerate(names):
        world = with_network(world, name, resolvers=(Resolvers(HOST, (f"192.0.2.{100 + number}",)),))
    (finding,) = _disagreement(world)
    assert finding.summary.endswith("; and 3 more sets")
