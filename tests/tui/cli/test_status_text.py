"""The glance as text: what is not there, not known and not needed are three things, and none of them is green."""

import msgspec

from probes.kube.resources import CORE, KINDS
from probes.model.kube import FlannelAnnotations
from probes.model.observation import Failed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from tests.probes.worlds import AT, healthy, with_network, with_node
from tui.cli.grid import Paper
from tui.cli.status_text import render


def printed(snapshot: Snapshot) -> list[str]:
    return render(diagnose(snapshot), Paper(80), AT + 5).splitlines()


def row(snapshot: Snapshot, name: str) -> dict[str, str]:
    """Give the cells of a node's line by the words above them."""
    lines = printed(snapshot)
    header = next(line for line in lines if line.startswith("NODE "))
    line = next(line for line in lines[lines.index(header) :] if line.startswith(f"{name} "))
    starts = [header.index(word) for word in header.split()]
    return {
        word: line[start:end].strip()
        for word, start, end in zip(header.split(), starts, [*starts[1:], None], strict=True)
    }


def test_a_healthy_cluster_takes_few_lines() -> None:
    """With nothing to say there is a headline and a line for each node, within 80 columns."""
    lines = printed(healthy())
    assert lines[1] == "✔ healthy  3 nodes, 0 critical, 0 warnings, 0 unassessed"
    assert len(lines) == 3 + 4
    assert max(map(len, lines)) <= 80
    assert printed(healthy(["gimli"]))[1] == "✔ healthy  1 node, 0 critical, 0 warnings, 0 unassessed"


def test_another_cni_misses_nothing() -> None:
    """A node without flannel has dashes where flannel's things would be, no alarm."""
    world = with_node(healthy(), "samwise", flannel=FlannelAnnotations())
    links = tuple(link for link in world.networks["samwise"].links or () if link.ifname == "eth0")
    cells = row(with_network(world, "samwise", links=links, subnet_env=None, udp=()), "samwise")
    assert {word: cells[word] for word in ("VXLAN", "ENV", "CNI0", "8472", "PEERS")} == dict.fromkeys(
        ("VXLAN", "ENV", "CNI0", "8472", "PEERS"), "-"
    )


def test_without_the_api_peers_are_not_known() -> None:
    """Who should be a peer is told by the API alone: without it the cell is a question, not a dash."""
    world = msgspec.structs.replace(healthy(), nodes={}, sources={})
    cells = row(fold(world, [Failed("kube/nodes", AT, "connection refused", "unreachable")]), "samwise")
    assert (cells["ROLE"], cells["RDY"], cells["PEERS"]) == ("?", "?", "?")
    assert (cells["VXLAN"], cells["8472"]) == ("1450", "✔")


def test_links_that_are_not_known_are_no_dash() -> None:
    """A dash says that there is no cni0; where links could not be read nobody knows."""
    world = with_network(healthy(), "samwise", links=None, routes=None, unassessed={"links": "refused"})
    cells = row(world, "samwise")
    assert (cells["UPLINK"], cells["VXLAN"], cells["CNI0"]) == ("?", "?", "?")


def test_an_api_that_is_away_is_said_once() -> None:
    """All of the API's resources fail together, and take a line of findings and one of what is not known."""
    sources = [resource.source for resource in CORE] + [kind.source for kind in KINDS]
    lines = printed(
        fold(Snapshot(context="test"), [Failed(s, AT, "connection refused", "unreachable") for s in sources])
    )
    assert lines[1].startswith("? unassessed  0 nodes, 1 critical, 0 warnings")
    said = " ".join(line.strip() for line in lines)
    assert said.count("connection refused") == 2
    assert all(source.removeprefix("kube/").replace("_", " ") in said for source in sources)
