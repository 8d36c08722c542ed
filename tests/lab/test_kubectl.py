"""The API as the real kubectl sees it, a client that nobody here wrote."""

import asyncio
import json
import os

import pytest

from lab.cluster import LabCluster
from lab.kinds import BY_KIND
from tests.lab.clients import kubectl, kubectl_path, until

GITREPO = ("-n", "flux-system", "gitrepository/flux-system")


async def test_get_prints_tables(cluster: LabCluster) -> None:
    """``kubectl get`` prints the columns that it prints of a real cluster, for nodes, pods and Flux objects."""
    code, text = await kubectl(cluster, "get", "nodes", "-o", "wide")
    assert code == 0
    assert text.splitlines()[0].split()[:6] == ["NAME", "STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP"]
    assert "control-plane,master" in text
    code, text = await kubectl(cluster, "get", "pods", "-A", "-o", "wide")
    assert code == 0
    assert len(text.splitlines()) == 15
    code, text = await kubectl(cluster, "get", "gitrepositories,kustomizations,helmreleases,externalsecrets", "-A")
    assert code == 0
    assert "stored artifact for revision 'main@sha1:9ce910c1" in text


async def test_get_json_is_the_object(cluster: LabCluster) -> None:
    """``-o json`` gives the whole object and a list of it, with annotations as flannel wrote them."""
    code, text = await kubectl(cluster, "get", "nodes", "-o", "json")
    assert code == 0
    nodes = {item["metadata"]["name"]: item for item in json.loads(text)["items"]}
    annotations = nodes["gimli"]["metadata"]["annotations"]
    assert annotations["flannel.alpha.coreos.com/public-ip"] == "192.0.2.12"
    assert json.loads(annotations["flannel.alpha.coreos.com/backend-data"])["VNI"] == 1


async def test_watch_prints_changes(cluster: LabCluster) -> None:
    """``get -w`` prints a node's new state when it changes."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cluster.folder), "KUBECONFIG": str(cluster.kubeconfig)}
    process = await asyncio.create_subprocess_exec(
        kubectl_path(), "get", "nodes", "-w", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            for _ in range(4):
                await process.stdout.readline()
            cluster.world.set_ready("gimli", "Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
            line = (await process.stdout.readline()).decode()
    finally:
        process.kill()
        await process.communicate()
    assert line.split()[:2] == ["gimli", "NotReady"]


async def test_annotate_asks_flux_to_reconcile(cluster: LabCluster) -> None:
    """The annotation that ``flux reconcile`` sets is handled: lastHandledReconcileAt takes its value."""
    code, text = await kubectl(cluster, "annotate", "--overwrite", *GITREPO, "reconcile.fluxcd.io/requestedAt=then")
    assert code == 0, text
    store = cluster.world.store

    def handled() -> bool:
        status = store.get(BY_KIND["GitRepository"], "flux-system", "flux-system").obj["status"]
        return bool(status.get("lastHandledReconcileAt") == "then")

    await until(handled)
    assert [entry.method for entry in cluster.audit] == ["PATCH"]


async def test_cordon_drain_uncordon(cluster: LabCluster) -> None:
    """A drained node is cordoned with its taint, keeps its DaemonSet's pod, and takes pods again when uncordoned."""
    code, text = await kubectl(cluster, "drain", "gimli", "--ignore-daemonsets")
    assert code == 0, text
    node = cluster.world.store.get(BY_KIND["Node"], "", "gimli").obj["spec"]
    assert node["unschedulable"] is True
    assert node["taints"] == [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    assert [pod.pod for pod in cluster.world.nodes["gimli"].overlay.pods] == ["svclb-traefik-2d1b7a10-4kz8s"]
    code, text = await kubectl(cluster, "get", "nodes")
    assert "Ready,SchedulingDisabled" in text
    code, text = await kubectl(cluster, "uncordon", "gimli")
    assert (code, text) == (0, "node/gimli uncordoned\n")
    assert "taints" not in cluster.world.store.get(BY_KIND["Node"], "", "gimli").obj["spec"]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("describe", "node", "gimli"), "flannel.alpha.coreos.com/backend-type: vxlan"),
        (("describe", "pod", "-n", "kube-system", "-l", "k8s-app=kube-dns"), "coredns"),
        (("version",), "v1.34.1+k3s1"),
        (("api-resources",), "gitrepositories"),
        (("get", "lease", "-n", "kube-node-lease", "gimli", "-o", "jsonpath={.spec.holderIdentity}"), "gimli"),
        (("auth", "can-i", "list", "pods"), "yes"),
        (("get", "--raw", "/readyz?verbose"), "[+]etcd ok"),
        (("delete", "pod", "-n", "apps", "registry-cache-0"), "deleted"),
    ],
)
async def test_commands_an_operator_types(cluster: LabCluster, argv: tuple[str, ...], expected: str) -> None:
    """Commands of every day succeed and say what they say of a real cluster."""
    code, text = await kubectl(cluster, *argv)
    assert code == 0, text
    assert expected in text


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("get", "node", "nobody"), 'nodes "nobody" not found'),
        (("get", "gizmos"), "the server doesn't have a resource type"),
    ],
)
async def test_what_is_not_there_is_reported(cluster: LabCluster, argv: tuple[str, ...], expected: str) -> None:
    """kubectl understands our Status of an object or kind that does not exist."""
    code, text = await kubectl(cluster, *argv)
    assert code == 1
    assert expected in text
