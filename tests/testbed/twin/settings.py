"""What a node's twin is told: files the testbed writes before the node boots."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from .api import Access

VERSION = "v1.34.1+k3s1"
COMMIT = "24fc436e"
GO_VERSION = "go1.24.6"
SETTINGS = Path("/etc/rancher/node/twin.json")
CONFIG = Path("/etc/rancher/k3s/config.yaml")
AGENT = Path("/var/lib/rancher/k3s/agent")
NET_CONF = AGENT / "etc/flannel/net-conf.json"
CONFLIST = AGENT / "etc/cni/net.d/10-flannel.conflist"
SUBNET_ENV = Path("/run/flannel/subnet.env")


@dataclass(frozen=True)
class Settings:
    """One node's name, role (server or agent), pod CIDRs, labels and how often its lease is renewed (seconds)."""

    name: str
    role: str
    api_host: str
    pod_cidrs: list[str]
    labels: dict[str, str] = field(default_factory=dict)
    lease_seconds: float = 10.0

    @classmethod
    def read(cls, path: Path = SETTINGS) -> "Settings":
        """Read the settings of this node."""
        return cls(**json.loads(path.read_text()))

    @property
    def access(self) -> Access:
        """How this node reaches the API, with the credentials in k3s's own place."""
        return Access(
            host=self.api_host,
            port=6443,
            ca=str(AGENT / "server-ca.crt"),
            cert=str(AGENT / "client-k3s-controller.crt"),
            key=str(AGENT / "client-k3s-controller.key"),
            agent=f"k3s/{VERSION} (linux/amd64) {self.name}",
        )


def config_option(name: str) -> str | None:
    """One plain `name: value` of k3s's config.yaml; the twin understands no other YAML."""
    if not CONFIG.exists():
        return None
    for line in CONFIG.read_text().splitlines():
        key, found, value = line.partition(":")
        if found and key.strip() == name:
            return value.strip().strip("\"'")
    return None
