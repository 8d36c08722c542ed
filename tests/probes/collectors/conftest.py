"""A node of namespaces: kernel VXLAN, bridge and veth, as flannel and CNI leave them."""

import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SETUP = """
link set lo up
link add eth0 type veth peer name eth0 netns {peer}
addr add 192.0.2.11/25 dev eth0
addr add 2001:db8::11/64 dev eth0 nodad
link set eth0 address 02:00:00:00:00:11 up
route add default via 192.0.2.1
link add flannel.1 address be:fb:ec:41:1d:b6 type vxlan id 1 local 192.0.2.11 dev eth0 dstport 8472 nolearning
addr add 10.42.0.0/32 dev flannel.1
link set flannel.1 up
link add cni0 address 66:54:49:2b:25:1f type bridge
addr add 10.42.0.1/24 dev cni0
link set cni0 up
link add veth12ab34cd type veth peer name eth0 netns {pod}
link set veth12ab34cd master cni0 mtu 1450 up
link add vx6 type vxlan id 7 local 2001:db8::11 remote 2001:db8::12 dev eth0 dstport 4789 gbp
neigh add 10.42.1.0 lladdr ee:8d:cf:69:b3:7c dev flannel.1 nud permanent
neigh add 192.0.2.12 lladdr 02:00:00:00:00:12 dev eth0 nud stale
route add 10.42.1.0/24 via 10.42.1.0 dev flannel.1 onlink
route add blackhole 10.99.0.0/16
route add 10.98.0.0/16 nexthop via 192.0.2.1 dev eth0 nexthop via 192.0.2.2 dev eth0
route add 192.0.2.200 via 192.0.2.1 metric 50 proto static
"""
POD_SETUP = """
link set lo up
link set eth0 mtu 1450 up
addr add 10.42.0.5/24 dev eth0
"""


def run(*argv: str, stdin: bytes = b"") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=30)
    assert done.returncode == 0, f"{argv}: {done.stderr.decode()}"


@pytest.fixture(scope="session")
def kernel_node() -> Iterator[str]:
    """Make a node, a peer and one pod; give the name of the node's network namespace."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        pytest.skip("needs root on Debian, to make network namespaces")
    tag = secrets.token_hex(3)
    node, peer, pod = names = f"ul-node-{tag}", f"ul-peer-{tag}", f"cni-{tag}"
    try:
        for name in names:
            run("ip", "netns", "add", name)
        run("ip", "-n", node, "-batch", "-", stdin=SETUP.format(peer=peer, pod=pod).encode())
        run("ip", "-n", pod, "-batch", "-", stdin=POD_SETUP.encode())
        run("ip", "-n", peer, "link", "set", "eth0", "up")
        fdb = ("ee:8d:cf:69:b3:7c", "dev", "flannel.1", "dst", "192.0.2.12")
        run("ip", "netns", "exec", node, "bridge", "fdb", "add", *fdb)
        yield node
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False, timeout=30)
