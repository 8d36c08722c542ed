"""vxlan: flannel's device on one node against what flannel makes and has published.

What is right: flannel pkg/backend/vxlan/{vxlan,device}.go. The kernel holds the UDP socket of a VXLAN device only while
the device is up, and it belongs to no process (drivers/net/vxlan).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from probes.model.kube import Node
from probes.model.network import Link, NodeNetwork, Vxlan
from probes.model.peers import overlay_device, public_ip
from probes.model.summary.nodes import VXLAN_PORT, overlay_port
from probes.rules.facts import NodeFacts
from probes.rules.finding import Finding, Severity

_MADE: Final = re.compile(r"flannel(-v6)?\.\d+|flannel-wg(-v6)?")
"""Devices that flannel makes, whatever its backend."""
_DOWN: Final = frozenset({"DOWN", "LOWERLAYERDOWN"})
Links = Mapping[str, Link]


def judge_vxlan(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the VXLAN device of each address family; nothing where another backend runs or the links are not known."""
    links, network = facts.links, facts.network
    if links is None or network is None:
        return
    for family, device in facts.devices.items():
        link = links.get(device)
        if link is None:
            yield _missing(facts, device)
        elif not link.up:
            yield _down(facts, device, link)
        else:
            yield from _judge_device(facts, links, family, link)
    yield from _judge_port(facts, links, network)
    yield from _judge_leftovers(facts, links, network)


def _missing(facts: NodeFacts, device: str) -> Finding:
    severity = facts.once_started(Severity.CRITICAL)
    starting = "; k3s has just started and may still make it" if severity is Severity.NOTE else ""
    return facts.finding(
        "vxlan-link-missing",
        severity,
        f"{device} does not exist: no pod there reaches another node's pods, nor they it{starting}",
        facts.seen(f"ip -d link show {device}", f'Device "{device}" does not exist.'),
        refutes=f"ip -d link show {device} shows it, UP",
    )


def _down(facts: NodeFacts, device: str, link: Link) -> Finding:
    return facts.finding(
        "vxlan-link-down",
        facts.once_started(Severity.CRITICAL),
        f"{device} is down: no pod there reaches another node's pods, and setting it up again does not suffice",
        facts.seen(f"ip -d link show {device}", f"{device}: <{','.join(link.flags)}> state {link.operstate}"),
        refutes=f"ip link show {device} has UP among its flags (state UNKNOWN is normal)",
    )


def _judge_device(facts: NodeFacts, links: Links, family: str, link: Link) -> Iterator[Finding]:
    """Hold a device that is up against what flannel published and was configured with."""
    if link.vxlan is not None:
        yield from _judge_numbers(facts, link, link.vxlan)
        yield from _judge_underlay(facts, links, link, link.vxlan)
        yield from _judge_local(facts, links, link, link.vxlan)
    if facts.node is not None:
        yield from _judge_public_ip(facts, facts.node, links, family)
        yield from _judge_mac(facts, facts.node, family, link)
        yield from _judge_address(facts, facts.node, family, link)


def _judge_numbers(facts: NodeFacts, link: Link, vxlan: Vxlan) -> Iterator[Finding]:
    """Judge VNI and port: both ends must have the same."""
    published = facts.node.flannel.vni if facts.node else None
    vni = published or (facts.net_conf.vni if facts.net_conf else None) or 1
    shown = facts.seen(f"ip -d link show {link.ifname}", f"vxlan id {vxlan.vni} dstport {vxlan.port}")
    if vxlan.vni not in {None, vni}:
        yield facts.finding(
            "vxlan-vni-wrong",
            Severity.CRITICAL,
            f"{link.ifname} has VNI {vxlan.vni}, its peers expect {vni}: they drop its packets and it drops theirs",
            shown,
            facts.told(f"backend-data VNI {vni}"),
            refutes="the VNI of ip -d link show equals backend-data's in the Node's annotations",
        )
    if facts.net_conf is None:
        return  # another port may be meant
    port = facts.net_conf.port or VXLAN_PORT
    if vxlan.port not in {None, port}:
        yield facts.finding(
            "vxlan-port-wrong",
            Severity.CRITICAL,
            f"{link.ifname} uses UDP port {vxlan.port}, flannel means {port}: peers send where nobody listens",
            shown,
            facts.seen(
                "cat /var/lib/rancher/k3s/agent/etc/flannel/net-conf.json", f"Backend.Port {facts.net_conf.port or 0}"
            ),
            refutes="every node of the cluster shows the same dstport",
        )


def _judge_underlay(facts: NodeFacts, links: Links, link: Link, vxlan: Vxlan) -> Iterator[Finding]:
    """Judge the device that the packets leave by."""
    lower = links.get(vxlan.underlay)
    if lower is None:
        return
    if not lower.up or lower.operstate in _DOWN:
        yield facts.finding(
            "vxlan-underlay-down",
            Severity.CRITICAL,
            f"{lower.ifname}, by which {link.ifname}'s packets leave, is down",
            facts.seen(f"ip link show {lower.ifname}", f"<{','.join(lower.flags)}> state {lower.operstate}"),
            refutes=f"ip link show {lower.ifname} has UP and LOWER_UP",
        )
        return
    holder = next((one for one in links.values() if vxlan.local in {a.local for a in one.addresses}), lower)
    if holder.ifname not in {lower.ifname, lower.master}:
        yield facts.finding(
            "vxlan-underlay-wrong",
            Severity.WARNING,
            f"{link.ifname} sends by {lower.ifname}, but its address {vxlan.local} is on {holder.ifname}",
            facts.seen(f"ip -d link show {link.ifname}", f"vxlan local {vxlan.local} dev {lower.ifname}"),
            facts.seen(f"ip addr show {holder.ifname}", f"inet {vxlan.local}"),
            refutes="the address after local and the device after dev belong together",
        )


