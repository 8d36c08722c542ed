"""What it costs to list and decode a large cluster: ``python -m tests.bench.decode``.

5,000 nodes and 50,000 pods come over loopback HTTP in pages of 500, to our clients and typed decode on one side and to
the official client and its models on the other, each in a process of its own. Time is the CPU time of that process
after its imports, peak is what its memory grew by; both are printed as ratios of one run. The official models of
50,000 pods take minutes and gigabytes: they are measured on a tenth and multiplied, unless ``--full`` is given, which
favours them, for the cost of garbage collection grows faster than the number of objects.
"""

import argparse
import asyncio
import importlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import msgspec

PAGE: Final = 500
NODES: Final = 5_000
PODS: Final = 50_000
FRACTION: Final = 10
AIM: Final = 0.05
SERIAL: Final = "@SERIAL@"
STAMP: Final = "@MOMENT@T08:00:00Z"
"""Another for each object."""


class Cost(msgspec.Struct):
    """What one process took."""

    cpu: float
    """Seconds of user and system time."""
    wall: float
    peak: float
    """MiB of growth."""
    objects: int

    def times(self, factor: int) -> "Cost":
        """Scale to more objects."""
        return Cost(self.cpu * factor, self.wall * factor, self.peak * factor, self.objects * factor)


def node() -> dict[str, Any]:
    """Write a Node as k3s has it: 50 images, managedFields, about 16 KB."""
    conditions = [
        {"type": kind, "status": "False", "lastHeartbeatTime": STAMP, "lastTransitionTime": STAMP,
         "reason": f"KubeletHas{kind}", "message": f"kubelet has sufficient {kind} available"}
        for kind in ("MemoryPressure", "DiskPressure", "PIDPressure", "EtcdIsVoter", "Ready")
    ]  # fmt: skip
    images = [
        {"names": [f"registry.example.com/org/app-{i}@sha256:{'ab' * 32}", f"registry.example.com/org/app-{i}:v1.{i}"],
         "sizeBytes": 123456789 + i}
        for i in range(50)
    ]  # fmt: skip
    annotations = {
        "flannel.alpha.coreos.com/backend-data": '{"VNI":1,"VtepMAC":"12:c6:65:89:b4:e3"}',
        "flannel.alpha.coreos.com/backend-type": "vxlan",
        "flannel.alpha.coreos.com/kube-subnet-manager": "true",
        "flannel.alpha.coreos.com/public-ip": "192.0.2.11",
        "k3s.io/hostname": f"node-{SERIAL}",
        "k3s.io/internal-ip": "192.0.2.11",
        "k3s.io/node-args": '["agent","--flannel-iface","eth0"]',
        "node.alpha.kubernetes.io/ttl": "0",
    }
    labels = {
        "beta.kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": f"node-{SERIAL}",
        "node.kubernetes.io/instance-type": "k3s",
    }
    status = {
        "addresses": [
            {"type": "InternalIP", "address": f"198.18.{SERIAL}"},
            {"type": "Hostname", "address": f"node-{SERIAL}"},
        ],
        "capacity": {"cpu": "8", "memory": "32768000Ki", "pods": "110"},
        "conditions": conditions,
        "images": images,
        "nodeInfo": {
            "architecture": "amd64", "bootID": f"b-{SERIAL}", "containerRuntimeVersion": "containerd://2.0.5",
            "kernelVersion": "6.1.0-31-amd64", "kubeProxyVersion": "v1.34.1+k3s1", "kubeletVersion": "v1.34.1+k3s1",
            "machineID": f"m-{SERIAL}", "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)",
            "systemUUID": f"s-{SERIAL}",
        },
    }  # fmt: skip
    return {
        "metadata": metadata(f"node-{SERIAL}", None, labels, annotations),
        "spec": {"podCIDR": "10.42.1.0/24", "podCIDRs": ["10.42.1.0/24"], "providerID": f"k3s://node-{SERIAL}"},
        "status": status,
    }


