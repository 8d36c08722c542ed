"""A node written up: links, VXLAN attributes, unit, resolvers, counters, what is not known."""

from collections.abc import Sequence

import msgspec
import pytest

from probes.model.changes import Change
from probes.model.network import Conntrack, Host, NodeNetwork, Resolvers, SubnetEnv, Unit
from probes.model.observation import Failed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from tests.probes.worlds import AT, healthy, network, with_network, with_node
from tests.tui.views.said import said, tones, widest
from tui.format import ASCII, UNICODE
from tui.views.node import node_document
from tui.widgets.sparkline import History

NODE = "samwise"


def _said(snapshot: Snapshot, changes: Sequence[Change] = (), cells: int = 118) -> str:
    return said(node_document(diagnose(snapshot), NODE, changes), cells)


def test_sections() -> None:
    """The path comes first, then numbered sections, peers before everything else."""
    text = _said(healthy())
    assert text.index("flannel.1") < text.index("1 Peers") < text.index("2 VXLAN") < text.index("Changes")
    assert "Ready" in text.splitlines()[0]


def test_a_finding_is_said_first() -> None:
    """What is wrong stands above the path."""
    links = tuple(link for link in network(1, 3).links or () if link.ifname != "flannel.1")
    judged = diagnose(with_network(healthy(), NODE, links=links))
    finding = next(each for each in judged.findings if each.subject.name == NODE)
    lines = said(node_document(judged, NODE), 400).splitlines()
    assert finding.summary in lines[1]


VXLAN: dict[str, tuple[dict[str, object], str, str]] = {
    "another MAC than published": ({"address": "aa:bb:cc:dd:ee:ff"}, "aa:bb:cc:dd:ee:ff", "critical"),
    "another MTU": ({"mtu": 1400}, "▲ 1400", "warning"),
    "another local address": ({"local": "198.51.100.1"}, "198.51.100.1", "warning"),
    "learning on": ({"learning": True}, "▲ on", "warning"),
    "another VNI": ({"vni": 7}, "✖ 7", "critical"),
    "another port": ({"port": 4789}, "✖ 4789", "critical"),
}


@pytest.mark.parametrize("case", VXLAN)
def test_vxlan_attributes(case: str) -> None:
    """An attribute that is not as flannel sets it is marked, beside the value it should have."""
    changed, shown, tone = VXLAN[case]
    links = []
    for link in network(1, 3).links or ():
        made = link
        if link.vxlan:
            own = {key: value for key, value in changed.items() if key in {"address", "mtu"}}
            vxlan = {key: value for key, value in changed.items() if key not in own}
            made = msgspec.structs.replace(link, **own, vxlan=msgspec.structs.replace(link.vxlan, **vxlan))
        links.append(made)
    blocks = node_document(diagnose(with_network(healthy(), NODE, links=tuple(links))), NODE)
    assert tone in tones(blocks, shown)
    assert "1 differs" in said(blocks)


def test_healthy_vxlan_marks_nothing() -> None:
    """As flannel makes it, nothing is marked."""
    assert "2 VXLAN  ✔ as flannel sets it" in _said(healthy())


def test_unit() -> None:
    """A unit that would take its pods along, and a k3s on disk that does not run yet, are warned of."""
    unit = Unit("k3s-agent", "loaded", "active", "running", 3, "f" * 32, 900.0, "control-group")
    host = Host(kernel="6.12.0", k3s_version="v1.35.0+k3s1")
    text = _said(with_network(healthy(), NODE, unit=unit, host=host))
    assert "expected process" in text
    assert "v1.35.0+k3s1 is on disk" in text
    assert "2m40s ago" in text
    stopped = msgspec.structs.replace(unit, active_state="failed", sub_state="failed")
    assert "✖ failed (failed)" in _said(with_network(healthy(), NODE, unit=stopped))


def test_resolvers() -> None:
    """k3s's own fallback resolver is pointed out, an ordinary one is not."""
    own = Resolvers("/var/lib/rancher/k3s/agent/etc/resolv.conf", ("8.8.8.8",))
    stub = Resolvers("/etc/resolv.conf", ("127.0.0.53",))
    assert "instead" in _said(with_network(healthy(), NODE, resolvers=(stub, own)))
    assert "instead" not in _said(with_network(healthy(), NODE, resolvers=(stub,)))


