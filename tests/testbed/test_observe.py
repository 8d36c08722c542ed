"""What underlay says of a real cluster, held against what the cluster's own tools say."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.testbed import underlay
from tests.testbed.cluster import Testbed

pytestmark = pytest.mark.testbed


def _tool(testbed: Testbed, node: str, *argv: str) -> Any:
    return json.loads(testbed.run_on(node, argv).stdout or "[]")


def _said(testbed: Testbed, node: str, *argv: str) -> str:
    return testbed.run_on(node, argv).stdout


def _links(testbed: Testbed, node: str) -> list[dict[str, Any]]:
    return [link for link in _tool(testbed, node, "ip", "-j", "-d", "addr", "show") if link]


@pytest.fixture(scope="module")
def read(testbed: Testbed) -> dict[str, Any]:
    return underlay.status(testbed)


NODES = ("boromir", "samwise", "theoden")


@pytest.mark.parametrize("node", NODES)
def test_links_are_what_ip_says(testbed: Testbed, read: dict[str, Any], node: str) -> None:
    """Every interface with kind, MTU, state, master, addresses and VXLAN attributes, field by field."""
    ours = {link["ifname"]: link for link in underlay.node(read, node)["network"]["links"]}
    theirs = {link["ifname"]: link for link in _links(testbed, node)}
    assert ours.keys() == theirs.keys()
    for name, link in theirs.items():
        own = ours[name]
        assert [own[k] for k in ("ifindex", "mtu", "operstate", "address")] == [
            link.get(k, "") for k in ("ifindex", "mtu", "operstate", "address")
        ]
        assert own["flags"] == link["flags"]
        assert own["master"] == link.get("master", "")
        assert own["kind"] == link.get("linkinfo", {}).get("info_kind", "")
        assert [(a["family"], a["local"], a["prefixlen"]) for a in own["addresses"]] == [
            (a["family"], a["local"], a["prefixlen"]) for a in link.get("addr_info", []) if a
        ]
        if own["kind"] == "vxlan":
            data = link["linkinfo"]["info_data"]
            vxlan = own["vxlan"]
            assert [vxlan[k] for k in ("vni", "local", "underlay", "port", "learning")] == [
                data[k] for k in ("id", "local", "link", "port", "learning")
            ]


@pytest.mark.parametrize("node", NODES)
def test_routes_neighbours_and_fdb_are_what_iproute2_says(testbed: Testbed, read: dict[str, Any], node: str) -> None:
    """Routes, the permanent neighbours and the forwarding database are the very entries of the kernel."""
    network = underlay.node(read, node)["network"]
    routes = _tool(testbed, node, "ip", "-j", "route") + _tool(testbed, node, "ip", "-6", "-j", "route")
    assert sorted((r["dst"], r["gateway"], r["dev"]) for r in network["routes"]) == sorted(
        (r["dst"], r.get("gateway", ""), r.get("dev", "")) for r in routes if r
    )
    neighbors = _tool(testbed, node, "ip", "-j", "neigh", "show", "dev", "flannel.1")
    assert sorted((n["dst"], n["lladdr"]) for n in network["neighbors"] if n["dev"] == "flannel.1") == sorted(
        (n["dst"], n.get("lladdr", "")) for n in neighbors if n
    )
    fdb = _tool(testbed, node, "bridge", "-j", "fdb", "show", "dev", "flannel.1")
    assert sorted((f["mac"], f["dst"], f["state"]) for f in network["fdb"]) == sorted(
        (f["mac"], f.get("dst", ""), f.get("state", "")) for f in fdb if f
    )


@pytest.mark.parametrize("node", NODES)
def test_files_sockets_and_unit_are_what_the_node_says(testbed: Testbed, read: dict[str, Any], node: str) -> None:
    """subnet.env, net-conf, UDP sockets, resolv.conf, the unit and versions are as cat, ss and systemctl say."""
    network = underlay.node(read, node)["network"]
    env = dict(line.split("=", 1) for line in _said(testbed, node, "cat", "/run/flannel/subnet.env").split())
    own = network["subnet_env"]
    assert (own["network"], own["subnet"], str(own["mtu"])) == (
        env["FLANNEL_NETWORK"],
        env["FLANNEL_SUBNET"],
        env["FLANNEL_MTU"],
    )
    assert int(own["written_at"]) == int(_said(testbed, node, "stat", "-c", "%Y", "/run/flannel/subnet.env"))
    conf = json.loads(_said(testbed, node, "cat", "/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json"))
    assert (network["net_conf"]["network"], network["net_conf"]["backend"]) == (
        conf["Network"],
        conf["Backend"]["Type"],
    )
    sockets = {line.split()[3].rsplit(":", 1)[1] for line in _said(testbed, node, "ss", "-H", "-lnu").splitlines()}
    assert {str(s["port"]) for s in network["udp"]} == sockets
    servers = [
        line.split()[1] for line in _said(testbed, node, "cat", "/etc/resolv.conf").splitlines() if "nameserver" in line
    ]
    assert [list(r["nameservers"]) for r in network["resolvers"] if r["path"] == "/etc/resolv.conf"] == [servers]
    unit = network["unit"]
    shown = dict(
        line.split("=", 1)
        for line in _said(testbed, node, "systemctl", "show", unit["name"]).splitlines()
        if "=" in line
    )
    assert [unit[k] for k in ("active_state", "sub_state", "invocation_id", "kill_mode")] == [
        shown[k] for k in ("ActiveState", "SubState", "InvocationID", "KillMode")
    ]
    assert str(unit["n_restarts"]) == shown["NRestarts"]
    assert network["host"]["kernel"] == _said(testbed, node, "uname", "-r").strip()
    assert network["host"]["k3s_version"] in _said(testbed, node, "k3s", "--version")


@pytest.mark.parametrize("node", NODES)
def test_pods_are_what_their_namespaces_say(testbed: Testbed, read: dict[str, Any], node: str) -> None:
    """Every namespace under /run/netns with its eth0's MTU and addresses."""
    names = sorted(_said(testbed, node, "ls", "/run/netns").split())
    pods = {pod["name"]: pod for pod in underlay.node(read, node)["network"]["pod_netns"]}
    assert sorted(pods) == names
    assert names
    for name in names:
        (eth0,) = [link for link in _tool(testbed, node, "ip", "-n", name, "-j", "addr", "show", "dev", "eth0") if link]
        assert pods[name]["mtu"] == eth0["mtu"]
        assert {a["local"] for a in pods[name]["addresses"]} == {a["local"] for a in eth0["addr_info"]}


