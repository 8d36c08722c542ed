"""The testbed itself: it comes up, behaves as flannel and the kernel do, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.testbed import outages
from tests.testbed.assembly import REPOSITORY
from tests.testbed.cluster import Testbed, sweep_orphans
from tests.testbed.commands import run, wait_until
from tests.testbed.fixtures import require_testbed

pytestmark = pytest.mark.testbed
OWN = f"o{os.getpid()}"
# One A query (RFC 1035 4.1) to the server given: prints the address in the answer.
ASK = """
import socket, sys
labels = b"".join(bytes([len(each)]) + each.encode() for each in sys.argv[2].split("."))
query = bytes.fromhex("000101000001000000000000") + labels + bytes.fromhex("0000010001")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    channel.settimeout(3)
    channel.sendto(query, (sys.argv[1], 53))
    print(socket.inet_ntoa(channel.recv(512)[-4:]))
"""


@pytest.fixture
def own_ident() -> Iterator[str]:
    """Name a testbed for one test, swept after it."""
    require_testbed()
    yield OWN
    Testbed(OWN).down()


def mtu(bed: Testbed, node: str, ifname: str) -> int:
    found = json.loads(bed.run_on(node, ("ip", "-j", "link", "show", "dev", ifname)).stdout)
    return int(found[0]["mtu"])


def subnet_env(bed: Testbed, node: str) -> dict[str, str]:
    lines = bed.run_on(node, ("cat", "/run/flannel/subnet.env")).stdout.split()
    return dict(line.split("=", 1) for line in lines)


def peer_entries(bed: Testbed, node: str) -> tuple[int, int, int]:
    """How many routes, permanent neighbours and FDB entries flannel.1 has."""
    on = ("dev", "flannel.1")
    route = bed.run_on(node, ("ip", "-j", "route", "show", *on), check=False).stdout
    neigh = bed.run_on(node, ("ip", "-j", "neigh", "show", *on, "nud", "permanent"), check=False).stdout
    fdb = bed.run_on(node, ("bridge", "-j", "fdb", "show", *on), check=False).stdout
    routes, neighbours, forwards = (len(json.loads(text or "[]")) for text in (route, neigh, fdb))
    return routes, neighbours, forwards


def pod(bed: Testbed, node: str) -> tuple[str, str]:
    """Namespace and address of one pod on a node."""
    names = bed.run_on(node, ("ls", "/run/netns")).stdout.split()
    argv = ("ip", "-n", names[0], "-j", "-4", "addr", "show", "dev", "eth0")
    return names[0], json.loads(bed.run_on(node, argv).stdout)[0]["addr_info"][0]["local"]


def pod_ping(bed: Testbed, source: str, target: str, size: int) -> bool:
    """Whether a pod on `source` reaches one on `target` with `size` bytes of payload, unfragmented."""
    netns, (_, address) = pod(bed, source)[0], pod(bed, target)
    ping = ("ping", "-n", "-M", "do", "-c", "1", "-W", "1", "-s", str(size), address)
    return bed.run_on(source, ("ip", "netns", "exec", netns, *ping), check=False).returncode == 0


def test_pods_reach_each_other_across_nodes(testbed: Testbed) -> None:
    """A pod's packet of exactly 1450 bytes crosses nodes through the kernel's VXLAN, a larger one does not."""
    for source, target in (("boromir", "samwise"), ("samwise", "theoden"), ("theoden", "boromir")):
        assert pod_ping(testbed, source, target, 1422)
        assert not pod_ping(testbed, source, target, 1423)


def test_users_of_a_node_have_the_rights_they_should(testbed: Testbed) -> None:
    """By sshd: root is root, ops becomes root by `sudo -n`, guest does not; unknown host keys are refused."""
    ssh = ("ssh", "-F", str(testbed.ssh_config))
    assert testbed.operator((*ssh, "samwise", "id", "-u")).stdout.strip() == "0"
    assert testbed.operator((*ssh, "-l", "ops", "samwise", "sudo", "-n", "id", "-u")).stdout.strip() == "0"
    assert testbed.operator((*ssh, "-l", "guest", "samwise", "sudo", "-n", "id"), check=False).returncode == 1
    strange = testbed.operator((*ssh, "-o", "UserKnownHostsFile=/dev/null", "samwise", "id"), check=False)
    assert strange.returncode == 255
    assert "Host key verification failed" in strange.stderr


def test_nothing_leads_in_or_out(testbed: Testbed) -> None:
    """No link of the machine's own namespace ends in the testbed, and the testbed's router has no way further."""
    links = json.loads(run(("ip", "-j", "-d", "link", "show")).stdout)
    ours = {testbed.fabric.netns(place) for place in testbed.fabric.places}
    assert not [link for link in links if link.get("link_netns") in ours]
    router = run(testbed.fabric.inside("router", ("ip", "-j", "route", "show"))).stdout
    assert {each["dst"] for each in json.loads(router)} == {"192.0.2.0/24", "198.51.100.0/24"}


def test_a_node_cannot_set_the_clock(testbed: Testbed) -> None:
    """The clock is the machine's own: no program on a node has CAP_SYS_TIME, bit 25 of linux/capability.h."""
    status = testbed.run_on("samwise", ("cat", "/proc/1/status")).stdout
    bounds = dict(line.split(":\t", 1) for line in status.splitlines())["CapBnd"]
    assert not int(bounds, 16) >> 25 & 1


