"""Plans as text, to be held against files: `python -m tests.runbooks.golden` writes these files anew."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition as KubeCondition
from probes.model.kube import Pod
from probes.model.network import Address, NetConf, PodNetns, SubnetEnv
from probes.model.observation import Listed, Observed
from probes.model.secrets import SecretObject
from probes.model.snapshot import Snapshot, fold
from probes.rules.finding import Diagnosis
from runbooks.facts import Found
from runbooks.gates import words
from runbooks.plan import Plan, PlannedStep, plan
from runbooks.shelf import catalog
from runbooks.sight import Condition
from tests.probes.worlds import AT, network, with_network
from tests.runbooks.worlds import diagnosis, running, with_servers

FOLDER: Final = Path(__file__).parent / "plans"
AUTH: Final = "shop-auth"
RUN: Final = "1125-224526-7f3a"
HOST: Final = {
    "os": "usual",
    "network": "other",
    "ip": "/usr/sbin/ip",
    "ethtool": "/usr/sbin/ethtool",
    "iptables-restore": "/usr/sbin/iptables-restore",
    "registries": "absent",
    "registries-indent": "  ",
    "flannel-conf": "default",
    "upstream": "kept",
}


class Case(msgspec.Struct, frozen=True):
    """A plan to be made."""

    runbook: str
    world: Callable[[], Snapshot]
    given: Mapping[str, str] = {}
    hosts: Mapping[str, Mapping[str, str]] = {}
    """What a node's host says otherwise than HOST."""
    incident: str = ""
    """Of the demo cluster, instead of a world."""


def _links(snapshot: Snapshot, name: str, **mtus: int) -> Snapshot:
    """Give links of a node other MTUs."""
    links = tuple(
        msgspec.structs.replace(each, mtu=mtus.get(each.ifname.replace(".", "_"), each.mtu))
        for each in snapshot.networks[name].links or ()
    )
    return with_network(snapshot, name, links=links)


def _mac(snapshot: Snapshot, name: str) -> Snapshot:
    links = tuple(
        msgspec.structs.replace(each, address="02:00:00:00:00:99") if each.vxlan else each
        for each in snapshot.networks[name].links or ()
    )
    return with_network(snapshot, name, links=links)


def healthy() -> Snapshot:
    """Nothing is wrong, and net-conf.json is known."""
    snapshot = running()
    conf = NetConf(network="10.42.0.0/16", backend="vxlan")
    for name in snapshot.nodes:
        snapshot = with_network(snapshot, name, net_conf=conf)
    return snapshot


def three_servers() -> Snapshot:
    """All nodes are servers with embedded etcd."""
    return with_servers(healthy(), ("boromir", "samwise", "theoden"))


def peerless() -> Snapshot:
    """theoden's device went down and up again."""
    return with_network(healthy(), "theoden", routes=(network(2, 3).routes or ())[:1], neighbors=())


def other_mac() -> Snapshot:
    """theoden's device has another MAC than it published, samwise's is gone."""
    links = tuple(each for each in healthy().networks["samwise"].links or () if each.vxlan is None)
    return with_network(_mac(healthy(), "theoden"), "samwise", links=links, udp=())


def dual_stack() -> Snapshot:
    """theoden has podCIDRs of both families, and its IPv4 device another MAC than it published."""
    snapshot = _mac(healthy(), "theoden")
    node = snapshot.nodes["theoden"]
    both = msgspec.structs.replace(node, pod_cidrs=(*node.pod_cidrs, "fd00:42:2::/64"))
    return fold(snapshot, [Observed("kube/nodes", AT, Listed({**snapshot.nodes, "theoden": both}))])


def hot_patched() -> Snapshot:
    """Uplinks lowered by hand, subnet.env edited on samwise, a copy left, one pod made since."""
    snapshot = healthy()
    for name in snapshot.nodes:
        snapshot = _links(snapshot, name, eth0=1450)
    old = snapshot.networks["samwise"]
    assert old.subnet_env is not None
    env = msgspec.structs.replace(old.subnet_env, mtu=1400, written_at=AT + 4000)
    copy = SubnetEnv("/var/lib/flannel-backup/subnet.env", "10.42.0.0/16", "10.42.1.1/24", 1450)
    netns = (
        PodNetns("cni-1", 0, "eth0", 1450, (Address("inet", "10.42.1.5", 24),)),
        PodNetns("cni-2", 1, "eth0", 1400, (Address("inet", "10.42.1.6", 24),)),
    )
    snapshot = with_network(snapshot, "samwise", subnet_env=env, subnet_env_copies=(copy,), pod_netns=netns)
    pods = {
        "shop/web": Pod("shop", "web", node="samwise", ips=("10.42.1.5",), owner="ReplicaSet/web"),
        "shop/new": Pod("shop", "new", node="samwise", ips=("10.42.1.6",), owner="ReplicaSet/web"),
        "shop/lone": Pod("shop", "lone", node="boromir", ips=("10.42.0.5",)),
    }
    return fold(snapshot, [Observed("kube/pods", AT, Listed(pods))])


