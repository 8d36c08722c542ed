"""vxlan and peering: each damage by its code, and nothing where there is none or it cannot be known."""

import pytest

from probes.model.network import FdbEntry, Link, Neighbor, NetConf, Route, UdpSocket, Vxlan
from probes.model.peers import Leg, Peer
from probes.rules.diagnose import diagnose
from probes.rules.finding import Severity
from probes.rules.peering import describe_peer
from tests.probes.rules.overlays import (
    World,
    add_link,
    both,
    entries,
    facts,
    flannel,
    flat,
    kube,
    link,
    told,
    unit,
    unlink,
)
from tests.probes.worlds import healthy, mac

S = "samwise"
OLD = "02:00:00:00:00:99"
CUT = {("peer-unreachable", S)}
GONE = {("vxlan-link-missing", S), ("k3s-keeps-no-device", S)}
NO_PEERS = {("vxlan-peerless", S)}
ONE_WAY = {("peer-one-way", S)}


def _drop(field: str, **equal: str) -> World:
    return entries(S, field, lambda e: any(getattr(e, key) != value for key, value in equal.items()))


def _fdb(*more: FdbEntry) -> World:
    return lambda world: facts(S, fdb=(*(world.networks[S].fdb or ()), *more))(world)


HOLDS: dict[str, tuple[World, set[tuple[str, str]]]] = {
    "device missing": (unlink(S, "flannel.1"), GONE | CUT),
    "device missing, fixed k3s": (
        both(unlink(S, "flannel.1"), kube(S, kubelet_version="v1.34.9+k3s1")),
        {("vxlan-link-missing", S)} | CUT,
    ),
    "device missing with all that follows": (
        both(unlink(S, "flannel.1"), facts(S, routes=(), neighbors=(), fdb=(), udp=())),
        GONE | CUT | NO_PEERS | {("vxlan-port-not-listening", S)},
    ),
    "device down": (
        both(link(S, "flannel.1", flags=()), facts(S, routes=(), neighbors=(), udp=())),
        {("vxlan-link-down", S), ("vxlan-port-not-listening", S)} | CUT | NO_PEERS,
    ),
    "down and up again": (facts(S, routes=(), neighbors=()), NO_PEERS),
    "made anew without peers": (facts(S, routes=(), neighbors=(), fdb=()), NO_PEERS),
    "other VNI": (link(S, "flannel.1", vxlan={"vni": 7}), {("vxlan-vni-wrong", S)} | CUT),
    "other port": (
        both(
            facts(S, net_conf=NetConf(backend="vxlan")),
            link(S, "flannel.1", vxlan={"port": 4789}),
        ),
        {("vxlan-port-wrong", S), ("vxlan-port-not-listening", S)} | CUT,
    ),
    "no socket": (facts(S, udp=()), {("vxlan-port-not-listening", S)} | CUT),
    "other MAC": (
        link(S, "flannel.1", address=OLD),
        {("vxlan-mac-differs", S)} | CUT,
    ),
    "local address gone": (link(S, "flannel.1", vxlan={"local": "192.0.2.99"}), {("vxlan-local-gone", S)}),
    "address on another device": (
        both(
            lambda world: link(S, "eth0", addresses=())(add_link(S, _named(world, "eth1"))(world)),
        ),
        {("vxlan-underlay-wrong", S)},
    ),
    "underlay down": (link(S, "eth0", flags=(), operstate="DOWN"), {("vxlan-underlay-down", S)} | CUT),
    "no address": (link(S, "flannel.1", addresses=()), {("vxlan-address-wrong", S)}),
    "public IP changed": (
        flannel(S, public_ip="192.0.2.77"),
        {("public-ip-stale", S), ("peer-fdb-wrong", "boromir"), ("peer-fdb-wrong", "theoden")} | CUT,
    ),
    "left by wireguard": (add_link(S, Link("flannel-wg", 9, 1420, kind="wireguard")), {("overlay-leftover-device", S)}),
    "route missing": (_drop("routes", dst="10.42.0.0/24"), {("peer-route-missing", S)} | ONE_WAY),
    "route elsewhere": (
        lambda world: facts(
            S,
            routes=(
                Route("default", "192.0.2.1", "eth0"),
                Route("10.42.0.0/24", "192.0.2.1", "eth0"),
                Route("10.42.2.0/24", "10.42.2.0", "flannel.1"),
            ),
        )(world),
        {("peer-route-wrong", S)} | ONE_WAY,
    ),
    "neighbour missing": (_drop("neighbors", dst="10.42.0.0"), {("peer-neighbor-missing", S)} | ONE_WAY),
    "neighbour asked for in vain": (
        lambda world: facts(
            S,
            neighbors=(
                Neighbor("10.42.0.0", "flannel.1", "", ("FAILED",)),
                Neighbor("10.42.2.0", "flannel.1", mac(2), ("PERMANENT",)),
            ),
        )(world),
        {("peer-neighbor-missing", S)} | ONE_WAY,
    ),
    "neighbour that ages": (entries(S, "neighbors", state=("STALE",)), {("peer-neighbor-not-permanent", S)}),
    "old MAC of a peer": (
        both(
            entries(S, "neighbors", lladdr=OLD),
            entries(S, "fdb", mac=OLD),
        ),
        {("peer-mac-stale", S)} | ONE_WAY,
    ),
    "FDB missing": (_drop("fdb", mac=mac(0)), {("peer-fdb-missing", S)} | ONE_WAY),
    "FDB elsewhere": (entries(S, "fdb", dst="192.0.2.77"), {("peer-fdb-wrong", S)} | ONE_WAY),
    "FDB twice": (_fdb(FdbEntry(mac(0), "flannel.1", "192.0.2.77", "permanent")), {("peer-fdb-duplicate", S)}),
    "a peer unknown": (
        both(_drop("routes", dst="10.42.0.0/24"), _drop("neighbors", dst="10.42.0.0"), _drop("fdb", mac=mac(0))),
        {("peer-missing", S)} | ONE_WAY,
    ),
}