def test_nodes_and_flux_are_what_kubectl_says(testbed: Testbed, read: dict[str, Any]) -> None:
    """Addresses, podCIDRs, conditions, annotations, leases and Flux objects, field by field."""
    for theirs in json.loads(testbed.kubectl("get", "nodes", "-o", "json").stdout)["items"]:
        ours = underlay.node(read, theirs["metadata"]["name"])["kube"]
        assert list(ours["pod_cidrs"]) == theirs["spec"]["podCIDRs"]
        assert list(ours["internal_ips"]) == [
            a["address"] for a in theirs["status"]["addresses"] if a["type"] == "InternalIP"
        ]
        assert {c["type"]: c["status"] for c in ours["conditions"]} == {
            c["type"]: c["status"] for c in theirs["status"]["conditions"]
        }
        annotations = theirs["metadata"]["annotations"]
        prefix = "flannel.alpha.coreos.com/"
        assert ours["flannel"]["public_ip"] == annotations[prefix + "public-ip"]
        assert ours["flannel"]["vtep_mac"] == json.loads(annotations[prefix + "backend-data"])["VtepMAC"]
        assert ours["kubelet_version"] == theirs["status"]["nodeInfo"]["kubeletVersion"]
    kinds = "gitrepositories,ocirepositories,helmrepositories,kustomizations,helmreleases"
    theirs_flux = json.loads(testbed.kubectl("get", kinds, "-A", "-o", "json").stdout)["items"]
    ours_flux = {(o["object"]["ref"]["kind"], o["object"]["ref"]["name"]): o for o in read["flux"]}
    assert ours_flux.keys() == {(o["kind"], o["metadata"]["name"]) for o in theirs_flux}
    for item in theirs_flux:
        own = ours_flux[item["kind"], item["metadata"]["name"]]["object"]
        conditions = item.get("status", {}).get("conditions", [])
        assert {c["type"]: (c["status"], c["reason"]) for c in own["conditions"]} == {
            c["type"]: (c["status"], c["reason"]) for c in conditions
        }
        if artifact := item.get("status", {}).get("artifact"):
            assert own["revision"] == artifact["revision"]


