"""Things that go wrong in a testbed for a while, and are put right at the end of the `with` block."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.testbed.cluster import Testbed
from tests.testbed.commands import run, wait_until
from tests.testbed.network import port


@contextmanager
def hung_sshd(bed: Testbed, node: str) -> Iterator[None]:
    """Stop a node's sshd and its sessions in their tracks (SIGSTOP): it accepts connections and never answers."""
    signal_sshd(bed, node, "STOP")
    try:
        yield
    finally:
        signal_sshd(bed, node, "CONT")


def signal_sshd(bed: Testbed, node: str, signal: str) -> None:
    """Send a signal to the listening sshd of a node and to all its sessions."""
    bed.run_on(node, ("pkill", f"-{signal}", "-x", "sshd"))


@contextmanager
def unplugged(bed: Testbed, node: str) -> Iterator[None]:
    """Cut a node off at the switch: packets vanish, and nothing changes on the node itself."""
    lan, name = bed.fabric.netns("lan"), port(node)
    run(("ip", "-n", lan, "link", "set", name, "nomaster"))
    try:
        yield
    finally:
        run(("ip", "-n", lan, "link", "set", name, "master", "lan"))


@contextmanager
def api_down(bed: Testbed) -> Iterator[None]:
    """End kube-apiserver: connections are refused; it is ready again afterwards."""
    bed.plane.stop("apiserver")
    try:
        yield
    finally:
        bed.plane.start("apiserver")
        bed.plane.wait_ready(bed.kubeconfig_of("admin"))


@contextmanager
def stopped_unit(bed: Testbed, node: str) -> Iterator[None]:
    """Stop k3s or k3s-agent on a node: its overlay and pods go on, nobody looks after them."""
    unit = bed.node(node).unit
    bed.run_on(node, ("systemctl", "stop", unit))
    try:
        yield
    finally:
        bed.run_on(node, ("systemctl", "start", unit))
        wait_until(
            lambda: "active" in bed.run_on(node, ("systemctl", "is-active", unit)).stdout, 20, f"{unit} is active"
        )
