"""The packet path of a node: found beside expected, and who says so."""

from typing import NamedTuple

import msgspec
import pytest

from probes.model.network import Link, NetConf, PodNetns, SubnetEnv
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from tests.probes.worlds import healthy, network, with_network, with_node
from tests.tui.views.said import said, widest
from tui.format import ASCII, UNICODE
from tui.views.path import packet_path
from tui.widgets.packet_path import Hop, PacketPath

NODE = "samwise"


def _links(**mtus: int) -> tuple[Link, ...]:
    """Give links of the healthy world other MTUs; a dot is written as an underscore."""
    changed = {name.replace("_", "."): mtu for name, mtu in mtus.items()}
    return tuple(
        msgspec.structs.replace(link, mtu=changed.get(link.ifname, link.mtu)) for link in network(1, 3).links or ()
    )


def _without(ifname: str) -> tuple[Link, ...]:
    return tuple(link for link in network(1, 3).links or () if link.ifname != ifname)


def _down(ifname: str) -> tuple[Link, ...]:
    return tuple(
        msgspec.structs.replace(link, flags=()) if link.ifname == ifname else link for link in network(1, 3).links or ()
    )


def _env(**changes: object) -> SubnetEnv:
    return msgspec.structs.replace(network(1, 3).subnet_env or SubnetEnv(""), **changes)


def _hops(snapshot: Snapshot, name: str = NODE) -> dict[str, Hop]:
    return {hop.title: hop for hop in packet_path(diagnose(snapshot), name)}


class Case(NamedTuple):
    changes: dict[str, object]
    hop: str
    status: str
    found: str
    expected: str
    origin: str


