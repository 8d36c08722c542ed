"""The demo cluster's world: nodes, the paths between them and the objects of its API, with what changes do to them."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from lab import flannel, manifests
from lab.kinds import BY_KIND
from lab.machine import CniError, Machine, Shape
from lab.store import Entry, NotFoundError, Store, timestamp

NODE = BY_KIND["Node"]
POD = BY_KIND["Pod"]
_FLANNEL = "flannel.alpha.coreos.com/"
_WATCHER_WORKS = {33: 13, 34: 9, 35: 6, 36: 2}
"""Minor version of k3s -> first patch whose flannel makes a deleted flannel.1 again (k3s PR 14086)."""


@dataclass(frozen=True)
class Path:
    """A stretch of network with a limit of its own; ends are a node's name, ``nodes``, ``internet`` or a host name."""

    origin: str
    to: str
    mtu: int = 1500
    icmp: bool = True
    """Whether "fragmentation needed" comes back."""
    fragments: bool = True
    """Whether fragments pass."""
    loss: float = 0.0
    """The share of packets of bulk transfers that are lost."""
    blocked: bool = False
    cancels: int = 0
    """Bytes of a body after which something on the way cancels its HTTP/2 stream (RFC 9113 section 6.4); 0: nothing
    does."""


@dataclass(frozen=True)
class Failure:
    """What a controller says of an object as long as it cannot reach what it needs."""

    reason: str
    message: str


