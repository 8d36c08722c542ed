"""A node's links, the attributes of its VXLAN devices beside what they should be, and its routes."""

from collections.abc import Iterator
from typing import Final

from probes.model.kube import Node
from probes.model.network import Link, NodeNetwork, Route
from probes.model.peers import public_ip
from probes.model.summary.nodes import VXLAN_PORT
from probes.model.uplink import expected_flannel_mtu, uplink
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, natural, status
from tui.widgets.blocks import Block, Grid, Heading, Paragraph
from tui.widgets.cells import Row
from tui.widgets.columns import Column

_LINKS: Final = (
    Column("ifname", "LINK", 8, 16),
    Column("kind", "KIND", 5, 10),
    Column("mtu", "MTU", 4, 6, right=True),
    Column("state", "STATE", 6, 16),
    Column("master", "MASTER", 5, 12, priority=2),
    Column("address", "MAC", 17, 17, priority=3),
    Column("addresses", "ADDRESSES", 18, 60, priority=1, grow=True),
)


def link_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> tuple[Heading, tuple[Block, ...]]:
    """List every link, in the order in which a packet of a pod meets them from the outside in."""
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    if network.links is None:
        return Heading("Links", status("unknown", glyphs)), (_unknown(network, "links"),)
    node = diagnosis.snapshot.nodes.get(name)
    carrier = uplink(network, public_ip(node) if node else "")
    links = sorted(network.links, key=lambda link: (_order(link, carrier), natural(link.ifname)))
    rows = tuple(Row(f"link {link.ifname}", _link(link, glyphs)) for link in links)
    return Heading("Links", Span(str(len(rows)), "muted")), (Grid(_LINKS, rows, most=300),)


def _unknown(network: NodeNetwork, fact: str) -> Paragraph:
    return Paragraph(network.unassessed.get(fact) or "the node has not told yet", "unknown")


def _order(link: Link, carrier: Link | None) -> int:
    if link is carrier:
        return 0
    if link.ifname.startswith("flannel"):
        return 1
    if link.ifname == "cni0":
        return 2
    return 4 if link.master == "cni0" else 5 if link.ifname == "lo" else 3


def _link(link: Link, glyphs: Glyphs) -> tuple[Span | tuple[Span, ...], ...]:
    state = Span(link.operstate.lower() or "up", "muted") if link.up else status("critical", glyphs, "down")
    if link.up and link.operstate == "DOWN":
        state = status("warning", glyphs, "up, no carrier")
    return (
        Span(link.ifname),
        Span(link.kind or "device", "muted"),
        Span(glyphs.unknown, "unknown") if link.mtu is None else Span(str(link.mtu)),
        state,
        Span(link.master, "muted"),
        Span(link.address, "muted"),
        Span(" ".join(f"{held.local}/{held.prefixlen}" for held in link.addresses)),
    )


_ATTRIBUTES: Final = (
    Column("attribute", "ATTRIBUTE", 9, 12),
    Column("found", "FOUND", 18, 42),
    Column("expected", "EXPECTED", 10, 42),
    Column("origin", "FROM", 8, 60, priority=1, grow=True),
)


def vxlan_section(
    diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE
) -> tuple[Heading, tuple[Block, ...]] | None:
    """Hold each attribute of flannel's VXLAN devices against what flannel would set; None without such a backend."""
    view = diagnosis.views.get(name)
    network = diagnosis.snapshot.networks.get(name)
    if view is None or network is None or view.summary.overlay == "":
        return None
    devices = [link for link in network.links or () if link.vxlan and link.ifname.startswith("flannel")]
    if not devices:
        known = network.links is not None
        note = status("critical" if known else "unknown", glyphs, "missing" if known else "")
        said = f"{view.summary.overlay} does not exist; flannel makes it when it starts."
        return Heading("VXLAN", note), (Paragraph(said) if known else _unknown(network, "links"),)
    node = diagnosis.snapshot.nodes.get(name)
    blocks: list[Block] = []
    wrong: list[str] = []
    for device in devices:
        rows = tuple(_attributes(device, node, network, glyphs))
        wrong += [found.tone for row in rows if isinstance(found := row.cells[1], Span) and found.tone in _WRONG]
        blocks += [Paragraph(device.ifname, "accent"), Grid(_ATTRIBUTES, rows)]
    if not wrong:
        return Heading("VXLAN", status("ok", glyphs, "as flannel sets it")), tuple(blocks)
    worst = "critical" if "critical" in wrong else "warning"
    note = status(worst, glyphs, f"{len(wrong)} differ" if len(wrong) > 1 else "1 differs")
    return Heading("VXLAN", note), tuple(blocks)