def test_the_outside_world_answers(testbed: Testbed) -> None:
    """From a node: names resolve, the web server speaks HTTP/2 over TLS, git clones, the registry lists its image."""
    code = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version} %{size_download}")
    web = testbed.run_on("theoden", (*code, "https://web.outside.test/large.bin")).stdout
    assert web == "200 2 4194304"
    tags = testbed.run_on("theoden", ("curl", "-sS", "https://registry.outside.test/v2/shop/web/tags/list")).stdout
    assert json.loads(tags)["tags"] == ["1.0"]
    clone = ("git", "clone", "-q", "https://git.outside.test/fleet.git", "/tmp/fleet")
    testbed.run_on("theoden", clone)
    assert testbed.run_on("theoden", ("stat", "-c", "%s", "/tmp/fleet/payload.bin")).stdout.strip() == "524288"
    testbed.run_on("theoden", ("rm", "-r", "/tmp/fleet"))


def test_cluster_dns_answers_at_its_pod_and_its_service(testbed: Testbed) -> None:
    """From another node's pod, CoreDNS's stand-in answers at both addresses, and forwards the rest outside."""
    argv = ("get", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "jsonpath={.items[0].status.podIP}")
    netns, _ = pod(testbed, "samwise")
    names = {"kubernetes.default.svc.cluster.local": "10.43.0.1", "git.outside.test": "198.51.100.10"}
    rules = ("iptables", "-t", "nat", "-S", "KUBE-SERVICES")
    wait_until(lambda: "10.43.0.10" in testbed.run_on("samwise", rules).stdout, 30, "the service has an endpoint")
    for server in (testbed.kubectl(*argv).stdout, "10.43.0.10"):
        for name, address in names.items():
            ask = ("ip", "netns", "exec", netns, "python3", "-", server, name)
            assert testbed.run_on("samwise", ask, text=ASK).stdout.strip() == address


def test_pods_reach_the_api_by_its_service(testbed: Testbed) -> None:
    """From a pod, the Service `kubernetes` leads to the API server, which asks who is there (401)."""
    netns, _ = pod(testbed, "theoden")
    curl = ("curl", "-sS", "-k", "-o", "/dev/null", "-w", "%{http_code}", "https://10.43.0.1/readyz")
    assert testbed.run_on("theoden", ("ip", "netns", "exec", netns, *curl)).stdout == "401"


def test_a_reboot_makes_links_anew(testbed: Testbed) -> None:
    """After a reboot flannel.1, cni0 and the pods' namespaces are new, and the node is complete again."""
    before, _ = pod(testbed, "theoden")
    testbed.reboot("theoden")
    wait_until(lambda: peer_entries(testbed, "theoden") == (2, 2, 2), 20, "peers programmed again")
    wait_until(lambda: len(testbed.run_on("theoden", ("ls", "/run/netns")).stdout.split()) == 2, 20, "two pods run")
    assert before not in testbed.run_on("theoden", ("ls", "/run/netns")).stdout
    wait_until(lambda: pod_ping(testbed, "boromir", "theoden", 1422), 20, "pods reach each other")
    testbed.wait_healthy()