def pod() -> dict[str, Any]:
    """Write a Pod with two containers, probes, volumes and managedFields, about 7 KB."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 1}
    containers = [
        {
            "name": name, "image": f"registry.example.com/org/{name}:v1.2.3", "imagePullPolicy": "IfNotPresent",
            "env": [{"name": f"VARIABLE_{i}", "value": f"value {i}"} for i in range(12)],
            "livenessProbe": probe, "readinessProbe": probe,
            "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
            "volumeMounts": [{"mountPath": f"/data/{i}", "name": f"volume-{i}"} for i in range(4)],
        }
        for name in ("app", "sidecar")
    ]  # fmt: skip
    statuses = [
        {
            "containerID": f"containerd://{'cd' * 32}", "image": c["image"],
            "imageID": f"{c['image']}@sha256:{'ab' * 32}",
            "lastState": {}, "name": c["name"], "ready": True, "restartCount": 0, "started": True,
            "state": {"running": {"startedAt": STAMP}},
        }
        for c in containers
    ]  # fmt: skip
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": STAMP}
        for kind in ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    meta = metadata(
        f"app-{SERIAL}", "shop", {"app": "app", "pod-template-hash": "6f7b9c"}, {"checksum/config": "ab" * 32}
    )
    owner = {"apiVersion": "apps/v1", "controller": True, "kind": "ReplicaSet", "name": "app-6f7b9c", "uid": "u"}
    return {
        "metadata": {**meta, "ownerReferences": [owner]},
        "spec": {
            "containers": containers, "nodeName": "node-17", "restartPolicy": "Always", "serviceAccountName": "app",
            "volumes": [{"name": f"volume-{i}", "configMap": {"name": f"config-{i}"}} for i in range(4)],
        },
        "status": {
            "phase": "Running", "conditions": conditions, "containerStatuses": statuses, "hostIP": "192.0.2.11",
            "podIP": "10.42.1.7", "podIPs": [{"ip": "10.42.1.7"}], "qosClass": "Burstable", "startTime": STAMP,
        },
    }  # fmt: skip


def metadata(name: str, namespace: str | None, labels: dict[str, str], annotations: dict[str, str]) -> dict[str, Any]:
    """Write metadata with the managedFields that a real object has."""
    managed: list[dict[str, Any]] = [
        {"apiVersion": "v1", "fieldsType": "FieldsV1", "manager": manager, "operation": "Update", "time": STAMP,
         "fieldsV1": {f"f:{part}": {f"f:field-{i}": {} for i in range(16)} for part in ("metadata", "spec", "status")}}
        for manager in ("k3s", "kubelet")
    ]  # fmt: skip
    meta = {
        "name": name, "uid": f"6d3c9c3e-4a4e-4cb0-9c2b-{SERIAL}", "resourceVersion": "812345",
        "creationTimestamp": STAMP, "labels": labels, "annotations": annotations, "managedFields": managed,
    }  # fmt: skip
    return meta if namespace is None else {**meta, "namespace": namespace}


def unique(template: bytes, i: int) -> bytes:
    """Make the object number ``i``."""
    moment = b"20%02d-%02d-%02d" % (i // 336 % 100, i // 28 % 12 + 1, i % 28 + 1)
    return template.replace(b"@SERIAL@", b"%06d" % i).replace(b"@MOMENT@", moment)


class Cluster(BaseHTTPRequestHandler):
    """An API that has as many nodes and pods as a request's path says."""

    protocol_version = "HTTP/1.1"
    templates: Final = {
        "/api/v1/nodes": json.dumps(node(), separators=(",", ":")).encode(),
        "/api/v1/pods": json.dumps(pod(), separators=(",", ":")).encode(),
    }
    counts: Final = {"/api/v1/nodes": NODES, "/api/v1/pods": PODS}

    def do_GET(self) -> None:
        """Answer one page."""
        parts = urlsplit(self.path)
        prefix, _, rest = parts.path.lstrip("/").partition("/")
        path = f"/{rest}"
        query = parse_qs(parts.query)
        start, count = int(query.get("continue", ["0"])[0]), min(self.counts[path], int(prefix))
        end = min(start + int(query["limit"][0]), count)
        template = self.templates[path]
        meta = {"resourceVersion": "812345", **({"continue": str(end)} if end < count else {})}
        items = b",".join([unique(template, i) for i in range(start, end)])
        body = b'{"kind":"List","apiVersion":"v1","metadata":%s,"items":[%s]}' % (json.dumps(meta).encode(), items)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


