"""The hop that carries Flux's artifacts: a controller's pod to source-controller's, by its service and by its pod.

Artifacts are large and usually cross the overlay, and nothing of Flux's own says which way a download took.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from probes.model.flux import FluxObject
from probes.model.kube import Pod
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from probes.reach import http
from probes.reach.fetch import Key, by_curl, result_of
from probes.reach.http import Exchange
from probes.reach.survey import pod_vantage
from probes.transports.base import TransportError
from probes.vantage import Vantage

TAKERS: Final = ("kustomize-controller", "helm-controller")
GIVER: Final = "source-controller"
BY_SERVICE, BY_POD = f"{GIVER} service", f"{GIVER} pod"
TARGETS: Final = (BY_SERVICE, BY_POD)
"""What the two ways are called."""
_POD_PORT: Final = 9090
"""Where source-controller serves artifacts (fluxcd/source-controller main.go, --storage-addr)."""
_PLURALS: Final = {
    "GitRepository": "gitrepositories",
    "OCIRepository": "ocirepositories",
    "Bucket": "buckets",
    "HelmChart": "helmcharts",
}
_PATH: Final = re.compile(r"[A-Za-z0-9._/@:+-]{1,500}")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")


class _Port(msgspec.Struct):
    port: int = 80


class _ServiceSpec(msgspec.Struct):
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    ports: list[_Port] = []


class _Service(msgspec.Struct):
    spec: _ServiceSpec = msgspec.field(default_factory=_ServiceSpec)


class _Artifact(msgspec.Struct):
    path: str = ""


class _Status(msgspec.Struct):
    artifact: _Artifact | None = None


class _Source(msgspec.Struct):
    status: _Status = msgspec.field(default_factory=_Status)


class Hop(msgspec.Struct, frozen=True):
    """One way from a controller to source-controller."""

    taker: Vantage
    target: str
    url: str
    node: str
    """source-controller's."""


def service_path(giver: Pod) -> str:
    """Say where the API has source-controller's Service."""
    return f"/api/v1/namespaces/{giver.namespace}/services/{GIVER}"


def giver_of(snapshot: Snapshot) -> Pod | None:
    """Find the pod that serves artifacts."""
    return next((pod for pod in _running(snapshot, (GIVER,)) if pod.ips), None)


def source_path(snapshot: Snapshot) -> str:
    """Say where the API has the Flux source with the largest artifact; empty where there is none."""
    having = [each for each in snapshot.flux.values() if each.ref.kind in _PLURALS and each.artifact_at is not None]
    if not having:
        return ""
    largest: FluxObject = max(having, key=lambda each: (each.artifact_size or 0, each.ref))
    ref = largest.ref
    if not all(_NAME.fullmatch(part) for part in (ref.namespace, ref.name, largest.api_version)):
        return ""
    group = "source.toolkit.fluxcd.io"
    return f"/apis/{group}/{largest.api_version}/namespaces/{ref.namespace}/{_PLURALS[ref.kind]}/{ref.name}"


def artifact_path(raw: bytes | bytearray) -> str:
    """Read where source-controller serves a source's artifact; empty where the object names none."""
    try:
        found = msgspec.json.decode(raw, type=_Source).status.artifact
    except msgspec.DecodeError:
        return ""
    return found.path.strip("/") if found and _PATH.fullmatch(found.path) else ""


def urls(giver: Pod, service: bytes | bytearray, path: str) -> Mapping[str, str]:
    """Give what is asked for by way of the service and of the pod: what the target is -> URL."""
    try:
        spec = msgspec.json.decode(service, type=_Service).spec if service else _ServiceSpec()
    except msgspec.DecodeError:
        spec = _ServiceSpec()
    found = {}
    if re.fullmatch(r"[0-9a-f.:]{2,45}", spec.cluster_ip):
        found[BY_SERVICE] = f"http://{_host(spec.cluster_ip)}:{spec.ports[0].port if spec.ports else 80}/{path}"
    found[BY_POD] = f"http://{_host(giver.ips[0])}:{_POD_PORT}/{path}"
    return found


def takers(snapshot: Snapshot, offered: Sequence[Vantage]) -> tuple[list[Vantage], dict[str, str]]:
    """Find the networks of the controllers that take artifacts; and of which there is none, with the reason."""
    ways = {each.node: each.transport for each in offered if each.kind in {"node", "pod"}}
    found, missing = [], {}
    for pod in _running(snapshot, TAKERS):
        if pod.node not in ways:
            continue
        made = pod_vantage(snapshot, pod.node, ways[pod.node], pod.ips[0] if pod.ips else "")
        if isinstance(made, Vantage):
            found.append(replace(made, name=f"{pod.app}@{pod.node}"))
        else:
            missing[f"{pod.app}@{pod.node}"] = made
    return found, missing


async def take(hops: Sequence[Hop], report: Callable[[Result], None], *, attempts: int, seconds: float) -> None:
    """Ask for the artifact over every hop, ``attempts`` times."""
    by_taker: dict[Vantage, list[Hop]] = {}
    for hop in hops:
        by_taker.setdefault(hop.taker, []).append(hop)
    async with asyncio.TaskGroup() as tasks:
        for taker, own in by_taker.items():
            tasks.create_task(_take_by(taker, own, report, attempts, seconds))


async def _take_by(
    taker: Vantage, hops: Sequence[Hop], report: Callable[[Result], None], attempts: int, seconds: float
) -> None:
    seen: dict[str, list[Exchange]] = {hop.url: [] for hop in hops}
    try:
        for _ in range(attempts):
            keys: list[Key] = [(url, "1.1") for url, known in seen.items() if http.may_go_on(known, "1.1")]
            told = await by_curl(taker, keys, seconds) if keys else {}
            for (url, _), each in told.items():
                seen[url].append(each)
    except TransportError as error:
        for known in seen.values():
            known.append(Exchange("1.1", unable=str(error)))
    for hop in hops:
        report(result_of("mesh", taker, hop.target, http.judge(seen[hop.url]), seen[hop.url], peer=hop.node))


def _running(snapshot: Snapshot, apps: Sequence[str]) -> list[Pod]:
    pods = [
        pod
        for pod in snapshot.pods.values()
        if pod.app in apps and pod.node and pod.phase == "Running" and not pod.deleting and not pod.host_network
    ]
    return sorted(pods, key=lambda pod: (apps.index(pod.app), pod.name))


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