def source_failing(message: str, url: str = "https://git.example.org/shop.git") -> Callable[[], Snapshot]:
    """Let a Git source be one that cannot be fetched, with source-controller on samwise."""

    def made() -> Snapshot:
        ready = KubeCondition("Ready", "False", "GitOperationFailed", message, changed_at=AT - 300)
        conditions = (ready, msgspec.structs.replace(ready, type="FetchFailed", status="True"))
        ref = ObjectRef("GitRepository", "flux-system", "shop")
        shop = FluxObject(ref, url=url, revision="main@sha1:1", conditions=conditions, secret=AUTH)
        pod = Pod("flux-system", "sc", node="samwise", ips=("10.42.1.5",), app="source-controller", phase="Running")
        return fold(
            healthy(),
            [
                Observed("kube/flux/GitRepository", AT, Listed({"GitRepository/flux-system/shop": shop})),
                Observed("kube/pods", AT, Listed({"flux-system/sc": pod})),
            ],
        )

    return made


def secret_out() -> Snapshot:
    """Let an ExternalSecret never have been synced."""
    ready = KubeCondition("Ready", "False", "SecretSyncedError", "could not get secret data", changed_at=AT - 900)
    db = SecretObject(
        ObjectRef("ExternalSecret", "shop", "db"),
        conditions=(ready,),
        store=ObjectRef("ClusterSecretStore", "", "vault"),
        target="db-auth",
        created_at=AT - 9000,
    )
    return fold(healthy(), [Observed("kube/secrets/ExternalSecret", AT, Listed({"ExternalSecret/shop/db": db}))])


CASES: Final[Mapping[str, Case]] = {
    "rolling-three-servers": Case("k3s-rolling-restart", three_servers),
    "restore-peerless": Case("restore-vxlan", peerless),
    "restore-other-mac": Case("restore-vxlan", other_mac, hosts={"theoden": {"os": "usual"}}),
    "restore-other-mac-nixos": Case("restore-vxlan", other_mac, {"nodes": "theoden"}, {"theoden": {"os": "nixos"}}),
    "restore-dual-stack": Case("restore-vxlan", dual_stack, {"nodes": "theoden"}, {"theoden": {"os": "usual"}}),
    "mtu-lowered": Case(
        "mtu-change",
        hot_patched,
        {"mtu": "1400", "sources": "GitRepository/flux-system/shop"},
        {
            "boromir": {"network": "networkd", "network-dropin": "/etc/systemd/network/20-wired.network.d"},
            "samwise": {"network": "netplan", "netplan-section": "ethernets", "netplan-id": "id0"},
            "theoden": {"network": "networkmanager"},
        },
    ),
    "mtu-shown-only": Case(
        "mtu-change",
        healthy,
        {"roll-pods": "no"},
        {"boromir": {"network": "nixos", "os": "nixos"}, "samwise": {"network": "networkmanager-own"}},
    ),
    "mtu-net-conf": Case("mtu-change", healthy, {"way": "net-conf", "nodes": "samwise", "emptydir": "yes"}),
    "mixed-cleaned": Case("clean-up-mixed-mtu", hot_patched),
    "flux-poke": Case("flux-source-stuck", source_failing("context deadline exceeded")),
    "flux-secret": Case("flux-source-stuck", source_failing("authentication required: no")),
    "flux-host-key": Case(
        "flux-source-stuck",
        source_failing("ssh: handshake failed: knownhosts: key mismatch", "ssh://git@git.example.org/shop.git"),
        {"host-key": "git.example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample"},
    ),
    "flux-mirror": Case(
        "flux-source-stuck", source_failing("status code: 429"), {"url": "https://mirror.example.org/shop.git"}
    ),
    "flux-timeout": Case("flux-source-stuck", source_failing("EOF: unexpected EOF"), {"remedy": "timeout"}),
    "flux-by-hand": Case("flux-source-stuck", source_failing("context deadline exceeded"), {"remedy": "by-hand"}),
    "clamp-set": Case("mss-clamp", healthy, {"path-mtu": "1420", "url": "https://ghcr.io/v2/"}),
    "clamp-overlay": Case(
        "mss-clamp", healthy, {"path-mtu": "1350", "url": "https://ghcr.io/v2/", "where": "overlay", "nodes": "samwise"}
    ),
    "clamp-removed": Case(
        "mss-clamp", healthy, {"path-mtu": "1420", "url": "https://ghcr.io/v2/", "clamp": "remove", "nodes": "samwise"}
    ),
    "clamp-on-the-gateway": Case(
        "mss-clamp", healthy, {"path-mtu": "1420", "url": "https://ghcr.io/v2/", "where": "gateway"}
    ),
    "mirror": Case(
        "registry-mirror",
        healthy,
        {"mirror": "https://mirror.lan:5000"},
        {
            "samwise": {"registries": "mirrors", "registries-indent": "    "},
            "theoden": {"registries": "bare", "upstream": "dropped"},
        },
    ),
    "mirror-managed": Case(
        "registry-mirror", healthy, {"mirror": "https://m.lan", "nodes": "samwise"}, {"samwise": {"registries": "odd"}}
    ),
    "secrets-synced": Case("force-sync-secrets", secret_out),
    "host-gw": Case("host-gw-feasibility", healthy),
    "offload-off": Case("checksum-offload", healthy, {}, {"theoden": {"os": "nixos"}}),
    "demo-flannel-missing": Case("restore-vxlan", healthy, incident="flannel-missing-after-upgrade"),
    "demo-http2-cleaned": Case("clean-up-mixed-mtu", healthy, incident="flux-http2-vxlan"),
    "demo-http2-lowered": Case("mtu-change", healthy, {"mtu": "1450"}, incident="flux-http2-vxlan"),
    "demo-clone-timeouts": Case("flux-source-stuck", healthy, incident="flux-clone-timeouts"),
    "demo-registry-clamped": Case(
        "mss-clamp", healthy, {"path-mtu": "1330", "url": "https://ghcr.io/v2/"}, incident="registry-tls-timeouts"
    ),
    "demo-registry-mirrored": Case(
        "registry-mirror", healthy, {"mirror": "https://10.27.27.5:5000"}, incident="registry-tls-timeouts"
    ),
}
"""By the name of the file."""