CASES = {
    "healthy uplink": Case({}, "eth0", "ok", "1500", "", "uplink, under flannel.1"),
    "healthy overlay": Case({}, "flannel.1", "ok", "1450", "1450", "eth0 1500-50"),
    "healthy subnet.env": Case({}, "subnet.env", "ok", "1450", "1450", "flannel start"),
    "healthy bridge": Case({}, "cni0", "ok", "1450", "1450", "subnet.env"),
    "healthy pods": Case({}, "pods ×1", "ok", "1450", "1450", "subnet.env"),
    "the uplink shrank and flannel kept its link": Case(
        {"links": _links(eth0=1400)}, "flannel.1", "warning", "1450", "1350", "eth0 1400-50"
    ),
    "a smaller overlay than it could be": Case(
        {"links": _links(flannel_1=1400)}, "flannel.1", "warning", "1400", "1450", "eth0 1500-50"
    ),
    "net-conf sets the MTU": Case(
        {"net_conf": NetConf(backend="vxlan", mtu=1400)},
        "flannel.1",
        "warning",
        "1450",
        "1350",
        "net-conf MTU 1400-50",
    ),
    "net-conf not readable": Case(
        {"unassessed": {"net_conf": "needs root"}},
        "flannel.1",
        "ok",
        "1450",
        "?",
        "net-conf.json is not known, and may set it",
    ),
    "no overlay link": Case(
        {"links": _without("flannel.1")}, "flannel.1", "critical", "missing", "1450", "eth0 1500-50"
    ),
    "overlay down": Case({"links": _down("flannel.1")}, "flannel.1", "critical", "1450", "1450", "eth0 1500-50"),
    "subnet.env of another MTU": Case(
        {"subnet_env": _env(mtu=1400)}, "subnet.env", "warning", "1400", "1450", "flannel start"
    ),
    "no subnet.env": Case({"subnet_env": None}, "subnet.env", "critical", "missing", "1450", "flannel start"),
    "subnet.env not readable": Case(
        {"subnet_env": None, "unassessed": {"subnet_env": "permission denied"}},
        "subnet.env",
        "unknown",
        "",
        "1450",
        "permission denied",
    ),
    "pods of an older MTU": Case(
        {"pod_netns": (PodNetns("a", 0, "eth0", 1400, network(1, 3).pod_netns[0].addresses),)},  # type: ignore[index]
        "pods ×1",
        "warning",
        "1400",
        "1450",
        "subnet.env",
    ),
    "no bridge although there are pods": Case({"links": _without("cni0")}, "cni0", "critical", "missing", "", ""),
    "links unknown": Case(
        {"links": None, "unassessed": {"links": "ip is not installed"}}, "cni0", "unknown", "", "", ""
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_hop(case: str) -> None:
    """Each hop has what was found, what is expected, and where that expectation comes from."""
    changes, name, status, found, expected, origin = CASES[case]
    hop = _hops(with_network(healthy(), NODE, **changes))[name]
    assert (hop.status, hop.found, hop.expected, hop.origin) == (status, found, expected, origin)


def test_a_missing_link_cuts_the_chain() -> None:
    """Nothing passes to a link that is not there or is down; a wrong MTU cuts nothing."""
    assert _hops(with_network(healthy(), NODE, links=_without("flannel.1")))["flannel.1"].is_cut
    assert _hops(with_network(healthy(), NODE, links=_down("flannel.1")))["flannel.1"].is_cut
    assert not _hops(with_network(healthy(), NODE, links=_links(flannel_1=1400)))["flannel.1"].is_cut


def test_bridge_follows_its_ports() -> None:
    """A bridge whose MTU is neither subnet.env's nor its smallest port's is doubtful, and said to be a weak sign."""
    port = Link("veth1", 9, 1400, "UP", ("UP",), "veth", master="cni0")
    low = with_network(healthy(), NODE, links=(*_links(cni0=1400), port))
    assert _hops(low)["cni0"].status == "ok"
    odd = _hops(with_network(healthy(), NODE, links=(*_links(cni0=1500), port)))["cni0"]
    assert (odd.status, odd.expected, odd.origin) == ("warning", "1400", "its only port")
    assert "weak sign" in str(odd.notes)


def test_uplinks_that_differ_between_nodes() -> None:
    """An uplink says what the other nodes have where that differs."""
    hop = _hops(with_network(healthy(), NODE, links=_links(eth0=1400)))["eth0"]
    assert "other nodes: 1500 ×2" in str(hop.notes)


def test_subnet_env_older_than_the_unit() -> None:
    """flannel writes subnet.env when it starts: an older file says that flannel did not get so far."""
    fresh = _hops(with_network(healthy(), NODE, subnet_env=_env(written_at=905.0)))["subnet.env"]
    stale = _hops(with_network(healthy(), NODE, subnet_env=_env(written_at=100.0)))["subnet.env"]
    assert "older than the start of k3s" in str(stale.notes)
    assert "older" not in str(fresh.notes)


def test_backends_without_a_vxlan_link() -> None:
    """host-gw has no tunnel in its path; wireguard's takes off 80."""
    flannel = msgspec.structs.replace(healthy().nodes[NODE].flannel, backend_type="host-gw")
    assert list(_hops(with_node(healthy(), NODE, flannel=flannel))) == ["eth0", "subnet.env", "cni0", "pods ×1"]
    flannel = msgspec.structs.replace(flannel, backend_type="wireguard")
    hop = _hops(with_node(healthy(), NODE, flannel=flannel))["flannel-wg"]
    assert (hop.expected, hop.origin, hop.link) == ("1420", "eth0 1500-80", "-80")


def test_an_overlay_over_ipv6() -> None:
    """Over IPv6 the kernel holds the link to 70 less than the uplink, whatever flannel asks for."""
    links = tuple(
        msgspec.structs.replace(link, ifname="flannel-v6.1", mtu=1430) if link.ifname == "flannel.1" else link
        for link in network(1, 3).links or ()
    )
    snapshot = with_node(with_network(healthy(), NODE, links=links), NODE, pod_cidrs=("fd00:1::/64",))
    hop = _hops(snapshot)["flannel-v6.1"]
    assert (hop.status, hop.expected, hop.origin, hop.link) == ("ok", "1430", "eth0 1500-70", "-70")


def test_no_flannel() -> None:
    """Without flannel no subnet.env is missed."""
    flannel = msgspec.structs.replace(healthy().nodes[NODE].flannel, backend_type="")
    links = tuple(link for link in network(1, 3).links or () if link.ifname != "flannel.1")
    snapshot = with_node(with_network(healthy(), NODE, links=links, subnet_env=None), NODE, flannel=flannel)
    assert _hops(snapshot)["subnet.env"].status == "none"


def test_a_node_that_never_answered_has_no_path() -> None:
    """What was not seen is not drawn."""
    snapshot = msgspec.structs.replace(healthy(), networks={})
    assert packet_path(diagnose(snapshot), NODE) == ()


@pytest.mark.parametrize("cells", [40, 78, 80, 118, 158])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
@pytest.mark.parametrize("case", CASES)
def test_drawing_fits(case: str, glyphs: object, cells: int) -> None:
    """The chain fits into every width, says every number and expectation, and in ASCII mode only ASCII."""
    snapshot = with_network(healthy(), NODE, **CASES[case].changes)
    chosen = ASCII if glyphs is ASCII else UNICODE
    path = PacketPath(packet_path(diagnose(snapshot), NODE, chosen))
    assert widest([path], cells, chosen) <= cells
    text = said([path], cells, chosen)
    for hop in path.hops:
        assert hop.title in text
        assert hop.found in text
        assert hop.expected in text
    assert chosen is UNICODE or text.isascii()


def test_wide_and_narrow() -> None:
    """Where boxes fit they stand side by side, else one hop under another."""
    path = PacketPath(packet_path(diagnose(healthy()), NODE))
    assert "┌" in said([path], 118)
    assert "┌" not in said([path], 78)
    assert "├ flannel.1" in said([path], 78)