def _named(world: object, ifname: str) -> Link:
    eth0 = next(one for one in healthy().networks[S].links or () if one.ifname == "eth0")
    return Link(ifname, 7, 1500, "UP", ("UP",), addresses=eth0.addresses)


@pytest.mark.parametrize("case", HOLDS)
def test_damage_has_its_name(case: str) -> None:
    """Exactly what is damaged is named, with what follows from it, and nothing else."""
    change, expected = HOLDS[case]
    assert told(change(healthy())) == expected


QUIET: dict[str, World] = {
    "port of its own, configured": both(
        facts(S, net_conf=NetConf(backend="vxlan", port=4789)),
        facts(S, udp=(UdpSocket("0.0.0.0", 4789),)),
        link(S, "flannel.1", vxlan={"port": 4789}),
    ),
    "net-conf not readable, another port": both(
        facts(S, unassessed={"net_conf": "needs root"}),
        facts(S, udp=(UdpSocket("0.0.0.0", 4789),)),
        link(S, "flannel.1", vxlan={"port": 4789}),
    ),
    "NAT on purpose": both(
        *(
            flannel(name, public_ip=f"198.51.100.{i}", public_ip_overwrite=f"198.51.100.{i}")
            for i, name in enumerate(("boromir", "samwise", "theoden"))
        ),
        *(
            lambda world, n=name: facts(
                n, fdb=tuple(FdbEntry(mac(i), "flannel.1", f"198.51.100.{i}", "permanent") for i in range(3))
            )(world)
            for name in ("boromir", "samwise", "theoden")
        ),
    ),
    "upper-case MAC": link(S, "flannel.1", address=mac(1).upper()),
    "operstate unknown": link(S, "flannel.1", operstate="UNKNOWN"),
    "address on the bridge above the port": both(
        link(S, "eth0", master="br0", addresses=()),
        lambda world: add_link(S, _named(world, "br0"))(world),
    ),
    "no vxlan attributes shown": link(S, "flannel.1", vxlan=None),
    "IPv6 device beside": add_link(S, Link("flannel-v6.1", 8, 1430, flags=("UP",), kind="vxlan", vxlan=Vxlan(1))),
}


@pytest.mark.parametrize("case", QUIET)
def test_what_is_right_is_not_named(case: str) -> None:
    """Odd but right, or not knowable: nothing is said."""
    assert told(QUIET[case](healthy())) == set()


@pytest.mark.parametrize("fact", ["links", "routes", "neighbors", "fdb", "udp"])
def test_what_is_not_known_is_not_judged(fact: str) -> None:
    """A table that could not be read is unassessed, and no entry of it is missing."""
    world = facts(S, **{fact: None}, unassessed={fact: "no such command"})(healthy())
    assert told(world) == {("node-unassessed", S)}


def test_whose_side_is_wrong() -> None:
    """Where a peer's device has another MAC than it published, the senders' stale entries are folded beneath that."""
    world = both(
        flannel(S, vtep_mac=OLD),
    )(healthy())
    (root,) = diagnose(world).findings
    assert (root.code, root.subject.name) == ("vxlan-mac-differs", S)
    assert {(f.code, f.subject.name) for f in flat(root.symptoms)} >= {
        ("peer-mac-stale", "boromir"),
        ("peer-mac-stale", "theoden"),
    }


