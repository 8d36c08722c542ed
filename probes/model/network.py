"""What a node's kernel and systemd say of its network: the facts of one node."""

import msgspec


class Address(msgspec.Struct, frozen=True):
    """An IP address of a link."""

    family: str
    """``inet`` or ``inet6``."""
    local: str
    prefixlen: int
    scope: str = ""


class Vxlan(msgspec.Struct, frozen=True):
    """The VXLAN attributes of a link (iproute2 ip/iplink_vxlan.c)."""

    vni: int | None = None
    local: str = ""
    """The address its packets leave from; IPv4, else IPv6."""
    underlay: str = ""
    """The device its packets leave by (``link`` in iproute2)."""
    port: int | None = None
    learning: bool | None = None
    gbp: bool = False


class Bridge(msgspec.Struct, frozen=True):
    """The bridge attributes of a link that say something about its state."""

    vlan_filtering: bool | None = None
    stp: bool | None = None


class Link(msgspec.Struct, frozen=True):
    """A network interface."""

    ifname: str
    ifindex: int | None = None
    mtu: int | None = None
    operstate: str = ""
    """``UP`` | ``DOWN`` | ``UNKNOWN`` | … in iproute2's capitals; UNKNOWN is normal for a VXLAN device."""
    flags: tuple[str, ...] = ()
    kind: str = ""
    """``vxlan`` | ``bridge`` | ``veth`` | ``wireguard`` | …; empty for a physical device."""
    address: str = ""
    master: str = ""
    peer_ifindex: int | None = None
    """Of a veth: the interface index of its other end, in ``netnsid``."""
    netnsid: int | None = None
    addresses: tuple[Address, ...] = ()
    vxlan: Vxlan | None = None
    bridge: Bridge | None = None

    @property
    def up(self) -> bool:
        """Whether the link is administratively up."""
        return "UP" in self.flags


class Route(msgspec.Struct, frozen=True):
    """A route of the main table."""

    dst: str
    """``default`` or a prefix; a host route has no length, as iproute2 prints it."""
    gateway: str = ""
    dev: str = ""
    protocol: str = ""
    scope: str = ""
    prefsrc: str = ""
    metric: int | None = None
    flags: tuple[str, ...] = ()
    kind: str = ""
    """``blackhole``, ``unreachable`` …; empty for unicast."""


class Neighbor(msgspec.Struct, frozen=True):
    """An entry of the neighbour (ARP, NDP) table."""

    dst: str
    dev: str = ""
    lladdr: str = ""
    state: tuple[str, ...] = ()


class FdbEntry(msgspec.Struct, frozen=True):
    """An entry of a VXLAN device's forwarding database: behind which host a MAC lives."""

    mac: str
    dev: str = ""
    dst: str = ""
    state: str = ""
    flags: tuple[str, ...] = ()


class UdpSocket(msgspec.Struct, frozen=True):
    """A bound UDP socket."""

    local: str
    """``0.0.0.0`` or ``::`` when bound to every address."""
    port: int


class SubnetEnv(msgspec.Struct, frozen=True):
    """A subnet.env: what flannel told the CNI when it last started (k3s pkg/agent/flannel/flannel.go)."""

    path: str
    network: str = ""
    subnet: str = ""
    mtu: int | None = None
    ipmasq: bool | None = None
    ipv6_network: str = ""
    ipv6_subnet: str = ""
    written_at: float | None = None


class NetConf(msgspec.Struct, frozen=True):
    """flannel's net-conf.json: the backend a node was told to use."""

    network: str = ""
    ipv6_network: str = ""
    backend: str = ""
    """``vxlan`` | ``host-gw`` | ``wireguard`` | …"""
    vni: int | None = None
    port: int | None = None
    mtu: int | None = None
    direct_routing: bool = False


class Resolvers(msgspec.Struct, frozen=True):
    """A resolv.conf."""

    path: str
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


class Unit(msgspec.Struct, frozen=True):
    """A systemd unit, as ``systemctl show`` tells it."""

    name: str
    load_state: str = ""
    active_state: str = ""
    sub_state: str = ""
    n_restarts: int | None = None
    invocation_id: str = ""
    started_at: float | None = None
    """When its main process last started."""
    kill_mode: str = ""


class Host(msgspec.Struct, frozen=True):
    """What the node is."""

    hostname: str = ""
    kernel: str = ""
    k3s_version: str = ""
    """``v1.34.1+k3s1``; empty where k3s is not on the PATH."""
    boot_id: str = ""
    user: str = ""
    """Whom we are logged in as."""
    k3s_changed_at: float | None = None
    """When a build of k3s that runs there took the place of another one; None: not known, or there was no other."""


class Conntrack(msgspec.Struct, frozen=True):
    """How full the connection tracking table is, in entries."""

    count: int
    maximum: int


class PodNetns(msgspec.Struct, frozen=True):
    """The network namespace of a pod, found under /run/netns (CNI names it there)."""

    name: str
    netnsid: int | None = None
    ifname: str = ""
    mtu: int | None = None
    addresses: tuple[Address, ...] = ()


class NodeNetwork(msgspec.Struct, frozen=True):
    """All that one node said in one round trip; ``None`` without a reason in ``unassessed`` is a thing not there."""

    links: tuple[Link, ...] | None = None
    routes: tuple[Route, ...] | None = None
    neighbors: tuple[Neighbor, ...] | None = None
    fdb: tuple[FdbEntry, ...] | None = None
    """Entries of every VXLAN device."""
    udp: tuple[UdpSocket, ...] | None = None
    subnet_env: SubnetEnv | None = None
    """``None`` with no reason in ``unassessed``: the file is not there."""
    subnet_env_copies: tuple[SubnetEnv, ...] | None = None
    """Copies of subnet.env that backup scripts left and may restore."""
    net_conf: NetConf | None = None
    resolvers: tuple[Resolvers, ...] | None = None
    """The host's resolv.conf, systemd-resolved's upstream one and k3s's own, those that exist."""
    unit: Unit | None = None
    host: Host | None = None
    sysctls: dict[str, str] | None = None
    counters: dict[str, int] | None = None
    """Kernel counters under nstat's names, and ``IFNAME/tx_dropped`` and its like for the overlay's links."""
    offloads: dict[str, bool] | None = None
    """Features of the flannel device, ``tx-checksum-ip-generic`` among them (ethtool -k)."""
    conntrack: Conntrack | None = None
    pod_netns: tuple[PodNetns, ...] | None = None
    unassessed: dict[str, str] = {}
    """Field name -> one sentence why it could not be had or, where there is a value, what it lacks."""
