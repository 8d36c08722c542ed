"""What changed between two snapshots: everything that an operator would want to have seen, and nothing else."""

import msgspec
import pytest

from probes.model.changes import Change, changes
from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition
from probes.model.network import Address, Link, Neighbor, NodeNetwork, Unit
from probes.model.observation import Delta, Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from tests.probes.worlds import AT, healthy, network, node

LATER = AT + 60


def told(before: Snapshot, *observations: Observed[object] | Failed) -> list[tuple[str, str, str, str]]:
    """Fold observations and tell what changed by them."""
    found = changes(before, fold(before, observations))
    assert all(change.at == LATER for change in found)
    return [(change.subject, change.what, change.before, change.after) for change in found]


def seen(**facts: object) -> Observed[object]:
    """Observe samwise with some facts other than they were."""
    return Observed("node/samwise", LATER, network(1, 3, **facts))


def links(**changed: object) -> tuple[Link, ...]:
    """Give samwise's links, with a flannel.1 that has changed."""
    return tuple(
        msgspec.structs.replace(link, **changed) if link.ifname == "flannel.1" else link
        for link in network(1, 3).links or ()
    )


def test_nothing_new_is_no_change() -> None:
    """What is read again and is as it was tells nothing, whatever its counters or its age."""
    assert told(healthy(), seen()) == []


def test_the_first_look_is_no_change() -> None:
    """To see a cluster for the first time is not to see it change; that a node answers is told."""
    world = healthy()
    nodes: Observed[object] = Observed("kube/nodes", LATER, Listed(dict(world.nodes)))
    assert told(Snapshot(), nodes, seen()) == [("samwise", "answer", "", "ok")]


@pytest.mark.parametrize(
    ("changed", "what", "before", "after"),
    [
        ({"mtu": 1400}, "flannel.1 mtu", "1450", "1400"),
        ({"operstate": "DOWN"}, "flannel.1 operstate", "UNKNOWN", "DOWN"),
        ({"flags": ()}, "flannel.1", "up", "down"),
        ({"address": "02:00:00:00:00:01"}, "flannel.1 address", "12:c6:65:89:b4:01", "02:00:00:00:00:01"),
        ({"addresses": (Address("inet", "10.42.9.0", 32),)}, "flannel.1 addresses", "10.42.1.0/32", "10.42.9.0/32"),
    ],
)
def test_a_link_that_changed(changed: dict[str, object], what: str, before: str, after: str) -> None:
    """Each attribute of a link is told with what it was and what it is."""
    assert told(healthy(), seen(links=links(**changed))) == [("samwise", what, before, after)]


def test_a_link_that_is_gone_takes_its_entries_with_it() -> None:
    """A deleted flannel.1 is told, and each route, neighbour and FDB entry that went with it."""
    left = tuple(link for link in network(1, 3).links or () if link.ifname != "flannel.1")
    found = told(healthy(), seen(links=left, routes=(), neighbors=(), fdb=(), udp=()))
    assert ("samwise", "flannel.1", "mtu 1450", "") in found
    assert ("samwise", "route", "10.42.0.0/24 via 10.42.0.0 dev flannel.1", "") in found
    assert ("samwise", "neighbour", "10.42.2.0 lladdr 12:c6:65:89:b4:02 dev flannel.1", "") in found
    assert ("samwise", "FDB", "12:c6:65:89:b4:00 dst 192.0.2.11 dev flannel.1", "") in found


def test_what_arp_learns_is_no_change() -> None:
    """Neighbours that nobody configured come and go all day."""
    learnt = (*(network(1, 3).neighbors or ()), Neighbor("192.0.2.1", "eth0", "02:00:00:00:00:01", ("STALE",)))
    assert told(healthy(), seen(neighbors=learnt)) == []


