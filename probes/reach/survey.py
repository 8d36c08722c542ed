"""Which vantages a cluster offers, from what is known of it."""

import ipaddress
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import msgspec

from probes.model.kube import Node, Pod
from probes.model.network import PodNetns
from probes.model.snapshot import NODE, Snapshot
from probes.transports.base import Transport, TransportError
from probes.vantage import Kind, Vantage

OPERATOR: Final = "operator"


class Offered(msgspec.Struct, frozen=True):
    """The vantages there are, and those that should be and are not, each with the reason."""

    vantages: tuple[Vantage, ...]
    missing: Mapping[str, str] = {}


async def survey(
    snapshot: Snapshot,
    transport: Callable[[str, Node | None], Awaitable[Transport]],
    *,
    operator: Transport,
    hosts: Mapping[str, Transport],
    kinds: Collection[Kind],
    only: Collection[str] = (),
    named: Collection[str] = (),
) -> Offered:
    """List vantages of some kinds; of pods, one on each node. ``only``: these nodes, empty for all.

    ``named``: nodes that the operator named, which count where the API tells of none.
    """
    found: list[Vantage] = []
    missing: dict[str, str] = {}
    if "operator" in kinds:
        found.append(Vantage("operator", OPERATOR, operator))
    known = set(snapshot.nodes) | set(snapshot.networks)
    for name in sorted(known or named):
        if only and name not in only:
            continue
        node = snapshot.nodes.get(name)
        try:
            way = await transport(name, node)
        except TransportError as error:
            missing[name] = str(error)
            continue
        if "node" in kinds:
            address = node.internal_ips[0] if node is not None and node.internal_ips else ""
            found.append(Vantage("node", name, way, node=name, address=address))
        if "pod" in kinds:
            pod = pod_vantage(snapshot, name, way)
            if isinstance(pod, Vantage):
                found.append(pod)
            else:
                missing[f"pod@{name}"] = pod
    if "host" in kinds:
        found += [Vantage("host", name, way) for name, way in hosts.items()]
    order = {"operator": 0, "node": 1, "pod": 2, "host": 3}
    return Offered(tuple(sorted(found, key=lambda each: order[each.kind])), missing)


def pod_vantage(snapshot: Snapshot, node: str, way: Transport, address: str = "") -> Vantage | str:
    """Give a pod's network on a node, of the pod with an address or else of any; or say why there is none."""
    network = snapshot.networks.get(node)
    if network is None or network.pod_netns is None:
        state = snapshot.source(f"{NODE}{node}")
        why = network.unassessed.get("pod_netns", "") if network is not None else state.reason
        return why or f"{node} did not say which pods it runs"
    pods = {ip: pod for pod in snapshot.pods.values() if pod.node == node and not pod.host_network for ip in pod.ips}
    cidrs = snapshot.nodes[node].pod_cidrs if node in snapshot.nodes else ()
    candidates = [
        (netns, local, pods.get(local))
        for netns in network.pod_netns
        for local in _addresses(netns, cidrs)
        if not address or local == address
    ]
    if not candidates:
        return (
            f"{node} has no pod with the address {address}" if address else f"{node} runs no pod with its own network"
        )
    netns, local, pod = min(candidates, key=lambda each: (_rank(each[2]), ":" in each[1], each[0].name))
    named = f"{pod.namespace}/{pod.name}" if pod is not None else ""
    return Vantage("pod", f"pod@{node}", way, node=node, address=local, netns=netns.name, pod=named)


def _rank(pod: Pod | None) -> int:
    """Prefer pods that stay, and others than CoreDNS: what it asks itself says nothing of the way to it."""
    if pod is None or pod.phase != "Running" or pod.deleting:
        return 2
    return int(pod.app == "kube-dns")


def _addresses(netns: PodNetns, cidrs: Collection[str]) -> list[str]:
    """List a namespace's addresses in the node's pod ranges; where the API names no range, all that are global."""
    ranges = [ipaddress.ip_network(cidr, strict=False) for cidr in cidrs]
    local = [each.local for each in netns.addresses if each.scope in {"global", ""}]
    return [
        each for each in local if not ranges or any(ipaddress.ip_address(each) in each_range for each_range in ranges)
    ]
