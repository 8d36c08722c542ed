"""Flannel's VXLAN backend: one link, one subnet.env, three entries a peer; and host-gw: one route a peer.

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
VNI = 1
PORT = 8472
IFNAME = f"flannel.{VNI}"


@dataclass(frozen=True)
class Peer:
    """What flannel's lease of another node says: its subnet, VTEP address and public address."""

    subnet: str
    mac: str
    public_ip: str
    backend: str = "vxlan"

    @property
    def gateway(self) -> str:
        """First address of the subnet, which the peer's flannel.1 holds as /32."""
        return self.subnet.split("/")[0]


def peer_of(node: dict[str, Any], backend: str) -> Peer | None:
    """Lease of one Node object, or None where it is no complete peer of this backend."""
    notes = node["metadata"].get("annotations", {})
    subnet = node.get("spec", {}).get("podCIDR")
    if not subnet or notes.get(f"{PREFIX}kube-subnet-manager") != "true":
        return None
    if notes.get(f"{PREFIX}backend-type") != backend:
        print(f"ignoring non-{backend} subnet {subnet}: type={notes.get(f'{PREFIX}backend-type')}")
        return None
    data = json.loads(notes.get(f"{PREFIX}backend-data") or "null") or {}
    public = notes.get(f"{PREFIX}public-ip-overwrite") or notes.get(f"{PREFIX}public-ip")
    if backend == "host-gw":
        return Peer(subnet, "", public, backend) if public else None
    return Peer(subnet, data["VtepMAC"], public) if "VtepMAC" in data and public else None


