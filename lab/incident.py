"""Incidents: files that describe a world and what went wrong in it."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, ip_address
from typing import Any

from lab import fluxobjects, manifests
from lab.faults import FAULTS
from lab.kernel import KernelError
from lab.kinds import BY_KIND, OPTIONAL_GROUPS
from lab.machine import CniError, Shape
from lab.reading import IncidentError, Section
from lab.store import ExistsError, NotFoundError, timestamp
from lab.world import Path, World


@dataclass(frozen=True)
class Incident:
    """A named demo: what the operator sees, what underlay is expected to find, and the world to build."""

    name: str
    title: str
    story: str
    expects: tuple[str, ...]
    data: dict[str, Any]


def names() -> list[str]:
    """List the incidents there are: ``healthy`` first."""
    found = [path.name.removesuffix(".yaml") for path in files("lab").joinpath("incidents").iterdir()]
    return sorted((name for name in found if not name.startswith("_")), key=lambda name: (name != "healthy", name))


def titles() -> dict[str, str]:
    """Name -> title of each incident."""
    return {name: load(name).title for name in names()}


@cache
def load(name: str) -> Incident:
    """Read an incident by its name; IncidentError says what is wrong with the name or the file."""
    path = files("lab").joinpath("incidents", f"{name}.yaml")
    if not path.is_file():
        raise IncidentError(f"no incident is named {name!r}; there are: {', '.join(names())}")
    return parse(name, path.read_text(encoding="utf-8"))


def parse(name: str, text: str) -> Incident:
    """Check an incident's text by building its world once."""
    import yaml  # noqa: PLC0415 - only the demo needs it here

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader, the C one where there is one
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        raise IncidentError(f"{name}.yaml{line}: not YAML: {getattr(error, 'problem', error)}") from error
    root = Section(data, f"{name}.yaml")
    return Incident(name, root.text("title"), root.text("story"), tuple(root.texts("expects")), data)


def build(incident: Incident, world: World) -> World:
    """Make an empty world into that of the incident; IncidentError for a file that contradicts itself."""
    try:
        return _build(incident, world)
    except (CniError, ExistsError, KernelError, NotFoundError, TypeError, ValueError) as error:
        raise IncidentError(f"{incident.name}.yaml: the incident cannot be built: {error}") from error


def _build(incident: Incident, world: World) -> World:
    root = Section(incident.data, f"{incident.name}.yaml")
    for key in ("title", "story", "expects"):
        root.raw(key)
    now = world.clock()
    cluster = root.section("cluster")
    booted = now + cluster.offset("uptime", "-12d")
    shared = _shared(cluster)
    for section in root.sections("nodes"):
        labels = {"node-role.kubernetes.io/etcd": "true"} if section.flag("etcd") else {}
        world.add_node(_shape(section, shared), booted, labels)
        section.close()
    world.start_flannel()
    for machine in world.nodes.values():
        if machine.overlay.subnet_env is not None:
            machine.overlay.subnet_env.written_at = booted + 9
        machine.unit.started_at = booted + 2
        # What fails to be made is what is missing later.
        machine.creation_fails = machine.shape.creation_fails
    world.paths += [_path(section) for section in root.sections("paths")]
    _add_namespaces(world, root, now)
    for section in root.sections("pods"):
        _add_pod(world, section, now)
    _add_workloads(world)
    for section in root.sections("flux"):
        fluxobjects.add_flux(world, section, now)
    for section in root.sections("secrets"):
        fluxobjects.add_secret(world, section, now)
    for section in root.sections("events"):
        _add_event(world, section, now)
    for section in root.sections("faults"):
        kind = section.choice("do", tuple(FAULTS))
        FAULTS[kind](world, section, now)
        section.close()
    root.close()
    return world


def _shared(cluster: Section) -> dict[str, Any]:
    """Read what all nodes have in common."""
    uplink = cluster.section("uplink")
    shared = {
        "uplink": uplink.text("ifname", "eth0"),
        "mtu": uplink.number("mtu", 1500),
        "prefixlen": uplink.number("prefixlen", 24),
        "gateway": str(uplink.checked("gateway", ip_address)),
        "k3s_version": cluster.text("k3s", "v1.34.1+k3s1"),
        "kernel_release": cluster.text("kernel", "6.8.0-87-generic"),
        "os_image": cluster.text("os", "Ubuntu 24.04.3 LTS"),
        "nameservers": tuple(cluster.texts("nameservers") or ["1.1.1.1", "9.9.9.9"]),
        "search": tuple(cluster.texts("search")),
    }
    uplink.close()
    cluster.close()
    return shared


def _shape(section: Section, shared: dict[str, Any]) -> Shape:
    own: dict[str, Any] = {
        "name": section.text("name"),
        "role": section.choice("role", ("server", "agent")),
        "address": str(section.checked("address", ip_address)),
        "pod_cidr": str(section.checked("podCIDR", IPv4Network)),
        "vtep_mac": section.text("vtepMAC", ""),
        "user": section.text("user", "root"),
        "sudo": section.flag("sudo", default=True),
        "creation_fails": section.number("creationFails", 0),
    }
    if "backendMTU" in section:
        own["backend_mtu"] = section.number("backendMTU")
    if "mtu" in section:
        own["mtu"] = section.number("mtu")
    return Shape(**(shared | own))


