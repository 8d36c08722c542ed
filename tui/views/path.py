"""The packet path of a node: what each device's MTU is, what it should be, and where that expectation comes from."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from probes.model.kube import Node
from probes.model.network import Link, NodeNetwork
from probes.model.peers import NOT_NEEDED, overlay_device, public_ip
from probes.model.summary.nodes import NodeSummary
from probes.model.uplink import VXLAN_OVERHEAD, VXLAN_OVERHEAD_V6, WIREGUARD_OVERHEAD, uplink
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, age
from tui.widgets.cells import Cell, Ticking
from tui.widgets.packet_path import Hop

_WIREGUARD: Final = "flannel-wg"
_START_ORDER: Final = 60.0
"""Seconds that clocks and file times may differ before subnet.env counts as older than the start of k3s."""


class _Node(NamedTuple):
    """What a path is drawn of."""

    row: NodeSummary
    node: Node | None
    network: NodeNetwork
    glyphs: Glyphs
    others: tuple[int, ...]
    """The uplink MTUs of the other nodes."""

    def link(self, ifname: str) -> Link | None:
        return next((link for link in self.network.links or () if link.ifname == ifname), None)


def packet_path(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> tuple[Hop, ...]:
    """Draw up the hops from the uplink to the pods; none where the node never answered."""
    view, network = diagnosis.views.get(name), diagnosis.snapshot.networks.get(name)
    if view is None or network is None:
        return ()
    others = tuple(row.uplink_mtu for row in diagnosis.nodes if row.name != name and row.uplink_mtu is not None)
    here = _Node(view.summary, diagnosis.snapshot.nodes.get(name), network, glyphs, others)
    return (_uplink(here), *_overlay(here), _subnet_env(here), _bridge(here), _pods(here))


def _judged(found: int | None, expected: int | None) -> str:
    if found is None:
        return "unknown"
    return "ok" if expected is None or found == expected else "warning"


def _number(value: int | None, glyphs: Glyphs) -> str:
    return glyphs.unknown if value is None else str(value)


def _uplink(here: _Node) -> Hop:
    carrier = uplink(here.network, public_ip(here.node) if here.node else "")
    if carrier is None:
        why = here.network.unassessed.get("links") or "no link carries the overlay or the default route"
        return Hop("uplink", "unknown", "", origin=why)
    notes: list[Cell] = []
    others = Counter(mtu for mtu in here.others if mtu != carrier.mtu)
    if others:
        said = ", ".join(f"{mtu} {here.glyphs.times}{count}" for mtu, count in sorted(others.items()))
        notes.append(Span(f"other nodes: {said}", "warning"))
    if not carrier.up:
        notes.append(Span("down", "critical"))
    status = "ok" if carrier.up and carrier.mtu is not None else "critical" if carrier.mtu is not None else "unknown"
    return Hop(
        carrier.ifname, status, _number(carrier.mtu, here.glyphs), origin=_why(here, carrier), notes=tuple(notes)
    )


def _why(here: _Node, carrier: Link) -> str:
    """Say why this link and no other is the uplink."""
    under = [link.ifname for link in here.network.links or () if link.vxlan and link.vxlan.underlay == carrier.ifname]
    if under:
        return f"uplink, under {under[0]}"
    address = public_ip(here.node) if here.node else ""
    if address and address in {held.local for held in carrier.addresses}:
        return f"uplink, holds {address}"
    return "uplink, default route"


def _derived(here: _Node) -> str:
    """Say where flannel's MTU comes from."""
    conf = here.network.net_conf
    if "net_conf" in here.network.unassessed:
        return "net-conf.json is not known, and may set it"
    start = f"{here.row.uplink} {here.row.uplink_mtu}" if here.row.uplink_mtu else "uplink"
    if here.row.backend == "vxlan":
        overhead = _overhead(here)
        start = f"net-conf MTU {conf.mtu}" if conf and conf.mtu and overhead == VXLAN_OVERHEAD else start
        return f"{start}-{overhead}"
    return f"{start}-{WIREGUARD_OVERHEAD}" if here.row.backend == "wireguard" else start


def _overhead(here: _Node) -> int:
    """Tell what the tunnel takes off: over IPv6 flannel takes off 50 as well, and the kernel holds it to 70."""
    row = here.row
    if row.backend == "wireguard":
        return WIREGUARD_OVERHEAD
    is_held = row.overlay_mtu_expected is not None and row.uplink_mtu is not None and "-v6" in row.overlay
    if is_held and row.overlay_mtu_expected == (row.uplink_mtu or 0) - VXLAN_OVERHEAD_V6:
        return VXLAN_OVERHEAD_V6
    return VXLAN_OVERHEAD


def _expected(here: _Node) -> str:
    return _number(here.row.overlay_mtu_expected, here.glyphs)