def test_restart_keeps_the_mtu_of_an_existing_link(testbed: Testbed) -> None:
    """After an uplink's MTU changes, a restart renews subnet.env and leaves flannel.1's MTU as it was."""
    node = "samwise"
    testbed.run_on(node, ("ip", "link", "set", "eth0", "mtu", "1400"))
    try:
        testbed.restart_unit(node)
        assert subnet_env(testbed, node)["FLANNEL_MTU"] == "1350"
        assert mtu(testbed, node, "flannel.1") == 1450
    finally:
        testbed.run_on(node, ("ip", "link", "set", "eth0", "mtu", "1500"))
        testbed.restart_unit(node)
    assert subnet_env(testbed, node)["FLANNEL_MTU"] == "1450"


def test_down_and_up_loses_peers_until_a_restart(testbed: Testbed) -> None:
    """`ip link set flannel.1 down; up` loses routes and neighbours, keeps the FDB; only a restart repairs it."""
    node = "samwise"
    assert peer_entries(testbed, node) == (2, 2, 2)
    for state in ("down", "up"):
        testbed.run_on(node, ("ip", "link", "set", "flannel.1", state))
    renewed = renew_time(testbed, node)
    assert peer_entries(testbed, node) == (0, 0, 2)
    wait_until(lambda: renew_time(testbed, node) != renewed, 20, "a lease renewal")
    assert peer_entries(testbed, node) == (0, 0, 2)
    testbed.restart_unit(node)
    wait_until(lambda: peer_entries(testbed, node) == (2, 2, 2), 20, "peers programmed again")
    assert pod_ping(testbed, node, "theoden", 1422)


def test_deleting_the_link_and_restarting_makes_it_anew(testbed: Testbed) -> None:
    """A deleted flannel.1 comes back at the restart with its MAC from the annotation, so peers need no change."""
    node = "theoden"
    before = json.loads(testbed.run_on(node, ("ip", "-j", "link", "show", "flannel.1")).stdout)[0]["address"]
    testbed.run_on(node, ("ip", "link", "del", "flannel.1"))
    testbed.restart_unit(node)
    after = json.loads(testbed.run_on(node, ("ip", "-j", "link", "show", "flannel.1")).stdout)[0]["address"]
    assert after == before
    wait_until(lambda: peer_entries(testbed, node) == (2, 2, 2), 20, "peers programmed again")
    assert pod_ping(testbed, "boromir", node, 1422)


def test_pods_survive_a_restart_of_the_unit(testbed: Testbed) -> None:
    """KillMode=process: a restart keeps the network namespaces of pods and their addresses."""
    before = pod(testbed, "boromir")
    testbed.restart_unit("boromir")
    assert pod(testbed, "boromir") == before


