"""Kubernetes objects as k3s, its kubelets and their owners write them."""

import hashlib
import json
from copy import deepcopy
from typing import Any

from lab.kernel import mac_of
from lab.machine import Machine
from lab.store import timestamp

Object = dict[str, Any]


def backend_data(mac: str) -> str:
    """Write the annotation that tells peers the VNI and MAC of a node's VXLAN device."""
    return json.dumps({"VNI": 1, "VtepMAC": mac}, separators=(",", ":"))


def vtep_mac(annotation: str) -> str:
    """Read the MAC back."""
    return str(json.loads(annotation)["VtepMAC"])


def node(machine: Machine, labels: dict[str, str]) -> Object:
    """Make a Node as k3s registers it, with the annotations of flannel and k3s."""
    shape = machine.shape
    since = machine.booted_at
    roles = ("control-plane", "master") if shape.role == "server" else ()
    annotations = {
        "flannel.alpha.coreos.com/backend-data": backend_data(shape.vtep_mac or mac_of(shape.name, "flannel.1")),
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/public-ip": shape.address,
        "k3s.io/hostname": shape.name,
        "k3s.io/internal-ip": shape.address,
        "k3s.io/node-args": json.dumps([shape.role]),
        "k3s.io/node-config-hash": hashlib.sha256(shape.name.encode()).hexdigest()[:52].upper() + "====",
        "k3s.io/node-env": "{}",
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }
    base = {
        "beta.kubernetes.io/arch": "amd64",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": shape.name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "k3s",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": shape.name,
            "creationTimestamp": timestamp(since - 86400),
            "labels": base | {f"node-role.kubernetes.io/{role}": "true" for role in roles} | labels,
            "annotations": annotations,
        },
        "spec": {
            "podCIDR": shape.pod_cidr,
            "podCIDRs": [shape.pod_cidr],
            "providerID": f"k3s://{shape.name}",
        },
        "status": _node_status(machine, etcd="node-role.kubernetes.io/etcd" in labels),
    }


def _node_status(machine: Machine, *, etcd: bool) -> Object:
    shape = machine.shape
    resources = {"cpu": "4", "ephemeral-storage": "123457512Ki", "memory": "16283420Ki", "pods": "110"}
    conditions = [
        _condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        _condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        _condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        _condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ]
    if etcd:
        conditions.append(_condition("EtcdIsVoter", "True", "MemberNotLearner", "Node is a voting member"))
    for condition in conditions:
        condition["lastHeartbeatTime"] = timestamp(machine.clock() - 41)
        condition["lastTransitionTime"] = timestamp(machine.booted_at + 12)
    return {
        "addresses": [
            {"type": "InternalIP", "address": shape.address},
            {"type": "Hostname", "address": shape.name},
        ],
        "allocatable": resources,
        "capacity": resources,
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "images": [
            {"names": ["docker.io/rancher/mirrored-pause:3.6"], "sizeBytes": 301463},
            {"names": ["docker.io/rancher/mirrored-coredns-coredns:1.12.3"], "sizeBytes": 22871730},
        ],
        "nodeInfo": {
            "architecture": "amd64",
            "bootID": machine.boot_id,
            "containerRuntimeVersion": "containerd://2.1.4-k3s1",
            "kernelVersion": shape.kernel_release,
            "kubeProxyVersion": shape.k3s_version,
            "kubeletVersion": shape.k3s_version,
            "machineID": hashlib.sha256(shape.name.encode()).hexdigest()[:32],
            "operatingSystem": "linux",
            "osImage": shape.os_image,
            "systemUUID": machine.boot_id,
        },
    }


def _condition(type_: str, status: str, reason: str, message: str) -> Object:
    return {"type": type_, "status": status, "reason": reason, "message": message}