def test_a_restarted_unit_and_a_lost_subnet_env() -> None:
    """A new InvocationID is a restart even where the state is the same; a file that went is gone."""
    unit = Unit("k3s", "loaded", "active", "running", 0, "b" * 32, 990.0, "process")
    assert told(healthy(), seen(unit=unit, subnet_env=None)) == [
        ("samwise", "subnet.env", "mtu 1450, subnet 10.42.1.1/24", ""),
        ("samwise", "k3s InvocationID", "a" * 32, "b" * 32),
    ]


def test_a_fact_that_is_lost_is_no_fact_that_is_gone() -> None:
    """What can be read no more is told as unassessed, never as removed; and when it can be read again."""
    lost = seen(fdb=None, subnet_env=None, unassessed={"fdb": "no bridge", "subnet_env": "refused"})
    world = healthy()
    assert sorted(told(world, lost)) == [
        ("samwise", "fdb", "known", "unassessed: no bridge"),
        ("samwise", "subnet_env", "known", "unassessed: refused"),
    ]
    assert sorted(told(fold(world, [lost]), seen())) == [
        ("samwise", "fdb", "unassessed", "known"),
        ("samwise", "subnet_env", "unassessed", "known"),
    ]


def test_nodes_come_go_and_change() -> None:
    """A node that joins, one that leaves, and readiness and annotations of one that stays."""
    unready = node("samwise", 1, conditions=(Condition("Ready", "Unknown", "NodeStatusUnknown"),))
    delta = Delta({"samwise": unready, "gimli": node("gimli", 3)}, ("theoden",))
    assert told(healthy(), Observed("kube/nodes", LATER, delta)) == [
        ("samwise", "Ready", "True", "Unknown"),
        ("gimli", "node", "", "joined"),
        ("theoden", "node", "was there", ""),
    ]


def test_flux_objects_change() -> None:
    """Ready with its message, revision and suspension of a Flux object are told."""
    ref = ObjectRef("GitRepository", "flux-system", "shop")
    key = "GitRepository/flux-system/shop"
    good = FluxObject(ref, revision="main@sha1:aaa", conditions=(Condition("Ready", "True", "Succeeded"),))
    bad = msgspec.structs.replace(good, conditions=(Condition("Ready", "False", "Failed", "no route"),), suspended=True)
    before = fold(healthy(), [Observed("kube/flux/GitRepository", AT, Listed({key: good}))])
    assert told(before, Observed("kube/flux/GitRepository", LATER, Listed({key: bad}))) == [
        (key, "Ready", "True", "False: no route"),
        (key, "suspended", "False", "True"),
    ]


def test_sources_that_fail_and_come_back() -> None:
    """A node that stops answering and an API that does are told with the reason, and their return."""
    away = [
        Failed("node/samwise", LATER, "no route to host", "unreachable"),
        Failed("kube/nodes", LATER, "connection refused", "unreachable"),
    ]
    assert told(healthy(), *away) == [
        ("API", "kube/nodes", "ok", "unreachable: connection refused"),
        ("samwise", "answer", "ok", "unreachable: no route to host"),
    ]
    assert told(fold(healthy(), away), seen()) == [("samwise", "answer", "unreachable", "ok")]


def test_an_api_that_never_answered_is_told() -> None:
    """To begin while the API is down is news; what is not installed is none."""
    assert told(
        Snapshot(),
        Failed("kube/nodes", LATER, "connection refused", "unreachable"),
        Failed("kube/leases", LATER, "forbidden", "restricted"),
        Failed("kube/flux/Bucket", LATER, "not installed", "absent"),
    ) == [
        ("API", "kube/nodes", "loading", "unreachable: connection refused"),
        ("API", "kube/leases", "loading", "restricted: forbidden"),
    ]


def test_a_node_that_was_never_asked_has_no_changes() -> None:
    """Without facts before, facts now are no change."""
    world = fold(Snapshot(), [Observed("kube/nodes", AT, Listed({"samwise": node("samwise", 1)}))])
    assert changes(world, fold(world, [Observed("node/samwise", LATER, NodeNetwork())])) == (
        Change(LATER, "samwise", "answer", "", "ok"),
    )
