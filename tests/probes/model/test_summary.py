"""What a line about a node and about an image pull says, for every way in which flannel may be set up or absent."""

import msgspec
import pytest

from probes.model.images import PullEvent
from probes.model.kube import Container, FlannelAnnotations, Pod
from probes.model.network import Link, NetConf, Vxlan
from probes.model.observation import Listed, Observed
from probes.model.peers import PeerTable
from probes.model.snapshot import Snapshot, fold
from probes.model.summary.nodes import NodeSummary, summarize_node
from probes.model.summary.pulls import summarize_pulls
from tests.probes.worlds import AT, healthy, with_network, with_node

BARE = (Link("eth0", 2, 1500, "UP", ("UP",)),)


def line(snapshot: Snapshot) -> NodeSummary:
    return summarize_node(snapshot, "samwise", PeerTable())


def without_flannel(**facts: object) -> Snapshot:
    """Make a cluster whose samwise shows nothing of flannel."""
    world = with_node(healthy(), "samwise", flannel=FlannelAnnotations())
    return with_network(world, "samwise", links=BARE, subnet_env=None, udp=(), **facts)


def test_another_cni_is_not_judged_by_flannel() -> None:
    """With flannel-backend none there is no device, no file and no port to miss."""
    row = line(without_flannel(net_conf=None))
    assert (row.backend, row.overlay, row.overlay_state, row.subnet_env_state) == ("", "", "not-needed", "not-needed")
    assert row.port_open is None


def test_flannel_that_never_started_is_missed() -> None:
    """k3s has written net-conf.json, so flannel is meant to be there although it has annotated nothing."""
    row = line(without_flannel(net_conf=NetConf(backend="vxlan")))
    assert (row.overlay_state, row.subnet_env_state) == ("missing", "missing")


@pytest.mark.parametrize(
    ("device", "backend", "state"),
    [
        (Link("flannel.1", 3, 1450, "UNKNOWN", ("UP",), "vxlan", vxlan=Vxlan(1)), "vxlan", "ok"),
        (Link("flannel-wg", 3, 1420, "UNKNOWN", ("UP",), "wireguard"), "wireguard", "not-needed"),
    ],
)
def test_without_the_api_the_device_tells_the_backend(device: Link, backend: str, state: str) -> None:
    """With the API down and no root for net-conf.json, flannel's own device says what it is."""
    unassessed = {"net_conf": "needs root"}
    world = without_flannel(net_conf=None, unassessed=unassessed)
    world = msgspec.structs.replace(with_network(world, "samwise", links=(*BARE, device)), nodes={})
    row = line(world)
    assert (row.backend, row.overlay_state) == (backend, state)


def test_what_nobody_says_is_unknown() -> None:
    """Without API, net-conf.json and device nobody knows whether there should be an overlay: not fine, not missing."""
    world = without_flannel(net_conf=None, unassessed={"net_conf": "needs root", "subnet_env": "refused"})
    row = line(msgspec.structs.replace(world, nodes={}))
    assert (row.role, row.overlay_state, row.subnet_env_state) == ("", "unknown", "unknown")


def test_pods_of_ipv6_only_have_the_device_of_ipv6() -> None:
    """An IPv6-only cluster has flannel-v6.1 and no flannel.1, and the kernel holds it to 70 bytes less."""
    flannel = FlannelAnnotations("vxlan", 1, vtep_mac_v6="12:c6:65:89:b4:01", public_ipv6="2001:db8::12", managed=True)
    device = Link("flannel-v6.1", 3, 1430, "UNKNOWN", ("UP",), "vxlan", vxlan=Vxlan(1, "2001:db8::12", "eth0", 8472))
    world = with_node(healthy(), "samwise", pod_cidrs=("fd00:42:1::/64",), flannel=flannel)
    row = line(with_network(world, "samwise", links=(*BARE, device)))
    assert (row.overlay, row.overlay_state, row.overlay_mtu, row.overlay_mtu_expected) == (
        "flannel-v6.1",
        "ok",
        1430,
        1430,
    )


def test_a_pull_is_explained_by_its_own_newest_event() -> None:
    """Of a pod's events the newest that tells a cause counts, if about the same image; else its own word."""
    containers = (
        Container("a", "registry.example/a:1", waiting_reason="ImagePullBackOff", waiting_message="back-off"),
        Container("b", "registry.example/b:1", waiting_reason="ErrImagePull", waiting_message="b is not there"),
    )
    pod = Pod("shop", "ledger", node="samwise", containers=containers)

    def event(message: str, image: str, at: float) -> PullEvent:
        return PullEvent("shop", "ledger", "Failed", message, "samwise", image, last_at=at)

    events = [
        event("Failed to pull image: new cause", "registry.example/a:1", 30.0),
        event("Failed to pull image: old cause", "registry.example/a:1", 10.0),
        event("Error: ErrImagePull", "", 40.0),
    ]
    world = fold(
        healthy(),
        [
            Observed("kube/pods", AT, Listed({"shop/ledger": pod})),
            Observed("kube/pull_events", AT, Listed({str(i): each for i, each in enumerate(events)})),
        ],
    )
    first, second = summarize_pulls(world)
    assert (first.message, first.last_at) == ("Failed to pull image: new cause", 30.0)
    assert (second.message, second.last_at) == ("b is not there", None)