def net_conf() -> dict[str, Any]:
    """Flannel's configuration; written afresh unless `flannel-conf` names the operator's own (k3s setup.go)."""
    custom = config_option("flannel-conf")
    if custom:
        with open(custom, encoding="utf-8") as file:  # noqa: PTH123 - a plain path of the operator's
            own: dict[str, Any] = json.load(file)
        return own
    conf = {
        "Network": "10.42.0.0/16",
        "EnableIPv6": False,
        "EnableIPv4": True,
        "IPv6Network": "::/0",
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
    wanted = {"id": VNI, "link": uplink, "local": local, "port": PORT}
    for key, value in wanted.items():
        if data.get(key) != value:
            return f"{key}: {data.get(key)} vs {value}"
    return ""


def ensure_link(mtu: int, local: str, uplink: str, mac: str | None) -> str:
    """Make flannel.1 or take the one that is there, as it is; gives its MAC (device.go ensureLink)."""
    existing = kernel.link(IFNAME)
    if existing:
        reason = incompatible(existing, local, uplink)
        if not reason:
            return str(existing["address"])
        print(f'"{IFNAME}" already exists with incompatible configuration: {reason}; recreating device')
        kernel.ip("link", "del", IFNAME)
    wanted = mac or new_mac()
    kernel.ip(
        *("link", "add", IFNAME, "mtu", str(mtu), "address", wanted, "type", "vxlan", "id", str(VNI)),
        *("local", local, "dev", uplink, "dstport", str(PORT), "nolearning"),
    )
    return wanted


def new_mac() -> str:
    """Draw a random, locally administered unicast address."""
    octets = [(random.randrange(256) & 0xFC) | 0x02, *(random.randrange(256) for _ in range(5))]  # noqa: S311
    return ":".join(f"{octet:02x}" for octet in octets)


def configure(subnet: str, network: str, mac: str) -> None:
    """Put the subnet's first address on flannel.1 as /32, set it up, and check its MAC (device.go Configure)."""
    address = subnet.split("/")[0]
    span = ipaddress.ip_network(network)
    present = False
    for link in kernel.dump("-4", "addr", "show", "dev", IFNAME):
        for info in link.get("addr_info", []):
            if info["local"] == address and info["prefixlen"] == 32:
                present = True
            elif ipaddress.ip_address(info["local"]) in span:
                kernel.ip("addr", "del", f"{info['local']}/{info['prefixlen']}", "dev", IFNAME)
    if not present:
        kernel.ip("addr", "add", f"{address}/32", "dev", IFNAME)
    kernel.ip("link", "set", IFNAME, "up")
    found = (kernel.link(IFNAME) or {}).get("address")
    if found != mac:
        raise kernel.CommandError(
            f"failed to configure interface {IFNAME}: {IFNAME}'s mac address wanted: {mac}, but got: {found}"
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


def write_subnet_env(network: str, subnet: str, mtu: int) -> None:
    """Write /run/flannel/subnet.env as k3s does (pkg/agent/flannel/flannel.go WriteSubnetFile)."""
    first = ipaddress.ip_network(subnet)
    SUBNET_ENV.parent.mkdir(parents=True, exist_ok=True)
    draft = SUBNET_ENV.with_name(".subnet.env")
    draft.write_text(
        f"FLANNEL_NETWORK={network}\nFLANNEL_SUBNET={first[1]}/{first.prefixlen}\n"
        f"FLANNEL_MTU={mtu}\nFLANNEL_IPMASQ=true\n"
    )
    draft.rename(SUBNET_ENV)


def add_peer(peer: Peer) -> None:
    """Write neighbour, FDB entry, route, in this order (vxlan_network.go handleSubnetEvents)."""
    if peer.backend == "host-gw":
        kernel.ip("route", "replace", peer.subnet, "via", peer.public_ip)
        return
    via, mac = peer.gateway, peer.mac
    kernel.ip("neigh", "replace", via, "lladdr", mac, "dev", IFNAME, "nud", "permanent")
    kernel.run(("bridge", "fdb", "replace", mac, "dev", IFNAME, "dst", peer.public_ip, "self", "permanent"))
    kernel.ip("route", "replace", peer.subnet, "via", via, "dev", IFNAME, "onlink")


def remove_peer(peer: Peer) -> None:
    """Take a peer's entries away again; those already gone are logged."""
    entries: tuple[tuple[str, ...], ...] = (
        ("ip", "route", "del", peer.subnet, "via", peer.gateway, "dev", IFNAME, "onlink"),
        ("bridge", "fdb", "del", peer.mac, "dev", IFNAME, "dst", peer.public_ip, "self"),
        ("ip", "neigh", "del", peer.gateway, "dev", IFNAME),
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
    conf = net_conf()
    write_conflist()
    node = api.request("GET", f"/api/v1/nodes/{name}")
    subnet = node.get("spec", {}).get("podCIDR")
    if not subnet:
        raise kernel.CommandError(f'node "{name}" pod cidr not assigned')
    uplink = config_option("flannel-iface") or kernel.uplink()
    local = kernel.first_address(uplink)
    link = kernel.link(uplink) or {}
    mtu = int(conf.get("Backend", {}).get("MTU") or link["mtu"])
    print(f"Determining IP address of default interface\nUsing interface with name {uplink} and address {local}")
    notes = node["metadata"].get("annotations", {})
    backend = conf["Backend"]["Type"]
    data: dict[str, Any] | None = None
    if backend == "vxlan":
        mtu -= OVERHEAD
        known = json.loads(notes.get(f"{PREFIX}backend-data") or "null") or {}
        data = {"VNI": VNI, "VtepMAC": ensure_link(mtu, local, uplink, known.get("VtepMAC"))}
    announce = {
        f"{PREFIX}kube-subnet-manager": "true",
        f"{PREFIX}backend-type": backend,
        f"{PREFIX}backend-data": json.dumps(data, separators=(",", ":")),
        f"{PREFIX}public-ip": local,
    }
    patch = {"metadata": {"annotations": announce}}
    announced = api.request("PATCH", f"/api/v1/nodes/{name}/status", patch, STRATEGIC)
    if data:
        configure(subnet, conf["Network"], str(data["VtepMAC"]))
    masquerade(conf["Network"])
    write_subnet_env(conf["Network"], subnet, mtu)
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
        self._programmed: dict[str, Peer] = {}
        self._backend = str(net_conf()["Backend"]["Type"])

    def follow(self) -> None:
        """Watch Nodes; never returns, raises ApiError when the API goes away."""
        api = Api(self._access)
        while True:
            for kind, item in api.watch("/api/v1/nodes"):
                if kind == "LISTED":
                    present = {each["metadata"]["name"]: each for each in item["items"]}
                    for gone in self._programmed.keys() - present.keys():
                        remove_peer(self._programmed.pop(gone))
                    for each in present.values():
                        self._apply(each)
                elif kind == "DELETED":
                    lost = self._programmed.pop(item["metadata"]["name"], None)
                    if lost:
                        remove_peer(lost)
                else:
                    self._apply(item)

    def _apply(self, node: dict[str, Any]) -> None:
        name = node["metadata"]["name"]
        peer = peer_of(node, self._backend) if name != self._own else None
        before = self._programmed.get(name)
        if peer == before:
            return
        if before:
            remove_peer(before)
            del self._programmed[name]
        if peer:
            self._programmed[name] = peer
            try:
                add_peer(peer)
            except kernel.CommandError as error:  # told, and not tried again before the Node changes
                print(f"failed to add subnet {peer.subnet}: {error}")
                return
            print(f"Subnet added: {peer.subnet} via {peer.public_ip}")
