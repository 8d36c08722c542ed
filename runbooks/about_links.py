"""Conditions about a node's links, counters and files, and about the network that all nodes share. Pure."""

from collections.abc import Mapping
from ipaddress import ip_interface
from typing import Final

from probes.model.network import Link, NodeNetwork
from probes.rules.finding import NodeView
from runbooks.kinds import Judged, Kind, of_network, stale
from runbooks.sight import Condition, Sight, Stood


def _link(network: NodeNetwork, condition: Condition) -> Link | Judged:
    if network.links is None:
        return "unknown", network.unassessed.get("links", "its links are not known")
    found = next((link for link in network.links if link.ifname == condition.args["ifname"]), None)
    return found if found is not None else ("waiting", "there is no such link")


def _there(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    link = _link(network, condition)
    return ("held", f"{link.ifname} is there") if isinstance(link, Link) else link


def _gone(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    link = _link(network, condition)
    if isinstance(link, Link):
        return "waiting", f"{link.ifname} is still there"
    return link if network.links is None else ("held", "there is no such link")


def _mtu(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    link = _link(network, condition)
    if not isinstance(link, Link):
        return link
    return ("held" if str(link.mtu) == condition.args["mtu"] else "waiting"), f"MTU {link.mtu}"


def _larger(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    link = _link(network, condition)
    if not isinstance(link, Link):
        return link
    if link.mtu is None:
        return "unknown", "its MTU is not known"
    return ("held" if link.mtu > int(condition.args["mtu"]) else "waiting"), f"MTU {link.mtu}"


def _smaller(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    link = _link(network, condition)
    if not isinstance(link, Link):
        return link
    if link.mtu is None:
        return "unknown", "its MTU is not known"
    return ("held" if link.mtu < int(condition.args["mtu"]) else "waiting"), f"MTU {link.mtu}"


def _netns_mtu(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    if network.pod_netns is None:
        return "unknown", network.unassessed.get("pod_netns", "its pods' networks are not known")
    found = next((pod for pod in network.pod_netns if pod.name == condition.args["netns"]), None)
    if found is None:
        return "waiting", "there is no such network"
    return ("held" if str(found.mtu) == condition.args["mtu"] else "waiting"), f"MTU {found.mtu}"


def _offload(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    if network.offloads is None:
        return "unknown", network.unassessed.get("offloads", "there is no flannel.1")
    state = network.offloads.get(condition.args["feature"])
    if state is None:
        return "unknown", "the device has no such feature"
    said = "on" if state else "off"
    return ("held" if said == condition.args["state"] else "waiting"), f"it is {said}"


def _still(sight: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    """Hold a counter against the look before, once the node has been asked again since."""
    name = condition.args["counter"]
    now = (network.counters or {}).get(name)
    if now is None:
        return "unknown", network.unassessed.get("counters", f"{name} is not known")
    before = sight.previous.counters.get(name)
    at = sight.diagnosis.snapshot.source(f"node/{condition.node}").at
    if before is None or at is None or at <= sight.previous.at:
        return "waiting", f"{now}; to be read once more"
    return ("held", f"still {now}") if now == before else ("waiting", f"{now - before} more since the look before")


def _mss_below(_: Sight, condition: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    """Tell whether a clamp would change anything: TCP offers the MTU less 40 bytes of IPv4 and TCP by itself."""
    link = _link(network, condition)
    if not isinstance(link, Link):
        return link
    if link.mtu is None:
        return "unknown", "its MTU is not known"
    usual = link.mtu - 40
    said = f"with MTU {link.mtu} it is {usual} at the most by itself"
    return ("held" if int(condition.args["mss"]) < usual else "waiting"), said


def _asked(sight: Sight, condition: Condition) -> Judged:
    reached = sight.reached.get(condition.key)
    return reached if reached is not None else ("unknown", "not asked yet")


def _one_network(sight: Sight, _: Condition) -> Judged:
    """Tell whether every uplink's first IPv4 address lies in one prefix: host-gw needs every node a neighbour."""
    found: dict[str, str] = {}
    for name, view in sight.diagnosis.views.items():
        if why := stale(sight, name):
            return "unknown", why
        network = sight.diagnosis.snapshot.networks.get(name)
        links = network.links if network else None
        link = next((each for each in links or () if each.ifname == view.summary.uplink), None)
        address = next((each for each in (link.addresses if link else ()) if each.family == "inet"), None)
        if address is None:
            return "unknown", f"the uplink of {name} has no IPv4 address that is known"
        found[name] = str(ip_interface(f"{address.local}/{address.prefixlen}").network)
    prefixes = sorted(set(found.values()))
    if len(prefixes) == 1:
        return "held", f"all {len(found)} are in {prefixes[0]}"
    first = found[next(iter(found))]
    odd = tuple(name for name, prefix in found.items() if prefix != first)
    return Stood("waiting", f"there are {', '.join(prefixes[:3])}", odd)


def _routes_clean(_: Sight, __: Condition, network: NodeNetwork, view: NodeView) -> Judged:
    """Tell whether source addresses are checked strictly, by which a pod's own packets from a peer may be dropped."""
    if network.sysctls is None:
        return "unknown", network.unassessed.get("sysctls", "its sysctls are not known")
    both = {name: network.sysctls.get(f"net.ipv4.conf.{name}.rp_filter", "") for name in ("all", "default")}
    said = ", ".join(f"{name} {value or 'not known'}" for name, value in both.items())
    if "" in both.values():
        return "unknown", f"rp_filter: {said} ({view.summary.uplink})"
    return ("waiting" if "1" in both.values() else "held"), f"rp_filter: {said}"


LINK_KINDS: Final[Mapping[str, Kind]] = {
    "link-there": Kind("{ifname} is on {node}", of_network(_there), ("ifname",)),
    "link-gone": Kind("{ifname} is not on {node}", of_network(_gone), ("ifname",)),
    "link-mtu": Kind("{ifname} on {node} has MTU {mtu}", of_network(_mtu), ("ifname", "mtu")),
    "link-larger": Kind("{ifname} on {node} has a larger MTU than {mtu}", of_network(_larger), ("ifname", "mtu")),
    "link-smaller": Kind("{ifname} on {node} has a smaller MTU than {mtu}", of_network(_smaller), ("ifname", "mtu")),
    "netns-mtu": Kind("the pod's network {netns} on {node} has MTU {mtu}", of_network(_netns_mtu), ("netns", "mtu")),
    "mss-below": Kind(
        "an MSS of {mss} is less than {ifname} on {node} gives by itself", of_network(_mss_below), ("ifname", "mss")
    ),
    "offload": Kind("{feature} of flannel.1 on {node} is {state}", of_network(_offload), ("feature", "state")),
    "counter-still": Kind("{counter} on {node} does not move", of_network(_still), ("counter",)),
    "rp-filter-loose": Kind("{node} does not check source addresses strictly", of_network(_routes_clean)),
    "one-network": Kind("the uplinks of all nodes are in one network", _one_network, of_node=False),
    "file-has": Kind("{path} on {node} has the line {line}", _asked, ("path", "line"), probe="read"),
    "file-lacks": Kind("{path} on {node} has no line {line}", _asked, ("path", "line"), probe="read"),
    "mangle-has": Kind("the firewall of {node} has {rule}", _asked, ("rule",), probe="read"),
    "mangle-lacks": Kind("the firewall of {node} has no chain {chain}", _asked, ("chain",), probe="read"),
    "answers": Kind(
        "{url} is answered in full, asked from the {from} on {node}", _asked, ("url", "from"), probe="http"
    ),
}
"""By the name that a runbook calls them."""
