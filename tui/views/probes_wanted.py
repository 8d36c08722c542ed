"""What to probe for what: a node, two nodes, a Flux source, an image pull that fails, a finding. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from probes.model.flux import SOURCE_KINDS, FluxObject, ObjectRef
from probes.model.snapshot import Snapshot
from probes.model.summary.pulls import PullFailure
from probes.rules.codes import FAMILIES
from probes.rules.finding import Diagnosis, Finding
from tui.probing import Wanted

PATHS: Final = ("pmtu", "ping")
"""Kinds that a node is probed by towards its peers, and they by it."""
SOURCE: Final = ("http",)
"""Kinds that a Flux source is probed by in the list of targets, where each is a row."""
_CONTROL: Final = ("tls", "tcp")
"""Kinds that tell where a connection stalls and whether that goes by size: certificates, and the same bytes in small
segments."""
TARGETS: Final = "targets"
"""The list of targets, where a result's place is named."""
_BREAK: Final = "\t"
_CONTROLLER: Final = "source-controller"
_HOSTS: Final = 24
_PULL: Final = frozenset(
    {
        *("image-pull-rate-limit", "image-pull-tls-trust", "image-pull-unreachable", "image-pull-timeout"),
        *("image-pull-broken-off", "image-pull-failing", "image-pull-dns"),
    }
)
"""Findings of pulls whose registry is to be asked."""
_FURTHER: Final[Mapping[str, tuple[str, ...]]] = {
    "image-pull-tls-trust": ("tls",),
    "image-pull-timeout": _CONTROL,
    "image-pull-broken-off": _CONTROL,
}
"""What else tells such a finding's cause."""
_FETCH: Final = frozenset(
    {
        *("flux-rate-limit", "flux-source-auth", "flux-tls-trust", "flux-source-not-found", "flux-no-route"),
        *("flux-connect-refused", "flux-connect-timeout", "flux-tls-stall", "flux-fetch-stalled", "flux-fetch-timeout"),
        *("flux-helm-index", "flux-chart-pull", "flux-oci-pull", "flux-stale"),
    }
)
"""Findings of sources whose server is to be asked."""
_BETWEEN: Final = frozenset({"vxlan", "peers", "mtu", "counters"})
"""Families whose findings are to be seen on the paths between nodes and between their pods."""
_OUT: Final = frozenset({"egress", "outside"})
"""Families whose findings are to be seen on the way out, from where it is shared: whether it stalls, and by size."""
_AWAY: Final = frozenset({"node-unreachable", "node-not-ready", "node-lease-stale"})
"""Findings of nodes to whom the way is to be seen, from everywhere."""
_NAMES: Final = frozenset({"flux-source-dns", "flux-source-no-such-host", "image-pull-dns"})
"""Findings of names that are not looked up: resolvers are asked first, then the server itself."""


def probe_ref(of: str, row: str = "", column: str = "") -> ObjectRef:
    """Name a place on the screen of probes: a cell of the list of targets, or of the paths of one kind of probe."""
    return ObjectRef("Probe", of, f"{row}{_BREAK}{column}")


def place_of(ref: ObjectRef) -> tuple[str, str, str]:
    """Read such a name: which list, which row and which column."""
    row, _, column = ref.name.partition(_BREAK)
    return ref.namespace, row, column


def wanted_of(diagnosis: Diagnosis, subject: ObjectRef | None) -> Wanted | None:
    """Tell what is to be probed for an object; None where nothing is."""
    if subject is None:
        return None
    if subject.kind == "Node":
        return from_node(diagnosis, subject.name)
    if subject.kind == "Registry":
        return of_pulls([each for each in diagnosis.pulls if each.registry == subject.name], subject.name)
    source = _source(diagnosis.snapshot, subject)
    return of_source(diagnosis.snapshot, source) if source is not None else None


