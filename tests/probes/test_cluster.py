"""A cluster's sources side by side: none waits for another, each fails alone, and all of them come back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from probes import cluster as module
from probes.cluster import Cluster
from probes.kube.resources import CORE, KINDS
from probes.model.snapshot import Snapshot
from probes.transports.base import ConnectionLost, Unreachable
from tests.probes.wires import ScriptedApi, ScriptedHosts, until

NAMES = ("boromir", "samwise", "theoden")
HOSTS = {name: f"192.0.2.{11 + index}" for index, name in enumerate(NAMES)}

Seen = Callable[[Callable[[Snapshot], object], str], Awaitable[None]]
"""Waits until the newest published snapshot is as wanted."""


@asynccontextmanager
async def followed(cluster: Cluster) -> AsyncIterator[Seen]:
    """Follow a cluster; gives a way to wait until its newest published snapshot is as wanted."""
    published: list[Snapshot] = [cluster.snapshot]

    def publish(snapshot: Snapshot) -> None:
        published[0] = snapshot

    async def seen(wanted: Callable[[Snapshot], object], what: str) -> None:
        await until(lambda: wanted(published[0]), what)

    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(cluster.follow(publish))
        try:
            yield seen
        finally:
            following.cancel()


def status(snapshot: Snapshot, name: str) -> str:
    return snapshot.source(f"node/{name}").status


def mtu(snapshot: Snapshot, name: str) -> int | None:
    network = snapshot.networks.get(name)
    links = network.links if network is not None and network.links is not None else ()
    return next((link.mtu for link in links if link.ifname == "flannel.1"), None)


@pytest.fixture
def hosts() -> ScriptedHosts:
    return ScriptedHosts()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, look again seldom."""
    monkeypatch.setattr(module, "_RETRY", (0.01,))
    monkeypatch.setattr(module, "POLL", 60.0)


async def test_a_status_has_every_source(hosts: ScriptedHosts) -> None:
    """Asked once, every node that the API names has its facts, and every resource has said how it is doing."""
    snapshot = await Cluster(hosts.wires(ScriptedApi(*NAMES))).observe(5)

    assert {name: status(snapshot, name) for name in snapshot.networks} == dict.fromkeys(NAMES, "ok")
    assert {r.source for r in CORE} | {k.source for k in KINDS} <= snapshot.sources.keys()
    assert {snapshot.source(kind.source).status for kind in KINDS} == {"absent"}
    known = hosts.known["samwise"]
    assert known is not None
    assert known.internal_ips == ("192.0.2.12",), "a node is reached by what the API says of it"


async def test_what_is_not_wanted_is_not_read(hosts: ScriptedHosts) -> None:
    """Some lists are read alone: no other says how it is doing, and no node is asked."""
    snapshot = await Cluster(hosts.wires(ScriptedApi(*NAMES), names=NAMES)).read({"kube/nodes", "kube/pods"}, 5)

    assert snapshot.nodes.keys() == set(NAMES)
    assert snapshot.sources.keys() == {"kube/nodes", "kube/pods"}
    assert not hosts.known, "the way to no node was looked for"


async def test_a_hung_node_costs_its_own_facts_only(hosts: ScriptedHosts) -> None:
    """Whoever has not answered when the time is up is said so; the others' facts are there."""
    hosts["samwise"].hangs = True

    snapshot = await Cluster(hosts.wires(ScriptedApi(*NAMES))).observe(0.5)

    assert status(snapshot, "samwise") == "timeout"
    assert snapshot.source("node/samwise").reason == "samwise did not answer within 0.5 s"
    assert snapshot.networks.keys() == {"boromir", "theoden"}


async def test_a_silent_api_keeps_nobody_longer_than_asked(hosts: ScriptedHosts) -> None:
    """An API that accepts and says nothing ends a status in its time, discovery and lists together."""
    api = ScriptedApi(*NAMES)
    api.silent = True
    began = asyncio.get_running_loop().time()

    snapshot = await Cluster(hosts.wires(api, names=("boromir",))).observe(0.5)

    assert asyncio.get_running_loop().time() - began < 0.9
    assert status(snapshot, "boromir") == "ok"
    assert {snapshot.source(s).status for s in ("kube/nodes", "kube/flux/GitRepository")} == {"timeout"}


async def test_an_unforeseen_answer_costs_its_own_node_only(hosts: ScriptedHosts) -> None:
    """A defect in reading one node's answer is said of that node; the others are as they are."""
    hosts["samwise"].failure = ZeroDivisionError("division by \x1b[2J zero")

    snapshot = await Cluster(hosts.wires(ScriptedApi(*NAMES))).observe(5)

    assert status(snapshot, "samwise") == "failed"
    assert "ZeroDivisionError: division by ␛[2J zero" in snapshot.source("node/samwise").reason
    assert snapshot.networks.keys() == {"boromir", "theoden"}


