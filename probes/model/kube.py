"""What the Kubernetes API says of nodes, leases and pods: only the fields that somebody judges or shows."""

import msgspec


class Condition(msgspec.Struct, frozen=True, gc=False):
    """A condition of a Kubernetes object."""

    type: str
    status: str = "Unknown"
    """``True`` | ``False`` | ``Unknown``."""
    reason: str = ""
    message: str = ""
    changed_at: float | None = None
    """lastTransitionTime."""
    seen_at: float | None = None
    """lastHeartbeatTime; only node conditions have one."""
    observed_generation: int | None = None


class FlannelAnnotations(msgspec.Struct, frozen=True, gc=False):
    """What flannel published about a node (flannel pkg/subnet/kube/annotations.go)."""

    backend_type: str = ""
    vni: int | None = None
    vtep_mac: str = ""
    vtep_mac_v6: str = ""
    public_ip: str = ""
    public_ipv6: str = ""
    public_ip_overwrite: str = ""
    public_ipv6_overwrite: str = ""
    public_key: str = ""
    """Of a wireguard backend."""
    managed: bool = False
    """kube-subnet-manager is "true"."""


class Node(msgspec.Struct, frozen=True, gc=False):
    """A Node of the cluster."""

    name: str
    uid: str = ""
    roles: tuple[str, ...] = ()
    """From node-role.kubernetes.io labels, sorted: ``control-plane``, ``etcd``, …"""
    internal_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    hostname: str = ""
    pod_cidrs: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    flannel: FlannelAnnotations = FlannelAnnotations()
    node_args: tuple[str, ...] = ()
    """k3s.io/node-args; the first one is ``server`` or ``agent``."""
    kubelet_version: str = ""
    kernel_version: str = ""
    os_image: str = ""
    boot_id: str = ""
    """The kernel's, of the boot that the kubelet was started in."""
    unschedulable: bool = False
    taints: tuple[str, ...] = ()
    """``key=value:effect``."""
    created_at: float | None = None
    labels: dict[str, str] = {}
    """Only those under k3s.io, k3s.cattle.io, p2p.k3s.cattle.io and plan.upgrade.cattle.io."""
    annotations: dict[str, str] = {}
    """Only those of etcd.k3s.cattle.io and known lock holders (kured)."""

    def condition(self, kind: str) -> Condition | None:
        """Look up a condition by its type."""
        return next((c for c in self.conditions if c.type == kind), None)

    @property
    def ready(self) -> str:
        """The status of its Ready condition, ``Unknown`` where it has none."""
        condition = self.condition("Ready")
        return condition.status if condition else "Unknown"


class Lease(msgspec.Struct, frozen=True, gc=False):
    """A node's heartbeat in kube-node-lease."""

    name: str
    renewed_at: float | None = None
    duration: int | None = None
    """Seconds."""


class Container(msgspec.Struct, frozen=True, gc=False):
    """A container of a pod, init and ephemeral ones included."""

    name: str
    image: str = ""
    ready: bool = False
    restarts: int = 0
    waiting_reason: str = ""
    waiting_message: str = ""


class Pod(msgspec.Struct, frozen=True, gc=False):
    """A Pod, as much of it as the packet path and image pulls need."""

    namespace: str
    name: str
    uid: str = ""
    node: str = ""
    phase: str = ""
    ips: tuple[str, ...] = ()
    host_network: bool = False
    created_at: float | None = None
    deleting: bool = False
    owner: str = ""
    """``Kind/name`` of its controller."""
    app: str = ""
    """The ``k8s-app``, ``app.kubernetes.io/name`` or ``app`` label, the first there is."""
    containers: tuple[Container, ...] = ()
