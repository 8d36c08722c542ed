"""A whole node: what nodes once answered gives these facts, and a tool that is missing costs no other fact."""

from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import msgspec
import pytest

from probes.collectors import batch, node
from probes.model.network import (
    Address,
    Bridge,
    FdbEntry,
    Link,
    Neighbor,
    NetConf,
    NodeNetwork,
    PodNetns,
    Resolvers,
    Route,
    SubnetEnv,
    UdpSocket,
    Unit,
    Vxlan,
)
from probes.model.observation import Completed
from probes.transports.base import ConnectionLost

NONCE = "0123456789abcdef" * 2
CAPTURES = Path(__file__).parent / "captures"


def captured(name: str) -> dict[str, Completed]:
    stdout, stderr = ((CAPTURES / f"{name}.{stream}").read_bytes() for stream in ("stdout", "stderr"))
    return batch.split(stdout, stderr, NONCE, node.STEPS)


@pytest.fixture(scope="module")
def debian() -> NodeNetwork:
    return node.parse(captured("debian12"))


def link(network: NodeNetwork, ifname: str) -> Link:
    return next(link for link in network.links or () if link.ifname == ifname)


def test_flannel_link(debian: NodeNetwork) -> None:
    """iproute2 6.1 tells everything of a VXLAN link that is compared with flannel's intent."""
    found = link(debian, "flannel.1")

    assert (found.ifindex, found.mtu, found.operstate, found.kind) == (3, 1450, "UNKNOWN", "vxlan")
    assert found.address == "be:fb:ec:41:1d:b6"
    assert found.up
    assert found.vxlan == Vxlan(1, "192.0.2.11", "eth0", 8472, learning=False, gbp=False)
    assert Address("inet", "10.42.0.0", 32, "global") in found.addresses


def test_ipv6_vxlan_link(debian: NodeNetwork) -> None:
    """A VXLAN link over IPv6 names its address in local6, and a set gbp is printed as null."""
    found = link(debian, "vx6")

    assert found.mtu == 1430
    assert found.vxlan == Vxlan(7, "2001:db8::11", "eth0", 4789, learning=True, gbp=True)


def test_bridge_and_veth(debian: NodeNetwork) -> None:
    """A pod's veth names its bridge and where its other end is."""
    bridge, veth = link(debian, "cni0"), link(debian, "veth12ab34cd")

    assert bridge.bridge == Bridge(vlan_filtering=False, stp=False)
    assert (veth.kind, veth.master, veth.mtu, veth.peer_ifindex, veth.netnsid) == ("veth", "cni0", 1450, 2, 1)


def test_routes(debian: NodeNetwork) -> None:
    """IPv4 comes first; a route over two hops is two; a blackhole says so; onlink is kept."""
    routes = debian.routes or ()

    assert routes[0] == Route("default", gateway="192.0.2.1", dev="eth0")
    assert Route("10.42.1.0/24", gateway="10.42.1.0", dev="flannel.1", flags=("onlink",)) in routes
    assert [r.gateway for r in routes if r.dst == "10.98.0.0/16"] == ["192.0.2.1", "192.0.2.2"]
    assert Route("10.99.0.0/16", kind="blackhole") in routes
    assert Route("192.0.2.200", gateway="192.0.2.1", dev="eth0", protocol="static", metric=50) in routes
    assert Route("2001:db8::/64", dev="eth0", protocol="kernel", metric=256) in routes


def test_overlay_entries(debian: NodeNetwork) -> None:
    """Neighbour, forwarding entry and kernel socket of the overlay are seen; a bridge's own entries are not."""
    assert Neighbor("10.42.1.0", "flannel.1", "ee:8d:cf:69:b3:7c", ("PERMANENT",)) in (debian.neighbors or ())
    assert debian.fdb is not None
    assert debian.fdb[0] == FdbEntry("ee:8d:cf:69:b3:7c", "flannel.1", "192.0.2.12", "permanent", ("self",))
    assert {entry.dev for entry in debian.fdb} == {"flannel.1", "vx6"}
    assert debian.udp == (UdpSocket("0.0.0.0", 8472),)