@dataclass
class World:
    """Everything the demo cluster's servers answer from."""

    clock: Callable[[], float] = time.time
    nodes: dict[str, Machine] = field(default_factory=dict)
    paths: list[Path] = field(default_factory=list)
    store: Store = field(init=False)
    failures: dict[tuple[str, str, str], Failure] = field(default_factory=dict)
    """(kind, namespace, name) -> what to say while its host cannot be reached."""
    arrivals: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(kind, namespace, name) -> the revision that waits at the remote."""
    seconds_per_restart: float = 1.5
    """How long ``systemctl restart`` takes in the demo."""

    def __post_init__(self) -> None:
        self.store = Store(self.clock)

    def add_node(self, shape: Shape, booted_at: float, labels: dict[str, str] | None = None) -> Machine:
        """Add a node with its objects; flannel is not started yet."""
        machine = Machine(shape, self.clock, booted_at)
        self.nodes[shape.name] = machine
        self.store.create(NODE, manifests.node(machine, labels or {}))
        self.store.create(BY_KIND["Lease"], manifests.lease(machine, self.clock()))
        return machine

    def peers_of(self, name: str) -> list[flannel.Peer]:
        """List the other nodes as flannel learns them from the API; those of another backend are passed over."""
        return [
            peer
            for obj in self.store.objects(NODE)
            if obj["metadata"]["name"] != name and (peer := _peer(obj)) is not None
        ]

    @property
    def api_serves(self) -> bool:
        """Whether a server's k3s runs, and with it an API server; a world of objects alone always serves."""
        servers = [machine for machine in self.nodes.values() if machine.shape.role == "server"]
        return not servers or any(machine.unit.running for machine in servers)

    def start_flannel(self, names: Iterable[str] | None = None) -> None:
        """Start flannel on nodes that run; all of them by default."""
        for name in names if names is not None else tuple(self.nodes):
            flannel.start(self.nodes[name], self.peers_of(name), self._vtep_mac(name))

    def restart_unit(self, name: str) -> bool:
        """Restart k3s on a node; False when it exits because flannel cannot start.

        Repairs: a missing device, the triples of all peers, subnet.env. Leaves: the MTU of an existing flannel.1, pods.
        """
        machine = self.nodes[name]
        machine.start_unit(self.clock())
        try:
            flannel.start(machine, self.peers_of(name), self._vtep_mac(name))
        except flannel.FlannelExitedError:
            machine.fail_unit(self.clock())
            return False
        self._publish(name)
        self.heartbeat(name)
        return True

    def reboot(self, name: str) -> bool:
        """Reboot a node: memory is lost, so that everything is made anew, pods included; False as ``restart_unit``."""
        machine = self.nodes[name]
        pods = [(p.namespace, p.pod, p.ip) for p in machine.overlay.pods]
        machine.boot(self.clock())
        if not self.restart_unit(name):
            return False
        for namespace, pod, ip in pods:
            machine.attach(namespace, pod, ip)
        return True

    def delete_link(self, name: str, ifname: str) -> None:
        """Delete a link; newer k3s makes flannel.1 again, without peers (flannel issue 2247, k3s PR 14086)."""
        machine = self.nodes[name]
        vtep_mac = machine.flannel.address if machine.flannel else ""
        machine.kernel.delete(ifname)
        if ifname == flannel.DEVICE and machine.unit.running and watches_device(machine.shape.k3s_version):
            try:
                flannel.recreate_device(machine, vtep_mac)
            except flannel.FlannelExitedError:
                return

    def set_vtep_mac(self, name: str, mac: str) -> None:
        """Change a node's VXLAN MAC as its annotation: peers whose flannel runs learn it, for this is a change."""
        before = next((p for p in self.peers_of("") if p.name == name), None)

        def annotate(obj: dict[str, Any]) -> None:
            obj["metadata"]["annotations"][f"{_FLANNEL}backend-data"] = manifests.backend_data(mac)

        self.store.edit(NODE, "", name, annotate)
        after = next(p for p in self.peers_of("") if p.name == name)
        if before == after:
            return
        for machine in self.nodes.values():
            if machine.name != name and machine.unit.running:
                if before is not None:
                    flannel.forget(machine, before)
                flannel.program(machine, after)

    def run_pod(self, pod: dict[str, Any], mtu: int | None = None) -> Entry:
        """Create a Pod and, unless it is on the host's network or waits, its network namespace."""
        meta, spec = pod["metadata"], pod["spec"]
        machine = self.nodes.get(spec.get("nodeName", ""))
        status = pod.setdefault("status", {})
        if machine is None:
            return self.store.create(POD, pod)
        ip = machine.shape.address
        if not spec.get("hostNetwork"):
            try:
                ip = machine.attach(meta["namespace"], meta["name"], status.get("podIP", ""), mtu).ip
            except CniError as error:
                entry = self.store.create(POD, manifests.stuck(pod))
                self.store.create(BY_KIND["Event"], manifests.sandbox_failed(entry.obj, str(error), self.clock()))
                return entry
        status |= {"podIP": ip, "podIPs": [{"ip": ip}], "hostIP": machine.shape.address}
        return self.store.create(POD, pod)

    def delete_pod(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Delete a Pod; its owner makes another, elsewhere where this node takes none. None without an owner."""
        old = self.store.delete(POD, namespace, name).obj
        machine = self.nodes.get(old["spec"].get("nodeName", ""))
        if machine is not None:
            machine.detach(namespace, name)
        if not old["metadata"].get("ownerReferences"):
            return None
        new = manifests.replacement(old, self.store.revision, self.clock())
        if old["metadata"]["ownerReferences"][0]["kind"] != "DaemonSet":
            new["spec"]["nodeName"] = self.schedule(old["spec"].get("nodeName", ""))
        return self.run_pod(new).obj

    def schedule(self, preferred: str = "") -> str:
        """Choose a node for a pod: the preferred one, else the one with the fewest pods; cordoned ones take none."""
        cordoned = {n["metadata"]["name"] for n in self.store.objects(NODE) if n["spec"].get("unschedulable")}
        free = [machine for name, machine in self.nodes.items() if name not in cordoned]
        if preferred in self.nodes and preferred not in cordoned:
            return preferred
        return min(free, key=lambda m: len(m.overlay.pods)).name if free else ""

    def heartbeat(self, name: str) -> None:
        """Renew a node's lease and say it is ready, as its kubelet does while it runs."""
        machine = self.nodes[name]
        if not (machine.alive and machine.unit.running):
            return
        now = self.clock()

        def renew(obj: dict[str, Any]) -> None:
            obj["spec"]["renewTime"] = timestamp(now, micro=True)

        self.store.edit(BY_KIND["Lease"], "kube-node-lease", name, renew)
        self.set_ready(name, "True", "KubeletReady", "kubelet is posting ready status")

    def set_ready(self, name: str, status: str, reason: str, message: str) -> None:
        """Set a node's Ready condition; nothing is written when it says so already."""
        now = timestamp(self.clock())

        def change(obj: dict[str, Any]) -> None:
            for condition in obj["status"]["conditions"]:
                if condition["type"] == "Ready" and condition["status"] != status:
                    condition.update(status=status, reason=reason, message=message)
                    condition.update(lastTransitionTime=now, lastHeartbeatTime=now)

        self.store.edit(NODE, "", name, change)

    def locate(self, ip: str) -> tuple[str, str]:
        """Find who has an address: (node, ``NAMESPACE/POD`` or nothing); ("", "") for an address outside."""
        for machine in self.nodes.values():
            own = (a.local for link in machine.kernel.links.values() for a in link.addresses if link.kind != "loopback")
            if ip in own:
                return machine.name, ""
            for pod in machine.overlay.pods:
                if pod.ip == ip:
                    return machine.name, f"{pod.namespace}/{pod.pod}"
        return "", ""

    def _vtep_mac(self, name: str) -> str:
        try:
            peer = _peer(self.store.get(NODE, "", name).obj)
        except NotFoundError:
            return ""
        return peer.vtep_mac if peer else ""

    def _publish(self, name: str) -> None:
        """Annotate the MAC where it is new; a start reads it back, so a plain restart changes nothing for peers."""
        device = self.nodes[name].flannel
        if device is not None and device.address != self._vtep_mac(name):
            self.set_vtep_mac(name, device.address)


def watches_device(k3s_version: str) -> bool:
    """Whether this k3s makes a deleted flannel.1 again, such as ``v1.34.9+k3s1``."""
    numbers = k3s_version.removeprefix("v").partition("+")[0].split(".")
    minor, patch = int(numbers[1]), int(numbers[2])
    if minor in _WATCHER_WORKS:
        return patch >= _WATCHER_WORKS[minor]
    return minor > max(_WATCHER_WORKS)


def _peer(obj: dict[str, Any]) -> flannel.Peer | None:
    annotations = obj["metadata"].get("annotations", {})
    if annotations.get(f"{_FLANNEL}backend-type") != "vxlan" or "podCIDR" not in obj["spec"]:
        return None
    return flannel.Peer(
        name=obj["metadata"]["name"],
        pod_cidr=obj["spec"]["podCIDR"],
        public_ip=annotations.get(f"{_FLANNEL}public-ip-overwrite") or annotations[f"{_FLANNEL}public-ip"],
        vtep_mac=manifests.vtep_mac(annotations[f"{_FLANNEL}backend-data"]),
    )
