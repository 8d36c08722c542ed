"""The catalog on the testbed: each runbook takes its fault from found to cleared, by the engine and by hand alike.

Its own testbed, which is healthy in the beginning and after each test. `make test` takes restore-vxlan and
checksum-offload, `make catalog` every runbook, in about six minutes (and cuts them, test_cuts.py).
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from tests.testbed import mending, roads
from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError, run, wait_until
from tests.testbed.faults.fault import faults
from tests.testbed.faults.judge import everything
from tests.testbed.faults.matrix import Matrix
from tests.testbed.mending import is_well

pytestmark = pytest.mark.testbed

FAULTS = faults()
LIKE = {"soak": "1s", "patience": "2m"}
LARGE = "https://web.outside.test/large.bin"
REQUESTED = "reconcile.fluxcd.io/requestedAt"
How = Callable[[Testbed, str, Mapping[str, str], Path], None]


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """Bring up a testbed of its own, healthy, and somebody who breaks it; UNDERLAY_TESTBED names one that is up."""
    with mending.own_matrix("c") as made:
        yield made


def by_engine(bed: Testbed, runbook: str, given: Mapping[str, str], journals: Path) -> None:
    """Take the run, and read its journal afterwards: each step confirmed, seen to have happened, nothing left."""
    records = mending.take(bed, runbook, given, journals)
    assert records[0]["record"] == "opened"
    plan, events = records[0]["plan"], [each["event"] for each in records if each["record"] == "told"]
    assert events[-1]["event"] == "run-ended"
    assert (events[-1]["end"], events[-1]["left"]) == ("completed", []), events[-1]
    ended = {each["step"]: each["outcome"] for each in events if each["event"] == "step-ended"}
    assert list(ended) == [step["id"] for step in plan["steps"]]
    assert set(ended.values()) <= {"done", "already", "not-needed"}, ended


def by_hand(bed: Testbed, runbook: str, given: Mapping[str, str], _journals: Path) -> None:
    """Type the plan's lines; a person looks first at what is done only if need be: CoreDNS, and an earlier clamp."""
    plan = mending.plan_of(bed, runbook, given)
    skip = ["restart CoreDNS"]
    if runbook == "mss-clamp" and given.get("clamp") != "remove":
        skip.append("take an earlier clamp back")
    assert mending.type_in(bed, plan, skip=tuple(skip))


@contextmanager
def broken(matrix: Matrix, name: str) -> Iterator[set[str]]:
    """Inject a fault, and see that it is found; gives its codes. Its nodes are healthy again afterwards."""
    fault = FAULTS[name]
    matrix._hands.take(fault.inject)
    try:
        wanted = {each.code for each in fault.expect}
        seen = matrix._wait(lambda told: wanted <= {each["code"] for each in everything(told)}, 15.0)
        assert wanted <= {each["code"] for each in everything(seen)}
        yield wanted
    except BaseException:
        matrix.heal([fault])
        raise
    matrix._hands._touched.clear()
    matrix.objects.restore()


@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("vxlan/device-missing", by_engine),
        ("vxlan/mac-of-the-device-changed", by_engine),
        ("vxlan/device-down-and-up", by_hand),
        ("vxlan/wrong-address", by_hand),
        ("peers/unknown-to-one-node", by_hand),
    ],
)
def test_restore_vxlan(matrix: Matrix, fault: str, how: How, tmp_path: Path) -> None:
    """A device that is missing, peerless, or with another MAC or address, and deleted peers: found, and cleared."""
    with broken(matrix, fault):
        how(matrix.bed, "restore-vxlan", LIKE, tmp_path)
        is_well(matrix)


@pytest.mark.whole
@pytest.mark.parametrize(
    ("fault", "how"),
    [
        ("mtu/device-too-small", by_engine),
        ("mtu/subnet-env-copy-left", by_engine),
        ("mtu/device-too-small", by_hand),
        ("mtu/subnet-env-written-later", by_hand),
    ],
)
def test_clean_up_mixed_mtu(matrix: Matrix, fault: str, how: How, tmp_path: Path) -> None:
    """A device of another MTU, a subnet.env that was edited, a copy that lies there: all agree again."""
    with broken(matrix, fault):
        how(matrix.bed, "clean-up-mixed-mtu", LIKE, tmp_path)
        is_well(matrix)