async def test_named_nodes_are_asked_while_the_api_is_down(hosts: ScriptedHosts) -> None:
    """Nodes that settings or the command line name are asked although the API names nobody."""
    api = ScriptedApi(*NAMES)
    api.down = True

    by_settings = await Cluster(hosts.wires(api, names=NAMES)).observe(5)
    by_option = await Cluster(hosts.wires(api, only=("samwise",))).observe(5)

    assert by_settings.networks.keys() == set(NAMES)
    assert by_option.networks.keys() == {"samwise"}


async def test_chosen_nodes_are_asked_while_the_api_is_silent(hosts: ScriptedHosts) -> None:
    """An API that takes all the time there is leaves none for nodes that it should have named: the chosen are asked."""
    api = ScriptedApi(*NAMES)
    api.silent = True

    snapshot = await Cluster(hosts.wires(api, only=("samwise",))).observe(0.6)

    assert snapshot.networks.keys() == {"samwise"}


async def test_only_the_nodes_asked_for_are_asked(hosts: ScriptedHosts) -> None:
    """With a choice of nodes no other is bothered, settings or not."""
    snapshot = await Cluster(hosts.wires(ScriptedApi(*NAMES), names=NAMES, only=("samwise",))).observe(5)

    assert snapshot.networks.keys() == hosts.nodes.keys() == {"samwise"}
    assert snapshot.nodes.keys() == set(NAMES)


async def test_a_node_of_the_settings_that_the_cluster_has_not_is_forgotten(hosts: ScriptedHosts) -> None:
    """What config.yaml still names and the API does not is no node: it is neither shown nor judged."""
    snapshot = await Cluster(hosts.wires(ScriptedApi("boromir"), names=("boromir", "retired"))).observe(5)

    assert snapshot.networks.keys() == {"boromir"}
    assert "node/retired" not in snapshot.sources


@pytest.mark.usefixtures("quick")
async def test_a_change_is_seen_at_once(hosts: ScriptedHosts) -> None:
    """A node's own word of a change brings its new facts long before the next poll."""
    cluster = Cluster(hosts.wires(ScriptedApi(*NAMES)))
    async with followed(cluster) as seen:
        await seen(lambda now: mtu(now, "samwise") == 1450, "the first facts")
        hosts["samwise"].mtu = 1400
        hosts["samwise"].told.put_nowait("3: flannel.1: <BROADCAST> mtu 1400")
        await seen(lambda now: mtu(now, "samwise") == 1400, "the new mtu")
        assert mtu(cluster.snapshot, "boromir") == 1450
        assert hosts["boromir"].asked == 1, "a node that says nothing is not asked again"


