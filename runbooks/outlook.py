"""Outlook: what to say of a plan besides its steps, and how an operator would do a step by hand. Pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Final

from probes.model.kube import Pod
from probes.rules.finding import Diagnosis
from runbooks.actions import AnyAction, Drain
from runbooks.facts import Found, order_nodes
from runbooks.parameters import Value, nodes_of
from runbooks.runbook import Runbook
from runbooks.sight import members

_WORST: Final = 20


def consents(restarted: tuple[str, ...], diagnosis: Diagnosis) -> tuple[str, ...]:
    """Say what nobody can avoid and everybody should know: outages that the restarts bring."""
    servers = [row.name for row in diagnosis.nodes if row.role == "server"]
    hit = [name for name in servers if name in restarted]
    etcd, _ = members(diagnosis)
    said = []
    if hit and len(servers) == 1:
        kept = "embedded etcd of one member" if etcd else "sqlite or another database"
        said.append(
            f"{servers[0]} is the only server ({kept}): the API is away while its k3s restarts, with a large database "
            "for minutes; pods go on running"
        )
    elif set(hit) & set(etcd) and len(etcd) < 3:  # noqa: PLR2004 - see gates.CAN_LOSE_ONE
        said.append(f"etcd has {len(etcd)} members and loses its quorum with either: the API is away meanwhile")
    cut = [row.name for row in diagnosis.nodes if row.name in restarted and row.backend == "wireguard"]
    if cut:
        said.append(
            f"the backend is wireguard-native: its device goes with k3s, so pods on {', '.join(cut[:5])} are cut off "
            "from other nodes' pods while k3s restarts there"
        )
    return tuple(said)


def reordered(
    runbook: Runbook, values: Mapping[str, Value], given: Mapping[str, str], diagnosis: Diagnosis, found: Found
) -> list[str]:
    """Say where the operator's order is another than the usual one: it is kept."""
    said = []
    for each in runbook.parameters:
        if each.type != "nodes" or each.name not in given or given[each.name].strip() == "all":
            continue
        names = nodes_of(values[each.name])
        usual = order_nodes(names, each.order, diagnosis, found)
        if usual != names:
            said.append(f"the order is yours, {', '.join(names)}; usual is {', '.join(usual)} ({each.about})")
    return said


def warnings(restarted: tuple[str, ...], touched: tuple[str, ...], diagnosis: Diagnosis) -> tuple[str, ...]:
    """Say what an operator would want to know of the nodes before beginning."""
    said = []
    for name in restarted:
        unit = diagnosis.views[name].summary.unit
        if unit is not None and unit.kill_mode not in {"process", ""}:
            said.append(f"KillMode of {unit.name} on {name} is {unit.kill_mode}: a restart ends the node's pods")
    unseen = [name for name in touched if diagnosis.views[name].summary.source.status != "ok"]
    if unseen:
        said.append(f"not seen, so no step there can be judged: {', '.join(unseen[:_WORST])}")
    return tuple(said)


def by_hand(action: AnyAction, diagnosis: Diagnosis) -> tuple[str, ...]:
    """Give the command lines that do what an action does; of pods that are chosen by their MTU, those of now."""
    if not isinstance(action, Drain) or action.keep_mtu is None:
        return action.by_hand
    pods = pods_of_other_mtu(diagnosis, action.node, action.keep_mtu)
    if not pods:
        return (f"# no pod on {action.node} has another MTU than {action.keep_mtu} now",)
    return tuple(line for pod in pods for line in _evict(pod, action))


def pods_of_other_mtu(diagnosis: Diagnosis, node: str, mtu: int) -> tuple[Pod, ...]:
    """List a node's pods whose own eth0 has another MTU, by their addresses; those that are going are left out."""
    network = diagnosis.snapshot.networks.get(node)
    odd = {
        address.local
        for netns in (network.pod_netns if network else None) or ()
        if netns.mtu not in {None, mtu}
        for address in netns.addresses
    }
    found = (pod for pod in diagnosis.snapshot.pods.values() if pod.node == node and not pod.deleting)
    return tuple(sorted((pod for pod in found if odd & set(pod.ips)), key=lambda pod: (pod.namespace, pod.name)))


def _evict(pod: Pod, action: Drain) -> tuple[str, ...]:
    """Evict one pod as the eviction API does, which heeds budgets; what would be lost with it keeps it."""
    if not (pod.owner or action.unmanaged):
        return (f"# {pod.namespace}/{pod.name} has no controller that would make it anew: it stays",)
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
    }
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
    evict = f"printf %s {shlex.quote(json.dumps(body))} | kubectl create --raw {shlex.quote(path)} -f -"
    if action.emptydir:
        return (evict,)
    volumes = ("kubectl", "get", "pod", "-n", pod.namespace, pod.name, "-o", "jsonpath={.spec.volumes[*].emptyDir}")
    return (f"{shlex.join(volumes)} | grep -q . || {evict}",)