@pytest.mark.whole
@pytest.mark.parametrize("how", [by_engine, by_hand])
def test_mtu_change_of_one_node(matrix: Matrix, how: How, tmp_path: Path) -> None:
    """One node was lowered and restarted, its device was not: it is brought to what the others have, and keeps it."""
    with broken(matrix, "mtu/uplink-smaller-and-restarted"):
        how(matrix.bed, "mtu-change", {**LIKE, "mtu": "1500", "nodes": "theoden"}, tmp_path)
        is_well(matrix)
    kept = matrix.ground.run("theoden", ["cat", "/etc/systemd/system/k3s-agent.service.d/90-underlay-mtu.conf"])
    assert "ExecStartPre=-/usr/sbin/ip link set dev eth0 mtu 1500" in kept
    matrix.bed.run_on("theoden", ("ip", "link", "set", "eth0", "mtu", "1480"))
    matrix.bed.run_on("theoden", ("systemctl", "daemon-reload"))
    matrix.bed.restart_unit("theoden")
    shown = matrix.ground.run("theoden", ["ip", "-j", "link", "show", "eth0"])
    assert json.loads(shown)[0]["mtu"] == 1500
    matrix.bed.run_on("theoden", ("rm", "-r", "/etc/systemd/system/k3s-agent.service.d"))
    matrix.bed.run_on("theoden", ("systemctl", "daemon-reload"))
    is_well(matrix)


class Controllers(threading.Thread):
    """What Flux and External Secrets would do once they can: handle requests, and write what came of them."""

    def __init__(self, matrix: Matrix) -> None:
        super().__init__(daemon=True)
        self._bed = matrix.bed
        self._ended = threading.Event()
        self.failed: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join(20)
        assert self.failed == []

    def run(self) -> None:
        while not self._ended.wait(0.5):
            try:
                self._flux()
                self._secret()
            except (TestbedError, ValueError, KeyError) as error:
                self.failed.append(str(error))

    def _get(self, resource: str, namespace: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            self._bed.kubectl("get", resource, "-n", namespace, name, "-o", "json").stdout
        )
        return found

    def _write(self, resource: str, namespace: str, name: str, status: dict[str, Any]) -> None:
        group = "external-secrets.io" if resource == "externalsecrets" else "source.toolkit.fluxcd.io"
        path = f"/apis/{group}/v1/namespaces/{namespace}/{resource}/{name}/status"
        item = self._get(resource, namespace, name)
        item["status"] = {**item.get("status", {}), **status}
        text = json.dumps(item)
        argv = (str(self._bed.plane.programs / "kubectl"), f"--kubeconfig={self._bed.kubeconfig_of('admin')}")
        run(self._bed.operator_command((*argv, "replace", "--raw", path, "-f", "-")), text=text)

    def _flux(self) -> None:
        item = self._get("gitrepositories", "flux-system", "shop")
        asked = item["metadata"].get("annotations", {}).get(REQUESTED)
        if asked and item["status"].get("lastHandledReconcileAt") != asked:
            common = {"status": "True", "reason": "Succeeded", "message": "stored artifact"}
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            generation = item["metadata"]["generation"]
            made = {**common, "observedGeneration": generation, "lastTransitionTime": stamp}
            conditions = [{"type": kind, **made} for kind in ("Ready", "ArtifactInStorage")]
            status = {"conditions": conditions, "lastHandledReconcileAt": asked, "observedGeneration": generation}
            self._write("gitrepositories", "flux-system", "shop", status)

    def _secret(self) -> None:
        item = self._get("externalsecrets", "shop", "shop-database")
        forced = item["metadata"].get("annotations", {}).get("force-sync")
        if forced and item["status"].get("refreshTime") != forced:
            ready = {"type": "Ready", "status": "True", "reason": "SecretSynced", "lastTransitionTime": forced}
            status = {"refreshTime": forced, "syncedResourceVersion": "2-a", "conditions": [ready]}
            self._write("externalsecrets", "shop", "shop-database", {**status, "binding": {"name": "shop-database"}})