def _overlay(here: _Node) -> Iterator[Hop]:
    """Draw up the tunnel, where the backend has one."""
    row = here.row
    if row.backend == "vxlan":
        name = row.overlay or (overlay_device(here.node) if here.node else "flannel.1")
    elif row.backend == "wireguard":
        name = _WIREGUARD
    else:
        return
    link = here.link(name)
    overhead = f"-{_overhead(here)}"
    if here.network.links is None:
        yield Hop(name, "unknown", "", _expected(here), _derived(here), link=overhead)
        return
    if link is None:
        note = Span("made only when flannel starts", "muted")
        yield Hop(name, "critical", "missing", _expected(here), _derived(here), (note,), overhead, is_cut=True)
        return
    status = _judged(link.mtu, row.overlay_mtu_expected)
    notes: list[Cell] = [] if link.up else [Span("down", "critical")]
    if row.port_open is not None:
        port = link.vxlan.port if link.vxlan and link.vxlan.port else "VXLAN port"
        said = f"UDP {port} open" if row.port_open else f"UDP {port} closed"
        notes.append(Span(said, "muted" if row.port_open else "critical"))
    if status not in {"ok", "unknown"}:
        notes.append(Span("a restart of k3s keeps the old MTU", "muted"))
    status = status if link.up else "critical"
    found = _number(link.mtu, here.glyphs)
    yield Hop(name, status, found, _expected(here), _derived(here), tuple(notes), overhead, is_cut=not link.up)


def written(at: float | None, now: float) -> Span:
    """Say how long ago a file was written."""
    return (
        Span("written at an unknown time", "unknown") if at is None else Span(f"written {age(now - at)} ago", "muted")
    )


def _subnet_env(here: _Node) -> Hop:
    env = here.network.subnet_env
    origin = "flannel start"
    if env is None and here.row.subnet_env_state == NOT_NEEDED:
        return Hop("subnet.env", "none", "none", origin="there is no flannel")
    if here.row.subnet_env_state == "unknown":
        why = here.network.unassessed.get("subnet_env", "")
        return Hop("subnet.env", "unknown", "", _expected(here), why or origin)
    if env is None:
        note = Span("no pod can be created", "critical")
        return Hop("subnet.env", "critical", "missing", _expected(here), origin, (note,), is_cut=True)
    notes: list[Cell] = [Ticking(env.written_at, written)]
    unit = here.network.unit
    if unit and unit.started_at and env.written_at and env.written_at + _START_ORDER < unit.started_at:
        notes.append(Span(f"older than the start of {unit.name}", "warning"))
    status = _judged(env.mtu, here.row.overlay_mtu_expected)
    return Hop("subnet.env", status, _number(env.mtu, here.glyphs), _expected(here), origin, tuple(notes))


def _bridge(here: _Node) -> Hop:
    bridge = here.link("cni0")
    if here.network.links is None:
        return Hop("cni0", "unknown", "")
    ports = [link.mtu for link in here.network.links if link.master == "cni0" and link.mtu is not None]
    if bridge is None:
        is_used = bool(ports or here.row.pod_count)
        note = Span("made with the first pod", "muted")
        return Hop("cni0", "critical" if is_used else "none", "missing", notes=(note,), is_cut=is_used)
    env = here.row.subnet_env_mtu
    # The bridge plugin sets its MTU when it makes it; later the kernel keeps it to the smallest of its ports.
    expected: int | None
    if ports and bridge.mtu != env:
        expected, origin = min(ports), f"smallest of {len(ports)} ports" if len(ports) > 1 else "its only port"
    else:
        expected, origin = env, "subnet.env"
    status = _judged(bridge.mtu, expected)
    notes: list[Cell] = [] if status == "ok" else [Span("it follows its ports, so a weak sign", "muted")]
    if not bridge.up:
        status, notes = "critical", [Span("down", "critical")]
    return Hop("cni0", status, _number(bridge.mtu, here.glyphs), _number(expected, here.glyphs), origin, tuple(notes))


def _pods(here: _Node) -> Hop:
    glyphs = here.glyphs
    origin = "subnet.env"
    expected = _number(here.row.subnet_env_mtu, glyphs)
    pods = [pod for pod in here.network.pod_netns or () if pod.addresses]
    if here.network.pod_netns is None:
        why = here.network.unassessed.get("pod_netns", "")
        return Hop("pods", "unknown", "", expected, why or origin)
    counted = Counter(pod.mtu for pod in pods)
    if not counted:
        return Hop("pods", "none", "none")
    title = f"pods {glyphs.times}{len(pods)}"
    known = {mtu for mtu in counted if mtu is not None}
    if not known:
        return Hop(title, "unknown", "", expected, origin)
    found = str(min(known)) if len(known) == 1 else f"{min(known)}-{max(known)}"
    differ = known - {here.row.subnet_env_mtu}
    status = "ok" if not differ else "warning" if here.row.subnet_env_mtu is not None else "unknown"
    notes: list[Cell] = []
    if differ:
        said = ", ".join(f"{mtu} {glyphs.times}{counted[mtu]}" for mtu in sorted(known))
        notes = [Span(said, "warning"), Span("a pod keeps its MTU until it is recreated", "muted")]
    return Hop(title, status, found, expected, origin, tuple(notes))