def lease(machine: Machine, at: float) -> Object:
    """Make a kubelet's Lease."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {
            "name": machine.name,
            "namespace": "kube-node-lease",
            "creationTimestamp": timestamp(machine.booted_at),
        },
        "spec": {
            "holderIdentity": machine.name,
            "leaseDurationSeconds": 40,
            "renewTime": timestamp(at - 4, micro=True),
        },
    }


def pod(
    namespace: str,
    name: str,
    node_name: str,
    image: str,
    *,
    created_at: float,
    app: str = "",
    ip: str = "",
    owner: str = "",
    restarts: int = 0,
    host_network: bool = False,
    waiting: tuple[str, str] | None = None,
) -> Object:
    """Make a Pod of one container; ``owner`` is ``Kind/name``, ``waiting`` (reason, message)."""
    label = "k8s-app" if app == "kube-dns" else "app"
    meta: Object = {"name": name, "namespace": namespace, "creationTimestamp": timestamp(created_at)}
    meta["labels"] = {label: app} if app else {}
    if owner:
        kind, _, owner_name = owner.partition("/")
        reference = {"apiVersion": "apps/v1", "kind": kind, "name": owner_name, "controller": True}
        meta["ownerReferences"] = [reference | {"uid": hashlib.sha256(owner.encode()).hexdigest()[:32]}]
    ready = waiting is None
    status = _container(app or name, image, created_at + 3, restarts, waiting)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": meta,
        "spec": {
            "nodeName": node_name,
            "containers": [{"name": app or name, "image": image, "resources": {}}],
            **({"hostNetwork": True} if host_network else {}),
            "restartPolicy": "Always",
            "serviceAccountName": "default",
        },
        "status": {
            "phase": "Running" if ready else "Pending",
            **({"podIP": ip} if ip else {}),
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": timestamp(created_at)},
                {"type": "Ready", "status": str(ready), "lastTransitionTime": timestamp(created_at + 4)},
            ],
            "containerStatuses": [status],
            "qosClass": "BestEffort",
            "startTime": timestamp(created_at),
        },
    }


def _container(name: str, image: str, at: float, restarts: int, waiting: tuple[str, str] | None) -> Object:
    """Make the status of a container that runs since a time or waits."""
    running = {"running": {"startedAt": timestamp(at)}}
    ready = waiting is None
    return {
        "name": name,
        "image": image,
        "imageID": "",
        "ready": ready,
        "started": ready,
        "restartCount": restarts,
        "state": {"waiting": {"reason": waiting[0], "message": waiting[1]}} if waiting else running,
    }


def workload(kind: str, namespace: str, name: str, pods: list[Object]) -> Object:
    """Make the DaemonSet or Deployment that owns some pods."""
    labels = pods[0]["metadata"]["labels"]
    ready = sum(1 for p in pods if all(c["ready"] for c in p["status"]["containerStatuses"]))
    created = min(p["metadata"]["creationTimestamp"] for p in pods)
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": pods[0]["spec"]["containers"]}},
    }
    count = len(pods)
    if kind == "Deployment":
        spec["replicas"] = count
        status = {"replicas": count, "readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": count}
    else:
        status = {"desiredNumberScheduled": count, "currentNumberScheduled": count, "numberReady": ready}
        status |= {"numberMisscheduled": 0, "updatedNumberScheduled": count, "numberAvailable": ready}
    return {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created, "generation": 1},
        "spec": spec,
        "status": status | {"observedGeneration": 1},
    }


def replacement(old: Object, salt: int, at: float) -> Object:
    """Make the Pod that an owner makes in place of one that is gone: same spec and node, new name, no status."""
    new = deepcopy(old)
    stem = old["metadata"]["name"].rsplit("-", 1)[0]
    suffix = hashlib.sha256(f"{stem}/{salt}".encode()).hexdigest()[:5]
    meta = {k: v for k, v in old["metadata"].items() if k in {"namespace", "labels", "ownerReferences"}}
    new["metadata"] = meta | {"name": f"{stem}-{suffix}", "creationTimestamp": timestamp(at)}
    for name in ("podIP", "podIPs"):
        new["status"].pop(name, None)
    new["status"]["startTime"] = timestamp(at)
    for status in new["status"].get("containerStatuses", []):
        status["restartCount"] = 0
    return new


def stuck(pod_object: Object) -> Object:
    """Make a Pod whose sandbox cannot be made."""
    new = deepcopy(pod_object)
    new.setdefault("status", {})["phase"] = "Pending"
    for status in new["status"].get("containerStatuses", []):
        status.update(ready=False, started=False, state={"waiting": {"reason": "ContainerCreating"}})
    return new


def event(
    regarding: Object,
    reason: str,
    message: str,
    *,
    component: str,
    first_at: float,
    last_at: float,
    kind: str = "Warning",
    count: int = 1,
    host: str = "",
) -> Object:
    """Make an Event about an object."""
    meta = regarding["metadata"]
    digest = hashlib.sha256(f"{meta['name']}/{reason}/{message}".encode()).hexdigest()[:16]
    namespace = meta.get("namespace", "default")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": f"{meta['name']}.{digest}",
            "namespace": namespace,
            "creationTimestamp": timestamp(first_at),
        },
        "involvedObject": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "name": meta["name"],
            **({"namespace": meta["namespace"]} if "namespace" in meta else {}),
            **({"uid": meta["uid"]} if "uid" in meta else {}),
        },
        "reason": reason,
        "message": message,
        "type": kind,
        "count": count,
        "firstTimestamp": timestamp(first_at),
        "lastTimestamp": timestamp(last_at),
        "source": {"component": component, **({"host": host} if host else {})},
        "reportingComponent": component,
        "reportingInstance": host,
    }


def sandbox_failed(pod_object: Object, cause: str, at: float) -> Object:
    """Make the Event of a pod whose network the CNI plugins could not make."""
    message = (
        f"Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox: {cause}"
    )
    host = pod_object["spec"]["nodeName"]
    return event(pod_object, "FailedCreatePodSandBox", message, component="kubelet", first_at=at, last_at=at, host=host)
