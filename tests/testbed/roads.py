"""What happens to packets on a testbed's way for a while: smaller links, filters, loss; put right at the end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.testbed import topology
from tests.testbed.cluster import Testbed
from tests.testbed.commands import run

BRIDGE_CALLS = "net.bridge.bridge-nf-call-iptables"


def filtering(bed: Testbed, place: str, argv: Sequence[str]) -> list[str]:
    """Give an iptables command for the namespace of a place: the program and its lock are those of a node's root."""
    root = bed.machines.root(bed.nodes[0].name)
    return bed.fabric.inside(place, ("env", "XTABLES_LOCKFILE=/run/roads.lock", "chroot", str(root), "iptables", *argv))


@contextmanager
def dropping(bed: Testbed, place: str, chain: str, *match: str) -> Iterator[None]:
    """Drop what matches in a chain of a place; on the switch (``lan``) what it forwards between its ports."""
    rule = (chain, *match, "-j", "DROP")
    if place == "lan":
        run(bed.fabric.inside("lan", ("sysctl", "-qw", f"{BRIDGE_CALLS}=1")))
    run(filtering(bed, place, ("-w", "-I", *rule)))
    try:
        yield
    finally:
        run(filtering(bed, place, ("-w", "-D", *rule)))
        if place == "lan":
            run(bed.fabric.inside("lan", ("sysctl", "-qw", f"{BRIDGE_CALLS}=0")))
        forget(bed)


@contextmanager
def narrow(bed: Testbed, place: str, ifname: str, mtu: int) -> Iterator[None]:
    """Give a device of a place a smaller MTU."""
    netns = bed.fabric.netns(place)
    run(("ip", "-n", netns, "link", "set", ifname, "mtu", str(mtu)))
    try:
        yield
    finally:
        run(("ip", "-n", netns, "link", "set", ifname, "mtu", str(topology.MTU)))
        forget(bed)


@contextmanager
def narrow_routes(bed: Testbed, mtu: int) -> Iterator[None]:
    """Have every node believe that the ways to the others carry less: its kernel cuts VXLAN's packets to that size."""
    ways = [(a, b) for a in bed.nodes for b in bed.nodes if a != b]
    for a, b in ways:
        way = ("route", "add", f"{b.address}/32", "dev", "eth0", "mtu", str(mtu))
        run(("ip", "-n", bed.fabric.netns(a.name), *way))
    try:
        yield
    finally:
        for a, b in ways:
            run(("ip", "-n", bed.fabric.netns(a.name), "route", "del", f"{b.address}/32", "dev", "eth0"))


def forget(bed: Testbed) -> None:
    """Have everybody forget the path MTUs that they learned: they keep them for ten minutes."""
    flush = ("ip", "route", "flush", "cache")
    for place in ("world", "operator"):
        run(bed.fabric.inside(place, flush))
    for node in bed.nodes:
        bed.run_on(node.name, flush)
        bed.run_on(node.name, ("ip", "-all", "netns", "exec", *flush))


@contextmanager
def mangling(bed: Testbed, place: str, rule: Sequence[str]) -> Iterator[None]:
    """Change what a place forwards: a rule of the mangle table's FORWARD chain."""
    run(filtering(bed, place, ("-w", "-t", "mangle", "-A", "FORWARD", *rule)))
    try:
        yield
    finally:
        run(filtering(bed, place, ("-w", "-t", "mangle", "-D", "FORWARD", *rule)))
