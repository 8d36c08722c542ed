"""Certificates and kubeconfigs of one testbed, made afresh with openssl and worth nothing outside of it."""

import base64
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.testbed.commands import run

DAYS = "30"
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass(frozen=True)
class User:
    """Who asks the API: name (CN) and group (O) of a client certificate."""

    name: str
    group: str


ADMIN = User("admin", "system:masters")
OPERATOR = User("underlay", "underlay-operators")
WATCHER = User("watcher", "underlay-watchers")
NODES = User("system:k3s-controller", "system:masters")
CONTROLLERS = User("system:kube-controller-manager", "system:kube-controller-manager")
KUBECONFIG_USERS = {"admin": ADMIN, "underlay": OPERATOR, "watcher": WATCHER, "controllers": CONTROLLERS}


@dataclass(frozen=True)
class Pki:
    """A folder of keys and certificates signed by one CA."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Certificate of the CA."""
        return self.folder / "ca.crt"

    def path(self, name: str, kind: str) -> Path:
        """Path of a certificate (kind crt) or key (kind key)."""
        return self.folder / f"{name}.{kind}"

    def make(self, server_names: str, world_names: str) -> None:
        """Make CA, API server, outside world and clients; names as in subjectAltName."""
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o700)
        ca = ("-keyout", str(self.path("ca", "key")), "-out", str(self.ca), "-days", DAYS)
        extensions = ("-addext", "keyUsage=critical,keyCertSign,digitalSignature")
        run(("openssl", "req", "-x509", *CURVE, "-subj", "/CN=testbed-ca", *ca, *extensions))
        self.sign("server", "/CN=kube-apiserver", f"subjectAltName={server_names}")
        self.sign("world", "/CN=outside.test", f"subjectAltName={world_names}")
        for name, user in {**KUBECONFIG_USERS, "nodes": NODES}.items():
            self.sign(name, f"/O={user.group}/CN={user.name}", "extendedKeyUsage=clientAuth")
        tokens = str(self.path("service-account", "key"))
        run(("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", tokens))

    def sign(self, name: str, subject: str, extension: str) -> None:
        """Make one key and the certificate of it."""
        key, request = str(self.path(name, "key")), str(self.path(name, "csr"))
        run(("openssl", "req", "-new", *CURVE, "-subj", subject, "-keyout", key, "-out", request))
        extensions = self.path(name, "ext")
        extensions.write_text(f"{extension}\n")
        ca = ("-CA", str(self.ca), "-CAkey", str(self.path("ca", "key")), "-CAcreateserial")
        out = ("-extfile", str(extensions), "-days", DAYS, "-out", str(self.path(name, "crt")))
        run(("openssl", "x509", "-req", "-in", request, *ca, *out))

    def write_kubeconfig(self, path: Path, name: str, server: str) -> None:
        """Write a self-contained kubeconfig for one user; context `testbed`."""
        data = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "testbed",
            "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": name}}],
            "clusters": [
                {
                    "name": "testbed",
                    "cluster": {"server": server, "certificate-authority-data": encoded(self.ca)},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate-data": encoded(self.path(name, "crt")),
                        "client-key-data": encoded(self.path(name, "key")),
                    },
                }
            ],
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(data, sort_keys=False))


def encoded(path: Path) -> str:
    """Content in base64, as kubeconfig fields hold it."""
    return base64.b64encode(path.read_bytes()).decode()