def _held(links: Links) -> set[str]:
    """List every address of the node; empty where its addresses were not observed."""
    return {address.local for one in links.values() for address in one.addresses}


def _judge_local(facts: NodeFacts, links: Links, link: Link, vxlan: Vxlan) -> Iterator[Finding]:
    """Judge the address that packets leave from."""
    held = _held(links)
    if held and vxlan.local and vxlan.local not in held:
        yield facts.finding(
            "vxlan-local-gone",
            Severity.CRITICAL,
            f"{link.ifname} sends from {vxlan.local}, an address that no device of the node holds any more",
            facts.seen(f"ip -d link show {link.ifname}", f"vxlan local {vxlan.local}"),
            facts.seen("ip addr", ", ".join(sorted(held))),
            refutes=f"ip addr shows {vxlan.local}",
        )


def _judge_public_ip(facts: NodeFacts, node: Node, links: Links, family: str) -> Iterator[Finding]:
    """Judge the address that peers send to; one that somebody set is meant for a NAT and not held by the node."""
    overwritten = node.flannel.public_ip_overwrite if family == "inet" else node.flannel.public_ipv6_overwrite
    published, held = public_ip(node, family), _held(links)
    if held and published not in {"", overwritten, *held}:
        yield facts.finding(
            "public-ip-stale",
            Severity.CRITICAL,
            f"peers send to {published}, the public IP flannel published, which no device of the node holds",
            facts.told(f"flannel.alpha.coreos.com/public-ip: {published}"),
            facts.seen("ip addr", ", ".join(sorted(held))),
            refutes=f"ip addr shows {published}, or a NAT in front of the node translates it",
        )


def _judge_mac(facts: NodeFacts, node: Node, family: str, link: Link) -> Iterator[Finding]:
    published = node.flannel.vtep_mac if family == "inet" else node.flannel.vtep_mac_v6
    if published and link.address.lower() not in {"", published}:
        yield facts.finding(
            "vxlan-mac-differs",
            Severity.CRITICAL,
            f"{link.ifname} has MAC {link.address}, its peers send to {published}: all of it is dropped without a word",
            facts.seen(f"ip link show {link.ifname}", f"link/ether {link.address}"),
            facts.told(f"backend-data VtepMAC {published}"),
            refutes="the MAC of ip link show equals VtepMAC in the Node's annotations",
        )


def _judge_address(facts: NodeFacts, node: Node, family: str, link: Link) -> Iterator[Finding]:
    """Judge the device's own address: the first of the podCIDR, which peers name as the gateway to its pods."""
    held = [address.local for address in link.addresses if address.scope != "link"]
    if not held and facts.grace_ends is not None:
        return
    for cidr in node.pod_cidrs:
        wanted = cidr.partition("/")[0]
        if (":" in cidr) == (family == "inet6") and wanted not in held:
            shown = ", ".join(held) or "no address"
            yield facts.finding(
                "vxlan-address-wrong",
                Severity.WARNING,
                f"{link.ifname} holds {shown} instead of {wanted}, the podCIDR's own",
                facts.seen(f"ip addr show {link.ifname}", shown),
                facts.told(f"podCIDR {cidr}"),
                refutes=f"ip addr show {link.ifname} shows {wanted}/{128 if ':' in wanted else 32}",
            )


def _judge_port(facts: NodeFacts, links: Links, network: NodeNetwork) -> Iterator[Finding]:
    """Judge the kernel's socket: a closed port follows from a missing device, and is not one without it."""
    if facts.row.port_open is not False:
        return
    port = overlay_port(network, links.get(facts.row.overlay))
    yield facts.finding(
        "vxlan-port-not-listening",
        facts.once_started(Severity.CRITICAL),
        f"nothing listens on UDP port {port}: no overlay packet is received",
        facts.seen("ss -H -lnu", f"no socket on port {port}"),
        refutes=f"ss -lnu shows a socket on {port} (it belongs to the kernel: no process is named)",
    )


def _judge_leftovers(facts: NodeFacts, links: Links, network: NodeNetwork) -> Iterator[Finding]:
    """Judge devices that another backend, or another VNI, left behind."""
    node = facts.node or Node(facts.name)
    ours = {
        "vxlan": {overlay_device(node, "inet"), overlay_device(node, "inet6")},
        "wireguard": {"flannel-wg", "flannel-wg-v6"},
        "host-gw": set(),
    }.get(facts.row.backend)
    if ours is None:
        return
    used = {route.dev for route in network.routes or ()}
    for name in sorted(name for name in links.keys() - ours if _MADE.fullmatch(name)):
        busy = name in used
        yield facts.finding(
            "overlay-leftover-device",
            Severity.WARNING if busy else Severity.NOTE,
            f"{name} is none of {facts.row.backend}'s here: another backend or VNI left it"
            + (", and routes still go by it" if busy else ""),
            facts.seen("ip -d link; ip route", f"{name}; routes by it: {'yes' if busy else 'none'}"),
            refutes=f"no device named {name}",
        )
