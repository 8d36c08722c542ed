"""Flannel's VXLAN backend: a link a family, one subnet.env, three entries a peer; and host-gw: one route a peer.

After flannel pkg/backend/vxlan (device.go, vxlan_network.go), pkg/backend/hostgw, pkg/subnet/kube and k3s
pkg/agent/flannel. The backend is k3s's option `flannel-backend` in config.yaml, here on every node.
"""

import ipaddress
import json
import random
from dataclasses import dataclass
from typing import Any

from . import kernel
from .api import STRATEGIC, Api
from .settings import CONFLIST, NET_CONF, SUBNET_ENV, Settings, config_option

PREFIX = "flannel.alpha.coreos.com/"
OVERHEAD = 50
PODS_V6 = "fd00:10:42::/48"
VNI = 1
PORT = 8472
IFNAME = f"flannel.{VNI}"
IFNAME_V6 = f"flannel-v6.{VNI}"


@dataclass(frozen=True)
class Family:
    """What flannel calls things by in one address family."""

    v6: bool
    ifname: str
    prefixlen: int
    """Of the one address that its device has."""
    data: str
    public: str


V4 = Family(v6=False, ifname=IFNAME, prefixlen=32, data="backend-data", public="public-ip")
V6 = Family(v6=True, ifname=IFNAME_V6, prefixlen=128, data="backend-v6-data", public="public-ipv6")


@dataclass(frozen=True)
class Peer:
    """What flannel's lease of another node says in one family: its subnet, VTEP address and public address."""

    subnet: str
    mac: str
    public_ip: str
    backend: str = "vxlan"

    @property
    def gateway(self) -> str:
        """First address of the subnet, which the peer's VXLAN device holds by itself."""
        return self.subnet.split("/")[0]

    @property
    def ifname(self) -> str:
        """The device that leads there."""
        return IFNAME_V6 if kernel.is_v6(self.subnet) else IFNAME


def pod_cidrs(node: dict[str, Any]) -> list[str]:
    """Subnets of a Node, one a family; none where it has not been given any."""
    spec = node.get("spec", {})
    return list(spec.get("podCIDRs") or filter(None, [spec.get("podCIDR")]))


def peers_of(node: dict[str, Any], backend: str) -> tuple[Peer, ...]:
    """Leases of one Node object, one a family; none where it is no peer of this backend, or not yet a complete one."""
    notes = node["metadata"].get("annotations", {})
    subnets = pod_cidrs(node)
    if not subnets or notes.get(f"{PREFIX}kube-subnet-manager") != "true":
        return ()
    if notes.get(f"{PREFIX}backend-type") != backend:
        print(f"ignoring non-{backend} subnet {subnets[0]}: type={notes.get(f'{PREFIX}backend-type')}")
        return ()
    found = [peer_of(notes, subnet, backend) for subnet in subnets]
    return tuple(peer for peer in found if peer is not None)


def peer_of(notes: dict[str, str], subnet: str, backend: str) -> Peer | None:
    """Lease of one subnet of a Node with these annotations; None where they lack something."""
    family = V6 if kernel.is_v6(subnet) else V4
    data = json.loads(notes.get(f"{PREFIX}{family.data}") or "null") or {}
    public = notes.get(f"{PREFIX}{family.public}-overwrite") or notes.get(f"{PREFIX}{family.public}")
    if backend == "host-gw":
        return Peer(subnet, "", public, backend) if public else None
    return Peer(subnet, data["VtepMAC"], public) if "VtepMAC" in data and public else None


def net_conf(*, dual_stack: bool = False) -> dict[str, Any]:
    """Flannel's configuration; written afresh unless `flannel-conf` names the operator's own (k3s setup.go)."""
    custom = config_option("flannel-conf")
    if custom:
        with open(custom, encoding="utf-8") as file:  # noqa: PTH123 - a plain path of the operator's
            own: dict[str, Any] = json.load(file)
        return own
    conf = {
        "Network": "10.42.0.0/16",
        "EnableIPv6": dual_stack,
        "EnableIPv4": True,
        "IPv6Network": PODS_V6 if dual_stack else "::/0",
        "Backend": {"Type": config_option("flannel-backend") or "vxlan"},
    }
    NET_CONF.parent.mkdir(parents=True, exist_ok=True)
    NET_CONF.write_text(json.dumps(conf, indent="\t") + "\n")
    return conf


def incompatible(link: dict[str, Any], local: str, uplink: str) -> str:
    """Why an existing link cannot be used, or "": never its MTU, never learning (device.go vxlanLinksIncompat)."""
    info = link.get("linkinfo", {})
    if info.get("info_kind") != "vxlan":
        return f"link type: {info.get('info_kind')} vs vxlan"
    data = info.get("info_data", {})
    wanted = {"id": VNI, "link": uplink, "local6" if kernel.is_v6(local) else "local": local, "port": PORT}
    for key, value in wanted.items():
        if data.get(key) != value:
            return f"{key}: {data.get(key)} vs {value}"
    return ""


