"""Snapshots to judge: a healthy cluster of any size, made as flannel would make it."""

from collections.abc import Sequence

import msgspec

from probes.model.kube import Condition, FlannelAnnotations, Node
from probes.model.network import (
    Address,
    FdbEntry,
    Link,
    Neighbor,
    NodeNetwork,
    PodNetns,
    Route,
    SubnetEnv,
    UdpSocket,
    Unit,
    Vxlan,
)
from probes.model.observation import Listed, Observed
from probes.model.snapshot import Snapshot, fold

NAMES = ("boromir", "samwise", "theoden")
AT = 1000.0


def mac(index: int) -> str:
    return f"12:c6:65:89:b4:{index:02x}"


def node(name: str, index: int, **changes: object) -> Node:
    made = Node(
        name=name,
        roles=("control-plane", "etcd") if index == 0 else (),
        internal_ips=(f"192.0.2.{11 + index}",),
        pod_cidrs=(f"10.42.{index}.0/24",),
        conditions=(Condition("Ready", "True", "KubeletReady"),),
        flannel=FlannelAnnotations("vxlan", 1, mac(index), public_ip=f"192.0.2.{11 + index}", managed=True),
        node_args=("server",) if index == 0 else ("agent",),
        kubelet_version="v1.34.1+k3s1",
    )
    return msgspec.structs.replace(made, **changes)


def vxlan_link(subnet: str, mac: str, host: str, mtu: int = 1450) -> Link:
    """Make flannel's device as flannel makes it; ``subnet``: the podCIDR's own address."""
    addresses, vxlan = (Address("inet", subnet, 32),), Vxlan(1, host, "eth0", 8472, learning=False)
    return Link("flannel.1", 3, mtu, "UNKNOWN", ("UP",), "vxlan", mac, addresses=addresses, vxlan=vxlan)


def triple(subnet: str, mac: str, host: str) -> tuple[Route, Neighbor, FdbEntry]:
    """Make what every other node has for a peer."""
    return (
        Route(f"{subnet}/24", subnet, "flannel.1", flags=("onlink",)),
        Neighbor(subnet, "flannel.1", mac, ("PERMANENT",)),
        FdbEntry(mac, "flannel.1", host, "permanent", ("self",)),
    )


def network(index: int, count: int, **changes: object) -> NodeNetwork:
    triples = [triple(f"10.42.{i}.0", mac(i), f"192.0.2.{11 + i}") for i in range(count) if i != index]
    made = NodeNetwork(
        links=(
            Link("eth0", 2, 1500, "UP", ("UP",), addresses=(Address("inet", f"192.0.2.{11 + index}", 24),)),
            vxlan_link(f"10.42.{index}.0", mac(index), f"192.0.2.{11 + index}"),
            Link("cni0", 4, 1450, "UP", ("UP",), "bridge"),
        ),
        routes=(Route("default", "192.0.2.1", "eth0"), *(route for route, _, _ in triples)),
        neighbors=tuple(neighbor for _, neighbor, _ in triples),
        fdb=tuple(entry for _, _, entry in triples),
        udp=(UdpSocket("0.0.0.0", 8472),),
        subnet_env=SubnetEnv("/run/flannel/subnet.env", "10.42.0.0/16", f"10.42.{index}.1/24", 1450, ipmasq=True),
        unit=Unit("k3s", "loaded", "active", "running", 0, "a" * 32, 900.0, "process"),
        pod_netns=(PodNetns("cni-1", 0, "eth0", 1450, (Address("inet", f"10.42.{index}.5", 24),)),),
    )
    return msgspec.structs.replace(made, **changes)


def healthy(names: Sequence[str] = NAMES) -> Snapshot:
    nodes = {name: node(name, i) for i, name in enumerate(names)}
    observed = [Observed(f"node/{name}", AT, network(i, len(names))) for i, name in enumerate(names)]
    return fold(Snapshot(context="test"), [Observed("kube/nodes", AT, Listed(nodes)), *observed])


def with_node(snapshot: Snapshot, name: str, **changes: object) -> Snapshot:
    """Change fields of one Node of a snapshot."""
    changed = msgspec.structs.replace(snapshot.nodes[name], **changes)
    return msgspec.structs.replace(snapshot, nodes={**snapshot.nodes, name: changed})


def with_network(snapshot: Snapshot, name: str, **changes: object) -> Snapshot:
    """Change facts of one node's network in a snapshot."""
    changed = msgspec.structs.replace(snapshot.networks[name], **changes)
    return msgspec.structs.replace(snapshot, networks={**snapshot.networks, name: changed})
