"""flannel: what it told the CNI and the API, and whether all nodes run the same backend.

Another CNI (``--flannel-backend=none``) publishes none of this and is not judged. With wireguard there is one route for
all peers (flannel pkg/backend/wireguard), with host-gw a plain route a peer, which the peer table judges.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from ipaddress import ip_interface
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.kube import Node
from probes.model.snapshot import KUBE, Snapshot
from probes.model.summary.nodes import NodeSummary
from probes.rules.facts import MOST_EVIDENCE, NodeFacts, listed, node_ref
from probes.rules.finding import Evidence, Finding, NodeView, Severity

SETTLE: Final = 120.0
"""Seconds that a new Node may take to get its podCIDR and annotations."""
BACKENDS: Final = frozenset({"vxlan", "host-gw", "wireguard"})
_WIREGUARD: Final = {"inet": "flannel-wg", "inet6": "flannel-wg-v6"}


def judge_flannel(facts: NodeFacts) -> Iterator[Finding]:
    """Judge one node's subnet.env and, where they have rules of their own, its backend's device and route."""
    if facts.row.backend not in BACKENDS or facts.network is None:
        return
    yield from _judge_env(facts)
    yield from _judge_backend(facts)
    if facts.row.backend == "wireguard":
        yield from _judge_wireguard(facts)


def _judge_env(facts: NodeFacts) -> Iterator[Finding]:
    env = facts.network.subnet_env if facts.network else None
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


def _judge_backend(facts: NodeFacts) -> Iterator[Finding]:
    conf = facts.net_conf
    if conf is None or conf.backend not in BACKENDS or conf.backend == facts.row.backend:
        return
    yield facts.finding(
        "flannel-backend-pending",
        Severity.WARNING,
        f"flannel is configured for {conf.backend} and runs {facts.row.backend}: its next start changes that",
        facts.seen("cat /var/lib/rancher/k3s/agent/etc/flannel/net-conf.json", f"Backend.Type {conf.backend}"),
        facts.told(f"backend-type {facts.row.backend}"),
        refutes="both name one backend",
    )


def _judge_wireguard(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the device, which goes when k3s stops, and the one route by it."""
    if facts.links is None or facts.network is None:
        return
    cidrs = facts.node.pod_cidrs if facts.node else ()
    for family in sorted({"inet6" if ":" in cidr else "inet" for cidr in cidrs} or {"inet"}):
        device = _WIREGUARD[family]
        # One device may serve both families (flannel's WireguardMode).
        link = facts.links.get(device) or facts.links.get("flannel-wg")
        if link is None or not link.up:
            what = "does not exist" if link is None else "is down"
            yield facts.finding(
                "wireguard-link-missing",
                facts.once_started(Severity.CRITICAL),
                f"{device} {what}: no pod there reaches another node's pods",
                facts.seen(f"ip -d link show {device}", what),
                refutes=f"ip link show {device} shows it, UP",
            )
        elif facts.network.routes is not None and not any(route.dev == link.ifname for route in facts.network.routes):
            yield facts.finding(
                "wireguard-route-missing",
                facts.once_started(Severity.CRITICAL),
                f"no route goes by {link.ifname}: pods' packets for other nodes leave in the clear by the default",
                facts.seen(f"ip route show dev {link.ifname}", "none"),
                refutes=f"ip route shows the cluster's pod network by {link.ifname}",
            )


def judge_backends(snapshot: Snapshot, views: Mapping[str, NodeView]) -> Iterator[Finding]:
    """Judge what the Nodes' annotations say together; nothing where no node has any."""
    nodes = snapshot.nodes
    counts = Counter(node.flannel.backend_type for node in nodes.values() if node.flannel.backend_type)
    if not counts:
        return
    at = snapshot.source(f"{KUBE}nodes").at
    if len(counts) > 1:
        yield _differing(nodes, counts, at)
    seen: Counter[str] = Counter()
    for node in nodes.values():
        seen.update(node.pod_cidrs)
        # A virtual kubelet's Node has no flannel and needs none.
        ours = node.name in views and "k3s" in node.kubelet_version
        if ours and not (node.pod_cidrs and node.flannel.backend_type):
            yield _unpublished(node, snapshot.at, at)
    if len(seen) < sum(seen.values()):
        yield from _clashing(nodes, seen, at)


