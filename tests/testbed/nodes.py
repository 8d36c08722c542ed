"""Nodes: machines booted by systemd-nspawn on an overlay of the cached root."""

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import topology
from tests.testbed.cgroups import ControlGroup
from tests.testbed.commands import run, wait_until
from tests.testbed.network import Fabric
from tests.testbed.pki import Pki

TWIN = Path(__file__).parent / "twin"
PROPAGATE = Path("/run/systemd/nspawn/propagate")
AGENT = "var/lib/rancher/k3s/agent"
USERS = {"root": "root", "ops": "home/ops", "guest": "home/guest"}

# The unit as k3s's install.sh writes it, as far as the twin needs it.
UNIT = """\
[Unit]
Description=Lightweight Kubernetes
Documentation=https://k3s.io
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type={kind}
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-/etc/systemd/system/{unit}.service.env
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStart=/usr/local/bin/k3s {role}
"""
K3S = """\
#!/usr/bin/python3 -I
import sys

sys.path.insert(0, "/usr/local/lib/k3s")
from twin.__main__ import main

sys.exit(main())
"""


def propagation_folders(fabric: Fabric) -> list[Path]:
    """List what systemd-nspawn leaves of killed machines on the machine."""
    return sorted(PROPAGATE.glob(f"{fabric.netns('')}*"))


@dataclass(frozen=True)
class Machines:
    """The booted machines of one testbed: its nodes, and the outside world."""

    fabric: Fabric
    group: ControlGroup
    lower: Path
    folder: Path
    pki: Pki

    def root(self, name: str) -> Path:
        """Root file system of a machine, as the machine sees it."""
        return self.folder / name / "root"

    def mount(self, name: str) -> None:
        """Lay a fresh writable layer over the cached root."""
        for each in ("upper", "work", "root"):
            (self.folder / name / each).mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={self.lower},upperdir={self.folder / name / 'upper'}"
        options = f"{layers},workdir={self.folder / name / 'work'}"
        run(("mount", "-t", "overlay", "overlay", "-o", options, str(self.root(name))))

    def prepare(self, name: str, public_key: str) -> str:
        """Give a machine its identity: name, machine-id, resolver, host key, users' keys; gives its host key."""
        etc = self.root(name) / "etc"
        (etc / "hostname").write_text(f"{name}\n")
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (etc / "resolv.conf").unlink(missing_ok=True)
        (etc / "resolv.conf").write_text(f"nameserver {topology.WORLD_ADDRESS}\n")
        lines = [f"127.0.0.1 localhost\n127.0.1.1 {name}"]
        lines += [f"{node.address} {node.name}" for node in self.fabric.nodes if node.name != name]
        (etc / "hosts").write_text("\n".join(lines) + "\n")
        key = etc / "ssh/ssh_host_ed25519_key"
        run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)))
        for user, home in USERS.items():
            folder = self.root(name) / home / ".ssh"
            folder.mkdir(mode=0o700, exist_ok=True)
            (folder / "authorized_keys").write_text(public_key)
            run(("chroot", str(self.root(name)), "chown", "-R", f"{user}:", f"/{home}/.ssh"))
        return key.with_suffix(".pub").read_text()

    def install_k3s(self, node: topology.Node, lease_seconds: float) -> None:
        """Put k3s's twin, its unit and its credentials on a node; it starts when the node boots."""
        root = self.root(node.name)
        program = root / "usr/local/bin/k3s"
        program.write_text(K3S)
        program.chmod(0o755)
        shutil.copytree(TWIN, root / "usr/local/lib/k3s/twin", ignore=shutil.ignore_patterns("__pycache__"))
        agent = root / AGENT
        agent.mkdir(parents=True)
        shutil.copy(self.pki.ca, agent / "server-ca.crt")
        for kind in ("crt", "key"):
            shutil.copy(self.pki.path("nodes", kind), agent / f"client-k3s-controller.{kind}")
        told = {
            "name": node.name,
            "role": node.role,
            "api_host": self.fabric.nodes[0].address,
            "pod_cidrs": [node.pod_cidr] + ([node.pod_cidr_v6] if self.fabric.dual_stack else []),
            "labels": node.labels,
            "lease_seconds": lease_seconds,
        }
        for folder in ("etc/rancher/node", "etc/rancher/k3s"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (root / "etc/rancher/node/twin.json").write_text(json.dumps(told))
        kind = "notify" if node.role == "server" else "exec"
        units = root / "etc/systemd/system"
        (units / f"{node.unit}.service").write_text(UNIT.format(kind=kind, unit=node.unit, role=node.role))
        (units / f"{node.unit}.service.env").touch(mode=0o600)
        wants = units / "multi-user.target.wants"
        (wants / f"{node.unit}.service").symlink_to(f"/etc/systemd/system/{node.unit}.service")

    def boot(self, name: str) -> None:
        """Boot a machine in its namespace; the caller waits for what it needs of it."""
        command = [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--settings=no"),
            # The clock is the whole machine's: a node that could set it would set it for everybody.
            *("--capability=all", "--drop-capability=CAP_SYS_TIME"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
            *(f"--directory={self.root(name)}", f"--hostname={name}", "--console=pipe"),
            f"--machine={self.fabric.netns(name)}",
            f"--network-namespace-path=/run/netns/{self.fabric.netns(name)}",
        ]
        # A node may set its own network's sysctls and no other. A lock would stay behind after `halt`.
        settings = ("env", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=network", "SYSTEMD_NSPAWN_LOCK=0")
        log = self.folder / name / "console.log"
        self.group.start(f"machine-{name}", [*settings, *command], log)

    def halt(self, name: str) -> None:
        """End a machine at once, as a power cut does."""
        self.group.kill(f"machine-{name}")

    def leader(self, name: str) -> int | None:
        """Process id of the machine's PID 1, or None while it does not run."""
        for pid in sorted(self.group.pids(f"machine-{name}")):
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue
            spaces = [line.split()[1:] for line in lines if line.startswith("NSpid:")]
            if spaces and len(spaces[0]) > 1 and spaces[0][-1] == "1":
                return pid
        return None

    def inside(self, name: str, argv: tuple[str, ...]) -> list[str]:
        """Give the command that runs `argv` inside a machine, without its sshd."""
        wait_until(lambda: self.leader(name) is not None, 20, f"{name} has booted")
        return ["nsenter", "-t", str(self.leader(name)), "-m", "-u", "-i", "-n", "-p", "--", *argv]

    def wait_listening(self, name: str, port: int) -> None:
        """Wait until something listens on a TCP port of a machine (22: its sshd)."""

        def listening() -> bool:
            command = self.fabric.inside(name, ("ss", "-Hltn", "sport", "=", f":{port}"))
            return bool(run(command).stdout.strip())

        log = self.folder / name / "console.log"
        wait_until(listening, 30, f"port {port} of {name} listens, see {log}")
