"""Peers in both directions: legs expected and found."""

import msgspec
import pytest

from probes.model.network import FdbEntry
from probes.model.observation import Failed
from probes.model.snapshot import fold
from probes.rules.diagnose import diagnose
from tests.probes.worlds import AT, healthy, mac, network, with_network, with_node
from tests.tui.views.said import said, widest
from tui.format import ASCII
from tui.views.peers import NO_OVERLAY, pair_document, pair_key, pair_of, pairs, peer_section, short


def test_a_whole_pair_spells_out_what_flannel_programs() -> None:
    """A peer that is whole shows the very entries that are expected of it."""
    (pair,) = pairs(diagnose(healthy()), "boromir", "samwise")
    assert pair.status == "ok"
    assert pair.peer is not None
    assert [leg.expected for _, leg in pair.peer.legs] == [
        "via 10.42.1.0 dev flannel.1",
        f"lladdr {mac(1)} PERMANENT",
        f"{mac(1)} dst 192.0.2.12",
    ]


def test_directions_are_told_apart() -> None:
    """An FDB entry that is missing on one node breaks only the way from it."""
    broken = diagnose(with_network(healthy(), "boromir", fdb=()))
    (there,) = pairs(broken, "boromir", "samwise")
    (back,) = pairs(broken, "samwise", "boromir")
    assert (there.status, back.status) == ("missing", "ok")
    assert [span.text for span in short(there)] == ["✖ FDB"]
    document = said(pair_document(broken, "boromir", "samwise"))
    assert f"{mac(1)} dst 192.0.2.12" in document
    assert "nothing" in document
    assert "samwise → boromir  ✔ ok" in document


def test_a_wrong_entry_is_shown_beside_the_right_one() -> None:
    """What was found stands beside what was expected."""
    fdb = (FdbEntry(mac(1), "flannel.1", "192.0.2.99"), *(network(0, 3).fdb or ())[1:])
    text = said(pair_document(diagnose(with_network(healthy(), "boromir", fdb=fdb)), "boromir", "samwise"))
    assert "✖ wrong" in text
    assert "192.0.2.12" in text
    assert "192.0.2.99" in text


def test_a_node_that_was_not_read_is_unknown() -> None:
    """What nobody looked at is never whole."""
    snapshot = msgspec.structs.replace(healthy(), networks={"samwise": healthy().networks["samwise"]})
    snapshot = fold(snapshot, [Failed("node/boromir", AT, "connection refused", "unreachable")])
    (pair,) = pairs(diagnose(snapshot), "boromir", "samwise")
    assert pair.status == "unknown"
    assert pair.why == "boromir was not read: connection refused"
    assert short(pair)[0].tone == "unknown"


def test_backends_that_do_not_meet() -> None:
    """Nodes of different backends share no overlay, and nothing is expected of them."""
    flannel = msgspec.structs.replace(healthy().nodes["samwise"].flannel, backend_type="host-gw")
    mixed = diagnose(with_node(healthy(), "samwise", flannel=flannel))
    assert pairs(mixed, "boromir", "samwise")[0].why == NO_OVERLAY
    assert pairs(mixed, "boromir", "nobody")[0].status == "unknown"
    assert pairs(mixed, "nobody", "boromir")[0].status == "unknown"


def test_host_gw_needs_a_route_only() -> None:
    """host-gw keeps no neighbour or FDB entries of peers."""
    snapshot = healthy()
    for name in snapshot.nodes:
        flannel = msgspec.structs.replace(snapshot.nodes[name].flannel, backend_type="host-gw")
        snapshot = with_node(snapshot, name, flannel=flannel)
        routes = tuple(
            msgspec.structs.replace(r, gateway=f"192.0.2.{11 + int(r.dst.split('.')[2])}", dev="eth0")
            for r in snapshot.networks[name].routes or ()
            if r.dst != "default"
        )
        snapshot = with_network(snapshot, name, routes=routes)
    text = said(pair_document(diagnose(snapshot), "boromir", "samwise"))
    assert "via 192.0.2.12" in text
    assert text.count("nothing, by this backend") == 4


@pytest.mark.parametrize("cells", [60, 78, 118, 158])
def test_peer_section(cells: int) -> None:
    """The broken peer comes first, both directions are there, and it all fits."""
    broken = diagnose(with_network(healthy(), "theoden", fdb=()))
    heading, blocks = peer_section(broken, "samwise")
    text = said((heading, *blocks), cells)
    assert "2 of 2 whole" in text
    assert text.index("theoden") < text.index("boromir")
    assert "✖ FDB" in text
    assert widest((heading, *blocks), cells) <= cells
    heading, blocks = peer_section(broken, "theoden", ASCII)
    assert said((heading, *blocks), cells, ASCII).isascii()


def test_one_node_has_no_peers() -> None:
    """A cluster of one node has no overlay to speak of."""
    heading, blocks = peer_section(diagnose(healthy(("boromir",))), "boromir")
    assert "no peers are expected" in said((heading, *blocks))
    assert "cni0" in said(pair_document(diagnose(healthy()), "boromir", "boromir"))


def test_keys() -> None:
    """A pair's key leads back to the pair."""
    assert pair_of(pair_key("a.b", "c-d")) == ("a.b", "c-d")
    assert pair_of("link eth0") is None


def test_whole_entries_for_a_link_that_is_gone() -> None:
    """Entries for a node without its VXLAN link lead nowhere, and that is said."""
    links = tuple(link for link in network(1, 3).links or () if link.ifname != "flannel.1")
    judged = diagnose(with_network(healthy(), "samwise", links=links))
    assert "flannel.1 of samwise does not exist: nothing arrives" in said(pair_document(judged, "boromir", "samwise"))