MIRROR = {"url": "https://git.outside.test/fleet.git"}


@pytest.mark.whole
@pytest.mark.parametrize(
    ("fault", "given", "changed", "how"),
    [
        ("flux/fetch-timeout", {}, {}, by_engine),
        ("flux/fetch-timeout", {}, {}, by_hand),
        ("flux/fetch-timeout", {"remedy": "timeout", "timeout": "4m"}, {"timeout": "240s"}, by_hand),
        ("flux/branch-missing", {"remedy": "mirror", **MIRROR}, MIRROR, by_engine),
    ],
)
def test_flux_source_stuck(
    matrix: Matrix, fault: str, given: dict[str, str], changed: dict[str, str], how: How, tmp_path: Path
) -> None:
    """A source that timed out is asked again, given more time, or pointed elsewhere; source-controller stays."""
    before = matrix.objects.get("Pod flux-system/source-controller-6ff87cb475-b9wzd")["metadata"]["uid"]
    with broken(matrix, fault), Controllers(matrix):
        how(matrix.bed, "flux-source-stuck", {"object": "GitRepository/flux-system/shop", **given}, tmp_path)
        is_well(matrix)
        spec = matrix.objects.get("GitRepository flux-system/shop")["spec"]
        assert changed.items() <= spec.items()
    for name in changed:
        original = {"timeout": "60s", "url": "https://git.outside.test/shop.git"}[name]
        matrix.objects.patch("GitRepository flux-system/shop", {"spec": {name: original}})
    generation = matrix.objects.get("GitRepository flux-system/shop")["metadata"]["generation"]
    matrix.objects.patch("GitRepository flux-system/shop", {"status": {"observedGeneration": generation}})
    matrix.objects.forget()
    assert matrix.objects.get("Pod flux-system/source-controller-6ff87cb475-b9wzd")["metadata"]["uid"] == before


@pytest.mark.whole
@pytest.mark.parametrize("how", [by_engine, by_hand])
def test_force_sync_secrets(matrix: Matrix, how: How, tmp_path: Path) -> None:
    """A Secret that was never synced is synced once it is asked for."""
    with broken(matrix, "secrets/outage"), Controllers(matrix):
        how(matrix.bed, "force-sync-secrets", {}, tmp_path)
        is_well(matrix)
        matrix.objects.patch("ExternalSecret shop/shop-database", {"metadata": {"annotations": {"force-sync": None}}})
        matrix.objects.forget()


def answered(bed: Testbed, node: str) -> bool:
    """Ask for a large file from a node; whether it came whole."""
    argv = ("curl", "-s", "--max-time", "5", "-o", "/dev/null", LARGE)
    return bed.run_on(node, argv, check=False).returncode == 0


@pytest.mark.whole
@pytest.mark.parametrize("how", [by_engine, by_hand])
def test_mss_clamp(matrix: Matrix, how: How, tmp_path: Path) -> None:
    """Behind a hop of 1400 bytes that tells nobody, large transfers stall; clamped they come, taken back not."""
    bed = matrix.bed
    given = {"path-mtu": "1400", "url": LARGE, "nodes": "theoden"}
    large = ("-m", "length", "--length", "1401:65535")
    # A rule sees what the kernel has put together: packets are to be as they were sent.
    together = ("tso", "off", "gso", "off", "gro", "off")
    wires = {"router": ("eth0", "eth1"), "world": ("eth0",), "theoden": ("eth0",), "lan": ("to-theoden", "to-router")}
    for place, names in wires.items():
        for ifname in names:
            argv = ("chroot", str(bed.machines.root("boromir")), "ethtool", "-K", ifname, *together)
            run(bed.fabric.inside(place, argv))
    with roads.dropping(bed, "router", "FORWARD", *large):
        roads.forget(bed)
        assert not answered(bed, "theoden")
        how(bed, "mss-clamp", given, tmp_path)
        assert answered(bed, "theoden")
        assert not answered(bed, "samwise")
        how(bed, "mss-clamp", {**given, "clamp": "remove"}, tmp_path)
        assert not answered(bed, "theoden")
    mangle = bed.run_on("theoden", ("iptables", "-t", "mangle", "-S")).stdout
    assert "UNDERLAY" not in mangle
    is_well(matrix)


