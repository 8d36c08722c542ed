"""k3s and flannel: units, conditions, etcd, leases, versions and what flannel wrote, by cases."""

from collections.abc import Callable

import msgspec
import pytest

from probes.model.kube import Condition, FlannelAnnotations, Lease, Node
from probes.model.network import Conntrack, Link, NetConf, Route
from probes.model.observation import Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from probes.rules.finding import Severity
from tests.probes.rules.overlays import World, both, env, facts, flannel, flat, kube, told, unit
from tests.probes.worlds import AT, NAMES, healthy

S = "samwise"
NOTE, WARNING, CRITICAL = Severity.NOTE, Severity.WARNING, Severity.CRITICAL
READY = Condition("Ready", "True")
ETCD = ("control-plane", "etcd")


def leases(**renewed: float | None) -> World:
    held = {name: Lease(name, at, 40) for name, at in renewed.items()}
    return lambda world: fold(world, [Observed("kube/leases", AT, Listed(held))])


def everywhere(make: Callable[..., World], **changes: object) -> World:
    return both(*(make(name, **changes) for name in NAMES))


def lost(*names: str, voter: str = "False") -> World:
    """Three members of etcd, some of which are no voters."""
    conditions = (READY, Condition("EtcdIsVoter", voter, "MemberIsLearner"))
    return both(
        everywhere(kube, roles=ETCD),
        *(kube(name, conditions=conditions) for name in names),
    )


HOLDS: dict[str, tuple[World, dict[tuple[str, str], Severity]]] = {
    "failed": (unit(S, active_state="failed", sub_state="failed"), {("unit-not-active", S): CRITICAL}),
    "stopped": (unit(S, active_state="inactive", sub_state="dead"), {("unit-not-active", S): CRITICAL}),
    "waiting to be restarted": (
        unit(S, active_state="activating", sub_state="auto-restart", n_restarts=1),
        {("unit-not-active", S): CRITICAL},
    ),
    "crashing in its start": (
        unit(S, active_state="activating", sub_state="start", n_restarts=3, started_at=999.0),
        {("unit-not-active", S): CRITICAL},
    ),
    "starting": (unit(S, active_state="activating", sub_state="start", started_at=995.0), {("unit-starting", S): NOTE}),
    "being stopped": (unit(S, active_state="deactivating", sub_state="stop-sigterm"), {("unit-starting", S): NOTE}),
    "before its start": (
        unit(S, active_state="activating", sub_state="start-pre", started_at=0.0),
        {("unit-starting", S): NOTE},
    ),
    "starting for long": (
        unit(S, active_state="activating", sub_state="start", started_at=600.0),
        {("unit-starting", S): WARNING},
    ),
    "restarted over and over": (unit(S, n_restarts=3), {("unit-flapping", S): WARNING}),
    "not Ready": (
        kube(S, conditions=(Condition("Ready", "False", "KubeletNotReady", "cni"),)),
        {("node-not-ready", S): CRITICAL},
    ),
    "no Ready condition": (kube(S, conditions=()), {("node-not-ready", S): CRITICAL}),
    "disk pressure": (
        kube(S, conditions=(READY, Condition("DiskPressure", "True", "KubeletHasDiskPressure"))),
        {("node-pressure", S): WARNING},
    ),
    "one learner of three": (
        lost(S),
        {("etcd-not-voter", S): WARNING, ("etcd-quorum", "etcd"): WARNING},
    ),
    "two lost of three": (
        lost(S, "theoden"),
        {("etcd-not-voter", S): WARNING, ("etcd-not-voter", "theoden"): WARNING, ("etcd-quorum", "etcd"): CRITICAL},
    ),
    "agent ahead": (kube(S, kubelet_version="v1.35.0+k3s1"), {("k3s-version-skew", "k3s"): WARNING}),
    "lease not renewed": (
        leases(boromir=990.0, samwise=900.0, theoden=991.0),
        {("node-lease-stale", S): WARNING},
    ),
    "table nearly full": (facts(S, conntrack=Conntrack(9000, 10000)), {("conntrack-full", S): WARNING}),
    "table full": (facts(S, conntrack=Conntrack(9900, 10000)), {("conntrack-full", S): CRITICAL}),
    "checksums wrong": (
        facts(S, counters={"UdpInCsumErrors": 1000, "UdpInDatagrams": 99000}),
        {("udp-checksums-wrong", S): WARNING},
    ),
    "fragments lost": (
        facts(S, counters={"IpReasmFails": 1000, "IpReasmReqds": 100000}),
        {("fragments-lost", S): WARNING},
    ),
    "no subnet.env": (facts(S, subnet_env=None), {("subnet-env-missing", S): CRITICAL}),
    "another's subnet": (env(S, subnet="10.42.7.1/24"), {("subnet-env-foreign", S): CRITICAL}),
    "backend about to change": (
        facts(S, net_conf=NetConf(backend="wireguard")),
        {("flannel-backend-pending", S): WARNING},
    ),
}