@pytest.mark.usefixtures("quick")
async def test_a_node_that_never_rests_is_asked_ever_less(
    hosts: ScriptedHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes without end make collections further apart, not one after another: asking costs the node as well."""
    monkeypatch.setattr(module, "SETTLE", 0.01)
    node = hosts["boromir"]
    async with followed(Cluster(hosts.wires(ScriptedApi("boromir")))) as seen:
        await seen(lambda now: status(now, "boromir") == "ok", "the first facts")
        for _ in range(150):
            node.told.put_nowait("9: veth1: <BROADCAST> mtu 1450")
            await asyncio.sleep(0.01)
        assert 4 <= node.asked <= 10


@pytest.mark.usefixtures("quick")
async def test_nodes_come_and_go(hosts: ScriptedHosts) -> None:
    """A node that joins is followed, one that leaves is forgotten, and nothing listens to it any more."""
    api = ScriptedApi("boromir")
    async with followed(Cluster(hosts.wires(api))) as seen:
        await seen(lambda now: status(now, "boromir") == "ok", "the first node")
        api.add("samwise")
        await seen(lambda now: status(now, "samwise") == "ok", "the node that joined")
        await until(lambda: hosts["samwise"].listeners == 1, "somebody listens to it")
        api.remove("samwise")
        await seen(lambda now: "node/samwise" not in now.sources and "samwise" not in now.networks, "it is forgotten")
        await until(lambda: hosts["samwise"].listeners == 0, "nobody listens to it")


@pytest.mark.usefixtures("quick")
async def test_a_node_that_fails_keeps_its_facts_and_comes_back(hosts: ScriptedHosts) -> None:
    """While a node does not answer its last facts stay, with the reason; it is tried until it answers again."""
    node = hosts["samwise"]
    async with followed(Cluster(hosts.wires(ScriptedApi(*NAMES)))) as seen:
        await seen(lambda now: status(now, "samwise") == "ok", "the first facts")
        node.failure = Unreachable("samwise refuses connections")
        node.told.put_nowait(ConnectionLost("the connection ended"))
        await seen(lambda now: status(now, "samwise") == "unreachable", "it does not answer")
        await seen(lambda now: mtu(now, "samwise") == 1450, "its last facts are kept")
        node.failure, node.mtu = None, 1400
        await seen(lambda now: (status(now, "samwise"), mtu(now, "samwise")) == ("ok", 1400), "it is back")


async def test_a_dead_node_is_tried_at_growing_distances(hosts: ScriptedHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow the table of pauses, and its last pause is kept to."""
    monkeypatch.setattr(module, "_RETRY", (0.01, 0.01, 60.0))
    node = hosts["boromir"]
    node.failure = Unreachable("boromir refuses connections")
    async with followed(Cluster(hosts.wires(ScriptedApi("boromir")))):
        await until(lambda: node.asked == 3, "three tries")
        await asyncio.sleep(0.2)
        assert node.asked == 3


@pytest.mark.usefixtures("quick")
async def test_a_node_with_room_for_one_session_is_polled(
    hosts: ScriptedHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where sshd has MaxSessions 1, listening would keep every fact out: it gives way, and polling goes on."""
    monkeypatch.setattr(module, "POLL", 0.05)
    node = hosts["boromir"]
    node.sessions = 1
    async with followed(Cluster(hosts.wires(ScriptedApi("boromir")))) as seen:
        await until(lambda: node.asked > 3, "it is asked again and again")
        node.mtu = 1400
        await seen(lambda now: (status(now, "boromir"), mtu(now, "boromir")) == ("ok", 1400), "new facts")
        assert node.listeners == 0


@pytest.mark.usefixtures("quick")
async def test_the_commands_of_a_node_end_before_all_is_given_up(hosts: ScriptedHosts) -> None:
    """The wire's own time limit ends a command, and with it a connection that hangs; ours is only behind it."""
    async with followed(Cluster(hosts.wires(ScriptedApi("boromir")))) as seen:
        await seen(lambda now: status(now, "boromir") == "ok", "the first facts")
    assert hosts["boromir"].limits[0] + 5 < module._COLLECT


@pytest.mark.usefixtures("quick")
async def test_a_follower_that_starts_without_an_api(hosts: ScriptedHosts) -> None:
    """With the API down the named nodes are followed; once it answers, its nodes are, and no others."""
    api = ScriptedApi(*NAMES)
    api.down = True
    async with followed(Cluster(hosts.wires(api, names=("boromir", "retired")))) as seen:
        await seen(lambda now: now.source("kube/nodes").status == "unreachable", "the API is down")
        await seen(lambda now: {status(now, name) for name in ("boromir", "retired")} == {"ok"}, "named nodes")
        api.down = False
        await seen(lambda now: now.networks.keys() == set(NAMES), "the nodes of the API")
        await until(lambda: hosts["retired"].listeners == 0, "nobody listens to a node that is none")


@pytest.mark.usefixtures("quick")
async def test_an_api_outage_leaves_nodes_and_last_data(hosts: ScriptedHosts) -> None:
    """While the API is down nodes go on being seen and its last data stays; afterwards it is read again."""
    api = ScriptedApi(*NAMES)
    async with followed(Cluster(hosts.wires(api))) as seen:
        await seen(lambda now: len(now.networks) == len(NAMES), "all nodes")
        api.go_down()
        await seen(lambda now: now.source("kube/nodes").status == "unreachable", "the outage")
        hosts["samwise"].mtu = 1400
        hosts["samwise"].told.put_nowait("3: flannel.1: <BROADCAST> mtu 1400")
        await seen(lambda now: mtu(now, "samwise") == 1400, "a node's change during the outage")
        await seen(lambda now: now.nodes.keys() == set(NAMES), "the API's last data")
        api.down = False
        api.nodes.pop("theoden")
        await seen(lambda now: now.source("kube/nodes").status == "ok", "the end of the outage")
        await seen(lambda now: now.networks.keys() == {"boromir", "samwise"}, "what changed meanwhile")


@pytest.mark.usefixtures("quick")
async def test_a_small_queue_only_makes_sources_wait(hosts: ScriptedHosts, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue loses nothing and locks nobody out."""
    monkeypatch.setattr(module, "_QUEUE", 1)
    async with followed(Cluster(hosts.wires(ScriptedApi(*NAMES)))) as seen:
        await seen(lambda now: len(now.networks) == len(NAMES), "all nodes")
        for _ in range(20):
            hosts["samwise"].told.put_nowait("9: veth1: <BROADCAST> mtu 1450")
        hosts["samwise"].mtu = 1400
        await seen(lambda now: mtu(now, "samwise") == 1400, "the last change")


@pytest.mark.usefixtures("quick")
async def test_whom_nobody_reads_any_more_stops(hosts: ScriptedHosts) -> None:
    """An error of the reader ends the following and is raised as it is, not wrapped; no source goes on."""

    def publish(snapshot: Snapshot) -> None:
        if snapshot.networks:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await Cluster(hosts.wires(ScriptedApi(*NAMES))).follow(publish)
    assert not any(node.listeners for node in hosts.nodes.values())
