"""A node: its kernel, its k3s unit, the files flannel leaves and the network namespaces of its pods."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from lab.entries import Address, Link, Route
from lab.kernel import Kernel, mac_of
from lab.units import Detached, Unit

SUBNET_ENV = "/run/flannel/subnet.env"
NET_CONF = "/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json"
BRIDGE = "cni0"


class CniError(Exception):
    """A pod's network cannot be made; the message is the CNI plugin's."""


@dataclass(slots=True)
class SubnetEnv:
    """What flannel tells the CNI (k3s pkg/agent/flannel/flannel.go); ``written_at`` in seconds since the epoch."""

    network: str
    subnet: str
    mtu: int
    written_at: float

    def text(self) -> str:
        """Render the file."""
        return (
            f"FLANNEL_NETWORK={self.network}\nFLANNEL_SUBNET={self.subnet}\n"
            f"FLANNEL_MTU={self.mtu}\nFLANNEL_IPMASQ=true\n"
        )


@dataclass(slots=True)
class File:
    """A file of the node that is not derived from its state."""

    content: str
    written_at: float


@dataclass(slots=True)
class PodNetns:
    """The network namespace that CNI made for a pod."""

    name: str
    nsid: int
    namespace: str
    pod: str
    ip: str
    mtu: int
    veth: str
    address: str
    veth_ifindex: int


@dataclass(frozen=True)
class Shape:
    """What a node was installed as; it survives reboots."""

    name: str
    role: str
    """``server`` or ``agent``."""
    address: str
    prefixlen: int
    gateway: str
    uplink: str
    mtu: int
    pod_cidr: str
    cluster_cidr: str = "10.42.0.0/16"
    backend_mtu: int | None = None
    """The MTU of the backend in net-conf.json, where somebody set one."""
    vtep_mac: str = ""
    k3s_version: str = "v1.34.1+k3s1"
    kernel_release: str = "6.8.0-87-generic"
    os_image: str = "Ubuntu 24.04.3 LTS"
    nameservers: tuple[str, ...] = ("1.1.1.1", "9.9.9.9")
    search: tuple[str, ...] = ()
    user: str = "root"
    sudo: bool = True
    """Whether a user other than root may ``sudo -n``."""
    creation_fails: int = 0
    """How many starts of flannel fail to create flannel.1; negative is every one."""


@dataclass
class Overlay:
    """What of the node lives in memory only, and is gone after a reboot."""

    subnet_env: SubnetEnv | None = None
    pods: list[PodNetns] = field(default_factory=list)


class Machine:
    """One node; its listeners are told (stream, line) for each change that a monitor on it would print."""

    def __init__(self, shape: Shape, clock: Callable[[], float], booted_at: float) -> None:
        self.shape = shape
        self.name = shape.name
        self.clock = clock
        self.listeners: set[Callable[[str, str], None]] = set()
        self.journal: list[tuple[float, str]] = []
        """When and what systemd told of the unit since the world began."""
        self.writes: list[tuple[str, ...]] = []
        """Every command that was to change the node, refused ones too."""
        self.dependents: set[Callable[[], None]] = set()
        """Told when the unit's state changes."""
        self.files: dict[str, File] = {}
        self.modes: dict[str, str] = {}
        """Of files whose mode is not 644."""
        self.detached: dict[str, Detached] = {}
        """Units that systemd-run started, until they are let go of or the node boots."""
        self.sysctls: dict[str, str] = {}
        self.counters: dict[str, int] = {}
        self.offloads: dict[str, bool] = {"tx-checksum-ip-generic": True}
        self.conntrack = (2417, 262144)
        self.alive = True
        self.creation_fails = 0
        """How many more starts of flannel fail to create flannel.1; negative is every one."""
        self.boots = 0
        self._ids = 0
        self.unit = Unit("k3s" if shape.role == "server" else "k3s-agent", booted_at, self._new_id())
        self.boot(booted_at)

    def boot(self, at: float) -> None:
        """Come up with an empty memory: the uplink as configured, no overlay, no pods."""
        self.boots += 1
        self.booted_at = at
        self.boot_id = str(uuid.UUID(self._new_id()))
        self.overlay = Overlay()
        self.detached = {}
        self.kernel = Kernel(self._emit)
        self.kernel.add(Link("lo", 0, 65536, "00:00:00:00:00:00", kind="loopback"))
        self.kernel.add_address("lo", Address("127.0.0.1", 8, scope="host"))
        self.kernel.add_address("lo", Address("::1", 128, "inet6", "host"))
        shape = self.shape
        self.kernel.add(Link(shape.uplink, 0, shape.mtu, mac_of(shape.name, shape.uplink)))
        self.kernel.add_address(shape.uplink, Address(shape.address, shape.prefixlen))
        self.kernel.put_route(Route("default", shape.uplink, shape.gateway, protocol="static"))
        self._count_traffic(self.clock() - at)

    @property
    def uplink(self) -> Link:
        """The link that its packets to other hosts leave by."""
        return self.kernel.links[self.shape.uplink]

    @property
    def flannel(self) -> Link | None:
        """Its VXLAN device, where it has one."""
        return self.kernel.links.get("flannel.1")

    def set_unit(self, active: str, sub: str) -> None:
        """Move the unit to another state; who depends on k3s hears of it."""
        self.unit.active, self.unit.sub = active, sub
        for dependent in tuple(self.dependents):
            dependent()

    def start_unit(self, at: float) -> None:
        """Note a new start of the unit by an operator, as systemd does: a new invocation, no restarts counted."""
        self.unit.invocation_id = self._new_id()
        self.unit.started_at = at
        self.unit.n_restarts = 0
        self.set_unit("active", "running")
        self._tell(at, f"Started {self.unit.name}.service - Lightweight Kubernetes.")

    def fail_unit(self, at: float) -> None:
        """Note that k3s exited and that systemd waits to try again."""
        self.unit.invocation_id = self._new_id()
        self.unit.started_at = at
        self.unit.n_restarts += 1
        self.set_unit("activating", "auto-restart")
        self._tell(at, f"{self.unit.name}.service: Failed with result 'exit-code'.")

    def attach(self, namespace: str, pod: str, ip: str = "", mtu: int | None = None) -> PodNetns:
        """Give a pod its namespace, as the CNI plugins do: the MTU is that of subnet.env at this moment.

        CniError in the plugins' words, without subnet.env above all.
        """
        env = self.overlay.subnet_env
        if env is None:
            raise CniError(
                f'plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open {SUBNET_ENV}: '
                "no such file or directory"
            )
        self._make_bridge(env)
        size = mtu or env.mtu
        digest = hashlib.sha256(f"{self.name}/{namespace}/{pod}".encode()).hexdigest()
        nsid = max((p.nsid for p in self.overlay.pods), default=-1) + 1
        veth = f"veth{digest[:8]}"
        link = self.kernel.add(
            Link(veth, 0, size, mac_of(self.name, veth), kind="veth", master=BRIDGE, peer_ifindex=2, netnsid=nsid),
        )
        netns = PodNetns(
            name=f"cni-{uuid.UUID(digest[:32])}",
            nsid=nsid,
            namespace=namespace,
            pod=pod,
            ip=ip or self._free_ip(),
            mtu=size,
            veth=veth,
            address=mac_of(self.name, namespace, pod),
            veth_ifindex=link.ifindex,
        )
        self.overlay.pods.append(netns)
        return netns

    def detach(self, namespace: str, pod: str) -> None:
        """Take a pod's namespace away with its veth."""
        for netns in [p for p in self.overlay.pods if (p.namespace, p.pod) == (namespace, pod)]:
            self.overlay.pods.remove(netns)
            if netns.veth in self.kernel.links:
                self.kernel.delete(netns.veth)

    def count(self, counter: str, times: int = 1) -> None:
        """Advance a kernel counter by its nstat name."""
        self.counters[counter] = self.counters.get(counter, 0) + times

    def _count_traffic(self, uptime: float) -> None:
        """Let the uplink have carried what a small node carries in that time."""
        packets = int(uptime * (40 + int(self._new_id()[:2], 16)))
        uplink = self.uplink
        uplink.rx_packets, uplink.tx_packets = packets, packets * 5 // 6
        uplink.rx_bytes, uplink.tx_bytes = packets * 742, packets * 391

    def _make_bridge(self, env: SubnetEnv) -> None:
        """Create cni0 where there is none; only then does the bridge plugin set its MTU."""
        if BRIDGE in self.kernel.links:
            return
        self.kernel.add(Link(BRIDGE, 0, env.mtu, mac_of(self.name, BRIDGE), kind="bridge"))
        self.kernel.add_address(
            BRIDGE, Address(env.subnet.partition("/")[0], IPv4Network(self.shape.pod_cidr).prefixlen)
        )

    def _free_ip(self) -> str:
        network = IPv4Network(self.shape.pod_cidr)
        taken = {p.ip for p in self.overlay.pods}
        first = int(network.network_address) + 2
        for number in range(first, first + network.num_addresses - 3):
            if (ip := str(IPv4Address(number))) not in taken:
                return ip
        raise CniError(
            'plugin type="flannel" failed (add): failed to delegate add: failed to allocate for range 0: '
            f"no IP addresses available in range set: {network}"
        )

    def _new_id(self) -> str:
        self._ids += 1
        return hashlib.sha256(f"{self.name}/{self._ids}".encode()).hexdigest()[:32]

    def _tell(self, at: float, text: str) -> None:
        self.journal.append((at, text))
        self._emit("journal", text)

    def _emit(self, stream: str, line: str) -> None:
        for listener in tuple(self.listeners):
            listener(stream, line)
