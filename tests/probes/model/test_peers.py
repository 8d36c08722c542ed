"""The peer table: what flannel should have programmed against what the kernel has."""

from collections.abc import Callable, Mapping

import msgspec
import pytest

from probes.model.kube import FlannelAnnotations, Node
from probes.model.network import FdbEntry, Neighbor, NetConf, NodeNetwork, Route
from probes.model.peers import Peer, PeerTable, overlay_of, peer_table
from tests.probes.worlds import healthy, mac, with_network, with_node


def table(name: str, nodes: Mapping[str, Node], network: NodeNetwork | None) -> PeerTable:
    return peer_table(nodes[name], overlay_of(nodes), network)


def statuses(name: str, nodes: Mapping[str, Node], network: NodeNetwork | None) -> dict[str, str]:
    made = table(name, nodes, network)
    broken = {peer.peer: peer.status for peer in made.broken}
    return {other: broken.get(other, "ok") for other in nodes if other != name}


def peer_to(other: str, made: PeerTable) -> Peer:
    return next(peer for peer in made.broken if peer.peer == other)


Damage = Callable[[NodeNetwork], NodeNetwork]


def test_every_other_node_is_a_complete_peer() -> None:
    """A healthy node has a whole triple for each other node and none for itself."""
    world = healthy()
    assert table("boromir", world.nodes, world.networks["boromir"]) == PeerTable(2, 2, 0, ())


def _without(field: str) -> Damage:
    return lambda net: msgspec.structs.replace(net, **{field: getattr(net, field)[:-1]})


def _changed(field: str, entry: object) -> Damage:
    return lambda net: msgspec.structs.replace(net, **{field: (*getattr(net, field)[:-1], entry)})


CASES = {
    "route missing": (_without("routes"), ("missing", "ok", "ok")),
    "neighbour missing": (_without("neighbors"), ("ok", "missing", "ok")),
    "neighbour asked for in vain": (
        _changed("neighbors", Neighbor("10.42.2.0", "flannel.1", "", ("FAILED",))),
        ("ok", "missing", "ok"),
    ),
    "neighbour with a stale MAC": (
        _changed("neighbors", Neighbor("10.42.2.0", "flannel.1", mac(99), ("PERMANENT",))),
        ("ok", "wrong", "ok"),
    ),
    "neighbour learned, not programmed": (
        _changed("neighbors", Neighbor("10.42.2.0", "flannel.1", mac(2), ("REACHABLE",))),
        ("ok", "wrong", "ok"),
    ),
    "neighbour on another device": (
        _changed("neighbors", Neighbor("10.42.2.0", "eth0", mac(2), ("PERMANENT",))),
        ("ok", "missing", "ok"),
    ),
    "FDB missing": (_without("fdb"), ("ok", "ok", "missing")),
    "FDB points to an old address": (
        _changed("fdb", FdbEntry(mac(2), "flannel.1", "192.0.2.99", "permanent")),
        ("ok", "ok", "wrong"),
    ),
    "route leaks to the gateway": (
        _changed("routes", Route("10.42.2.0/24", "192.0.2.1", "eth0")),
        ("wrong", "ok", "ok"),
    ),
    "route is a blackhole": (_changed("routes", Route("10.42.2.0/24", kind="blackhole")), ("wrong", "ok", "ok")),
    "routes not observed": (lambda net: msgspec.structs.replace(net, routes=None), ("unknown", "ok", "ok")),
    "FDB not observed": (lambda net: msgspec.structs.replace(net, fdb=None), ("ok", "ok", "unknown")),
}


@pytest.mark.parametrize("case", CASES)
def test_damage_shows_in_its_own_leg(case: str) -> None:
    """Each kind of damage is told by the leg that has it, and the other peer stays whole."""
    damage, expected = CASES[case]
    world = healthy()
    made = table("boromir", world.nodes, damage(world.networks["boromir"]))
    hurt = peer_to("theoden", made)
    assert (hurt.route.status, hurt.neighbor.status, hurt.fdb.status) == expected
    if "unknown" not in expected:
        assert (made.ok, made.expected, len(made.broken)) == (1, 2, 1)


def test_a_duplicate_fdb_entry_is_wrong() -> None:
    """An entry that also points elsewhere sends a copy of every packet there."""
    world = healthy()
    net = world.networks["boromir"]
    assert net.fdb is not None
    twice = msgspec.structs.replace(net, fdb=(*net.fdb, FdbEntry(mac(2), "flannel.1", "192.0.2.99", "permanent")))
    assert statuses("boromir", world.nodes, twice) == {"samwise": "ok", "theoden": "wrong"}


def test_the_route_with_the_lowest_metric_counts() -> None:
    """A second route with a higher metric is only waiting; one with a lower metric takes the packets."""
    world = healthy()
    routes = world.networks["boromir"].routes
    assert routes is not None
    for metric, expected in ((100, "ok"), (-1, "wrong")):
        extra = Route("10.42.2.0/24", "192.0.2.1", "eth0", metric=metric)
        net = msgspec.structs.replace(world.networks["boromir"], routes=(*routes, extra))
        assert statuses("boromir", world.nodes, net)["theoden"] == expected


