"""mtu: the five MTUs of a node that ought to agree, and those of different nodes.

flannel decides the MTU of its device once, when it makes it: a device that is there is kept whatever its MTU is
(flannel pkg/backend/vxlan/device.go, ensureLink and vxlanLinksIncompat), while subnet.env is written anew at every
start. So a restart after a change of the hosts' MTU makes the two differ, and repairs nothing.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from probes.model.network import Link, NodeNetwork, PodNetns, SubnetEnv
from probes.model.peers import public_ip
from probes.model.summary.nodes import NodeSummary
from probes.model.uplink import (
    VXLAN_OVERHEAD,
    VXLAN_OVERHEAD_V6,
    WIREGUARD_OVERHEAD,
    expected_flannel_mtu,
    uplink,
)
from probes.rules.facts import MOST_EVIDENCE, OVERLAY, NodeFacts, listed
from probes.rules.finding import Evidence, Finding, NodeView, Severity
from probes.rules.words import age_text

ETHERNET: Final = 1500
"""Bytes: the MTU that a path of unknown size is assumed to have at best."""
_OVERHEADS: Final = {"vxlan": VXLAN_OVERHEAD, "wireguard": WIREGUARD_OVERHEAD, "host-gw": 0}
"""Bytes that a pod's packet grows by on the uplink, by backend."""
EDITED_AFTER: Final = 1800.0
"""Seconds after k3s began to start within which flannel writes subnet.env, even where a large database slows it."""


