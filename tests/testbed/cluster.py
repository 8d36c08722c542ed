"""A cluster of namespaces: real kernel, systemd, sshd and kube-apiserver, and flannel's twin."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.testbed import assembly, cache, cgroups, network, state, topology, world
from tests.testbed.cgroups import ControlGroup
from tests.testbed.commands import TestbedError, run, wait_until
from tests.testbed.network import Fabric
from tests.testbed.nodes import Machines, propagation_folders
from tests.testbed.pki import Pki
from tests.testbed.plane import Plane

REPOSITORY = Path(__file__).parents[2]
DEFAULT_IDENT = "main"
DEFAULT_NODES = 3


class Testbed:
    """One testbed by its identity: bring it up, use it, take it down, from any process.

    Nothing about it lives in this object only: another process with the same identity finds the same testbed.
    """

    __test__ = False

    def __init__(
        self,
        ident: str = DEFAULT_IDENT,
        nodes: int = DEFAULT_NODES,
        lease_seconds: float = 10.0,
        *,
        dual_stack: bool = False,
    ) -> None:
        if not topology.LEAST_NODES <= nodes <= topology.MOST_NODES:
            raise TestbedError(f"{nodes} nodes: a testbed has {topology.LEAST_NODES} to {topology.MOST_NODES}")
        self.ident = ident
        self.folder = state.folder(ident)
        self.nodes = topology.nodes(nodes)
        self.lease_seconds = lease_seconds
        self.fabric = Fabric(ident, self.nodes, dual_stack)
        self.group = ControlGroup(ident)
        self.pki = Pki(self.folder / "pki")

    @classmethod
    def find(cls, ident: str = DEFAULT_IDENT) -> "Testbed":
        """Find the testbed that is up under this identity; TestbedError where there is none."""
        told = state.read(ident)
        return cls(ident, nodes=told.nodes, lease_seconds=told.lease_seconds, dual_stack=told.dual_stack)

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of the operator `underlay`, bound to cluster-admin."""
        return self.kubeconfig_of("underlay")

    @property
    def ssh_config(self) -> Path:
        """ssh_config with every node by its name."""
        return self.folder / "ssh_config"

    @property
    def ca(self) -> Path:
        """Certificate that the API's and the outside world's certificates are signed by."""
        return self.pki.ca

    @property
    def machines(self) -> Machines:
        """The booted machines."""
        return Machines(self.fabric, self.group, cache.ensure().root, self.folder / "machines", self.pki)

    @property
    def plane(self) -> Plane:
        """The control plane."""
        return Plane(self.fabric, self.group, cache.ensure().programs, self.folder / "plane", self.pki)

    def kubeconfig_of(self, user: str) -> Path:
        """Kubeconfig of admin, underlay (cluster-admin) or watcher (nodes only)."""
        return self.folder / f"{user}.kubeconfig"

    def up(self, owner: int | None = None) -> None:
        """Bring it up, after sweeping what an earlier one left; ready when it returns.

        `owner` is the process it is for: with that process gone, the next `up` takes it for left over.
        UNDERLAY_TESTBED_KEEP keeps one that failed to come up, to be looked at.
        """
        if os.geteuid() != 0:
            raise TestbedError("the testbed makes namespaces and mounts: run it as root")
        cache.ensure()
        sweep_orphans()
        self.down()
        born = state.born(owner) if owner else ""
        state.write(self.ident, state.State(len(self.nodes), self.lease_seconds, owner, born, self.fabric.dual_stack))
        try:
            self._bring_up()
        except BaseException:
            if not os.environ.get("UNDERLAY_TESTBED_KEEP"):
                self.down()
            raise

    def _bring_up(self) -> None:
        state.mount(self.ident)
        self.fabric.build()
        plane, machines = self.plane, self.machines
        assembly.certify(plane, self.kubeconfig_of)
        plane.start_all()
        assembly.boot(machines, self.folder, self.lease_seconds)
        plane.wait_ready(self.kubeconfig_of("admin"))
        plane.start("controllers")  # it gives up for good where the API takes longer than ten seconds
        assembly.seed(plane, self.folder)
        for name in self._names:
            machines.wait_listening(name, 22)
        for port in (53, 443, 5000):
            machines.wait_listening(world.NAME, port)
        self.wait_healthy()

    @property
    def _names(self) -> list[str]:
        return [node.name for node in self.nodes]

    def wait_healthy(self, timeout: float = 120) -> None:
        """Wait until every node is Ready, has every peer's route, and every pod but those kept pending runs."""

        def healthy() -> bool:
            nodes = self.kubectl("get", "nodes", "-o", "json", check=False)
            if nodes.returncode != 0:
                return False
            ready = [
                condition["status"] == "True"
                for item in json.loads(nodes.stdout)["items"]
                for condition in item["status"].get("conditions", [])
                if condition["type"] == "Ready"
            ]
            nodes_well = len(ready) == len(self.nodes) and all(ready)
            return nodes_well and self._pods_run() and self._peers_complete() and self._dns_led()

        wait_until(healthy, timeout, f"testbed {self.ident} healthy")

    def _pods_run(self) -> bool:
        pods = json.loads(self.kubectl("get", "pods", "-A", "-o", "json").stdout)["items"]
        return all(
            pod["status"]["phase"] == "Running" or "underlay.test/keep-status" in pod["metadata"].get("annotations", {})
            for pod in pods
        )

    def _peers_complete(self) -> bool:
        families = [("-4", "flannel.1")] + ([("-6", "flannel-v6.1")] if self.fabric.dual_stack else [])
        for node in self.nodes:
            for family, device in families:
                command = ("ip", "-j", family, "route", "show", "dev", device)
                told = run(self.fabric.inside(node.name, command), check=False)
                peers = [route for route in json.loads(told.stdout or "[]") if route.get("gateway")]
                if told.returncode != 0 or len(peers) != len(self.nodes) - 1:
                    return False
        return True

    def _dns_led(self) -> bool:
        """Tell whether CoreDNS's service leads to its pod."""
        name = ("-n", "kube-system", "kube-dns")
        return bool(self.kubectl("get", "endpoints", *name, "-o", "jsonpath={.subsets}", check=False).stdout)

    def down(self) -> None:
        """Take it down, whatever of it there is: processes, mounts, namespaces, files. Fine where there is nothing."""
        self.group.kill()
        state.unmount(self.ident)
        network.remove(self.ident)
        for path in propagation_folders(self.fabric):
            path.rmdir()
        self.group.remove()
        state.forget(self.ident)

    def leftovers(self) -> list[str]:
        """List what of this testbed exists on the machine, in words; empty after `down`."""
        found = [f"process {pid}" for pid in sorted(self.group.pids())]
        found += [f"namespace {name}" for name in network.namespaces(self.ident)]
        found += [f"mount {point}" for point in state.mounts(self.ident)]
        found += [f"control group {path}" for path in self.group.roots if path.exists()]
        paths = [path for path in (self.folder, state.file(self.ident)) if path.exists()]
        return found + [f"path {path}" for path in [*paths, *propagation_folders(self.fabric)]]

    def operator_command(self, argv: Sequence[str]) -> list[str]:
        """Give the command that runs `argv` where the operator sits: reaches nodes and API, nothing else."""
        return self.fabric.inside("operator", argv)

    def operator(self, argv: Sequence[str], **options: object) -> subprocess.CompletedProcess[str]:
        """Run a program where the operator sits; options as of `commands.run`."""
        return run(self.operator_command(argv), **options)  # type: ignore[arg-type]

    def run_on(
        self, node: str, argv: Sequence[str], *, check: bool = True, timeout: float = 60, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on a node as root, past its sshd."""
        return run(self.machines.inside(node, tuple(argv)), check=check, timeout=timeout, text=text)

    def kubectl(self, *argv: str, user: str = "admin", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Debian's kubectl where the operator sits, as one of the users."""
        config = f"--kubeconfig={self.kubeconfig_of(user)}"
        return self.operator((str(self.plane.programs / "kubectl"), config, *argv), check=check)

    def node(self, name: str) -> topology.Node:
        """One node by its name."""
        return next(node for node in self.nodes if node.name == name)

    def restart_unit(self, name: str) -> None:
        """Restart k3s or k3s-agent on a node, and wait until subnet.env is written anew."""
        before = self._subnet_env_written(name)
        self.run_on(name, ("systemctl", "restart", self.node(name).unit))
        wait_until(lambda: self._subnet_env_written(name) not in ("", before), 30, f"flannel started again on {name}")

    def _subnet_env_written(self, name: str) -> str:
        return self.run_on(name, ("stat", "-c", "%i %y", "/run/flannel/subnet.env"), check=False).stdout.strip()

    def reboot(self, name: str) -> None:
        """Cut a node's power and boot it again: its kernel links and /run are new, its files are kept."""
        machines = self.machines
        machines.halt(name)
        for link in ("flannel.1", "flannel-v6.1", "cni0"):
            run(self.fabric.inside(name, ("ip", "link", "del", link)), check=False)
        machines.boot(name)
        machines.wait_listening(name, 22)

    def describe(self) -> str:
        """How to use it by hand."""
        prefix = " ".join(self.operator_command(()))
        kubectl = self.plane.programs / "kubectl"
        return (
            f"testbed {self.ident}: {', '.join(self._names)}\n"
            f"kubeconfig   {self.kubeconfig}\nssh_config   {self.ssh_config}\n"
            f"run there    {prefix} COMMAND\n"
            f"for example  {prefix} {kubectl} --kubeconfig={self.kubeconfig} get nodes\n"
            f"             {prefix} ssh -F {self.ssh_config} {self._names[0]} ip -d link show flannel.1\n"
        )


def present() -> list[str]:
    """Identities of all testbeds of which anything exists on this machine."""
    spaces = {name.removeprefix(network.PREFIX).split("-")[0] for name in network.namespaces()}
    return sorted(spaces | set(state.present()) | set(cgroups.present()))


def sweep_orphans() -> None:
    """Take down testbeds whose owner has ended without taking them down, as one killed does."""
    with cache.locked():
        for ident in state.present():
            try:
                orphaned = state.read(ident).orphaned
            except TestbedError:  # its owner has just taken it down
                continue
            if orphaned:
                Testbed(ident).down()


def sweep() -> list[str]:
    """Take down every testbed on this machine; gives their identities."""
    found = present()
    for ident in found:
        Testbed(ident).down()
    return found


def available() -> str:
    """Why this machine cannot run a testbed, or "" where it can."""
    from tests.testbed import debian  # noqa: PLC0415 - asked before anything else is

    if sys.platform != "linux" or not debian.is_debian():
        return "the testbed needs Debian"
    if os.geteuid() != 0:
        return "the testbed needs root"
    return "" if shutil.which("apt-get") else "the testbed needs apt-get"