def of_finding(diagnosis: Diagnosis, finding: Finding) -> Wanted | None:
    """Tell what its page says to verify, as far as packets can tell; None where they cannot."""
    code, subject = finding.code, finding.subject
    family = _family(code)
    if family in _BETWEEN:
        named = subject.name if subject.kind == "Node" else ""
        about = tuple(name for name in finding.about if name in diagnosis.views and name != named)
        if named:
            return from_node(diagnosis, named, about)
        return Wanted(PATHS, shown=probe_ref(PATHS[0])) if len(diagnosis.views) > 1 else None
    if family == "dns":
        sources = (subject.name,) if subject.kind == "Node" else ()
        return Wanted(("dns",), sources=sources, shown=probe_ref(TARGETS))
    if family in _OUT and subject.kind != "Registry":
        return _way_out(diagnosis, finding)
    if code in _NAMES:
        pulls = [each for each in diagnosis.pulls if _concerns(each, subject)]
        found = of_pulls(pulls, code=code) if code in _PULL else wanted_of(diagnosis, subject)
        return msgspec.structs.replace(found, kinds=("dns", *found.kinds)) if found else None
    if code in _AWAY:
        return to_node(diagnosis, subject.name)
    if code in _PULL:
        return of_pulls([each for each in diagnosis.pulls if _concerns(each, subject)], code=code)
    return wanted_of(diagnosis, subject) if code in _FETCH else None


def _way_out(diagnosis: Diagnosis, finding: Finding) -> Wanted | None:
    """Ask all that is worth asking outside, from the nodes that a finding is about; else what it explains."""
    targets = urls(diagnosis)
    if not targets:
        return next((wanted for each in finding.symptoms if (wanted := of_finding(diagnosis, each))), None)
    about = tuple(name for name in finding.about if name in diagnosis.views)
    return Wanted((*SOURCE, "tcp"), sources=about, targets=targets, shown=probe_ref(TARGETS, targets[0], *about[:1]))


def from_node(diagnosis: Diagnosis, node: str, peers: Iterable[str] = ()) -> Wanted | None:
    """Probe from a node and its pods to its peers; None where it has none."""
    if node not in diagnosis.views or len(diagnosis.views) < 2:  # noqa: PLR2004 - itself and another
        return None
    named = tuple(peers)
    return Wanted(PATHS, sources=(node,), destinations=named, shown=probe_ref(PATHS[0], node, *named[:1]))


def to_node(diagnosis: Diagnosis, node: str) -> Wanted | None:
    """Probe from everywhere to a node; None where there is nobody else."""
    if node not in diagnosis.views or len(diagnosis.views) < 2:  # noqa: PLR2004 - itself and another
        return None
    return Wanted(PATHS, destinations=(node,), shown=probe_ref(PATHS[0], "", node))


def between(source: str, destination: str) -> Wanted | None:
    """Probe one direction between two nodes and between their pods; None from a node to itself."""
    if source == destination:
        return None
    shown = probe_ref(PATHS[0], source, destination)
    return Wanted(PATHS[:1], sources=(source,), destinations=(destination,), shown=shown)


def of_source(snapshot: Snapshot, source: FluxObject) -> Wanted | None:
    """Ask a Flux source's server as its controller does: from the controller's node and pod; None without a URL."""
    url = url_of(source) or _ssh_url(source)
    if not url:
        return None
    pods = [pod for pod in snapshot.pods.values() if pod.app == _CONTROLLER and pod.node and not pod.deleting]
    pods.sort(key=lambda pod: (pod.phase != "Running", pod.name))
    pod = pods[0] if pods else None
    kinds: tuple[str, ...] = () if url.startswith("ssh:") else SOURCE
    kinds += ("git",) if source.ref.kind == "GitRepository" else ()
    kinds += ("registry",) if source.url.startswith("oci:") else ()
    kinds += _CONTROL if url.startswith("https:") else ()
    return Wanted(
        kinds,
        sources=(pod.node,) if pod else (),
        targets=(url,),
        images=(urlsplit(url).netloc,) if "registry" in kinds else (),
        speaker=pod.ips[0] if pod and pod.ips else "",
        shown=probe_ref(TARGETS, url, f"pod@{pod.node}" if pod else ""),
    )