def test_stale_copies() -> None:
    """A copy of subnet.env that says something else is a trap, one that agrees is not."""
    live = network(1, 3).subnet_env or SubnetEnv("")
    copy = msgspec.structs.replace(live, path="/root/subnet.env.bak", written_at=40.0)
    assert "like the live one" in _said(with_network(healthy(), NODE, subnet_env_copies=(copy,)))
    wrong = msgspec.structs.replace(copy, mtu=1400)
    text = _said(with_network(healthy(), NODE, subnet_env_copies=(wrong,)))
    assert "1 stale" in text
    assert "the live file says 1450" in text


def test_counters_since_opened() -> None:
    """Counters are told by how much they grew; one of faults that grows is marked."""
    snapshot = with_network(healthy(), NODE, counters={"UdpNoPorts": 42, "IpInReceives": 900, "IpFragFails": 0})
    history = History()
    history.add(3)
    history.add(9)
    blocks = node_document(
        diagnose(snapshot), NODE, (), {"UdpNoPorts": 30, "IpInReceives": 900}, UNICODE, {f"{NODE}/UdpNoPorts": history}
    )
    text = said(blocks, 118)
    assert "▲ +12" in text
    assert "▁█" in text
    assert "1 more are zero" in text
    assert "no fault grows" in _said(snapshot)


@pytest.mark.parametrize(("count", "tone"), [(100, "text"), (900, "warning"), (990, "critical")])
def test_conntrack(count: int, tone: str) -> None:
    """A full connection tracking table drops what is new."""
    blocks = node_document(diagnose(with_network(healthy(), NODE, conntrack=Conntrack(count, 1000))), NODE)
    assert tones(blocks, f"{count} of 1000") == {tone}


def test_what_is_not_known_says_why() -> None:
    """Every fact that could not be had is listed with its reason, and is nowhere taken for good."""
    bare = NodeNetwork(unassessed={"links": "ip is not installed", "fdb": "needs root"})
    snapshot = msgspec.structs.replace(healthy(), networks={**healthy().networks, NODE: bare})
    text = _said(snapshot)
    assert "Not known  ? 2" in text
    assert "ip is not installed" in text
    assert "needs root" in text


def test_a_node_that_does_not_answer() -> None:
    """A node that was never read says so and still shows what its peers have for it."""
    snapshot = msgspec.structs.replace(healthy(), networks={k: v for k, v in healthy().networks.items() if k != NODE})
    snapshot = fold(snapshot, [Failed(f"node/{NODE}", AT, "no route to host", "unreachable")])
    text = _said(snapshot)
    assert f"{NODE} has not been read: no route to host" in text
    assert "No node nobody is known" in said(node_document(diagnose(snapshot), "nobody"))


def test_changes_of_this_node_only() -> None:
    """The timeline of a node has what changed there, newest first."""
    changes = (
        Change(1000.0, NODE, "flannel.1 mtu", "1450", "1400"),
        Change(1010.0, "boromir", "unit k3s", "active", "failed"),
        Change(1020.0, NODE, "route", "10.42.0.0/24", ""),
    )
    text = _said(healthy(), changes)
    assert "1450 → 1400" in text
    assert text.index("gone 10.42.0.0/24") < text.index("1450 → 1400")
    assert "failed" not in text


@pytest.mark.parametrize("cells", [60, 78, 118, 158])
@pytest.mark.parametrize("name", ["unicode", "ascii"])
def test_it_fits(cells: int, name: str) -> None:
    """A node's document fits into every width; in ASCII mode it holds nothing else."""
    glyphs = ASCII if name == "ascii" else UNICODE
    hostile = with_node(healthy(), NODE, kubelet_version="v1[@click=app.bell]x[/nope]" * 9)
    hostile = with_network(hostile, NODE, unassessed={"fdb": "b" * 400})
    blocks = node_document(diagnose(hostile), NODE, (), None, glyphs)
    assert glyphs is UNICODE or said(blocks, cells, glyphs).isascii()
    assert widest(blocks, cells, glyphs) <= cells