def test_a_start_has_its_grace() -> None:
    """What flannel makes at its start is a note for 30 seconds, judged again when they are over, and then critical."""
    fresh = both(unlink(S, "flannel.1"), unit(S, started_at=990.0))(healthy())
    early = diagnose(fresh)
    assert early.findings
    assert {f.severity for f in flat(early.findings)} == {Severity.NOTE}
    assert early.views[S].grace_ends == 1020.0
    late = both(unlink(S, "flannel.1"), unit(S, started_at=960.0))(healthy())
    assert diagnose(late).findings[0].severity is Severity.CRITICAL


def test_every_finding_can_be_checked() -> None:
    """Each has evidence with a command or object, an excerpt and a vantage, and says what would refute it."""
    for change, _ in HOLDS.values():
        for finding in flat(diagnose(change(healthy())).findings):
            assert finding.refutes, finding.code
            assert all(quote.source and quote.excerpt and quote.vantage for quote in finding.evidence), finding.code
            if finding.code != "peer-unreachable":
                assert finding.evidence, finding.code


def _quoted(world: World, code: str) -> list[str]:
    """List the excerpts that a finding of a world has for its evidence."""
    (finding,) = [f for f in flat(diagnose(world(healthy())).findings) if f.code == code]
    return [quote.excerpt for quote in finding.evidence]


def test_what_is_wrong_with_a_peer_in_one_phrase() -> None:
    """What lacks is told with what was expected, what is wrong also with what was found; the rest is not told."""
    right, wrong = Leg("ok", "via a", "via a"), Leg("wrong", "via a", "via b")
    peer = Peer("x", "samwise", "inet", right, wrong, Leg("missing", "m dst h"))
    assert describe_peer(peer) == (
        "to samwise: neighbour wrong (expected via a, found via b), FDB missing (expected m dst h)"
    )
    direct = Peer("x", "samwise", "inet", Leg("unknown", "via a"), Leg("not-needed"), Leg("not-needed"))
    assert describe_peer(direct) == "to samwise: route unknown (expected via a)"


def test_a_device_without_peers_quotes_what_is_left() -> None:
    """A whole FDB is the mark of a device that was down; after a device was made anew some entries may be there."""
    down_and_up = _quoted(facts(S, routes=(), neighbors=()), "vxlan-peerless")
    assert down_and_up[0] == "0 routes, 0 neighbours; the FDB is whole, as after 'ip link set down; up'"
    assert down_and_up[1] == (
        "to boromir: route missing (expected via 10.42.0.0 dev flannel.1), neighbour missing "
        "(expected lladdr 12:c6:65:89:b4:00 PERMANENT)"
    )
    anew = _quoted(both(facts(S, routes=(), neighbors=()), _drop("fdb", mac=mac(0))), "vxlan-peerless")
    assert anew[0] == "0 routes, 0 neighbours; 1 FDB entries are left"


def test_an_old_mac_quotes_what_still_has_it() -> None:
    """Where the FDB has no entry for the new MAC it is as old as the neighbour, and quoted as well."""
    neighbour = "to boromir: expected lladdr 12:c6:65:89:b4:00 PERMANENT; found lladdr 02:00:00:00:00:99 PERMANENT"
    entry = Neighbor("10.42.0.0", "flannel.1", OLD, ("PERMANENT",))
    old = facts(S, neighbors=(entry, Neighbor("10.42.2.0", "flannel.1", mac(2), ("PERMANENT",))))
    assert _quoted(old, "peer-mac-stale") == [neighbour]
    gone = both(old, _drop("fdb", mac=mac(0)))
    assert _quoted(gone, "peer-mac-stale") == [
        neighbour,
        "to boromir: expected 12:c6:65:89:b4:00 dst 192.0.2.11; found none",
    ]


def test_who_sends_in_vain_is_quoted_by_the_icmp_they_get() -> None:
    """The others' counters are quoted where they count, and never the node's own."""
    counting = both(
        unlink(S, "flannel.1"),
        facts("boromir", counters={"IcmpInDestUnreachs": 17}),
        facts("theoden", counters={"IcmpInDestUnreachs": 0}),
        facts(S, counters={"IcmpInDestUnreachs": 5}),
    )
    said = ["IcmpInDestUnreachs 17 since boot: a closed port answers every packet so"]
    assert _quoted(counting, "peer-unreachable") == said
    assert _quoted(unlink(S, "flannel.1"), "peer-unreachable") == []
