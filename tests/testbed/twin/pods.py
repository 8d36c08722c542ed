"""The pods bound to a node: a network namespace and a status for each, nothing running but cluster DNS."""

import json
from pathlib import Path
from typing import Any

from . import cni, kernel
from .api import NOT_FOUND, STRATEGIC, Api, ApiError
from .kubelet import now
from .settings import AGENT, Settings

KNOWN = AGENT / "twin/pods"
DNS_IMAGE = "coredns"


class Pods:
    """Brings what runs here to what the API says, by a watch on this node's pods."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._api = Api(settings.access)
        self._kept: dict[str, dict[str, str]] = {}

    def follow(self) -> None:
        """Watch and run pods; never returns. A pod whose network fails is tried again at the next list."""
        KNOWN.mkdir(parents=True, exist_ok=True)
        for path in KNOWN.iterdir():
            self._kept[path.name] = json.loads(path.read_text())
        while True:
            failed = False
            query = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self._settings.name}"
            for kind, item in self._api.watch(query):
                if kind == "LISTED":
                    pods = item["items"]
                    self._forget(keep={pod["metadata"]["uid"] for pod in pods})
                    failed = False in [self._sync(pod) for pod in pods]
                elif kind == "DELETED":
                    self._stop(item["metadata"]["uid"])
                else:
                    failed = not self._sync(item)
                if failed:
                    cni.pause_before_retry()
                    break

    def _sync(self, pod: dict[str, Any]) -> bool:
        meta, path = pod["metadata"], pod_path(pod)
        uid = meta["uid"]
        if meta.get("deletionTimestamp"):
            self._stop(uid)
            self._delete(path)
            return True
        kept = self._kept.get(uid)
        if kept and cni.exists(kept["netns"]):
            if not pod.get("status", {}).get("podIP"):
                self._report(path, pod, kept["address"])
            return True
        if pod["spec"].get("hostNetwork") or pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
            return True
        if kept:
            self._stop(uid)
        if waits(pod):
            return True
        try:
            netns, address = cni.attach()
        except cni.SandboxError as error:
            self._complain(pod, f"Failed to create pod sandbox: {error}")
            return False
        self._keep(uid, {"netns": netns, "address": address})
        if any(DNS_IMAGE in each["image"] for each in pod["spec"]["containers"]):
            serve_dns(netns)
        self._report(path, pod, address)
        return True

    def _keep(self, uid: str, kept: dict[str, str]) -> None:
        self._kept[uid] = kept
        (KNOWN / uid).write_text(json.dumps(kept))

    def _forget(self, keep: set[str]) -> None:
        for uid in self._kept.keys() - keep:
            self._stop(uid)

    def _stop(self, uid: str) -> None:
        kept = self._kept.pop(uid, None)
        if kept:
            cni.detach(kept["netns"], kept["address"])
            (KNOWN / uid).unlink(missing_ok=True)

    def _delete(self, path: str) -> None:
        try:
            self._api.request("DELETE", path, {"gracePeriodSeconds": 0})
        except ApiError as error:
            if error.status != NOT_FOUND:
                raise

    def _report(self, path: str, pod: dict[str, Any], address: str) -> None:
        started = now()
        containers = [
            {
                "name": each["name"],
                "image": each["image"],
                "imageID": "",
                "ready": True,
                "restartCount": 0,
                "started": True,
                "state": {"running": {"startedAt": started}},
            }
            for each in pod["spec"]["containers"]
        ]
        conditions = [
            {"type": kind, "status": "True", "lastTransitionTime": started}
            for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ]
        status = {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": each} for each in self._addresses(address)],
            "hostIP": kernel.first_address(kernel.uplink()),
            "startTime": started,
            "containerStatuses": containers,
            "conditions": conditions,
        }
        self._api.request("PATCH", f"{path}/status", {"status": status}, STRATEGIC)

    def _addresses(self, address: str) -> list[str]:
        """All addresses of the pod with an IPv4 address."""
        return [cni.ipv6_of(each, address) if kernel.is_v6(each) else address for each in self._settings.pod_cidrs]

    def _complain(self, pod: dict[str, Any], message: str) -> None:
        meta = pod["metadata"]
        event = {
            "metadata": {"generateName": f"{meta['name']}."},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": meta["name"],
                "namespace": meta["namespace"],
                "uid": meta["uid"],
            },
            "reason": "FailedCreatePodSandBox",
            "message": message,
            "type": "Warning",
            "source": {"component": "kubelet", "host": self._settings.name},
            "firstTimestamp": now(),
            "lastTimestamp": now(),
            "count": 1,
        }
        self._api.request("POST", f"/api/v1/namespaces/{meta['namespace']}/events", event)


def pod_path(pod: dict[str, Any]) -> str:
    """Path of a pod in the API."""
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def waits(pod: dict[str, Any]) -> bool:
    """Whether a status the testbed wrote (an image pull that fails) is to be left as it is."""
    return bool(pod["metadata"].get("annotations", {}).get("underlay.test/keep-status"))


def serve_dns(netns: str) -> None:
    """Answer cluster DNS on port 53 of a pod's namespace, for as long as the namespace lives."""
    names = {"kubernetes.default": "10.43.0.1", "kube-dns.kube-system": "10.43.0.10"}
    options = [f"--address=/{name}.svc.cluster.local/{address}" for name, address in names.items()]
    options += [f"--server={each}" for each in upstreams()]
    quiet = ("--conf-file=/dev/null", "--pid-file", "--no-hosts", "--no-resolv", "--user=root")
    kernel.run(("ip", "netns", "exec", netns, "dnsmasq", *quiet, "--local=/cluster.local/", *options))


def upstreams() -> list[str]:
    """Name servers of the node, which cluster DNS forwards to."""
    lines = Path("/etc/resolv.conf").read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith("nameserver ")]