@pytest.mark.parametrize("case", HOLDS)
def test_each_fault_has_its_name(case: str) -> None:
    """Exactly the fault is named, as bad as it is."""
    change, expected = HOLDS[case]
    found = {(f.code, f.subject.name): f.severity for f in flat(diagnose(change(healthy())).findings)}
    assert found == expected


QUIET: dict[str, World] = {
    "a virtual kubelet": lambda world: fold(
        world,
        [
            Observed("kube/nodes", AT, Listed({**world.nodes, "virtual": Node("virtual", conditions=(READY,))})),
            Failed("node/virtual", AT, "none", "absent"),
        ],
    ),
    "reloading": unit(S, active_state="reloading"),
    "restarted twice": unit(S, n_restarts=2),
    "restarted often, long ago": unit(S, n_restarts=9, started_at=0.0),
    "pressure false": kube(S, conditions=(READY, Condition("DiskPressure", "False"))),
    "voters": lost(*NAMES, voter="True"),
    "agents behind": kube(S, kubelet_version="v1.32.1+k3s1"),
    "server ahead": kube("boromir", kubelet_version="v1.36.0+k3s1"),
    "few wrong checksums": facts(S, counters={"UdpInCsumErrors": 999, "UdpInDatagrams": 1}),
    "one in a thousand wrong": facts(S, counters={"UdpInCsumErrors": 1000, "UdpInDatagrams": 999000}),
    "no total to hold them against": facts(S, counters={"UdpInCsumErrors": 9000, "IpReasmFails": 9000}),
    "fragments that a few lost": facts(S, counters={"IpReasmFails": 1000, "IpReasmReqds": 100001}),
    "a version of another form": kube(S, kubelet_version="nightly"),
    "leases alike, our clock ahead": leases(boromir=100.0, samwise=110.0, theoden=105.0),
    "a lease a little late": leases(boromir=990.0, samwise=940.0, theoden=991.0),
    "a lease never renewed": leases(boromir=990.0, samwise=None, theoden=991.0),
    "one lease": leases(samwise=100.0),
    "table not full": facts(S, conntrack=Conntrack(8999, 10000)),
    "table of size zero": facts(S, conntrack=Conntrack(0, 0)),
    "subnet of no known form": env(S, subnet=""),
    "extension backend configured": facts(S, net_conf=NetConf(backend="extension")),
}


@pytest.mark.parametrize("case", QUIET)
def test_what_is_fine_or_unknown_is_not_named(case: str) -> None:
    """No alarm where all is well, and none where it cannot be known."""
    assert told(QUIET[case](healthy())) == set()


def test_no_backend_is_not_judged() -> None:
    """With flannel-backend none no annotation, no device and no subnet.env is asked for."""
    bare = FlannelAnnotations()
    world = both(
        everywhere(kube, flannel=bare),
        everywhere(facts, links=(Link("eth0", 2, 1500, "UP", ("UP",)),), subnet_env=None, udp=(), fdb=(), neighbors=()),
    )(healthy())
    assert told(world) == set()