@contextmanager
def serving() -> Iterator[str]:
    """Serve the cluster on a loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def kubeconfig(server: str, folder: Path) -> Path:
    """Write a kubeconfig for it."""
    document = {
        "current-context": "bench",
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
        "clusters": [{"name": "bench", "cluster": {"server": server}}],
        "users": [{"name": "bench", "user": {"token": "t"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(document), "utf-8")
    return path


class Meter:
    """Measures this process from now on."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # the high-water mark falls to what is in use now
        self._before = self._peak()
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def cost(self, objects: int) -> Cost:
        """Tell what it took since."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return Cost(cpu, wall, self._peak() - self._before, objects)

    @staticmethod
    def _peak() -> float:
        status = Path("/proc/self/status").read_text("ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def ours(config: Path, what: str, *, watch: bool) -> Cost:
    """List through one of our clients into model values, and keep them."""
    from probes.kube import client, kubeconfig, resources  # noqa: PLC0415 - each variant imports only its own

    wanted = next(r for r in resources.CORE if r.source == f"kube/{what}")
    api = client.connect(kubeconfig.read(config), watch=watch)
    await api.get(wanted.path, [("limit", "1")])  # the first request imports and connects
    meter = Meter()
    listing = await resources.read_list(api, wanted, timeout=600)
    cost = meter.cost(len(listing.items))
    await api.close()
    return cost


async def models(config: Path, what: str) -> Cost:
    """List through the official client into its models, and keep them."""
    loader = importlib.import_module("kubernetes.aio.config")

    api = await loader.new_client_from_config(str(config))
    core = importlib.import_module("kubernetes.aio.client").CoreV1Api(api)
    read = core.list_node if what == "nodes" else core.list_pod_for_all_namespaces
    await read(limit=1)  # the first request imports and connects
    meter = Meter()
    items: list[Any] = []
    token = None
    while True:
        page = await read(limit=PAGE, _continue=token)
        items += page.items
        token = page.metadata._continue
        if not token:
            break
    cost = meter.cost(len(items))
    await api.close()
    return cost


def measure(variant: str, what: str, config: Path) -> Cost:
    """Run one variant in a process of its own."""
    argv = [sys.executable, "-W", "ignore", "-m", "tests.bench.decode", "--variant", variant, "--what", what]
    done = subprocess.run([*argv, "--kubeconfig", str(config)], capture_output=True, check=False, timeout=1800)
    if done.returncode != 0:
        sys.exit(f"{variant} {what} failed: {done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Cost)


def run_variant(variant: str, what: str, config: Path) -> None:
    """Be one of the measured processes."""
    if variant == "models":
        cost = asyncio.run(models(config, what))
    else:
        cost = asyncio.run(ours(config, what, watch=variant == "official"))
    sys.stdout.buffer.write(msgspec.json.encode(cost))


def compare(what: str, count: int, fraction: int, server: str) -> list[str]:
    """Measure all variants of one resource; lines of a table."""
    with tempfile.TemporaryDirectory() as folder:
        small, whole = Path(folder) / "small", Path(folder) / "whole"
        small.mkdir()
        whole.mkdir()
        theirs = measure("models", what, kubeconfig(f"{server}/{count // fraction}", small))
        assert theirs.objects == count // fraction
        scaled = theirs.times(fraction)
        note = f", {theirs.objects} measured and multiplied by {fraction}" if fraction > 1 else ""
        lines = [f"{count} {what}: {scaled.cpu:6.2f} s cpu {scaled.peak:7.0f} MiB  the official client's models{note}"]
        for variant, name in (("plain", "status: plain client, typed decode"), ("official", "watch: official session")):
            cost = measure(variant, what, kubeconfig(f"{server}/{count}", whole))
            assert cost.objects == count
            time_ratio, wall, memory = cost.cpu / scaled.cpu, cost.wall / scaled.wall, cost.peak / scaled.peak
            ratios = f"time {time_ratio:.3f} (wall {wall:.3f}), peak {memory:.3f}; aim <= {AIM}"
            lines.append(f"{count} {what}: {cost.cpu:6.2f} s cpu {cost.peak:7.0f} MiB  {name}: {ratios}")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description="List and decode 5,000 nodes and 50,000 pods, ours against the models."
    )
    parser.add_argument("--full", action="store_true", help="the models of all 50,000 pods as well: minutes, gigabytes")
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    parser.add_argument("--what", help=argparse.SUPPRESS)
    parser.add_argument("--kubeconfig", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        run_variant(options.variant, options.what, options.kubeconfig)
        return
    with serving() as server:
        for what, count, fraction in (("nodes", NODES, 1), ("pods", PODS, 1 if options.full else FRACTION)):
            for line in compare(what, count, fraction, server):
                print(line, flush=True)


if __name__ == "__main__":
    main()
