"""The incident files: all load, say what their documents say, and mistakes in them are named."""

import re

import pytest

import lab
from lab import incident
from lab.reading import IncidentError
from lab.world import World

NAMES = incident.names()
HEAD = """
title: t
story: s
cluster: {uplink: {gateway: 192.0.2.1}}
nodes: [{name: a, role: server, address: 192.0.2.2, podCIDR: 10.42.0.0/24}]
"""


def test_the_incidents_there_are() -> None:
    """healthy comes first, then the outages, each with a title."""
    assert NAMES == [
        "healthy",
        "flannel-missing-after-upgrade",
        "flux-clone-timeouts",
        "flux-http2-cancelled",
        "flux-http2-vxlan",
        "registry-tls-timeouts",
    ]
    assert all(lab.incidents().values())


@pytest.mark.parametrize("name", NAMES)
def test_every_incident_builds(name: str) -> None:
    """Each file builds a world of two nodes or more, with a story and codes that look like codes."""
    loaded = incident.load(name)
    world = incident.build(loaded, World())
    assert len(world.nodes) >= 2
    assert len(loaded.story) > 100
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code) for code in loaded.expects)
    assert bool(loaded.expects) is (name != "healthy")


def test_flannel_missing_is_one_node_s_device_and_port() -> None:
    """On eq14-001 alone flannel.1 and its port are missing while its peers keep what they knew of it."""
    world = incident.build(incident.load("flannel-missing-after-upgrade"), World())
    assert {name: m.flannel is not None for name, m in world.nodes.items()} == {
        "eq14-001": False,
        "gladius": True,
        "momonoke": True,
    }
    assert world.nodes["eq14-001"].kernel.vxlan_ports() == []
    assert ("10.42.0.0/24", "flannel.1") in world.nodes["gladius"].kernel.routes


def test_half_done_mtu_change_leaves_five_values_apart() -> None:
    """Uplink 1450, flannel.1 1450, subnet.env and cni0 1400, pods of both sizes, an old copy of subnet.env."""
    samwise = incident.build(incident.load("flux-http2-vxlan"), World()).nodes["samwise"]
    env, device = samwise.overlay.subnet_env, samwise.flannel
    assert env is not None
    assert device is not None
    assert (samwise.uplink.mtu, device.mtu, env.mtu, samwise.kernel.links["cni0"].mtu) == (1450, 1450, 1400, 1400)
    assert {pod.mtu for pod in samwise.overlay.pods} == {1400, 1450}
    assert "FLANNEL_MTU=1450" in samwise.files["/var/lib/flannel-backup/subnet.env"].content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: [", "x.yaml line 2: not YAML"),
        ("- 1", "x.yaml: a mapping is needed here, not a list"),
        ("story: s", "x.yaml.title: is missing; a text is needed"),
        (HEAD + "nodse: []", "x.yaml.nodse: no such key here; check its spelling"),
        (HEAD + "faults: [{do: explode}]", "x.yaml.faults[0].do: 'explode' is not one of"),
        (HEAD + "faults: [{do: delete-link, node: b}]", "x.yaml.faults[0].node: no node is named 'b'"),
        (HEAD + "faults: [{do: set-mtu, node: a, link: flannel.1, mtu: 9000}]", "faults[0].mtu: RTNETLINK answers"),
        (HEAD + "faults: [{do: set-mtu, node: a, link: lo, mtu: big}]", "a whole number is needed, not 'big'"),
        (HEAD + "pods: [{name: p, node: a, image: i, age: yesterday}]", "'yesterday' is not a time before now"),
        (HEAD + "pods: [{name: p, node: z, image: i}]", "x.yaml.pods[0].node: no node is named 'z'"),
        (HEAD + "flux: [{kind: Gizmo, name: g}]", "x.yaml.flux[0].kind: 'Gizmo' is not one of"),
        (HEAD + "paths: [{to: internet, loss: 3}]", "a number from 0 to 1 is needed, not 3"),
        (
            HEAD + "events: [{object: Pod/x/y, reason: r, message: m, first: -1m, last: -1m}]",
            "there is no Pod named 'y'",
        ),
        (HEAD + "faults: [{do: bounce-link, node: a, link: wg0}]", 'cannot be built: Cannot find device "wg0"'),
        (HEAD + "faults: [{do: recreate-pod, namespace: x, name: y, at: -1m}]", 'cannot be built: pods "y" not found'),
        (HEAD + "pods: [{name: p, node: a, image: i}, {name: p, node: a, image: i}]", "File exists"),
        (HEAD.replace("192.0.2.2", "nowhere"), "x.yaml.nodes[0].address: 'nowhere' does not appear to be"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(text: str, message: str) -> None:
    """A mistake in a file is one sentence that says where it is; nothing else escapes."""
    with pytest.raises(IncidentError, match=re.escape(message)) as caught:
        incident.build(incident.parse("x", text), World())
    assert "\n" not in str(caught.value)


def test_device_whose_creation_fails_stays_missing() -> None:
    """``creationFails`` lets the first starts of flannel after the fault fail, as often as it says."""
    text = HEAD.replace("podCIDR", "creationFails: 1, podCIDR") + "faults: [{do: delete-link, node: a}]"
    world = incident.build(incident.parse("x", text), World())
    assert world.nodes["a"].flannel is None
    assert [world.restart_unit("a"), world.restart_unit("a")] == [False, True]


def test_unknown_incident_lists_those_there_are() -> None:
    """An unknown name is answered with the names there are."""
    with pytest.raises(IncidentError, match=r"no incident is named 'nope'; there are: healthy, "):
        incident.load("nope")
