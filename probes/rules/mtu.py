"""mtu: the five MTUs of a node that ought to agree, and those of different nodes.

flannel decides the MTU of its device once, when it makes it: a device that is there is kept whatever its MTU is
(flannel pkg/backend/vxlan/device.go, ensureLink and vxlanLinksIncompat), while subnet.env is written anew at every
start. So a restart after a change of the hosts' MTU makes the two differ, and repairs nothing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.network import Link, PodNetns
from probes.model.peers import public_ip
from probes.model.uplink import VXLAN_OVERHEAD, VXLAN_OVERHEAD_V6, expected_flannel_mtu, uplink
from probes.rules.facts import MOST_EVIDENCE, NodeFacts, lasting, listed
from probes.rules.finding import Evidence, Finding, NodeView, Severity

ETHERNET: Final = 1500
"""Bytes: the MTU that a path of unknown size is assumed to have at best."""
EDITED_AFTER: Final = 1800.0
"""Seconds after k3s began to start within which flannel writes subnet.env, even where a large database slows it."""


def judge_mtu(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the MTUs of one node against each other; a number that is not known is not judged."""
    yield from _judge_device(facts)
    yield from _judge_env(facts)
    yield from _judge_copies(facts)
    yield from _judge_pods(facts)


def _carrier(facts: NodeFacts) -> Link | None:
    if facts.network is None:
        return None
    return uplink(facts.network, public_ip(facts.node) if facts.node else "")