def of_pulls(pulls: Iterable[PullFailure], registry: str = "", *, code: str = "") -> Wanted | None:
    """Ask registries from the nodes whose pulls fail, for what they fail to pull; ``code``: what is found of them.

    ``registry``: also where no pull of it fails.
    """
    nodes, registries, images = set(), {registry} if registry else set(), set()
    for each in pulls:
        nodes |= {each.node} if each.node else set()
        registries |= {each.registry}
        images |= {each.image} if each.image else set()
    targets = tuple(registry_url(each) for each in sorted(registries))[:_HOSTS]
    if not targets:
        return None
    kinds = (*SOURCE, "registry", *_FURTHER.get(code, ()))
    named = tuple(sorted(images)) or tuple(sorted(registries))
    sources = tuple(sorted(nodes))
    return Wanted(kinds, sources=sources, targets=targets, images=named, shown=probe_ref(TARGETS, targets[0]))


def _concerns(pull: PullFailure, subject: ObjectRef) -> bool:
    """Whether a failing pull is one of those that a finding is about: of its registry, on its node, or any."""
    if subject.kind == "Registry":
        return pull.registry == subject.name
    return pull.node == subject.name if subject.kind == "Node" else True


def registry_url(registry: str) -> str:
    """Say where a registry answers whom it does not know: a challenge there is health."""
    host = "registry-1.docker.io" if registry in {"docker.io", "index.docker.io"} else registry
    return f"https://{host}/v2/"


def url_of(source: FluxObject) -> str:
    """Give the URL that HTTP can ask a source's server for, without what may be secret; empty where there is none."""
    if source.source is not None or source.ref.kind not in SOURCE_KINDS:
        return ""
    try:
        parts = urlsplit(source.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if not host or parts.scheme not in {"http", "https", "oci"} or host.endswith((".cluster.local", ".svc")):
        return ""
    place = f"[{host}]" if ":" in host else host
    place = f"{place}:{port}" if port else place
    return f"https://{place}/v2/" if parts.scheme == "oci" else f"{parts.scheme}://{place}{parts.path}"


def _ssh_url(source: FluxObject) -> str:
    """Give the URL of a source that is reached by SSH, without its user; empty of any other."""
    try:
        parts = urlsplit(source.url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme != "ssh" or not host or source.source is not None:
        return ""
    place = f"[{host}]" if ":" in host else host
    return f"ssh://{place}{f':{port}' if port else ''}{parts.path}"


def urls(diagnosis: Diagnosis) -> tuple[str, ...]:
    """List what is worth asking for: the Flux sources' URLs, one a host, then the registries whose pulls fail."""
    by_host: dict[str, str] = {}
    for each in sorted(diagnosis.snapshot.flux.values(), key=lambda each: each.ref):
        if url := url_of(each):
            by_host.setdefault(urlsplit(url).netloc, url)
    for pull in diagnosis.pulls:
        url = registry_url(pull.registry)
        by_host.setdefault(urlsplit(url).netloc, url)
    return tuple(by_host.values())[:_HOSTS]


def _source(snapshot: Snapshot, ref: ObjectRef) -> FluxObject | None:
    """Find the source that an object takes what it has from, by way of its chart where it has one."""
    known: Mapping[ObjectRef, FluxObject] = {each.ref: each for each in snapshot.flux.values()}
    found = known.get(ref)
    for _ in range(3):
        if found is None or found.source is None:
            break
        found = known.get(found.source)
    return found


def _family(code: str) -> str:
    return next((family for family, codes in FAMILIES.items() if code in codes), "")