def test_flannel_files(debian: NodeNetwork) -> None:
    """subnet.env has its content and age, a stale copy is found, net-conf.json names the backend."""
    env = SubnetEnv(
        "/run/flannel/subnet.env", "10.42.0.0/16", "10.42.0.1/24", 1450, ipmasq=True, written_at=1763700000.0
    )
    copy = "/var/lib/flannel-backup/flannel-subnet.env"

    assert debian.subnet_env == env
    assert debian.subnet_env_copies == (msgspec.structs.replace(env, path=copy, mtu=1400, written_at=1738380600.0),)
    assert debian.net_conf == NetConf(network="10.42.0.0/16", backend="vxlan")


def test_host_facts(debian: NodeNetwork) -> None:
    """Host, unit, resolvers, settings, conntrack, offloads and counters are read."""
    assert debian.host is not None
    assert (debian.host.hostname, debian.host.kernel, debian.host.user) == ("node-1", "6.18.44-amd64", "root")
    assert debian.host.k3s_version == "v1.34.1+k3s1"
    assert debian.unit == Unit(
        *("k3s", "loaded", "active", "running", 0, "5b1f0c6e2c0f4a3f8f1f7a2d9d7a1c55", 1763699998.0, "process")
    )
    assert [r.nameservers for r in debian.resolvers or ()] == [("127.0.0.53",), ("10.0.0.2",), ("8.8.8.8",)]
    assert (debian.resolvers or ())[0] == Resolvers(
        "/etc/resolv.conf", ("127.0.0.53",), ("example.internal",), ("edns0", "trust-ad")
    )
    assert (debian.sysctls or {})["net.ipv4.ping_group_range"] == "1 0"
    assert (debian.sysctls or {})["net.ipv4.conf.flannel/1.rp_filter"] == "0"
    assert debian.conntrack is not None
    assert debian.conntrack.maximum == 262144
    assert (debian.offloads or {})["tx-checksum-ip-generic"] is True
    assert {"IcmpInDestUnreachs", "TcpExtTCPTimeouts", "flannel.1/tx_dropped", "eth0/rx_errors"} <= set(
        debian.counters or {}
    )
    assert debian.unassessed == {}


def test_pod_namespace(debian: NodeNetwork) -> None:
    """A pod's namespace gives its eth0's mtu and address, and the id by which its veth is found."""
    (pod,) = debian.pod_netns or ()

    assert isinstance(pod, PodNetns)
    assert (pod.name, pod.netnsid) == ("cni-0b6f2f6e-7d1c-4a0e-9f55-2f0d6c1e9a10", 1)
    assert (pod.ifname, pod.mtu) == ("eth0", 1450)
    assert pod.addresses[0] == Address("inet", "10.42.0.5", 24, "global")


@pytest.mark.parametrize("capture", ["busybox", "bare"])
def test_without_iproute2(capture: str) -> None:
    """Where ip is BusyBox's or missing, /sys and /proc give mtu, state, routes and the 8472 socket, and say so."""
    network = node.parse(captured(capture))

    assert (link(network, "flannel.1").mtu, link(network, "flannel.1").operstate) == (1450, "UNKNOWN")
    assert link(network, "flannel.1").kind == "vxlan"
    assert link(network, "veth12ab34cd").master == "cni0"
    assert (network.routes or ())[0] == Route("default", gateway="192.0.2.1", dev="eth0")
    assert Route("192.0.2.200", gateway="192.0.2.1", dev="eth0", metric=50) in (network.routes or ())
    assert network.udp == (UdpSocket("0.0.0.0", 8472),)
    assert network.subnet_env is not None
    assert network.subnet_env.mtu == 1450
    assert {"links", "routes", "fdb", "unit", "offloads", "pod_netns"} <= set(network.unassessed)
    assert "from /sys" in network.unassessed["links"]
    assert Neighbor("10.42.1.0", "flannel.1", "ee:8d:cf:69:b3:7c", ("PERMANENT",)) in (network.neighbors or ())
    assert ("neighbors" in network.unassessed) == (capture == "bare")
    assert network.fdb is None