def _differing(nodes: Mapping[str, Node], counts: Counter[str], at: float | None) -> Finding:
    usual, _ = counts.most_common(1)[0]
    odd = sorted(n.name for n in nodes.values() if n.flannel.backend_type not in {"", usual})
    spread = ", ".join(f"{backend} ×{count}" for backend, count in sorted(counts.items()))
    return Finding(
        "flannel-backend-differs",
        Severity.CRITICAL,
        ObjectRef("Cluster", "", "overlay"),
        f"the nodes run different backends ({spread}): {listed(odd)} and the others ignore each other",
        tuple(
            Evidence(f"Node/{n}", f"backend-type {nodes[n].flannel.backend_type}", "API", at)
            for n in odd[:MOST_EVIDENCE]
        ),
        "kubectl get nodes -o yaml shows one backend-type",
        about=tuple(odd[:MOST_EVIDENCE]),
    )


def _unpublished(node: Node, now: float, at: float | None) -> Finding:
    young = node.created_at is not None and now - node.created_at < SETTLE
    severity = Severity.NOTE if young else Severity.WARNING
    if not node.pod_cidrs:
        said = "the node has no podCIDR: flannel cannot start there"
        seen = Evidence(f"Node/{node.name}", "spec.podCIDRs is empty", "API", at)
        return Finding("pod-cidr-missing", severity, node_ref(node.name), said, (seen,), "spec.podCIDRs is set")
    said = "flannel has published nothing of the node: no other node has a way to its pods"
    seen = Evidence(f"Node/{node.name}", "no annotation flannel.alpha.coreos.com/backend-type", "API", at)
    refutes = "the Node has the annotation backend-type"
    return Finding("flannel-annotation-missing", severity, node_ref(node.name), said, (seen,), refutes)


def _clashing(nodes: Mapping[str, Node], seen: Counter[str], at: float | None) -> Iterator[Finding]:
    twice = {cidr for cidr, count in seen.items() if count > 1}
    holders: dict[str, list[str]] = {}
    for node in nodes.values():
        for cidr in twice.intersection(node.pod_cidrs):
            holders.setdefault(cidr, []).append(node.name)
    for cidr, names in sorted(holders.items())[:MOST_EVIDENCE]:
        yield Finding(
            "pod-cidr-clash",
            Severity.CRITICAL,
            ObjectRef("Cluster", "", "overlay"),
            f"{listed(sorted(names))} have one podCIDR, {cidr}: packets for its pods reach one of them",
            tuple(Evidence(f"Node/{name}", f"podCIDR {cidr}", "API", at) for name in sorted(names)[:MOST_EVIDENCE]),
            "every Node has a podCIDR of its own",
            about=tuple(sorted(names)[:MOST_EVIDENCE]),
        )


def judge_direct(snapshot: Snapshot, rows: tuple[NodeSummary, ...]) -> Iterator[Finding]:
    """Advise host-gw where all nodes share one network; asked only where VXLAN's MTU is a trouble."""
    networks: set[str] = set()
    for row in rows:
        found = snapshot.networks.get(row.name)
        link = next((one for one in (found.links if found else None) or () if one.ifname == row.uplink), None)
        address = next((a for a in (link.addresses if link else ()) if a.family == "inet"), None)
        if row.backend != "vxlan" or address is None:
            return
        networks.add(str(ip_interface(f"{address.local}/{address.prefixlen}").network))
    if len(networks) == 1 and len(rows) > 1:
        yield Finding(
            "host-gw-possible",
            Severity.NOTE,
            ObjectRef("Cluster", "", "overlay"),
            f"all {len(rows)} nodes are on one network, {min(networks)}: host-gw would do without VXLAN's 50 bytes",
            (Evidence("ip addr", f"every uplink is in {min(networks)}", "all nodes"),),
            "some node is to be added behind a router",
        )
