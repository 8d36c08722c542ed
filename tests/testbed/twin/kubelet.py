"""The kubelet's share: registers the Node, renews its Lease and status, runs the pods bound to it."""

import datetime
import os
import threading
from pathlib import Path
from typing import Any

from .api import CONFLICT, NOT_FOUND, STRATEGIC, Api, ApiError
from .kernel import first_address, is_v6, uplink
from .settings import VERSION, Settings

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
STATUS_EVERY_LEASES = 6
RETRY_SECONDS = 0.5


def now(*, micro: bool = False) -> str:
    """Wall clock as the API writes it: seconds, or microseconds for a MicroTime."""
    moment = datetime.datetime.now(datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ")


def read(path: str, default: str = "") -> str:
    """First line of a small file."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return default


def os_image() -> str:
    """PRETTY_NAME of os-release."""
    for line in read("/etc/os-release").splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "unknown"


def own_addresses(settings: Settings) -> list[str]:
    """Addresses of the uplink, one of each family that pods have."""
    return [first_address(uplink(), v6=is_v6(cidr)) for cidr in settings.pod_cidrs]


def register(api: Api, settings: Settings) -> None:
    """Create the Node where it is missing, with its labels and pod CIDR, and set k3s's own annotations."""
    addresses = ",".join(own_addresses(settings))
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": settings.name,
            "labels": {
                "beta.kubernetes.io/instance-type": "k3s",
                "kubernetes.io/arch": "amd64",
                "kubernetes.io/hostname": settings.name,
                "kubernetes.io/os": "linux",
                "node.kubernetes.io/instance-type": "k3s",
                **settings.labels,
            },
        },
        "spec": {
            "podCIDR": settings.pod_cidrs[0],
            "podCIDRs": settings.pod_cidrs,
            "providerID": f"k3s://{settings.name}",
        },
    }
    try:
        api.request("POST", "/api/v1/nodes", node)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
    notes = {
        "k3s.io/hostname": settings.name,
        "k3s.io/internal-ip": addresses,
        "k3s.io/node-args": f'["{settings.role}"]',
        "k3s.io/node-env": "{}",
        "alpha.kubernetes.io/provided-node-ip": addresses,
    }
    api.request("PATCH", f"/api/v1/nodes/{settings.name}", {"metadata": {"annotations": notes}}, STRATEGIC)


class Heart:
    """Keeps a Node alive: its Lease at every beat, its status at every sixth."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings.access)
        self._since: dict[str, str] = {}

    def beat_forever(self) -> None:
        """Renew until the process ends; an API that does not answer is tried again soon."""
        beats, rest = 0, 0.0
        pause = threading.Event()
        while not pause.wait(rest):
            try:
                self.renew()
                if beats % STATUS_EVERY_LEASES == 0:
                    self.report()
                beats, rest = beats + 1, self._settings.lease_seconds
            except ApiError as error:
                print(f"Failed to update lease or status: {error}")
                rest = RETRY_SECONDS

    def renew(self) -> None:
        """Renew the Lease, or make it."""
        name = self._settings.name
        spec = {"holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": now(micro=True)}
        try:
            self._api.request("PATCH", f"{LEASES}/{name}", {"spec": spec}, STRATEGIC)
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise
            self._api.request("POST", LEASES, {"metadata": {"name": name}, "spec": spec})

    def report(self) -> None:
        """Write the Node's status as the kubelet does: Ready, no pressure, addresses, versions."""
        name = self._settings.name
        node = self._api.request("GET", f"/api/v1/nodes/{name}")
        self._since = {
            each["type"] + each["status"]: each["lastTransitionTime"] for each in node["status"].get("conditions", [])
        }
        status = {
            "conditions": self._conditions(),
            "addresses": [
                *({"type": "InternalIP", "address": each} for each in own_addresses(self._settings)),
                {"type": "Hostname", "address": name},
            ],
            "capacity": {"cpu": str(os.cpu_count()), "memory": "4Gi", "pods": "110"},
            "allocatable": {"cpu": str(os.cpu_count()), "memory": "4Gi", "pods": "110"},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": read("/proc/sys/kernel/random/boot_id"),
                "containerRuntimeVersion": "containerd://2.1.4-k3s1",
                "kernelVersion": os.uname().release,
                "kubeProxyVersion": VERSION,
                "kubeletVersion": VERSION,
                "machineID": read("/etc/machine-id"),
                "operatingSystem": "linux",
                "osImage": os_image(),
                "systemUUID": read("/etc/machine-id"),
            },
        }
        self._api.request("PATCH", f"/api/v1/nodes/{name}/status", {"status": status}, STRATEGIC)

    def _conditions(self) -> list[dict[str, str]]:
        facts = [
            ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
        ]
        if self._settings.role == "server":
            facts.append(("EtcdIsVoter", "True", "MemberNotLearner", "Node is a voting member of the etcd cluster"))
        return [self._condition(*fact) for fact in facts]

    def _condition(self, kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
        return {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now(),
            "lastTransitionTime": self._since.get(kind + status, now()),
        }
