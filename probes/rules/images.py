"""images: pulls that fail, put together by what they have in common.

Pulls that fail alike on one node whatever the registry point to the node and its way out; on many nodes from one
registry, to the registry or its credentials; of one image only, to its name, tag or rights. The texts are containerd's
and kubelet's (containerd core/remotes/docker, kubernetes pkg/kubelet/images).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from probes.model.flux import ObjectRef
from probes.model.snapshot import NODE, Snapshot
from probes.model.summary.pulls import PullFailure
from probes.rules.facts import MOST_EVIDENCE, listed, node_ref
from probes.rules.failures import NETWORK, failure_of
from probes.rules.finding import Evidence, Finding, Severity

EGRESS: Final = ObjectRef("Cluster", "", "egress")
"""The subject of what goes wrong on the way out, whichever node and registry."""


class Pull(msgspec.Struct, frozen=True):
    """The class of a failed pull's message."""

    code: str
    said: str
    detail: str = ""
    network: bool = False
    """Whether the way to the registry may be the cause."""
    blob: bool = False
    """Whether the registry answered and the blob, which another host serves, did not come."""


_MIRROR: Final = (
    " Behind a mirror of registries.yaml kubelet tells only of the last endpoint, the registry itself; the mirror's "
    "own failure is in containerd.log."
)
_BY_FAILURE: Final = {
    "dns": ("image-pull-dns", "containerd asks the node's own resolvers, not CoreDNS: look at the node's resolv.conf."),
    "unknown-name": ("image-name-invalid", "Somebody answered: the registry's name is wrong."),
    "connect-timeout": ("image-pull-timeout", "A firewall, a route or the registry." + _MIRROR),
    "connect-refused": ("image-pull-unreachable", "Packets pass both ways; nobody listens." + _MIRROR),
    "no-route": ("image-pull-unreachable", "The node or a router on the way says so." + _MIRROR),
    "tls-stall": (
        "image-pull-timeout",
        "The registry's certificates are the first full-size packets to come in: the classic place of a path MTU black "
        "hole, though loss does it too. A quick 401 from /v2/ proves neither." + _MIRROR,
    ),
    "tls-trust": (
        "image-pull-tls-trust",
        "The network works. A private CA, a proxy that opens TLS, or plain HTTP." + _MIRROR,
    ),
    "rate-limit": (
        "image-pull-rate-limit",
        "The network works. All nodes behind one address share the anonymous limit, of Docker Hub 100 pulls in 6 "
        "hours: log in, or use a mirror.",
    ),
    "denied": (
        "image-pull-denied",
        "The network works: the registry answered. Registries say the same of what is private and of what does not "
        "exist.",
    ),
    "not-found": ("image-not-found", "The network works. The name or the tag is wrong, or the image was removed."),
    "broken-off": (
        "image-pull-broken-off",
        "The registry answers, bulk data does not get through: loss, a path MTU black hole, or a proxy." + _MIRROR,
    ),
    "timeout": ("image-pull-timeout", "It does not say at which stage." + _MIRROR),
}
_OTHERS: Final[tuple[tuple[re.Pattern[str], Pull], ...]] = (
    (
        re.compile(r"InvalidImageName|invalid reference format|couldn't parse image"),
        Pull("image-name-invalid", "the image's name is no name", "Nothing was asked of any registry."),
    ),
    (
        re.compile(r"ErrImageNeverPull|is not present with pull policy of Never"),
        Pull(
            "image-never-pull",
            "it is not on the node and must not be pulled",
            "imagePullPolicy is Never: the image is loaded by hand, or not at all.",
        ),
    ),
    (
        re.compile(r"no space left on device"),
        Pull("image-no-space", "the node has no room for it", "Free the node's disk."),
    ),
)
_CANCELED: Final = re.compile(r"context canceled")
_BLOB: Final = re.compile(r"failed to copy|httpReadSeeker|/blobs/")
_NOT_FOUND: Final = re.compile(r"\S+: not found")
_ANONYMOUS: Final = re.compile(r"failed to (?:authorize|fetch (?:anonymous|oauth) token)")


@lru_cache(maxsize=4096)
def pull_of(message: str) -> Pull:
    """Class the message of a failed pull; ``image-pull-failing`` where it tells no cause."""
    for pattern, pull in _OTHERS:
        if pattern.search(message):
            return pull
    blob = _BLOB.search(message) is not None
    failure = failure_of(message)
    if failure is not None:
        code, detail = _BY_FAILURE[failure.kind]
        return Pull(code, failure.said, detail, network=failure.kind in NETWORK - {"unknown-name"}, blob=blob)
    if _CANCELED.search(message):
        code, detail = _BY_FAILURE["broken-off"]
        return Pull(code, "the transfer makes no progress for 5 minutes and is given up", detail, True, blob)  # noqa: FBT003
    if _ANONYMOUS.search(message):
        return Pull("image-pull-denied", "it gives no token", _BY_FAILURE["denied"][1])
    if _NOT_FOUND.search(message):
        return Pull("image-not-found", "there is no such image or tag", _BY_FAILURE["not-found"][1])
    return Pull(
        "image-pull-failing",
        "nothing tells why",
        "The Event that tells the cause lives an hour, and kubelets before 1.32 do not repeat it.",
    )


_Member = tuple[PullFailure, Pull]
_Key = Callable[[PullFailure], str]