@pytest.mark.whole
@pytest.mark.parametrize("how", [by_engine, by_hand])
def test_registry_mirror(matrix: Matrix, how: How, tmp_path: Path) -> None:
    """A mirror is put before a registry beside what the file holds; a password in it is in no journal."""
    bed, path = matrix.bed, "/etc/rancher/k3s/registries.yaml"
    secret = "hunter2-not-shown"  # noqa: S105 - of nobody
    text = (
        'mirrors:\n    ghcr.io:\n        endpoint:\n            - "https://m.example"\n'
        f"configs:\n    m.example:\n        auth: {{username: u, password: {secret}}}\n"
    )
    before = matrix.ground.run("theoden", ["systemctl", "show", "-p", "InvocationID", "k3s-agent"])
    matrix.ground.write("theoden", path, text)
    given = {**LIKE, "mirror": "https://registry.outside.test", "nodes": "theoden"}
    how(bed, "registry-mirror", given, tmp_path)
    written = matrix.ground.path("theoden", path).read_text()
    assert written == text.replace(
        "mirrors:\n", 'mirrors:\n    "docker.io":\n      endpoint:\n        - "https://registry.outside.test"\n', 1
    )
    assert matrix.ground.run("theoden", ["systemctl", "show", "-p", "InvocationID", "k3s-agent"]) != before
    assert not [each for each in tmp_path.glob("*.jsonl") if secret in each.read_text()]
    matrix.ground.write("theoden", path, None)
    how(bed, "registry-mirror", given, tmp_path)
    made = matrix.ground.path("theoden", path)
    assert made.read_text() == 'mirrors:\n  "docker.io":\n    endpoint:\n      - "https://registry.outside.test"\n'
    assert made.stat().st_mode & 0o777 == 0o600
    made.unlink()
    is_well(matrix)


@pytest.mark.parametrize("how", [by_engine, by_hand])
def test_checksum_offload(matrix: Matrix, how: How, tmp_path: Path) -> None:
    """flannel's device computes its checksums itself, and does again when it is made anew."""
    how(matrix.bed, "checksum-offload", {"nodes": "samwise,theoden", "soak": "1s"}, tmp_path)
    for node in ("samwise", "theoden"):
        shown = matrix.ground.run(node, ["ethtool", "-k", "flannel.1"])
        assert "tx-checksum-ip-generic: off" in shown
        rule = matrix.ground.path(node, "/etc/udev/rules.d/90-flannel.rules")
        assert 'RUN+="/usr/sbin/ethtool -K flannel.1 tx-checksum-ip-generic off"' in rule.read_text()
        rule.unlink()
        matrix.ground.run(node, ["ethtool", "-K", "flannel.1", "tx-checksum-ip-generic", "on"])
    is_well(matrix)


@pytest.mark.whole
def test_host_gw_feasibility_changes_nothing(matrix: Matrix, tmp_path: Path) -> None:
    """The report is read to its end, and neither the API nor a node was written to."""
    audit = matrix.bed.plane.audit_log
    before = len(audit.read_text().splitlines())
    by_engine(matrix.bed, "host-gw-feasibility", {}, tmp_path)
    wait_until(lambda: len(audit.read_text().splitlines()) > before, 10, "the API's audit log goes on")
    ours = [json.loads(line) for line in audit.read_text().splitlines()[before:] if "underlay-operators" in line]
    assert {each["verb"] for each in ours} <= {"get", "list", "watch"}
    assert matrix.bed.run_on("theoden", ("systemctl", "list-units", "--all", "underlay-*", "--no-legend")).stdout == ""
