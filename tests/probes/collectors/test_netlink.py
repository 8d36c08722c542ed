"""Netlink: the same values as from ip and bridge, and a stream of hints that survives a burst."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from probes.collectors import batch, fdb, links, neighbors, netlink, routes
from probes.collectors.reading import Unreadable
from probes.model.network import NodeNetwork

NONCE = "0123456789abcdef" * 2
STEPS = (*links.STEPS, *routes.STEPS, *neighbors.STEPS, *fdb.STEPS)


def run(*argv: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, input=stdin, capture_output=True, check=True, timeout=30)


async def test_same_values_as_the_commands(kernel_node: str) -> None:
    """Links, routes, neighbours and forwarding entries are equal, value by value, to what ip and bridge print."""
    done = run("ip", "netns", "exec", kernel_node, "sh", "-s", stdin=batch.script(STEPS, NONCE))
    outputs = batch.split(done.stdout, done.stderr, NONCE, STEPS)

    tables = await netlink.read(kernel_node)

    assert {link.ifname: link for link in tables.links} == {link.ifname: link for link in links.parse(outputs)}
    assert sorted(tables.routes, key=repr) == sorted(routes.parse(outputs), key=repr)
    assert sorted(tables.neighbors, key=repr) == sorted(neighbors.parse(outputs), key=repr)
    assert sorted(tables.fdb, key=repr) == sorted(fdb.parse(outputs), key=repr)
    assert len(tables.links) == 6
    assert len(tables.routes) > 8
    assert tables.fdb
    assert tables.neighbors


async def test_amend_drops_the_reasons(kernel_node: str) -> None:
    """What netlink knows is assessed, whatever the commands could not say."""
    network = NodeNetwork(unassessed={"links": "no ip", "unit": "no systemctl"})

    amended = netlink.amend(network, await netlink.read(kernel_node))

    assert amended.links is not None
    assert amended.unassessed == {"unit": "no systemctl"}


async def test_namespace_that_is_not_there(kernel_node: str) -> None:
    """A network namespace that does not exist is a reason, and is not made."""
    with pytest.raises(Unreadable):
        await netlink.read("no-such-namespace")

    assert "no-such-namespace" not in run("ip", "netns", "list").stdout.decode()


async def next_of(hints: AsyncIterator[str], wanted: str) -> str:
    """Wait for a hint that holds some words, at most five seconds."""
    async with asyncio.timeout(5):
        async for hint in hints:
            if wanted in hint:
                return hint
    raise AssertionError(f"the stream ended without {wanted}")


async def until(hints: AsyncIterator[str], wanted: str) -> AsyncIterator[str]:
    """Walk hints up to one that holds some words, at most five seconds."""
    async with asyncio.timeout(5):
        async for hint in hints:
            yield hint
            if wanted in hint:
                return


async def opened(kernel_node: str, hints: AsyncIterator[str]) -> None:
    """Wait until the stream tells of changes: change something until it does."""
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(next_of(hints, "lo"))
        for mtu in range(60000, 60500):
            await asyncio.to_thread(run, "ip", "-n", kernel_node, "link", "set", "lo", "mtu", str(mtu))
            await asyncio.wait([waiting], timeout=0.01)
            if waiting.done():
                break


async def test_events(kernel_node: str) -> None:
    """A changed mtu and a new forwarding entry of flannel.1 are told; a neighbour elsewhere that is STALE is not."""
    async with aclosing(netlink.events(kernel_node)) as hints:
        await opened(kernel_node, hints)
        stale = ("192.0.2.13", "lladdr", "02:00:00:00:00:13", "dev", "eth0", "nud", "stale")
        run("ip", "-n", kernel_node, "neigh", "replace", *stale)
        run("ip", "-n", kernel_node, "link", "set", "flannel.1", "mtu", "1440")
        before = [hint async for hint in until(hints, "flannel.1")]
        assert before[-1] == "RTM_NEWLINK flannel.1"
        assert not [hint for hint in before if "NEIGH" in hint]
        entry = ("02:00:00:00:00:99", "dev", "flannel.1", "dst", "192.0.2.99")
        run("ip", "netns", "exec", kernel_node, "bridge", "fdb", "append", *entry)
        assert await next_of(hints, "NEIGH") == "RTM_NEWNEIGH flannel.1"
        run("ip", "netns", "exec", kernel_node, "bridge", "fdb", "del", *entry)
        assert await next_of(hints, "DELNEIGH") == "RTM_DELNEIGH flannel.1"
        run("ip", "-n", kernel_node, "link", "set", "flannel.1", "mtu", "1450")
        run("ip", "-n", kernel_node, "neigh", "del", "192.0.2.13", "dev", "eth0")


async def test_events_survive_a_burst(kernel_node: str) -> None:
    """More events than the kernel's queue holds give one hint that some were lost, and the stream goes on."""
    pairs = [f"route {{}} 10.{100 + i // 250}.{i % 250}.0/24 dev cni0\n" for i in range(6000)]
    async with aclosing(netlink.events(kernel_node)) as hints:
        await opened(kernel_node, hints)
        run("ip", "-n", kernel_node, "-batch", "-", stdin="".join(pairs).format(*["add"] * 6000).encode())
        try:
            assert await next_of(hints, "lost") == "events were lost in a burst"
        finally:
            run("ip", "-n", kernel_node, "-batch", "-", stdin="".join(pairs).format(*["del"] * 6000).encode())
        await opened(kernel_node, hints)