def test_a_node_that_never_answered_has_unknown_peers() -> None:
    """Unknown is never whole: without the node's own tables no peer is ok."""
    assert table("boromir", healthy().nodes, None) == PeerTable(2, 0, 2, ())


def test_a_peer_without_annotations_is_not_expected() -> None:
    """flannel ignores a node of another backend, and one that has not published itself."""
    world = with_node(healthy(), "theoden", flannel=FlannelAnnotations())
    assert table("boromir", world.nodes, world.networks["boromir"]) == PeerTable(1, 1, 0, ())


def test_the_overwritten_public_ip_goes_first() -> None:
    """public-ip-overwrite is where peers send to; public-ip is then only what flannel found by itself."""
    theoden = healthy().nodes["theoden"].flannel
    world = with_node(healthy(), "theoden", flannel=msgspec.structs.replace(theoden, public_ip_overwrite="203.0.113.9"))
    made = table("boromir", world.nodes, world.networks["boromir"])
    assert peer_to("theoden", made).fdb.status == "wrong"


def test_direct_routing_needs_only_a_route() -> None:
    """With directRouting on one L2, a route by the peer's own address is the whole triple."""
    routes = (Route("10.42.1.0/24", "192.0.2.12", "eth0"), Route("10.42.2.0/24", "192.0.2.13", "eth0"))
    conf = NetConf(backend="vxlan", direct_routing=True)
    world = with_network(healthy(), "boromir", routes=routes, neighbors=(), fdb=(), net_conf=conf)
    assert table("boromir", world.nodes, world.networks["boromir"]) == PeerTable(2, 2, 0, ())


def test_host_gw_needs_only_routes_by_the_nodes() -> None:
    """host-gw keeps neither neighbours nor FDB; its route goes by the peer's own address."""
    world = healthy()
    for name in world.nodes:
        flannel = msgspec.structs.replace(world.nodes[name].flannel, backend_type="host-gw")
        world = with_node(world, name, flannel=flannel)
    routes = (Route("10.42.1.0/24", "192.0.2.12", "eth0"),)
    world = with_network(world, "boromir", routes=routes, neighbors=(), fdb=())
    assert statuses("boromir", world.nodes, world.networks["boromir"]) == {"samwise": "ok", "theoden": "missing"}


@pytest.mark.parametrize("backend", ["wireguard", "none", "", "extension"])
def test_other_backends_have_no_peer_table(backend: str) -> None:
    """A backend without per-peer kernel state is not judged by the state it does not have."""
    world = healthy()
    for name in world.nodes:
        flannel = msgspec.structs.replace(world.nodes[name].flannel, backend_type=backend)
        world = with_node(world, name, flannel=flannel)
    assert table("boromir", world.nodes, world.networks["boromir"]) == PeerTable()


def dual_stack() -> tuple[dict[str, Node], dict[str, NodeNetwork]]:
    """Make a healthy cluster whose nodes have an IPv6 podCIDR and VXLAN device as well."""
    world = healthy()
    nodes, networks = {}, {}
    for index, (name, node) in enumerate(world.nodes.items()):
        flannel = msgspec.structs.replace(
            node.flannel, vtep_mac_v6=mac(16 + index), public_ipv6=f"2001:db8::{11 + index}"
        )
        cidrs = (*node.pod_cidrs, f"fd00:42:{index}::/64")
        nodes[name] = msgspec.structs.replace(node, flannel=flannel, pod_cidrs=cidrs)
        net, others = world.networks[name], [i for i in range(len(world.nodes)) if i != index]
        dev = "flannel-v6.1"
        networks[name] = msgspec.structs.replace(
            net,
            routes=(*(net.routes or ()), *(Route(f"fd00:42:{i}::/64", f"fd00:42:{i}::", dev) for i in others)),
            neighbors=(
                *(net.neighbors or ()),
                *(Neighbor(f"fd00:42:{i}::", dev, mac(16 + i), ("PERMANENT",)) for i in others),
            ),
            fdb=(*(net.fdb or ()), *(FdbEntry(mac(16 + i), dev, f"2001:db8::{11 + i}", "permanent") for i in others)),
        )
    return nodes, networks


def test_each_family_of_dual_stack_has_its_own_triple() -> None:
    """With IPv4 and IPv6 podCIDRs a peer is complete in both families, each by its own device, MAC and address."""
    nodes, networks = dual_stack()
    assert table("boromir", nodes, networks["boromir"]) == PeerTable(4, 4, 0, ())


def test_a_family_of_dual_stack_that_is_broken_is_named() -> None:
    """Entries of the other family do not stand in for those that are missing."""
    nodes, networks = dual_stack()
    damaged = msgspec.structs.replace(networks["boromir"], fdb=healthy().networks["boromir"].fdb)
    made = table("boromir", nodes, damaged)
    assert (made.expected, made.ok) == (4, 2)
    assert {(peer.family, peer.fdb.status, peer.route.status) for peer in made.broken} == {("inet6", "missing", "ok")}
    assert made.broken[0].fdb.expected == f"{mac(17)} dst 2001:db8::12"