def ensure_link(ifname: str, mtu: int, local: str, uplink: str, mac: str | None) -> str:
    """Make flannel's device or take the one that is there, as it is; gives its MAC (device.go ensureLink)."""
    existing = kernel.link(ifname)
    if existing:
        reason = incompatible(existing, local, uplink)
        if not reason:
            return str(existing["address"])
        print(f'"{ifname}" already exists with incompatible configuration: {reason}; recreating device')
        kernel.ip("link", "del", ifname)
    wanted = mac or new_mac()
    kernel.ip(
        *("link", "add", ifname, "mtu", str(mtu), "address", wanted, "type", "vxlan", "id", str(VNI)),
        *("local", local, "dev", uplink, "dstport", str(PORT), "nolearning"),
    )
    return wanted


def new_mac() -> str:
    """Draw a random, locally administered unicast address."""
    octets = [(random.randrange(256) & 0xFC) | 0x02, *(random.randrange(256) for _ in range(5))]  # noqa: S311
    return ":".join(f"{octet:02x}" for octet in octets)


def configure(family: Family, subnet: str, network: str, mac: str) -> None:
    """Put the subnet's first address on the device by itself, set it up, check its MAC (device.go Configure)."""
    ifname = family.ifname
    address = subnet.split("/")[0]
    span = ipaddress.ip_network(network)
    present = False
    for link in kernel.dump("-6" if family.v6 else "-4", "addr", "show", "dev", ifname):
        for info in link.get("addr_info", []):
            if info["local"] == address and info["prefixlen"] == family.prefixlen:
                present = True
            elif ipaddress.ip_address(info["local"]) in span:
                kernel.ip("addr", "del", f"{info['local']}/{info['prefixlen']}", "dev", ifname)
    if not present:
        kernel.ip("addr", "add", f"{address}/{family.prefixlen}", "dev", ifname)
    kernel.ip("link", "set", ifname, "up")
    found = (kernel.link(ifname) or {}).get("address")
    if found != mac:
        raise kernel.CommandError(
            f"failed to configure interface {ifname}: {ifname}'s mac address wanted: {mac}, but got: {found}"
        )


def write_conflist() -> None:
    """Write the CNI configuration that k3s gives containerd (k3s pkg/agent/flannel/setup_linux.go)."""
    delegate = {"hairpinMode": True, "forceAddress": True, "isDefaultGateway": True}
    plugins = [
        {"type": "flannel", "delegate": delegate},
        {"type": "portmap", "capabilities": {"portMappings": True}},
        {"type": "bandwidth", "capabilities": {"bandwidth": True}},
    ]
    CONFLIST.parent.mkdir(parents=True, exist_ok=True)
    CONFLIST.write_text(json.dumps({"name": "cbr0", "cniVersion": "1.0.0", "plugins": plugins}, indent=2) + "\n")


def write_subnet_env(subnets: dict[str, str], mtu: int) -> None:
    """Write /run/flannel/subnet.env as k3s does (pkg/agent/flannel/flannel.go WriteSubnetFile).

    ``subnets``: by network, the node's share of it.
    """
    lines = []
    for network, subnet in subnets.items():
        first, name = ipaddress.ip_network(subnet), "FLANNEL_IPV6" if kernel.is_v6(subnet) else "FLANNEL"
        lines += [f"{name}_NETWORK={network}\n", f"{name}_SUBNET={first[1]}/{first.prefixlen}\n"]
    SUBNET_ENV.parent.mkdir(parents=True, exist_ok=True)
    draft = SUBNET_ENV.with_name(".subnet.env")
    draft.write_text("".join(lines) + f"FLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=true\n")
    draft.rename(SUBNET_ENV)


def add_peer(peer: Peer) -> None:
    """Write neighbour, FDB entry, route, in this order (vxlan_network.go handleSubnetEvents)."""
    if peer.backend == "host-gw":
        kernel.ip("route", "replace", peer.subnet, "via", peer.public_ip)
        return
    via, mac, ifname = peer.gateway, peer.mac, peer.ifname
    kernel.ip("neigh", "replace", via, "lladdr", mac, "dev", ifname, "nud", "permanent")
    kernel.run(("bridge", "fdb", "replace", mac, "dev", ifname, "dst", peer.public_ip, "self", "permanent"))
    kernel.ip("route", "replace", peer.subnet, "via", via, "dev", ifname, "onlink")


def remove_peer(peer: Peer) -> None:
    """Take a peer's entries away again; those already gone are logged."""
    entries: tuple[tuple[str, ...], ...] = (
        ("ip", "route", "del", peer.subnet, "via", peer.gateway, "dev", peer.ifname, "onlink"),
        ("bridge", "fdb", "del", peer.mac, "dev", peer.ifname, "dst", peer.public_ip, "self"),
        ("ip", "neigh", "del", peer.gateway, "dev", peer.ifname),
    )
    if peer.backend == "host-gw":
        entries = (("ip", "route", "del", peer.subnet, "via", peer.public_ip),)
    for argv in entries:
        try:
            kernel.run(argv)
        except kernel.CommandError as error:
            print(f"failed to remove subnet {peer.subnet}: {error}")