def test_a_pod_made_after_the_fact_has_the_new_mtu(testbed: Testbed) -> None:
    """A pod gets its MTU from subnet.env when it is made, and a deleted pod's namespace goes with it."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "late", "namespace": "shop"},
        "spec": {"nodeName": "samwise", "containers": [{"name": "late", "image": "nginx:1.29"}]},
    }
    before = set(testbed.run_on("samwise", ("ls", "/run/netns")).stdout.split())
    testbed.run_on("samwise", ("sed", "-i", "s/^FLANNEL_MTU=.*/FLANNEL_MTU=1300/", "/run/flannel/subnet.env"))
    path = testbed.folder / "late.json"
    path.write_text(json.dumps(manifest))
    testbed.kubectl("create", "-f", str(path))
    try:
        phase = ("get", "pod", "-n", "shop", "late", "-o", "jsonpath={.status.phase}")
        wait_until(lambda: testbed.kubectl(*phase).stdout == "Running", 20, "the pod runs")
        (made,) = set(testbed.run_on("samwise", ("ls", "/run/netns")).stdout.split()) - before
        shown = testbed.run_on("samwise", ("ip", "-n", made, "-j", "link", "show", "eth0")).stdout
        assert json.loads(shown)[0]["mtu"] == 1300
    finally:
        testbed.kubectl("delete", "pod", "-n", "shop", "late", "--wait=false")
        testbed.restart_unit("samwise")
    wait_until(
        lambda: set(testbed.run_on("samwise", ("ls", "/run/netns")).stdout.split()) == before, 20, "the pod is gone"
    )


def renew_time(bed: Testbed, node: str) -> str:
    argv = ("get", "lease", "-n", "kube-node-lease", node, "-o", "jsonpath={.spec.renewTime}")
    return bed.kubectl(*argv).stdout


def test_the_api_logs_who_wrote(testbed: Testbed) -> None:
    """The audit log tells reads from writes by user: a read as `underlay` is there, and no write."""
    earlier = len(testbed.plane.audited_verbs("underlay"))
    testbed.kubectl("get", "pods", "-A", user="underlay")
    verbs = set(testbed.plane.audited_verbs("underlay")[earlier:])
    assert "list" in verbs
    assert not verbs & {"create", "update", "patch", "delete", "deletecollection"}
    assert "patch" in testbed.plane.audited_verbs("system:k3s-controller")


def test_a_user_with_few_rights_is_refused(testbed: Testbed) -> None:
    """The user `watcher` reads nodes and is forbidden pods."""
    assert testbed.kubectl("get", "nodes", user="watcher").returncode == 0
    refused = testbed.kubectl("get", "pods", "-A", user="watcher", check=False)
    assert "Forbidden" in refused.stderr


def test_api_outage_leaves_the_nodes_as_they_are(testbed: Testbed) -> None:
    """Without an API the overlay goes on, and leases are renewed once it is back."""
    renewed = renew_time(testbed, "samwise")
    with outages.api_down(testbed):
        assert testbed.kubectl("get", "nodes", check=False).returncode != 0
        assert pod_ping(testbed, "boromir", "samwise", 1422)
    wait_until(lambda: renew_time(testbed, "samwise") != renewed, 30, "a lease renewal")
    testbed.wait_healthy()


def test_a_hung_sshd_and_an_unplugged_node_differ(testbed: Testbed) -> None:
    """A stopped sshd still takes connections; an unplugged node does not; both answer again afterwards."""
    ssh = ("ssh", "-F", str(testbed.ssh_config), "-o", "ConnectTimeout=1", "samwise", "true")
    connect = ("bash", "-c", "exec 3<>/dev/tcp/192.0.2.12/22")
    with outages.hung_sshd(testbed, "samwise"):
        assert testbed.operator(connect, check=False).returncode == 0
        assert testbed.operator(ssh, check=False).returncode == 255
    with outages.unplugged(testbed, "samwise"):
        assert testbed.operator(ssh, check=False).returncode == 255
        assert testbed.run_on("samwise", ("cat", "/sys/class/net/eth0/operstate")).stdout == "up\n"
    assert testbed.operator(ssh).returncode == 0


def test_a_stopped_unit_leaves_the_overlay(testbed: Testbed) -> None:
    """With k3s-agent stopped, pods still reach each other and keep their namespaces."""
    with outages.stopped_unit(testbed, "samwise"):
        assert pod_ping(testbed, "boromir", "samwise", 1422)
        assert peer_entries(testbed, "samwise") == (2, 2, 2)
    testbed.wait_healthy()


def test_up_twice_in_a_row_and_down_leaves_nothing(own_ident: str) -> None:
    """A second `up` sweeps the first; after `down` no process, namespace, mount, group or file is left."""
    for _ in range(2):
        bed = Testbed(own_ident, nodes=2)
        bed.up(owner=os.getpid())
        assert bed.kubectl("get", "nodes", "--no-headers").stdout.count(" Ready ") == 2
    bed.down()
    assert bed.leftovers() == []


def test_what_a_killed_up_left_is_swept(own_ident: str) -> None:
    """`up` killed half-way leaves processes and mounts; `down` of another process ends them all."""
    bed = Testbed(own_ident, nodes=2)
    argv = (sys.executable, "-m", "tests.testbed", "up", "--id", own_ident, "--nodes", "2", "--owner", str(os.getpid()))
    with subprocess.Popen(
        argv, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as child:
        wait_until(lambda: len(bed.group.pids("machine-samwise")) > 1, 60, "the last machine boots")
        os.kill(child.pid, signal.SIGKILL)
        child.wait(timeout=10)
    assert len(bed.leftovers()) > 5
    run((sys.executable, "-m", "tests.testbed", "down", "--id", own_ident), cwd=str(REPOSITORY))
    assert bed.leftovers() == []


def test_a_testbed_without_its_owner_is_swept(own_ident: str) -> None:
    """The next `up` takes down a testbed whose owner has ended, and leaves those of the living."""
    bed = Testbed(own_ident, nodes=2)
    with subprocess.Popen(("sleep", "600")) as owner:
        bed.up(owner=owner.pid)
        sweep_orphans()
        assert bed.kubectl("get", "nodes").returncode == 0
        owner.kill()
    sweep_orphans()
    assert bed.leftovers() == []