def judge_mtu(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the MTUs of one node against each other; a number that is not known is not judged."""
    network = facts.network
    if network is None:
        return
    if facts.links is not None:
        carrier = uplink(network, public_ip(facts.node) if facts.node else "")
        for family, device in facts.devices.items():
            link = facts.links.get(device)
            if carrier is not None and link is not None:
                yield from _judge_device(facts, network, carrier, link, ipv6=family == "inet6")
    if network.subnet_env is not None:
        yield from _judge_env(facts, network.subnet_env)
        yield from _judge_copies(facts, network, network.subnet_env)
    yield from _judge_pods(facts, network)


def _judge_device(
    facts: NodeFacts, network: NodeNetwork, carrier: Link, link: Link, *, ipv6: bool
) -> Iterator[Finding]:
    """Judge the overlay device against what flannel would give it now, and against what the uplink can carry."""
    if carrier.mtu is None or link.mtu is None:
        return
    shown = (
        facts.seen(f"ip link show {link.ifname}", f"mtu {link.mtu}"),
        facts.seen(f"ip link show {carrier.ifname}", f"mtu {carrier.mtu}"),
    )
    if "net_conf" not in network.unassessed:
        configured = network.net_conf.mtu if network.net_conf else None
        expected = expected_flannel_mtu("vxlan", carrier.mtu, configured, ipv6=ipv6)
        if expected not in {None, link.mtu}:
            asking = f"net-conf.json with {configured}" if configured else f"{carrier.ifname} with {carrier.mtu}"
            yield _mismatch(facts, link.ifname, link.mtu, asking, expected, shown)
    outside = link.mtu + (VXLAN_OVERHEAD_V6 if ipv6 else VXLAN_OVERHEAD)
    if outside > carrier.mtu:
        yield facts.finding(
            "overlay-exceeds-underlay",
            Severity.WARNING,
            f"a full packet of {link.ifname} is {outside} bytes outside and {carrier.ifname} carries "
            f"{carrier.mtu}: it is fragmented, and lost where fragments are",
            *shown,
            refutes=f"ping -M do -s {link.mtu - (48 if ipv6 else 28)} from a pod to a pod of another node is answered",
        )


def _mismatch(
    facts: NodeFacts, device: str, mtu: int, asking: str, expected: int | None, shown: tuple[Evidence, ...]
) -> Finding:
    """Name a device whose MTU is not what flannel would give it now; ``asking``: what that follows from."""
    large = mtu > (expected or mtu)
    env = facts.row.subnet_env_mtu
    harmless = not large and (env is None or env <= mtu)
    return facts.finding(
        "flannel-mtu-mismatch",
        Severity.NOTE if harmless else Severity.WARNING,
        f"{device} has MTU {mtu}, {asking} asks for {expected}"
        + ("; a restart of k3s will not repair this" if large else ""),
        *shown,
        refutes=f"{asking.split()[0]}'s MTU less what the tunnel takes is {device}'s",
        detail=f"flannel keeps a device that is there, whatever its MTU. At once, while pods go on: ip link set dev "
        f"{device} mtu {expected}; then restart k3s so that subnet.env agrees, then recreate the pods.",
    )


def _judge_env(facts: NodeFacts, env: SubnetEnv) -> Iterator[Finding]:
    """Judge subnet.env, which new pods get their MTU from, against the device and against the time flannel started."""
    if env.mtu is None:
        return
    # The kernel gives the device for IPv6 less than flannel asks for and writes down: that is no difference.
    device = facts.devices.get("inet", "")
    mtu = facts.row.overlay_mtu if device else None
    started = facts.row.unit.started_at if facts.row.unit else None
    if env.written_at is not None and started is not None and env.written_at - started > EDITED_AFTER:
        late = age_text(env.written_at - started)
        yield facts.finding(
            "subnet-env-edited",
            Severity.WARNING if mtu not in {None, env.mtu} else Severity.NOTE,
            f"subnet.env was written {late} after k3s started: by hand or by a script, not by flannel",
            facts.seen(f"stat -c %y {env.path}", f"FLANNEL_MTU={env.mtu}, written {late} after the unit started"),
            refutes="the file is not younger than the last start of k3s",
        )
    if mtu in {None, env.mtu}:
        return
    large = env.mtu > (mtu or env.mtu)
    yield facts.finding(
        "subnet-env-mtu-differs",
        Severity.WARNING,
        f"subnet.env gives new pods MTU {env.mtu}, {device} has {mtu}"
        + (": new pods' full packets do not fit" if large else ": pods made from now on differ from those before"),
        facts.seen(f"cat {env.path}", f"FLANNEL_MTU={env.mtu}"),
        facts.seen(f"ip link show {device}", f"mtu {mtu}"),
        refutes="both show one number",
    )


def _judge_copies(facts: NodeFacts, network: NodeNetwork, env: SubnetEnv) -> Iterator[Finding]:
    """Judge the copies of subnet.env that scripts left: one that is put back undoes a repair."""
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


def _judge_pods(facts: NodeFacts, network: NodeNetwork) -> Iterator[Finding]:
    """Judge the running pods' MTUs against subnet.env, which they would get if they were made now."""
    row, wanted = facts.row, facts.row.subnet_env_mtu
    if wanted is None or row.backend not in _OVERHEADS or row.pod_mtus in {(), (wanted,)}:
        return
    pods = network.pod_netns or ()
    odd = [pod for pod in pods if pod.mtu not in {None, wanted}]
    shown = tuple(facts.seen(f"ip netns exec {pod.name} ip link show {pod.ifname or 'eth0'}", _pod(pod)) for pod in odd)
    severity = _pod_severity(row, row.pod_mtus[-1])
    refutes = f"every pod's eth0 has MTU {wanted}"
    if len(row.pod_mtus) > 1:
        spread = _spread(Counter(pod.mtu for pod in pods if pod.mtu is not None))
        said = f"its pods have different MTUs ({spread}): some are older than a change of the MTU; recreate them"
        yield facts.finding("pod-mtu-mixed", severity, said, *shown, refutes=refutes)
    else:
        said = f"all of its pods have MTU {row.pod_mtus[0]}, new ones will get {wanted}: they are older than the change"
        yield facts.finding("pod-mtu-stale", severity, said, *shown, refutes=refutes)


def _pod(pod: PodNetns) -> str:
    return f"mtu {pod.mtu}, {', '.join(a.local for a in pod.addresses if a.scope != 'link') or 'no address'}"


def _spread(counts: Counter[int]) -> str:
    return ", ".join(f"{mtu} ×{count}" for mtu, count in sorted(counts.items()))


def _pod_severity(row: NodeSummary, largest: int) -> Severity:
    """Tell how bad it is: a pod larger than what carries it needs the node's own ICMP, or fragments, to get through."""
    carried = None if row.uplink_mtu is None else row.uplink_mtu - _OVERHEADS[row.backend]
    fits = all(largest <= room for room in (row.overlay_mtu, carried) if room is not None)
    return Severity.NOTE if fits else Severity.WARNING


def judge_cluster_mtu(
    views: Mapping[str, NodeView], uplinks: Mapping[str, int], overlays: Mapping[str, int]
) -> Iterator[Finding]:
    """Judge what differs between nodes; ``uplinks`` and ``overlays``: MTUs by node, of those that tell."""
    if len(set(uplinks.values())) > 1:
        yield _differing(views, "uplink-mtu-differs", "uplinks", uplinks)
    if len(set(overlays.values())) > 1:
        yield _differing(views, "flannel-mtu-differs", "VXLAN devices", overlays)


def judge_half_changed(amiss: Mapping[str, NodeView]) -> Iterator[Finding]:
    """Judge whether somebody changes the MTU of several nodes by hand, and not all that it takes.

    ``amiss``: the nodes of which something was found.
    """
    edited = {
        name: view
        for name, view in sorted(amiss.items())
        if any(f.code == "subnet-env-edited" and f.severity is not Severity.NOTE for f in view.findings)
    }
    if len(edited) < _SEVERAL:
        return
    names = list(edited)
    rows = [view.summary for view in edited.values()]
    uplinks, devices = _sizes(row.uplink_mtu for row in rows), _sizes(row.overlay_mtu for row in rows)
    envs, pods = _sizes(row.subnet_env_mtu for row in rows), _sizes(mtu for row in rows for mtu in row.pod_mtus)
    seen = [
        Evidence(
            "ip link; cat /run/flannel/subnet.env",
            f"{row.uplink} {row.uplink_mtu}, {row.overlay} {row.overlay_mtu}, subnet.env {row.subnet_env_mtu}, "
            f"cni0 {row.cni0_mtu}, pods {_sizes(row.pod_mtus)}",
            row.name,
            row.seen_at,
        )
        for row in rows[:MOST_EVIDENCE]
    ]
    yield Finding(
        "mtu-half-changed",
        Severity.WARNING,
        OVERLAY,
        f"an MTU was changed by hand on {listed(names)} and not in all places: uplinks {uplinks}, {rows[0].overlay} "
        f"{devices}, subnet.env {envs}, pods {pods}",
        tuple(seen),
        "on every node subnet.env, the VXLAN device and all pods show one number",
        detail=f"Running pods keep their MTU whatever subnet.env and cni0 say, and flannel keeps {rows[0].overlay} as "
        "it is: a restart of k3s alone, on however many nodes, repairs neither. On each node: ip link set the device "
        "to the uplink's MTU less what the tunnel takes, restart k3s so that subnet.env agrees, recreate the pods. It "
        "does not break fetches from the internet: pods reach that by the uplink, without VXLAN.",
        about=tuple(names),
    )


_SEVERAL: Final = 2
"""Nodes from which on something is told once of all of them."""


def _sizes(mtus: Iterable[int | None]) -> str:
    return " and ".join(str(mtu) for mtu in sorted({mtu for mtu in mtus if mtu is not None})) or "unknown"


def _differing(views: Mapping[str, NodeView], code: str, what: str, mtus: Mapping[str, int]) -> Finding:
    """Say which nodes differ from most of the others; where as many have each, a server is what is usual."""
    counts = Counter(mtus[name] for name in views if name in mtus)
    usual = max(counts, key=counts.__getitem__)
    names = sorted(name for name, mtu in mtus.items() if mtu != usual)
    seen = tuple(
        Evidence("ip link show", f"mtu {mtus[name]}, most nodes have {usual}", name, views[name].summary.seen_at)
        for name in names[:MOST_EVIDENCE]
    )
    verb = "is" if len(names) == 1 else "are"
    said = f"the nodes' {what} have different MTUs ({_spread(counts)}): {listed(names)} {verb} unlike most"
    return Finding(code, Severity.WARNING, OVERLAY, said, seen, _SAME, about=tuple(names[:MOST_EVIDENCE]))


_SAME: Final = "ip link shows one MTU on every node, or the nodes are on networks that never exchange large frames"


def judge_headroom(uplinks: Collection[int], overlays: Collection[int], margin: int) -> Iterator[Finding]:
    """Advise where pods fill the path to the last byte, if all nodes are alike; nothing is broken by that.

    ``uplinks``, ``overlays``: the MTUs that there are. ``margin``: bytes that are advised.
    An uplink below Ethernet's MTU is taken for one that was lowered on purpose.
    """
    left = {max(carrier, ETHERNET) - overlay for carrier in uplinks for overlay in overlays}
    if len(left) != 1 or min(left) >= margin:
        return
    carrier, overlay = max(uplinks), max(overlays)
    seen = Evidence("ip link", f"uplink {carrier}, VXLAN device {overlay}", "all nodes")
    yield Finding(
        "mtu-headroom",
        Severity.NOTE,
        OVERLAY,
        f"pods' packets leave {min(left)} bytes of a path of {max(carrier, ETHERNET)}; {margin} are advised where a "
        "tunnel may be on the way",
        (seen,),
        "a probe with full-size packets passes on every path that pods use",
        detail="No protocol's framing, HTTP/2's neither, can push a packet over the MTU: TCP cuts its stream at the "
        "segment size. Headroom helps only where something on the way carries less than the hosts believe and its "
        "ICMP is lost. Pods reach the internet by the uplink and not by flannel.1, so its MTU alone breaks no fetch "
        "from there; smaller pods do send smaller packets, though, wherever they go.",
    )