def test_nothing_is_unassessed_for_root(read: dict[str, Any]) -> None:
    """With root on every node and the whole API, every fact is had."""
    assert read["unassessed"] == []


def test_a_changed_mtu_is_told_within_a_second(testbed: Testbed) -> None:
    """A watching process has the new fact within one second of `ip link set`."""
    with underlay.watching(testbed, "--nodes", "samwise") as process:
        _wait_for_monitor(testbed, "samwise")
        underlay.changes(process, [("samwise", "answer")])
        began = time.time()
        testbed.run_on("samwise", ("ip", "link", "set", "flannel.1", "mtu", "1400"))
        try:
            told = underlay.changes(process, [("samwise", "flannel.1 mtu")])
        finally:
            testbed.run_on("samwise", ("ip", "link", "set", "flannel.1", "mtu", "1450"))
    change = next(c for c in told if c["what"] == "flannel.1 mtu")
    assert (change["before"], change["after"]) == ("1450", "1400")
    assert change["at"] - began < 1.0


def test_nothing_stays_behind_when_the_watcher_is_killed(testbed: Testbed) -> None:
    """A watcher that dies without a word leaves no process on any node."""
    with underlay.watching(testbed) as process:
        _wait_for_monitor(testbed, "theoden")
        process.kill()
    _wait(lambda: not _monitors(testbed, "theoden"), "the monitor on theoden to end")


def _monitors(testbed: Testbed, node: str) -> str:
    return testbed.run_on(node, ("pgrep", "-f", "^ip -o monitor|^bridge monitor|^journalctl -q -f"), check=False).stdout


def _wait_for_monitor(testbed: Testbed, node: str) -> None:
    _wait(lambda: len(_monitors(testbed, node).split()) >= 3, f"the monitor on {node} to run")


