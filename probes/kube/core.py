"""Nodes, their Leases and Pods: from the wire to the model (Kubernetes core/v1 and coordination.k8s.io/v1)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Final

import msgspec

from probes.kube.decode import Decoder
from probes.kube.scalars import epoch
from probes.kube.wire import Meta, Object, OwnerReference, Wire, WireCondition, conditions, text, word
from probes.model.kube import Container, FlannelAnnotations, Lease, Node, Pod
from probes.model.text import clean

_ROLE: Final = "node-role.kubernetes.io/"
_LABEL_DOMAINS: Final = frozenset({"k3s.io", "k3s.cattle.io", "p2p.k3s.cattle.io", "plan.upgrade.cattle.io"})
_ANNOTATION_DOMAINS: Final = frozenset({"etcd.k3s.cattle.io"})
_LOCKS: Final = frozenset(
    {
        "weave.works/kured-node-lock",
        "weave.works/kured-reboot-in-progress",
        "kured.dev/kured-node-lock",
        "kured.dev/kured-reboot-in-progress",
    }
)
_FLANNEL: Final = "flannel.alpha.coreos.com/"
_SECRET_FLAGS: Final = frozenset({"--token", "-t", "--agent-token", "--datastore-endpoint", "--etcd-s3-secret-key"})


class _NodeMeta(Meta):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Taint(Wire):
    key: str | None = None
    value: str | None = None
    effect: str | None = None


class _NodeSpec(Wire):
    pod_cidr: str | None = msgspec.field(default=None, name="podCIDR")
    pod_cidrs: list[str] | None = msgspec.field(default=None, name="podCIDRs")
    unschedulable: bool | None = None
    taints: list[_Taint] | None = None


class _NodeAddress(Wire):
    type: str | None = None
    address: str | None = None


class _NodeInfo(Wire):
    kubelet_version: str | None = None
    kernel_version: str | None = None
    os_image: str | None = None
    boot_id: str | None = msgspec.field(default=None, name="bootID")


class _NodeStatus(Wire):
    addresses: list[_NodeAddress] | None = None
    conditions: list[WireCondition | None] | None = None
    node_info: _NodeInfo | None = None


class WireNode(Object):
    """core/v1 Node."""

    metadata: _NodeMeta
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


class _Vtep(Wire):
    """The backend-data annotation (flannel pkg/backend/vxlan vxlanLeaseAttrs, pkg/backend/wireguard)."""

    vni: int | None = msgspec.field(default=None, name="VNI")
    mac: str | None = msgspec.field(default=None, name="VtepMAC")
    public_key: str | None = msgspec.field(default=None, name="PublicKey")


_VTEP: Final = msgspec.json.Decoder(_Vtep | None)
_ARGS: Final = msgspec.json.Decoder(list[str])


def _vtep(annotation: str | None) -> _Vtep:
    if not annotation:
        return _Vtep()
    try:
        return _VTEP.decode(annotation) or _Vtep()
    except (msgspec.MsgspecError, UnicodeError):
        return _Vtep()


def _cidr(said: str) -> str:
    """Write a podCIDR as the kernel does: IPv6 may be written in many ways, and flannel parses it as well."""
    said = clean(said)
    try:
        return str(IPv6Network(said, strict=False)) if ":" in said else said
    except ValueError:
        return said


def _ipv6(annotation: str | None) -> str:
    """Write an IPv6 address as the kernel does."""
    said = text(annotation)
    try:
        return str(IPv6Address(said)) if said else ""
    except ValueError:
        return said


def _flannel(annotations: dict[str, str]) -> FlannelAnnotations:
    get = annotations.get
    v4, v6 = _vtep(get(_FLANNEL + "backend-data")), _vtep(get(_FLANNEL + "backend-v6-data"))
    return FlannelAnnotations(
        backend_type=word(get(_FLANNEL + "backend-type")),
        vni=v4.vni if v4.vni is not None else v6.vni,
        vtep_mac=text(v4.mac).lower(),
        vtep_mac_v6=text(v6.mac).lower(),
        public_ip=text(get(_FLANNEL + "public-ip")),
        public_ipv6=_ipv6(get(_FLANNEL + "public-ipv6")),
        public_ip_overwrite=text(get(_FLANNEL + "public-ip-overwrite")),
        public_ipv6_overwrite=_ipv6(get(_FLANNEL + "public-ipv6-overwrite")),
        public_key=text(v4.public_key or v6.public_key),
        managed=get(_FLANNEL + "kube-subnet-manager") == "true",
    )


def _node_args(annotation: str | None) -> tuple[str, ...]:
    """Read k3s.io/node-args; k3s masks secrets in it, and what it might miss is masked here."""
    if not annotation:
        return ()
    try:
        args = _ARGS.decode(annotation)
    except (msgspec.MsgspecError, UnicodeError):
        return ()
    masked: list[str] = []
    hide = False
    for arg in args:
        flag, equals, _ = arg.partition("=")
        masked.append("********" if hide else f"{flag}=********" if equals and flag in _SECRET_FLAGS else clean(arg))
        hide = not hide and not equals and flag in _SECRET_FLAGS
    return tuple(masked)


def _pick(pairs: dict[str, str], domains: frozenset[str], names: frozenset[str] = frozenset()) -> dict[str, str]:
    return {
        clean(key): clean(value) for key, value in pairs.items() if key.partition("/")[0] in domains or key in names
    }


def _taint(taint: _Taint) -> str:
    value = f"={text(taint.value)}" if taint.value else ""
    return f"{text(taint.key)}{value}:{text(taint.effect)}"


def _node(wire: WireNode) -> Node:
    meta, spec, status = wire.metadata, wire.spec or _NodeSpec(), wire.status or _NodeStatus()
    labels, annotations = meta.labels or {}, meta.annotations or {}
    addresses = [(a.type, clean(a.address)) for a in status.addresses or () if a.address]
    info = status.node_info or _NodeInfo()
    return Node(
        name=clean(meta.name),
        uid=text(meta.uid),
        roles=tuple(sorted([word(label[len(_ROLE) :]) for label in labels if label.startswith(_ROLE)])),
        internal_ips=tuple([address for kind, address in addresses if kind == "InternalIP"]),
        external_ips=tuple([address for kind, address in addresses if kind == "ExternalIP"]),
        hostname=next((address for kind, address in addresses if kind == "Hostname"), ""),
        pod_cidrs=tuple([_cidr(c) for c in spec.pod_cidrs or ([spec.pod_cidr] if spec.pod_cidr else ())]),
        conditions=conditions(status.conditions),
        flannel=_flannel(annotations),
        node_args=_node_args(annotations.get("k3s.io/node-args")),
        kubelet_version=word(info.kubelet_version),
        kernel_version=word(info.kernel_version),
        os_image=word(info.os_image),
        boot_id=text(info.boot_id),
        unschedulable=bool(spec.unschedulable),
        taints=tuple([_taint(t) for t in spec.taints or ()]),
        created_at=epoch(meta.creation_timestamp),
        labels=_pick(labels, _LABEL_DOMAINS),
        annotations=_pick(annotations, _ANNOTATION_DOMAINS, _LOCKS),
    )


class _LeaseSpec(Wire):
    renew_time: str | None = None
    lease_duration_seconds: int | None = None


class WireLease(Object):
    """coordination.k8s.io/v1 Lease."""

    metadata: Meta
    spec: _LeaseSpec | None = None


def _lease(wire: WireLease) -> Lease:
    spec = wire.spec or _LeaseSpec()
    return Lease(clean(wire.metadata.name), epoch(spec.renew_time), spec.lease_duration_seconds)


class _PodLabels(Wire):
    k8s_app: str | None = msgspec.field(default=None, name="k8s-app")
    name: str | None = msgspec.field(default=None, name="app.kubernetes.io/name")
    app: str | None = None


class _PodMeta(Meta):
    labels: _PodLabels | None = None
    deletion_timestamp: str | None = None
    owner_references: list[OwnerReference] | None = None


class _PodContainer(Wire):
    name: str | None = None
    image: str | None = None


class _PodSpec(Wire):
    node_name: str | None = None
    host_network: bool | None = None
    containers: list[_PodContainer] | None = None


class _Waiting(Wire):
    reason: str | None = None
    message: str | None = None


class _ContainerState(Wire):
    waiting: _Waiting | None = None


class _ContainerStatus(Wire):
    name: str | None = None
    image: str | None = None
    ready: bool | None = None
    restart_count: int | None = None
    state: _ContainerState | None = None


class _PodIP(Wire):
    ip: str | None = None


class _PodStatus(Wire):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    pod_ips: list[_PodIP] | None = msgspec.field(default=None, name="podIPs")
    init_container_statuses: list[_ContainerStatus] | None = None
    container_statuses: list[_ContainerStatus] | None = None
    ephemeral_container_statuses: list[_ContainerStatus] | None = None


class WirePod(Object):
    """core/v1 Pod."""

    metadata: _PodMeta
    spec: _PodSpec | None = None
    status: _PodStatus | None = None


def _containers(status: _PodStatus, spec: _PodSpec) -> tuple[Container, ...]:
    statuses = status.container_statuses or ()
    if status.init_container_statuses or status.ephemeral_container_statuses:
        statuses = [
            *(status.init_container_statuses or ()),
            *statuses,
            *(status.ephemeral_container_statuses or ()),
        ]
    if not statuses:  # not scheduled yet, or the kubelet has not said anything
        return tuple([Container(word(c.name), word(c.image)) for c in spec.containers or ()])
    return tuple([_container(c, c.state.waiting if c.state else None) for c in statuses])


def _container(status: _ContainerStatus, waiting: _Waiting | None) -> Container:
    return Container(
        word(status.name),
        word(status.image),
        status.ready is True,
        status.restart_count or 0,
        word(waiting.reason) if waiting else "",
        text(waiting.message) if waiting else "",
    )


def _owner(references: list[OwnerReference] | None) -> str:
    for reference in references or ():
        if reference.controller:
            return word(f"{reference.kind or ''}/{reference.name or ''}")
    return ""


_NO_SPEC: Final = _PodSpec()
_NO_STATUS: Final = _PodStatus()


def _pod(wire: WirePod) -> Pod:
    meta, spec, status = wire.metadata, wire.spec or _NO_SPEC, wire.status or _NO_STATUS
    labels = meta.labels
    ips = [clean(p.ip) for p in status.pod_ips or () if p.ip] or ([clean(status.pod_ip)] if status.pod_ip else ())
    return Pod(
        word(meta.namespace),
        clean(meta.name),
        text(meta.uid),
        word(spec.node_name),
        word(status.phase),
        tuple(ips),
        spec.host_network is True,
        epoch(meta.creation_timestamp),
        meta.deletion_timestamp is not None,
        _owner(meta.owner_references) if meta.owner_references else "",
        word(labels.k8s_app or labels.name or labels.app) if labels else "",
        _containers(status, spec),
    )


def _pod_key(wire: WirePod) -> str:
    return f"{clean(wire.metadata.namespace or '')}/{clean(wire.metadata.name)}"


NODES: Final[Decoder[WireNode, Node]] = Decoder(WireNode, _node, lambda wire: clean(wire.metadata.name))
LEASES: Final[Decoder[WireLease, Lease]] = Decoder(WireLease, _lease, lambda wire: clean(wire.metadata.name))
PODS: Final[Decoder[WirePod, Pod]] = Decoder(WirePod, _pod, _pod_key)
