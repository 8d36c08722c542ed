"""Steps of bringing a testbed up: certificates, machines, objects."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tests.testbed import topology, world
from tests.testbed.commands import run
from tests.testbed.nodes import Machines
from tests.testbed.pki import KUBECONFIG_USERS
from tests.testbed.plane import Plane

REPOSITORY = Path(__file__).parents[2]
SSH_DEFAULTS = """\
Host *
  User root
  IdentityFile {folder}/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
  ConnectTimeout 5
"""


def certify(plane: Plane, kubeconfig_of: Callable[[str], Path]) -> None:
    """Make the certificates, and a kubeconfig for every user."""
    server = plane.server
    addresses = [f"IP:{each}" for each in (server.address, "127.0.0.1", "10.43.0.1")]
    names = [f"DNS:{each}" for each in (server.name, "localhost", "kubernetes.default.svc")]
    outside = [f"DNS:{each}" for each in topology.WORLD_NAMES]
    plane.pki.make(",".join(addresses + names), ",".join(outside))
    plane.folder.mkdir()
    for user in KUBECONFIG_USERS:
        path = plane.controllers_kubeconfig if user == "controllers" else kubeconfig_of(user)
        plane.pki.write_kubeconfig(path, user, plane.url)


def boot(machines: Machines, folder: Path, lease_seconds: float) -> None:
    """Boot nodes and the outside world, and write the ssh_config and known_hosts that lead to the nodes."""
    nodes = machines.fabric.nodes
    key = folder / "id_ed25519"
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", str(key)))
    public = key.with_suffix(".pub").read_text()
    known = []
    for node in nodes:
        machines.mount(node.name)
        kind, value = machines.prepare(node.name, public).split()[:2]
        known.append(f"{node.name},{node.address} {kind} {value}\n")
        machines.install_k3s(node, lease_seconds)
        world.trust(machines.root(node.name), machines.pki)
        machines.boot(node.name)
    machines.mount(world.NAME)
    machines.prepare(world.NAME, public)
    world.furnish(machines.root(world.NAME), machines.pki)
    machines.boot(world.NAME)
    (folder / "known_hosts").write_text("".join(known))
    hosts = "".join(f"Host {node.name}\n  HostName {node.address}\n\n" for node in nodes)
    (folder / "ssh_config").write_text(hosts + SSH_DEFAULTS.format(folder=folder))


def seed(plane: Plane, folder: Path) -> None:
    """Put objects into the API, from where the operator sits."""
    access = {
        "host": plane.server.address,
        "port": 6443,
        "ca": str(plane.pki.ca),
        "cert": str(plane.pki.path("admin", "crt")),
        "key": str(plane.pki.path("admin", "key")),
        "agent": "testbed-seed",
    }
    told = {"access": access, "nodes": len(plane.fabric.nodes)}
    (folder / "seed.json").write_text(json.dumps(told))
    argv = (sys.executable, "-m", "tests.testbed.seed", str(folder))
    run(plane.fabric.inside("operator", argv), timeout=60, cwd=str(REPOSITORY))