_WRONG: Final = ("warning", "critical")


def _attributes(link: Link, node: Node | None, network: NodeNetwork, glyphs: Glyphs) -> Iterator[Row]:
    vxlan = link.vxlan
    if vxlan is None:
        return
    is_v6 = ":" in vxlan.local
    family = "inet6" if is_v6 else "inet"
    conf = network.net_conf
    published = node.flannel if node else None
    carrier = uplink(network, public_ip(node) if node else "")
    mac = (published.vtep_mac_v6 if is_v6 else published.vtep_mac) if published else ""
    mtu = None
    if carrier and carrier.mtu is not None and "net_conf" not in network.unassessed:
        mtu = expected_flannel_mtu("vxlan", carrier.mtu, conf.mtu if conf else None, ipv6=is_v6)
    local = (published.public_ipv6 if is_v6 else published.public_ip) if published else ""
    cidrs = [cidr for cidr in (node.pod_cidrs if node else ()) if (":" in cidr) == is_v6]
    subnet = f"{cidrs[0].partition('/')[0]}/{128 if is_v6 else 32}" if cidrs else ""
    addresses = " ".join(
        f"{held.local}/{held.prefixlen}" for held in link.addresses if held.family == family and held.scope != "link"
    )
    dev = carrier.ifname if carrier else ""
    made = "net-conf.json" if conf and conf.mtu else "uplink"
    rows = (
        ("mtu", link.mtu, mtu, f"{made}, less the overhead"),
        ("vni", vxlan.vni, (published.vni if published else None) or 1, "the backend-data annotation, else 1"),
        ("local", vxlan.local, local, "the public-ip annotation"),
        ("dev", vxlan.underlay, dev, "the uplink"),
        ("port", vxlan.port, (conf.port if conf else None) or VXLAN_PORT, "net-conf.json, else the kernel's default"),
        ("learning", _onoff(vxlan.learning), "off", "flannel's default"),
        ("MAC", link.address.lower(), mac.lower(), "the backend-data annotation, to which peers send"),
        ("address", addresses, subnet, "the podCIDR's own address"),
    )
    for what, found, expected, origin in rows:
        yield _attribute(link.ifname, what, _word(found), _word(expected), origin, glyphs)


def _onoff(value: bool | None) -> str:  # noqa: FBT001 - the attribute itself
    return "" if value is None else "on" if value else "off"


def _word(value: str | int | None) -> str:
    return "" if value is None else str(value)


def _attribute(ifname: str, what: str, found: str, expected: str, origin: str, glyphs: Glyphs) -> Row:
    if not found:
        shown = Span(glyphs.unknown, "unknown")
    elif expected and found != expected:
        shown = status("critical" if what in {"MAC", "vni", "port"} else "warning", glyphs, found)
    else:
        shown = Span(found)
    hoped = Span(expected, "muted") if expected else Span(glyphs.unknown, "unknown")
    return Row(f"{ifname} {what}", (Span(what, "muted"), shown, hoped, Span(origin, "muted")))


_ROUTES: Final = (
    Column("dst", "DESTINATION", 14, 44),
    Column("via", "VIA", 10, 40),
    Column("dev", "DEV", 6, 16),
    Column("metric", "METRIC", 6, 6, right=True, priority=2),
    Column("src", "SRC", 8, 40, priority=3),
    Column("more", "KIND", 6, 30, priority=1, grow=True),
)


_MOST_ROUTES: Final = 200
"""Routes that have a line: a node of a large cluster has one for each other node."""


def route_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> tuple[Heading, tuple[Block, ...]]:
    """List the main table's routes: the default ones first, then those into the overlay, then the rest."""
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    if network.routes is None:
        return Heading("Routes", status("unknown", glyphs)), (_unknown(network, "routes"),)
    routes = sorted(network.routes, key=lambda r: (r.dst != "default", not r.dev.startswith("flannel"), natural(r.dst)))
    rows = tuple(Row(f"route {place} {route.dst}", _route(route)) for place, route in enumerate(routes[:_MOST_ROUTES]))
    return Heading("Routes", Span(str(len(routes)), "muted")), (Grid(_ROUTES, rows, left=len(routes) - len(rows)),)


def _route(route: Route) -> tuple[Span, ...]:
    kind = " ".join((*filter(None, (route.kind, route.protocol)), *route.flags))
    return (
        Span(route.dst),
        Span(route.gateway or "on link", "text" if route.gateway else "muted"),
        Span(route.dev),
        Span("" if route.metric is None else str(route.metric), "muted"),
        Span(route.prefsrc, "muted"),
        Span(kind, "critical" if route.kind else "muted"),
    )
