"""Whom each vantage asks for names: its own resolvers, CoreDNS by its pods' addresses and by its service's. Pure."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from probes.model.snapshot import Snapshot
from probes.reach.asking import Question
from probes.vantage import Vantage

INSIDE: Final = "kubernetes.default.svc.cluster.local"
"""A name that every cluster with the default domain has."""
COREFILE_PATH: Final = "/api/v1/namespaces/kube-system/configmaps/coredns"
_KUBERNETES: Final = re.compile(r"^\s*kubernetes\s+([a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?)\.?(?:\s|\{|$)", re.MULTILINE)
"""The plugin's first zone in a Corefile is the cluster's domain (coredns plugin/kubernetes)."""
SERVICE_PATH: Final = "/api/v1/namespaces/kube-system/services/kube-dns"
_COREDNS: Final = 4
_RESOLVERS: Final = 4
_LABEL: Final = "kube-dns"


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] = {}


class _Spec(msgspec.Struct):
    cluster_ip: str = msgspec.field(default="", name="clusterIP")


class _Service(msgspec.Struct):
    spec: _Spec = msgspec.field(default_factory=_Spec)


def service_address(raw: bytes | bytearray) -> str:
    """Read the cluster IP of a Service as the API gives it; empty where there is none."""
    try:
        return _address(msgspec.json.decode(raw, type=_Service).spec.cluster_ip)
    except msgspec.DecodeError:
        return ""


def inside_name(raw: bytes | bytearray) -> str:
    """Give a name that the cluster has, by the domain in CoreDNS's ConfigMap, else by the default domain."""
    try:
        corefile = msgspec.json.decode(raw, type=_ConfigMap).data.get("Corefile", "")
    except msgspec.DecodeError:
        return INSIDE
    found = _KUBERNETES.search(corefile)
    return f"kubernetes.default.svc.{found[1]}" if found and not found[1].endswith(".arpa") else INSIDE


def nameservers(text: str) -> tuple[str, ...]:
    """Read the resolvers of a resolv.conf(5), those that are addresses."""
    lines = [line.split() for line in text.splitlines()]
    found = [_address(words[1]) for words in lines if len(words) > 1 and words[0] == "nameserver"]
    return tuple(each for each in found if each)


def coredns(snapshot: Snapshot, service: str) -> list[tuple[str, str]]:
    """List CoreDNS as (address, what it is): its service, then its pods."""
    pods = sorted(
        (pod.node, pod.ips[0])
        for pod in snapshot.pods.values()
        if pod.app == _LABEL and pod.namespace == "kube-system" and pod.ips and pod.phase == "Running"
    )
    found = [(address, f"coredns on {node}") for node, address in pods[:_COREDNS] if _address(address)]
    return [*([(service, "kube-dns service")] if service else []), *found]


def questions(
    vantage: Vantage, own: Sequence[str], cluster: Sequence[tuple[str, str]], names: Sequence[str], inside: str = INSIDE
) -> list[Question]:
    """Give what a vantage asks: its own resolvers for ``names``, CoreDNS for the cluster's own name ``inside`` too.

    From outside the cluster's network CoreDNS cannot be asked.
    """
    asked = [Question(each, "resolv.conf", name) for each in own[:_RESOLVERS] for name in names]
    if vantage.kind == "pod" and any(address == vantage.address for address, _ in cluster):
        # CoreDNS itself: what it asks its service comes back to it by the bridge's hairpin, which no other pod needs.
        cluster = [(address, called) for address, called in cluster if address == vantage.address]
    if vantage.kind in {"node", "pod"}:
        asked += [Question(address, called, name) for address, called in cluster for name in (inside, *names)]
    return asked


def own_resolvers(vantage: Vantage, snapshot: Snapshot) -> tuple[str, ...]:
    """List a node's resolvers, from its /etc/resolv.conf; a pod's is CoreDNS."""
    network = snapshot.networks.get(vantage.node)
    files = (network.resolvers or ()) if network is not None and vantage.kind == "node" else ()
    found = next((each.nameservers for each in files if each.path == "/etc/resolv.conf"), ())
    return tuple(each for each in map(_address, found) if each)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""