def masquerade(network: str) -> None:
    """Flannel's masquerading of what leaves the pod network, in chains of its own (pkg/trafficmngr/iptables)."""
    nat = ("iptables", "-w", "-t", "nat")
    kernel.run((*nat, "-N", "FLANNEL-POSTRTG"), check=False)
    kernel.run((*nat, "-F", "FLANNEL-POSTRTG"))
    outward = ("-A", "FLANNEL-POSTRTG", "-s", network, "!", "-d", "224.0.0.0/4")
    kernel.run((*nat, "-A", "FLANNEL-POSTRTG", "-s", network, "-d", network, "-j", "RETURN"))
    kernel.run((*nat, *outward, "-m", "comment", "--comment", "flanneld masq", "-j", "MASQUERADE"))
    jump = ("POSTROUTING", "-m", "comment", "--comment", "flanneld masq", "-j", "FLANNEL-POSTRTG")
    try:
        kernel.run((*nat, "-C", *jump))
    except kernel.CommandError:
        kernel.run((*nat, "-A", *jump))


def start(api: Api, name: str) -> dict[str, Any]:
    """All that flannel does once, at start; gives the Node it announced itself on."""
    node = api.request("GET", f"/api/v1/nodes/{name}")
    subnets = {V6 if kernel.is_v6(each) else V4: each for each in pod_cidrs(node)}
    conf = net_conf(dual_stack=V6 in subnets)
    write_conflist()
    if not subnets:
        raise kernel.CommandError(f'node "{name}" pod cidr not assigned')
    uplink = config_option("flannel-iface") or kernel.uplink()
    local = {family: kernel.first_address(uplink, v6=family.v6) for family in subnets}
    link = kernel.link(uplink) or {}
    mtu = int(conf.get("Backend", {}).get("MTU") or link["mtu"])
    shown = " and ".join(local.values())
    print(f"Determining IP address of default interface\nUsing interface with name {uplink} and address {shown}")
    notes = node["metadata"].get("annotations", {})
    backend = conf["Backend"]["Type"]
    if backend == "vxlan":
        mtu -= OVERHEAD  # of IPv6 as well, where the kernel holds the device to 20 bytes less (domain.md 1.1)
    data: dict[Family, dict[str, Any] | None] = {}
    for family, address in local.items():
        known = json.loads(notes.get(f"{PREFIX}{family.data}") or "null") or {}
        data[family] = None
        if backend == "vxlan":
            mac = ensure_link(family.ifname, mtu, address, uplink, known.get("VtepMAC"))
            data[family] = {"VNI": VNI, "VtepMAC": mac}
    announce = {f"{PREFIX}kube-subnet-manager": "true", f"{PREFIX}backend-type": backend}
    for family, address in local.items():
        announce[f"{PREFIX}{family.data}"] = json.dumps(data[family], separators=(",", ":"))
        announce[f"{PREFIX}{family.public}"] = address
    patch = {"metadata": {"annotations": announce}}
    announced = api.request("PATCH", f"/api/v1/nodes/{name}/status", patch, STRATEGIC)
    networks = {family: conf["IPv6Network" if family.v6 else "Network"] for family in subnets}
    for family, told in data.items():
        if told is not None:
            configure(family, subnets[family], networks[family], str(told["VtepMAC"]))
    masquerade(conf["Network"])
    write_subnet_env({networks[family]: subnet for family, subnet in subnets.items()}, mtu)
    print(f"Wrote subnet file to {SUBNET_ENV}\nRunning flannel backend.")
    return announced


class Peers:
    """The leases of other nodes, programmed into the kernel when they are new or changed, never else.

    A peer whose entries were lost on this node, while its Node stayed as it was, is not programmed again:
    the informer's resync says nothing changed (flannel pkg/subnet/kube/kube.go).
    """

    def __init__(self, settings: Settings) -> None:
        self._own = settings.name
        self._access = settings.access
        self._programmed: dict[str, tuple[Peer, ...]] = {}
        self._backend = str(net_conf()["Backend"]["Type"])

    def follow(self) -> None:
        """Watch Nodes; never returns, raises ApiError when the API goes away."""
        api = Api(self._access)
        while True:
            for kind, item in api.watch("/api/v1/nodes"):
                if kind == "LISTED":
                    present = {each["metadata"]["name"]: each for each in item["items"]}
                    for gone in self._programmed.keys() - present.keys():
                        self._remove(gone)
                    for each in present.values():
                        self._apply(each)
                elif kind == "DELETED":
                    self._remove(item["metadata"]["name"])
                else:
                    self._apply(item)

    def _remove(self, name: str) -> None:
        for peer in self._programmed.pop(name, ()):
            remove_peer(peer)

    def _apply(self, node: dict[str, Any]) -> None:
        name = node["metadata"]["name"]
        peers = peers_of(node, self._backend) if name != self._own else ()
        if peers == self._programmed.get(name, ()):
            return
        self._remove(name)
        self._programmed[name] = peers
        for peer in peers:
            try:
                add_peer(peer)
            except kernel.CommandError as error:  # told, and not tried again before the Node changes
                print(f"failed to add subnet {peer.subnet}: {error}")
                continue
            print(f"Subnet added: {peer.subnet} via {peer.public_ip}")