def judge_pulls(snapshot: Snapshot, rows: Sequence[PullFailure]) -> Iterator[Finding]:
    """Judge all image pulls that fail; each row is part of exactly one finding."""
    classes: dict[str, list[tuple[PullFailure, Pull]]] = {}
    for row in rows:
        pull = pull_of(row.message)
        classes.setdefault(pull.code, []).append((row, pull))
    for code, members in classes.items():
        for group in _groups(code, members):
            yield _finding(snapshot, code, group)


def _groups(code: str, members: list[_Member]) -> Iterable[list[_Member]]:
    """Put together what fails alike for one reason."""
    if code in {"image-not-found", "image-name-invalid", "image-never-pull"}:
        return _by(members, lambda row: row.image)
    if code == "image-no-space":
        return _by(members, lambda row: row.node)
    if any(pull.network for _, pull in members):
        return _by_path(members)
    return _by(members, lambda row: row.registry)


def _by(members: list[_Member], key: _Key) -> list[list[_Member]]:
    groups: dict[str, list[_Member]] = {}
    for row, pull in members:
        groups.setdefault(key(row), []).append((row, pull))
    return list(groups.values())


def _by_path(members: list[_Member]) -> list[list[_Member]]:
    """Keep a node that fails with several registries, and a registry that fails on several nodes, by themselves."""
    registries: dict[str, set[str]] = {}
    nodes: dict[str, set[str]] = {}
    for row, _ in members:
        registries.setdefault(row.node, set()).add(row.registry)
        nodes.setdefault(row.registry, set()).add(row.node)
    sick_nodes = {n for n, mine in registries.items() if len(mine) > 1 and all(len(nodes[one]) == 1 for one in mine)}
    sick_registries = {r for r, on in nodes.items() if len(on) > 1 and all(len(registries[one]) == 1 for one in on)}
    groups: dict[tuple[str, str], list[_Member]] = {}
    for row, pull in members:
        key = ("", "")
        if row.node in sick_nodes:
            key = ("node", row.node)
        elif row.registry in sick_registries:
            key = ("registry", row.registry)
        groups.setdefault(key, []).append((row, pull))
    return list(groups.values())


def _finding(snapshot: Snapshot, code: str, group: list[_Member]) -> Finding:
    rows = [row for row, _ in group]
    pull = group[0][1]
    images = sorted({row.image for row in rows})
    registries = sorted({row.registry for row in rows})
    nodes = sorted({row.node for row in rows if row.node})
    pods = sum(len(row.pods) for row in rows)
    what = images[0] if len(images) == 1 else f"{len(images)} images of {listed(registries)}"
    where = f" on {listed(nodes)}" if nodes else ""
    blobs = sum(pull.blob for _, pull in group)
    part = "" if blobs == len(group) else f"{blobs} of {len(group)} "
    stage = f", {part}at the blob, which another host serves" if blobs else ""
    waiting = f"; {pods} pods wait" if pods > 1 else ""
    summary = f"{what} cannot be pulled{where}: {pull.said}{stage}{waiting}"
    scope, subject = _scope(pull, nodes, registries, images)
    seen = [*map(_quote, rows[:MOST_EVIDENCE])]
    if pull.network:
        seen += [_way_out(snapshot, name) for name in nodes[:3] if name in snapshot.networks]
    refutes = f"k3s crictl pull {images[0]} succeeds on {nodes[0] if nodes else 'the node'}, several times over"
    detail = " ".join(part for part in (scope, pull.detail) if part)
    return Finding(
        code,
        Severity.WARNING,
        subject,
        summary,
        tuple(seen),
        refutes,
        detail=detail,
        about=tuple(nodes[:MOST_EVIDENCE]),
    )


def _scope(pull: Pull, nodes: list[str], registries: list[str], images: list[str]) -> tuple[str, ObjectRef]:
    """Say what the failures have in common, and what that points to; name it as the subject."""
    registry = ObjectRef("Registry", "", registries[0])
    if not pull.network:
        if pull.code == "image-no-space" and nodes:
            return "", node_ref(nodes[0])
        if len(images) == 1:
            return "Only this image: its name, its tag or its rights.", ObjectRef("Image", "", images[0])
        return "Several images of one registry.", registry
    if len(registries) > 1 and len(nodes) == 1:
        return "One node, whatever the registry: this node's uplink, routes, resolvers or MTU.", node_ref(nodes[0])
    if len(registries) > 1:
        return "Unrelated registries on several nodes: none of them, but the way out that they share.", EGRESS
    if len(nodes) > 1:
        return "One registry on several nodes: the registry, or what lies before it.", registry
    return "One registry on one node: too little to tell the one from the other.", registry


def _quote(row: PullFailure) -> Evidence:
    return Evidence(
        f"Events of {listed(row.pods)}", row.message, f"kubelet on {row.node}" if row.node else "API", row.last_at
    )


def _way_out(snapshot: Snapshot, name: str) -> Evidence:
    """Quote what a pull on a node depends on: its uplink's MTU, its way out, whom it asks for names."""
    network = snapshot.networks[name]
    default = next((route for route in network.routes or () if route.dst == "default"), None)
    link = next((link for link in network.links or () if default and link.ifname == default.dev), None)
    servers = next((found.nameservers for found in network.resolvers or ()), ())
    said = [
        f"default via {default.gateway} dev {default.dev}" if default else "no default route is known",
        f"mtu {link.mtu}" if link and link.mtu else "its MTU is not known",
        f"nameserver {', '.join(servers)}" if servers else "its resolvers are not known",
    ]
    at = snapshot.source(f"{NODE}{name}").at
    return Evidence("ip route; ip link; cat /etc/resolv.conf", "; ".join(said), name, at)