def _path(section: Section) -> Path:
    path = Path(
        origin=section.text("from", "nodes"),
        to=section.text("to"),
        mtu=section.number("mtu", 1500),
        icmp=section.flag("icmp", default=True),
        fragments=section.flag("fragments", default=True),
        loss=section.share("loss", 0.0),
        blocked=section.flag("blocked"),
        cancels=section.number("cancels", 0),
    )
    section.close()
    return path


def _add_namespaces(world: World, root: Section, now: float) -> None:
    names_ = {"default", "kube-system", "kube-node-lease", "kube-public"}
    for key in ("pods", "flux", "secrets"):
        for item in root.raw(key, []) if isinstance(root.raw(key, []), list) else []:
            if isinstance(item, dict) and isinstance(item.get("namespace", ""), str):
                names_.add(item.get("namespace", "flux-system" if key == "flux" else "default"))
    for name in sorted(names_):
        meta = {"name": name, "creationTimestamp": timestamp(now - 40 * 86400), "labels": {}}
        world.store.create(BY_KIND["Namespace"], {"metadata": meta, "status": {"phase": "Active"}})
    meta = {"name": "kube-dns", "namespace": "kube-system", "labels": {"k8s-app": "kube-dns"}}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53}]
    spec = {"clusterIP": "10.43.0.10", "ports": ports, "selector": {"k8s-app": "kube-dns"}, "type": "ClusterIP"}
    world.store.create(BY_KIND["Service"], {"metadata": meta, "spec": spec})
    if "flux-system" in names_:
        meta = {"name": "source-controller", "namespace": "flux-system", "labels": {"app": "source-controller"}}
        ports = [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}]
        spec = {
            "clusterIP": "10.43.0.90",
            "ports": ports,
            "selector": {"app": "source-controller"},
            "type": "ClusterIP",
        }
        world.store.create(BY_KIND["Service"], {"metadata": meta, "spec": spec})


def _add_pod(world: World, section: Section, now: float) -> None:
    node_name = section.text("node")
    if node_name not in world.nodes:
        raise section.fail("node", f"no node is named {node_name!r}")
    waiting = None
    if "waiting" in section:
        state = section.section("waiting")
        waiting = (state.text("reason"), state.text("message", ""))
        state.close()
    pod = manifests.pod(
        section.text("namespace", "default"),
        section.text("name"),
        node_name,
        section.text("image"),
        created_at=now + section.offset("age", "-12d"),
        app=section.text("app", ""),
        ip=section.text("ip", ""),
        owner=section.text("owner", ""),
        restarts=section.number("restarts", 0),
        host_network=section.flag("hostNetwork"),
        waiting=waiting,
    )
    mtu = section.number("mtu") if "mtu" in section else None
    section.close()
    world.run_pod(pod, mtu)


def _add_workloads(world: World) -> None:
    """Create the DaemonSets and Deployments that the pods' owners imply; a ReplicaSet's name ends in its hash."""
    owners: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for pod in world.store.objects(BY_KIND["Pod"]):
        for owner in pod["metadata"].get("ownerReferences", []):
            name = owner["name"]
            kind = owner["kind"]
            if kind == "ReplicaSet":
                kind, name = "Deployment", name.rpartition("-")[0]
            if kind in BY_KIND:
                owners.setdefault((kind, pod["metadata"]["namespace"], name), []).append(pod)
    for (kind, namespace, name), pods in owners.items():
        world.store.create(BY_KIND[kind], manifests.workload(kind, namespace, name, pods))


def _add_event(world: World, section: Section, now: float) -> None:
    kind, namespace, name = (*section.text("object").split("/"), "", "")[:3]
    if kind not in BY_KIND:
        raise section.fail("object", f"{kind!r} is not a kind that the demo serves; write Kind/namespace/name")
    if not BY_KIND[kind].namespaced:
        namespace, name = "", namespace
    if not any(e.obj["metadata"]["name"] == name for e in world.store.entries(BY_KIND[kind], namespace)):
        raise section.fail("object", f"there is no {kind} named {name!r} in namespace {namespace!r}")
    event = manifests.event(
        world.store.get(BY_KIND[kind], namespace, name).obj,
        section.text("reason"),
        section.text("message").strip(),
        component=section.text("component", "kubelet"),
        first_at=now + section.offset("first"),
        last_at=now + section.offset("last"),
        kind=section.choice("type", ("Warning", "Normal"), "Warning"),
        count=section.number("count", 1),
        host=section.text("host", ""),
    )
    section.close()
    world.store.create(BY_KIND["Event"], event)


__all__ = ["OPTIONAL_GROUPS", "Incident", "build", "load", "names", "parse", "titles"]