def _wait(condition: Any, what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


@contextmanager
def _sshd_stopped(testbed: Testbed, node: str) -> Iterator[None]:
    testbed.run_on(node, ("sh", "-c", "kill -STOP $(cat /run/sshd.pid)"))
    try:
        yield
    finally:
        testbed.run_on(node, ("sh", "-c", "kill -CONT $(cat /run/sshd.pid)"))


@contextmanager
def _unplugged(testbed: Testbed, node: str) -> Iterator[None]:
    testbed.run_on(node, ("ip", "link", "set", "eth0", "down"))
    try:
        yield
    finally:
        testbed.run_on(node, ("ip", "link", "set", "eth0", "up"))
        testbed.run_on(node, ("ip", "route", "replace", "default", "via", "192.0.2.1"))


@contextmanager
def _api_down(testbed: Testbed) -> Iterator[None]:
    testbed.plane.stop("apiserver")
    try:
        yield
    finally:
        testbed.plane.start("apiserver")
        testbed.plane.wait_ready(testbed.kubeconfig_of("admin"))
        testbed.wait_healthy()


@pytest.mark.parametrize("fault", [_sshd_stopped, _unplugged])
def test_one_dead_node_delays_nobody(testbed: Testbed, fault: Any) -> None:
    """A node that hangs or is away is told as such in time; all the others are complete."""
    with fault(testbed, "theoden"):
        began = time.monotonic()
        read = underlay.status(testbed, "--timeout", "6")
        took = time.monotonic() - began
    assert took < 9
    assert {name: bool(underlay.node(read, name)["network"]) for name in NODES} == {
        "boromir": True,
        "samwise": True,
        "theoden": False,
    }
    assert [(g["where"], g["what"]) for g in read["unassessed"]] == [("theoden", "node")]
    assert "theoden" in read["unassessed"][0]["reason"]
    assert "node-unreachable" in {f["code"] for f in read["findings"] if f["subject"]["name"] == "theoden"}


def test_nodes_answer_while_the_api_is_down(testbed: Testbed, tmp_path: Any) -> None:
    """Without the API, nodes that settings name are still observed; what only the API knows is said to be missing."""
    settings = tmp_path / "config.yaml"
    hosts = ", ".join(f"{name}: {{host: {name}}}" for name in NODES)
    context = underlay.status(testbed)["context"]
    settings.write_text(f"contexts: {{{context}: {{nodes: {{{hosts}}}}}}}")
    with _api_down(testbed):
        read = underlay.status(testbed, "--config", str(settings), "--timeout", "6")
    assert read["exit_status"] == 2
    assert [underlay.node(read, name)["summary"]["overlay_mtu"] for name in NODES] == [1450, 1450, 1450]
    assert "api-unreachable" in {f["code"] for f in read["findings"]}
    assert {g["where"] for g in read["unassessed"]} == {"API"}


def test_without_root_what_needs_root_is_unassessed(testbed: Testbed, tmp_path: Any) -> None:
    """A login with sudo has every fact; one without says which it lacks and why, and has all the others."""
    context = underlay.status(testbed)["context"]
    for user, lacking in (("ops", set()), ("guest", {"net_conf", "pod_netns", "resolvers", "subnet_env_copies"})):
        settings = tmp_path / f"{user}.yaml"
        settings.write_text(f"contexts: {{{context}: {{user: {user}}}}}")
        read = underlay.status(testbed, "--config", str(settings), "--nodes", "samwise")
        gaps = {g["what"]: g["reason"] for g in read["unassessed"]}
        assert set(gaps) == lacking
        assert all("root" in reason for reason in gaps.values())
        assert underlay.node(read, "samwise")["summary"]["peers_ok"] == 2


def test_what_the_api_restricts_is_told_as_restricted(testbed: Testbed) -> None:
    """A user who may only read nodes gets them, and a word about everything else."""
    read = underlay.status(testbed, user="watcher")
    assert read["sources"]["kube/nodes"]["status"] == "ok"
    assert read["sources"]["kube/pods"]["status"] == "restricted"
    assert "pods" in {g["what"] for g in read["unassessed"]}


def test_observing_writes_nothing(testbed: Testbed) -> None:
    """Neither status nor watch leaves a trace: no writing verb in the API's audit, no changed file on a node."""
    before = {name: _files(testbed, name) for name in NODES}
    mark = len(testbed.plane.audit_log.read_text().splitlines())
    underlay.status(testbed)
    with underlay.watching(testbed) as process:
        _wait_for_monitor(testbed, "samwise")
        _wait(lambda: _underlay_requests(testbed, mark, "watch"), "watches in the audit log")
        process.send_signal(signal.SIGINT)
        process.wait(10)
    verbs = {event["verb"] for event in _underlay_requests(testbed, mark)}
    assert verbs
    assert verbs <= {"get", "list", "watch"}
    for name in NODES:
        assert _files(testbed, name) ^ before[name] == set()


def _underlay_requests(testbed: Testbed, mark: int, verb: str = "") -> list[dict[str, Any]]:
    events = [json.loads(line) for line in testbed.plane.audit_log.read_text().splitlines()[mark:]]
    mine = [event for event in events if event["user"]["username"] == "underlay"]
    return [event for event in mine if event["verb"] == verb] if verb else mine


_CHANGING = (
    "journal|/run/motd.dynamic|wtmp|lastlog|btmp|machine-id|/run/systemd|/run/user|/run/utmp|/run/sudo|/run/dbus"
    "|k3s/lease"
)


def _files(testbed: Testbed, node: str) -> set[str]:
    """List every file of a node with its size and time, less what logging in and journald always write."""
    script = (
        "find / -xdev -type f -newermt 2020-01-01 -printf '%p %s %T@\\n'; find /run /tmp -type f -printf '%p %s %T@\\n'"
    )
    listed = testbed.run_on(node, ("sh", "-c", f"({script}) 2>/dev/null | grep -vE '{_CHANGING}' | sort")).stdout
    assert listed
    return set(listed.splitlines())


def test_underlay_runs_as_whoever_it_is(testbed: Testbed) -> None:
    """A process of the operator's, which nothing but its arguments tells where the cluster is."""
    assert os.geteuid() == 0
    done = underlay.run(testbed, "status", "--context", "nowhere")
    assert done.returncode == 3
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1