def test_another_backend_on_one_node() -> None:
    """Backends that differ are one critical finding about the overlay; that node is no peer of the others any more."""
    world = both(
        flannel(S, backend_type="host-gw"),
        facts(
            S,
            routes=(
                Route("default", "192.0.2.1", "eth0"),
                Route("10.42.0.0/24", "192.0.2.11", "eth0"),
                Route("10.42.2.0/24", "192.0.2.13", "eth0"),
            ),
        ),
    )(healthy())
    found = {(f.code, f.subject.name): f.severity for f in flat(diagnose(world).findings)}
    assert found["flannel-backend-differs", "overlay"] is CRITICAL
    assert {code for code, _ in found} <= {"flannel-backend-differs", "overlay-leftover-device", "pod-mtu-stale"}


def test_wireguard_has_its_own_rules() -> None:
    """One device, one route; no neighbour and no FDB entry is asked for."""
    device = Link("flannel-wg", 3, 1420, "UNKNOWN", ("UP",), "wireguard")
    eth0 = next(one for one in healthy().networks[S].links or () if one.ifname == "eth0")
    route = Route("10.42.0.0/16", "", "flannel-wg", scope="link")
    links = (eth0, device)
    good = both(
        everywhere(flannel, backend_type="wireguard", vni=None, vtep_mac=""),
        *(facts(name, links=links, routes=(route,), neighbors=(), fdb=(), udp=(), pod_netns=()) for name in NAMES),
        everywhere(env, mtu=1420),
    )
    assert told(good(healthy())) == set()
    assert told(both(good, facts(S, routes=()))(healthy())) == {("wireguard-route-missing", S)}
    assert told(both(good, facts(S, links=(eth0,)))(healthy())) == {("wireguard-link-missing", S)}


def test_what_the_api_has_not_of_a_node() -> None:
    """Without a podCIDR or annotations a node is named; a new one is given two minutes; a podCIDR twice is critical."""
    nameless = both(flannel(S, backend_type=""))
    old = told(both(nameless, kube(S, created_at=0.0))(healthy()))
    assert ("flannel-annotation-missing", S) in old
    young = diagnose(both(nameless, kube(S, created_at=AT - 60))(healthy())).findings
    assert {f.severity for f in young if f.code == "flannel-annotation-missing"} == {NOTE}
    assert ("pod-cidr-missing", S) in told(kube(S, pod_cidrs=())(healthy()))
    assert ("pod-cidr-clash", "overlay") in told(kube(S, pod_cidrs=("10.42.0.0/24",))(healthy()))


def test_a_node_that_is_gone_is_one_finding() -> None:
    """A node that is not Ready, and does not answer either, is one root."""
    gone: Snapshot = fold(
        kube(S, conditions=(Condition("Ready", "Unknown", "NodeStatusUnknown"),))(healthy()),
        [Failed("node/samwise", AT + 1, "no route to host", "unreachable")],
    )
    (root,) = diagnose(gone).findings
    assert (root.code, [f.code for f in root.symptoms]) == ("node-not-ready", ["node-unreachable"])


def test_a_rolling_restart_is_no_alarm() -> None:
    """Through every state that systemctl restart passes, nothing is above a note."""
    for states in (
        {"active_state": "deactivating", "sub_state": "stop-sigterm"},
        {"active_state": "activating", "sub_state": "start", "started_at": 999.0},
        {"active_state": "active", "sub_state": "running", "started_at": 999.0},
    ):
        judged = diagnose(unit(S, **states)(healthy()))
        assert judged.verdict.name == "HEALTHY"


def test_tables_that_stand_are_not_read_again() -> None:
    """A node of which only its counters changed keeps its peer table, the same object."""
    before = diagnose(healthy())
    network = before.snapshot.networks[S]
    after = diagnose(facts(S, counters={"UdpNoPorts": 1})(before.snapshot), before)
    assert after.views[S] is not before.views[S]
    assert after.views[S].peers is before.views[S].peers
    assert msgspec.structs.replace(network, counters={"UdpNoPorts": 1}) == after.snapshot.networks[S]