def _judge_device(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the overlay device against what flannel would give it now, and against what the uplink can carry."""
    carrier = _carrier(facts)
    if carrier is None or carrier.mtu is None or facts.network is None or facts.links is None:
        return
    for family, device in facts.devices.items():
        link = facts.links.get(device)
        if link is None or link.mtu is None:
            continue
        overhead = VXLAN_OVERHEAD if family == "inet" else VXLAN_OVERHEAD_V6
        shown = (
            facts.seen(f"ip link show {device}", f"mtu {link.mtu}"),
            facts.seen(f"ip link show {carrier.ifname}", f"mtu {carrier.mtu}"),
        )
        if "net_conf" not in facts.network.unassessed:
            configured = facts.net_conf.mtu if facts.net_conf else None
            expected = expected_flannel_mtu("vxlan", carrier.mtu, configured, ipv6=family == "inet6")
            if expected is not None and link.mtu != expected:
                yield _mismatch(facts, link, carrier, expected, shown)
        if link.mtu + overhead > carrier.mtu:
            yield facts.finding(
                "overlay-exceeds-underlay",
                Severity.WARNING,
                f"a full packet of {device} is {link.mtu + overhead} bytes outside and {carrier.ifname} carries "
                f"{carrier.mtu}: it is fragmented, and lost where fragments are",
                *shown,
                refutes=f"ping -M do -s {link.mtu - 28} from a pod to a pod of another node is answered",
            )


def _mismatch(facts: NodeFacts, link: Link, carrier: Link, expected: int, shown: tuple[Evidence, ...]) -> Finding:
    large = (link.mtu or 0) > expected
    env = facts.row.subnet_env_mtu
    harmless = not large and (env is None or env <= (link.mtu or 0))
    return facts.finding(
        "flannel-mtu-mismatch",
        Severity.NOTE if harmless else Severity.WARNING,
        f"{link.ifname} has MTU {link.mtu}, {carrier.ifname} with {carrier.mtu} asks for {expected}"
        + ("; a restart of k3s will not repair this" if large else ""),
        *shown,
        refutes=f"{carrier.ifname}'s MTU (or net-conf's) less 50 is {link.ifname}'s",
        detail=f"flannel keeps a device that is there, whatever its MTU. At once, while pods go on: ip link set dev "
        f"{link.ifname} mtu {expected}; then restart k3s so that subnet.env agrees, then recreate the pods.",
    )


def _judge_env(facts: NodeFacts) -> Iterator[Finding]:
    """Judge subnet.env, which new pods get their MTU from, against the device and against the time flannel started."""
    env = facts.network.subnet_env if facts.network else None
    if env is None or env.mtu is None:
        return
    started = facts.row.unit.started_at if facts.row.unit else None
    if env.written_at is not None and started is not None and env.written_at - started > EDITED_AFTER:
        late = lasting(env.written_at - started)
        yield facts.finding(
            "subnet-env-edited",
            Severity.WARNING if facts.row.overlay_mtu not in {None, env.mtu} else Severity.NOTE,
            f"subnet.env was written {late} after k3s started: by hand or by a script, not by flannel",
            facts.seen(f"stat -c %y {env.path}", f"FLANNEL_MTU={env.mtu}, written {late} after the unit started"),
            refutes="the file is not younger than the last start of k3s",
        )
    overlay = (facts.links or {}).get(facts.devices.get("inet", ""))
    if overlay is None or overlay.mtu in {None, env.mtu}:
        return
    large = env.mtu > (overlay.mtu or 0)
    yield facts.finding(
        "subnet-env-mtu-differs",
        Severity.WARNING,
        f"subnet.env gives new pods MTU {env.mtu}, {overlay.ifname} has {overlay.mtu}"
        + (": new pods' full packets do not fit" if large else ": pods made from now on differ from those before"),
        facts.seen(f"cat {env.path}", f"FLANNEL_MTU={env.mtu}"),
        facts.seen(f"ip link show {overlay.ifname}", f"mtu {overlay.mtu}"),
        refutes="both show one number",
    )


def _judge_copies(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the copies of subnet.env that scripts left: one that is put back undoes a repair."""
    network = facts.network
    if network is None or network.subnet_env is None:
        return
    env = network.subnet_env
    stale = [copy for copy in network.subnet_env_copies or () if (copy.mtu, copy.subnet) != (env.mtu, env.subnet)]
    if stale:
        yield facts.finding(
            "subnet-env-stale-copy",
            Severity.NOTE,
            f"{stale[0].path} says MTU {stale[0].mtu}, {stale[0].subnet}; subnet.env {env.mtu}, {env.subnet}: a script "
            "that puts it back brings the old values",
            *(facts.seen(f"cat {copy.path}", f"FLANNEL_MTU={copy.mtu} FLANNEL_SUBNET={copy.subnet}") for copy in stale),
            refutes="nothing on the node copies it back (look for a unit or cron job that names it)",
        )


def _judge_pods(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the running pods' MTUs against subnet.env, which they would get if they were made now."""
    row, network = facts.row, facts.network
    if network is None or row.subnet_env_mtu is None or not row.pod_mtus or row.backend in {"", "none"}:
        return
    wanted = row.subnet_env_mtu
    if row.pod_mtus == (wanted,):
        return
    odd = [pod for pod in network.pod_netns or () if pod.mtu not in {None, wanted}]
    counts = Counter(pod.mtu for pod in network.pod_netns or () if pod.mtu is not None)
    spread = ", ".join(f"{mtu} ×{count}" for mtu, count in sorted(counts.items()))
    shown = tuple(facts.seen(f"ip netns exec {pod.name} ip link show {pod.ifname or 'eth0'}", _pod(pod)) for pod in odd)
    severity = _pod_severity(facts, row.pod_mtus[-1])
    refutes = f"every pod's eth0 has MTU {wanted}"
    if len(row.pod_mtus) > 1:
        said = f"its pods have different MTUs ({spread}): some are older than a change of the MTU; recreate them"
        yield facts.finding("pod-mtu-mixed", severity, said, *shown, refutes=refutes)
    else:
        said = f"all of its pods have MTU {row.pod_mtus[0]}, new ones will get {wanted}: they are older than the change"
        yield facts.finding("pod-mtu-stale", severity, said, *shown, refutes=refutes)


def _pod(pod: PodNetns) -> str:
    return f"mtu {pod.mtu}, {', '.join(a.local for a in pod.addresses if a.scope != 'link') or 'no address'}"


def _pod_severity(facts: NodeFacts, largest: int) -> Severity:
    """Tell how bad it is: a pod larger than what carries it needs the node's own ICMP, or fragments, to get through."""
    row = facts.row
    if row.overlay_mtu is not None:
        over = VXLAN_OVERHEAD if row.uplink_mtu is not None else 0
        fits = largest <= row.overlay_mtu and largest + over <= (row.uplink_mtu or largest)
    else:
        fits = row.uplink_mtu is None or largest <= row.uplink_mtu
    return Severity.NOTE if fits else Severity.WARNING


def judge_cluster_mtu(views: Mapping[str, NodeView], margin: int) -> Iterator[Finding]:
    """Judge what differs between nodes, and the headroom.

    ``margin``: bytes, 0 for no advice; there is none either where nothing stalls.
    """
    rows = [view.summary for view in views.values() if view.summary.uplink_mtu is not None]
    uplinks = Counter(row.uplink_mtu for row in rows if row.uplink_mtu is not None)
    if len(uplinks) > 1:
        yield _differs(views, "uplink-mtu-differs", "uplink_mtu", "uplinks", uplinks)
    overlays = Counter(row.overlay_mtu for row in rows if row.overlay_mtu is not None)
    if len(overlays) > 1:
        yield _differs(views, "flannel-mtu-differs", "overlay_mtu", "VXLAN devices", overlays)
    if margin and len(uplinks) == 1 and len(overlays) == 1:
        yield from _judge_headroom(next(iter(uplinks)), next(iter(overlays)), len(rows), margin)


def _differs(views: Mapping[str, NodeView], code: str, field: str, what: str, counts: Counter[int]) -> Finding:
    """Say which nodes differ from most of the others."""
    usual, _ = counts.most_common(1)[0]
    odd = {
        name: getattr(v.summary, field) for name, v in views.items() if getattr(v.summary, field) not in {None, usual}
    }
    names = sorted(odd)
    spread = ", ".join(f"{mtu} ×{count}" for mtu, count in sorted(counts.items()))
    seen = tuple(
        Evidence("ip link show", f"mtu {odd[name]}, most nodes have {usual}", name, views[name].summary.seen_at)
        for name in names[:MOST_EVIDENCE]
    )
    verb = "is" if len(names) == 1 else "are"
    said = f"the nodes' {what} have different MTUs ({spread}): {listed(names)} {verb} unlike most"
    subject = ObjectRef("Cluster", "", "overlay")
    return Finding(code, Severity.WARNING, subject, said, seen, _SAME, about=tuple(names[:MOST_EVIDENCE]))


_SAME: Final = "ip link shows one MTU on every node, or the nodes are on networks that never exchange large frames"


def _judge_headroom(carrier: int, overlay: int, count: int, margin: int) -> Iterator[Finding]:
    """Advise where pods fill the path to the last byte; nothing is broken by that."""
    path = max(carrier, ETHERNET)
    left = path - overlay
    if left >= margin:
        return
    seen = Evidence("ip link", f"uplink {carrier}, VXLAN device {overlay}, on {count} nodes", "all nodes")
    yield Finding(
        "mtu-headroom",
        Severity.NOTE,
        ObjectRef("Cluster", "", "overlay"),
        f"pods' packets leave {left} bytes of a path of {path}; {margin} are advised where a tunnel may be on the way",
        (seen,),
        "a probe with full-size packets passes on every path that pods use",
    )
