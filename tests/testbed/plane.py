"""The control plane: etcd, kube-apiserver and kube-controller-manager in the server node's namespace."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import topology
from tests.testbed.cgroups import ControlGroup
from tests.testbed.commands import run, wait_until
from tests.testbed.network import Fabric
from tests.testbed.pki import Pki

# Reads are counted too: a test proves that a user wrote nothing, by what the API server itself logged.
AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ["system:apiserver"]
- level: Metadata
"""
CONTROLLERS = "nodelifecycle,disruption,endpoint,deployment,replicaset,daemonset,namespace,garbagecollector"
ETCD = "http://127.0.0.1:2379"


@dataclass(frozen=True)
class Plane:
    """The three daemons; each is started and ended on its own (an API outage is `stop("apiserver")`)."""

    fabric: Fabric
    group: ControlGroup
    programs: Path
    folder: Path
    pki: Pki

    @property
    def audit_log(self) -> Path:
        """JSON lines of the API server's audit, level Metadata."""
        return self.folder / "audit.log"

    def audited_verbs(self, user: str) -> list[str]:
        """Verbs of all requests of one user so far, from the audit log's whole lines."""
        lines = self.audit_log.read_text().split("\n")[:-1]
        records = [json.loads(line) for line in lines]
        return [str(each["verb"]) for each in records if each["user"].get("username") == user]

    @property
    def controllers_kubeconfig(self) -> Path:
        """Kubeconfig of kube-controller-manager."""
        return self.folder / "controllers.kubeconfig"

    @property
    def server(self) -> topology.Node:
        """The node whose address the API has."""
        return self.fabric.nodes[0]

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"https://{self.server.address}:6443"

    def start_all(self) -> None:
        """Start etcd and the API; the caller waits with `wait_ready`, and starts what needs both then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "audit-policy.yaml").write_text(AUDIT_POLICY)
        for name in ("etcd", "apiserver"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start one daemon."""
        argv = {"etcd": self._etcd, "apiserver": self._apiserver, "controllers": self._controllers}[name]()
        self.group.start(f"plane-{name}", self.fabric.inside(self.server.name, argv), self.folder / f"{name}.log")

    def stop(self, name: str) -> None:
        """End one daemon at once."""
        self.group.kill(f"plane-{name}")

    def wait_ready(self, kubeconfig: Path, timeout: float = 60) -> None:
        """Wait until the API says it is ready."""
        argv = (str(self.programs / "kubectl"), f"--kubeconfig={kubeconfig}", "get", "--raw", "/readyz")
        command = self.fabric.inside("operator", argv)
        wait_until(lambda: run(command, check=False).stdout == "ok", timeout, f"API ready, see {self.folder}")

    @property
    def _gates(self) -> Sequence[str]:
        # Debian's Kubernetes is 1.20: without its gate it cuts a Node's podCIDRs and a pod's podIPs down to the first.
        return ("--feature-gates=IPv6DualStack=true",) if self.fabric.dual_stack else ()

    def _etcd(self) -> Sequence[str]:
        return (
            str(self.programs / "etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--listen-metrics-urls=http://127.0.0.1:2381",
            "--unsafe-no-fsync",
            "--logger=zap",
            "--log-level=warn",
        )

    def _apiserver(self) -> Sequence[str]:
        return (
            str(self.programs / "kube-apiserver"),
            f"--etcd-servers={ETCD}",
            f"--advertise-address={self.server.address}",
            "--secure-port=6443",
            "--insecure-port=0",
            f"--tls-cert-file={self.pki.path('server', 'crt')}",
            f"--tls-private-key-file={self.pki.path('server', 'key')}",
            f"--client-ca-file={self.pki.ca}",
            "--anonymous-auth=false",
            "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={topology.SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self.pki.path('service-account', 'key')}",
            f"--service-account-signing-key-file={self.pki.path('service-account', 'key')}",
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            *self._gates,
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit_log}",
        )

    def _controllers(self) -> Sequence[str]:
        return (
            str(self.programs / "kube-controller-manager"),
            f"--kubeconfig={self.controllers_kubeconfig}",
            f"--controllers={CONTROLLERS}",
            "--leader-elect=false",
            "--port=0",
            "--bind-address=127.0.0.1",
            f"--cluster-cidr={topology.PODS}",
            *self._gates,
        )
