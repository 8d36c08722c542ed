"""flannel: what it told the CNI and the API, and whether all nodes run the same backend.

Another CNI (``--flannel-backend=none``) publishes none of this and is not judged. With wireguard there is one route for
all peers (flannel pkg/backend/wireguard), with host-gw a plain route a peer, which the peer table judges.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_interface, ip_network
from typing import Final

from probes.model.kube import Node
from probes.model.network import Link, NetConf, NodeNetwork, SubnetEnv
from probes.model.peers import PEERED, public_ip
from probes.model.snapshot import KUBE, Snapshot
from probes.model.summary.nodes import NodeSummary
from probes.rules.facts import MOST_EVIDENCE, OVERLAY, NodeFacts, families_of, listed
from probes.rules.finding import Evidence, Finding, Severity

BACKENDS: Final = frozenset({"vxlan", "host-gw", "wireguard"})
_WIREGUARD: Final = {"inet": "flannel-wg", "inet6": "flannel-wg-v6"}


def judge_flannel(facts: NodeFacts) -> Iterator[Finding]:
    """Judge one node's subnet.env and, where they have rules of their own, its backend's device and route."""
    network = facts.network
    if network is None or facts.row.backend not in BACKENDS:
        return
    yield from _judge_env(facts, network.subnet_env)
    yield from _judge_backend(facts, network.net_conf)
    if facts.row.backend == "wireguard" and facts.links is not None:
        for family in families_of(facts.node or Node(facts.name)):
            yield from _judge_wireguard(facts, network, facts.links, _WIREGUARD[family])


def _judge_env(facts: NodeFacts, env: SubnetEnv | None) -> Iterator[Finding]:
    if env is None:
        if facts.row.subnet_env_state == "missing":
            yield facts.finding(
                "subnet-env-missing",
                facts.once_started(Severity.CRITICAL),
                "subnet.env does not exist: no new pod can be made there, the running ones go on",
                facts.seen("cat /run/flannel/subnet.env", "No such file or directory"),
                refutes="/run/flannel/subnet.env exists",
            )
        return
    if facts.node is None or not facts.node.pod_cidrs or not env.subnet:
        return
    if env.subnet in {cidr.replace(".0/", ".1/") for cidr in facts.node.pod_cidrs}:
        return  # as flannel writes it: the first address of the podCIDR
    try:
        mine = str(ip_interface(env.subnet).network)
    except ValueError:
        mine = env.subnet
    if mine not in facts.node.pod_cidrs:
        yield facts.finding(
            "subnet-env-foreign",
            Severity.CRITICAL,
            f"subnet.env gives pods addresses of {mine}, the node's podCIDR is {', '.join(facts.node.pod_cidrs)}: the "
            "others seek them elsewhere",
            facts.seen(f"cat {env.path}", f"FLANNEL_SUBNET={env.subnet}"),
            facts.told(f"podCIDRs {', '.join(facts.node.pod_cidrs)}"),
            refutes="FLANNEL_SUBNET is the first address of the Node's podCIDR",
        )


def _judge_backend(facts: NodeFacts, conf: NetConf | None) -> Iterator[Finding]:
    if conf is None or conf.backend not in BACKENDS - {facts.row.backend}:
        return
    yield facts.finding(
        "flannel-backend-pending",
        Severity.WARNING,
        f"flannel is configured for {conf.backend} and runs {facts.row.backend}: its next start changes that",
        facts.seen("cat /var/lib/rancher/k3s/agent/etc/flannel/net-conf.json", f"Backend.Type {conf.backend}"),
        facts.told(f"backend-type {facts.row.backend}"),
        refutes="both name one backend",
    )


def _judge_wireguard(
    facts: NodeFacts, network: NodeNetwork, links: Mapping[str, Link], device: str
) -> Iterator[Finding]:
    """Judge a device, which goes when k3s stops, and the one route by it."""
    # One device may serve both families (flannel's WireguardMode).
    link = links.get(device) or links.get("flannel-wg")
    if link is None or not link.up:
        what = "does not exist" if link is None else "is down"
        yield facts.finding(
            "wireguard-link-missing",
            facts.once_started(Severity.CRITICAL),
            f"{device} {what}: no pod there reaches another node's pods",
            facts.seen(f"ip -d link show {device}", what),
            refutes=f"ip link show {device} shows it, UP",
        )
    elif network.routes is not None and link.ifname not in {route.dev for route in network.routes}:
        yield facts.finding(
            "wireguard-route-missing",
            facts.once_started(Severity.CRITICAL),
            f"no route goes by {link.ifname}: pods' packets for other nodes leave in the clear by the default",
            facts.seen(f"ip route show dev {link.ifname}", "none"),
            refutes=f"ip route shows the cluster's pod network by {link.ifname}",
        )


def judge_published(facts: NodeFacts) -> Iterator[Finding]:
    """Judge whether the API has what flannel needs of a node, and its peers do; nothing where it has none of any."""
    node = facts.node
    # A virtual kubelet's Node has no flannel and needs none.
    if node is None or not facts.published or "k3s" not in node.kubelet_version:
        return
    severity = Severity.WARNING if facts.settled_at is None else Severity.NOTE
    if not node.pod_cidrs:
        yield facts.finding(
            "pod-cidr-missing",
            severity,
            "the node has no podCIDR: flannel cannot start there",
            facts.told("spec.podCIDRs is empty"),
            refutes="spec.podCIDRs is set",
        )
    elif lacking := _lacking(node):
        what = f"no {listed(lacking)}" if node.flannel.backend_type else "nothing"
        yield facts.finding(
            "flannel-annotation-missing",
            severity,
            f"flannel has published {what} of the node: no other node has a way to its pods",
            facts.told(f"no annotation flannel.alpha.coreos.com/{lacking[0]}"),
            refutes=f"the Node has the annotation {lacking[0]}",
        )


def _lacking(node: Node) -> list[str]:
    """List the annotations that are missing and that other nodes need to reach a node's pods."""
    published = node.flannel
    if not published.backend_type:
        return ["backend-type"]
    lacking = []
    for family in families_of(node) if published.backend_type in PEERED else ():
        v6 = family == "inet6"
        if not public_ip(node, family):
            lacking.append("public-ipv6" if v6 else "public-ip")
        if published.backend_type == "vxlan" and not (published.vtep_mac_v6 if v6 else published.vtep_mac):
            lacking.append("backend-v6-data" if v6 else "backend-data")
    return lacking