def test_iproute2_without_json() -> None:
    """Where ip and bridge are too old for JSON, neighbours and forwarding entries are the same from their text."""
    network, whole = node.parse(captured("no-json")), node.parse(captured("debian12"))

    assert network.fdb == whole.fdb
    assert sorted(network.neighbors or (), key=repr) == sorted(whole.neighbors or (), key=repr)
    assert (network.udp, network.subnet_env, network.unit) == (whole.udp, whole.subnet_env, whole.unit)
    assert set(network.unassessed) == {"links", "routes", "pod_netns"}
    assert 'Option "-j" is unknown' in network.unassessed["links"]


def test_without_root() -> None:
    """Without sudo only the facts that need root are missing, and each says that root is what it needs."""
    network, whole = node.parse(captured("no-root")), node.parse(captured("debian12"))

    assert set(network.unassessed) == {"subnet_env_copies", "net_conf", "pod_netns", "resolvers"}
    assert network.unassessed["net_conf"] == (
        "needs root, and sudo -n does not give it to nobody: a password is required"
    )
    assert network.resolvers == (whole.resolvers or ())[:2]
    assert (network.links, network.routes, network.unit) == (whole.links, whole.routes, whole.unit)


def test_absent_files_are_observations() -> None:
    """A subnet.env, net-conf.json or flannel.1 that is not there is known to be absent, not unassessed."""
    outputs = captured("debian12")
    missing = "No such file or directory"
    outputs["subnet-env"] = Completed(("cat", "x"), 1, "", f"cat: /run/flannel/subnet.env: {missing}\n")
    outputs["net-conf"] = Completed(("cat", "x"), 1, "", f"cat: can't open 'x': {missing}\n")
    outputs["offloads"] = Completed(("ethtool",), 75, "", "Cannot get device feature names: No such device\n")

    network = node.parse(outputs)

    assert (network.subnet_env, network.net_conf, network.offloads) == (None, None, None)
    assert network.unassessed == {}


def test_silent_node_knows_nothing() -> None:
    """Nothing answered is nothing known: every fact is unassessed, none looks well."""
    network = node.parse({})
    facts = set(NodeNetwork.__struct_fields__) - {"unassessed"}

    assert all(getattr(network, fact) is None for fact in facts)
    assert set(network.unassessed) == facts


class Wire(msgspec.Struct):
    """A transport that answers a batch with given words."""

    stdout: bytes = b""
    stderr: bytes = b""
    host: str = "node-1"

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        assert tuple(argv) == ("sh", "-s")
        assert timeout > 0
        nonce = stdin[2:34]
        texts = (raw.replace(NONCE.encode(), nonce).decode() for raw in (self.stdout, self.stderr))
        return Completed(tuple(argv), 0, *texts)

    async def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:  # noqa: ARG002 - Transport's signature
        for word in argv:
            yield word

    async def close(self) -> None:
        """Nothing is open."""


async def test_collect_is_one_round_trip() -> None:
    """collect() sends one script and reads all facts from its answer, whatever banner comes first."""
    stdout, stderr = ((CAPTURES / f"debian12.{stream}").read_bytes() for stream in ("stdout", "stderr"))

    network = await node.collect(Wire(b"Welcome!\n" + stdout, b"motd" + stderr), timeout=5)

    assert network == node.parse(captured("debian12"))


async def test_collect_of_a_login_that_runs_nothing() -> None:
    """A login shell that prints words and runs no command is an error of the wire, not a node without facts."""
    with pytest.raises(ConnectionLost, match="node-1 ran none of the commands and said: "):
        await node.collect(Wire(b"This account is currently not available.\n"), timeout=5)