async def demo(incident: str) -> Diagnosis:
    """Look once at a demo cluster."""
    from lab.cluster import LabCluster  # noqa: PLC0415 - only for those
    from probes.rules.diagnose import diagnose  # noqa: PLC0415
    from tui.cli.connect import connected  # noqa: PLC0415
    from tui.cli.place import Place  # noqa: PLC0415

    async with LabCluster(incident) as lab:
        place = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, demo=lab.name)
        async with connected(place) as cluster:
            return diagnose(await cluster.observe(10.0))


def made(case: Case) -> Plan:
    """Make the plan of a case."""
    seen = asyncio.run(demo(case.incident)) if case.incident else diagnosis(case.world())
    hosts = {name: {**HOST, **case.hosts.get(name, {})} for name in seen.views}
    return plan(catalog().runbooks[case.runbook], case.given, seen, run=RUN, now=AT, found=Found(hosts))


def text_of(made_plan: Plan) -> str:
    """Write a plan so that a reader of a difference sees what would be done otherwise."""
    return "\n".join(_lines(made_plan)) + "\n"


def _lines(it: Plan) -> Iterator[str]:
    yield f"{it.runbook}: {it.title}"
    yield from (f"  {name} = {value}" for name, value in it.parameters.items())
    yield from (f"  consent: {each}" for each in it.consents)
    yield from (f"  warning: {each}" for each in it.warnings)
    for step in it.steps:
        yield ""
        yield f"{step.id}: {step.name}" + (f" (type {step.typed})" if step.typed else "")
        yield from _step(step)
    yield ""
    yield from (f"clears {each}" for each in it.clears)
    yield from (f"{'goes' if each.cause else 'leaves'} {each.finding}: {each.reason}" for each in it.leaves)


def _step(step: PlannedStep) -> Iterator[str]:
    yield from (f"  $ {line}" for command in step.by_hand for line in command.splitlines())
    yield from (f"  | {line}" for line in getattr(step.action, "text", "").splitlines())
    yield from (f"  # {line}" for line in step.diff.splitlines())
    for label, conditions in (("first", step.before), ("if", step.when), ("unless", step.unless)):
        yield from (f"  {label}: {_words(each)}" for each in conditions)
    if step.gate is not None:
        yield from (f"  {'must' if each.absolute else 'keep'}: {_words(each)}" for each in step.gate.conditions)
        yield f"  within {step.gate.timeout:g} s, soak {step.gate.soak:g} s"


def _words(condition: Condition) -> str:
    return words(condition)


def main() -> None:
    """Write all files anew."""
    for path in FOLDER.glob("*.txt"):
        path.unlink()
    for name, case in CASES.items():
        (FOLDER / f"{name}.txt").write_text(text_of(made(case)))


if __name__ == "__main__":
    main()