def judge_backends(snapshot: Snapshot) -> Iterator[Finding]:
    """Judge what the Nodes' annotations and podCIDRs say together."""
    nodes, at = snapshot.nodes, snapshot.source(f"{KUBE}nodes").at
    counts = Counter(node.flannel.backend_type for node in nodes.values() if node.flannel.backend_type)
    if len(counts) > 1:
        yield _differing(nodes, counts, at)
    if counts:
        yield from _clashing(nodes, at)


def _differing(nodes: Mapping[str, Node], counts: Counter[str], at: float | None) -> Finding:
    usual = max(sorted(counts), key=counts.__getitem__)
    odd = sorted(n.name for n in nodes.values() if n.flannel.backend_type not in {"", usual})
    spread = ", ".join(f"{backend} ×{count}" for backend, count in sorted(counts.items()))
    return Finding(
        "flannel-backend-differs",
        Severity.CRITICAL,
        OVERLAY,
        f"the nodes run different backends ({spread}): {listed(odd)} and the others ignore each other",
        tuple(
            Evidence(f"Node/{n}", f"backend-type {nodes[n].flannel.backend_type}", "API", at)
            for n in odd[:MOST_EVIDENCE]
        ),
        "kubectl get nodes -o yaml shows one backend-type",
        about=tuple(odd[:MOST_EVIDENCE]),
    )


@lru_cache(maxsize=16384)
def _network(cidr: str) -> tuple[int, int, int] | None:
    """Read a podCIDR as its IP version, first and last address; None where it is none."""
    try:
        network = ip_network(cidr, strict=False)
    except ValueError:
        return None
    return network.version, int(network.network_address), int(network.broadcast_address)


def _clashing(nodes: Mapping[str, Node], at: float | None) -> Iterator[Finding]:
    """Name podCIDRs of different nodes that have addresses in common, the same ones and those within another."""
    ranges = sorted(
        (found, cidr, node.name) for node in nodes.values() for cidr in node.pod_cidrs if (found := _network(cidr))
    )
    groups: list[list[tuple[str, str]]] = []
    version, end = 0, 0
    for (family, first, last), cidr, name in ranges:
        if (family, first) > (version, end):
            groups.append([])
        groups[-1].append((cidr, name))
        version, end = max((version, end), (family, last))
    for group in [each for each in groups if len(each) > 1][:MOST_EVIDENCE]:
        names = sorted({name for _, name in group})
        cidrs = list(dict.fromkeys(cidr for cidr, _ in group))
        what = f"have one podCIDR, {cidrs[0]}" if len(cidrs) == 1 else f"have podCIDRs that overlap, {listed(cidrs)}"
        yield Finding(
            "pod-cidr-clash",
            Severity.CRITICAL,
            OVERLAY,
            f"{listed(names)} {what}: packets for pods in it reach one of them",
            tuple(Evidence(f"Node/{name}", f"podCIDR {cidr}", "API", at) for cidr, name in group[:MOST_EVIDENCE]),
            "every Node has a podCIDR of its own",
            about=tuple(names[:MOST_EVIDENCE]),
        )


def judge_direct(snapshot: Snapshot, rows: tuple[NodeSummary, ...]) -> Iterator[Finding]:
    """Advise host-gw where all nodes share one network; asked only where VXLAN's MTU is a trouble."""
    networks = {_uplink_network(snapshot, row) for row in rows}
    if len(rows) > 1 and len(networks) == 1 and "" not in networks:
        yield Finding(
            "host-gw-possible",
            Severity.NOTE,
            OVERLAY,
            f"all {len(rows)} nodes are on one network, {min(networks)}: host-gw would do without VXLAN's 50 bytes",
            (Evidence("ip addr", f"every uplink is in {min(networks)}", "all nodes"),),
            "some node is to be added behind a router",
        )


def _uplink_network(snapshot: Snapshot, row: NodeSummary) -> str:
    """Tell the IPv4 network of a node's uplink; empty where it is not known, or VXLAN does not run there."""
    found = snapshot.networks.get(row.name)
    if found is None or row.backend != "vxlan":
        return ""
    mine = (link.addresses for link in found.links or () if link.ifname == row.uplink)
    address = next((address for held in mine for address in held if address.family == "inet"), None)
    return "" if address is None else str(ip_interface(f"{address.local}/{address.prefixlen}").network)
