"""A node beside its links: the unit, resolvers, copies of subnet.env, counters, kernel settings, what is not known."""

from collections.abc import Iterator, Mapping
from typing import Final

from probes.model.network import NodeNetwork, Resolvers, SubnetEnv
from probes.rules.finding import Diagnosis
from tui.format import UNICODE, Glyphs, Span, age, status
from tui.views.timeline import ago
from tui.widgets.blocks import Block, Field, Fields, Grid, Heading, Paragraph
from tui.widgets.cells import Cell, Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.sparkline import History, draw

Section = tuple[Heading, tuple[Block, ...]]


def since(at: float | None, now: float) -> Span:
    """Say since how long something is."""
    return Span("since an unknown time", "unknown") if at is None else Span(f"{age(now - at)} ago", "text")


def unit_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> Section:
    """Say how the unit is, and which k3s runs against which one is on disk."""
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    unit = network.unit
    if unit is None:
        why = network.unassessed.get("unit", "the node has no unit k3s or k3s-agent, or has not told yet")
        return Heading("Unit", status("unknown", glyphs)), (Paragraph(why, "unknown"),)
    is_active = unit.active_state == "active"
    restarts = "?" if unit.n_restarts is None else str(unit.n_restarts)
    fields = [
        Field("state", status("ok" if is_active else "critical", glyphs, f"{unit.active_state} ({unit.sub_state})")),
        Field("started", Ticking(unit.started_at, since)),
        Field("NRestarts", Span(restarts, "warning" if unit.n_restarts else "text")),
        Field("KillMode", _kill_mode(unit.kill_mode, glyphs)),
        Field("InvocationID", Span(unit.invocation_id or glyphs.unknown, "muted")),
        *_versions(diagnosis, name, glyphs),
    ]
    note = status("ok" if is_active else "critical", glyphs, unit.name)
    return Heading("Unit", note), (Fields(tuple(fields)),)


def _kill_mode(mode: str, glyphs: Glyphs) -> Span:
    if mode in {"process", ""}:
        return Span(mode or glyphs.unknown, "text" if mode else "unknown")
    return status("warning", glyphs, f"{mode}: expected process, a restart ends every pod here")


def _versions(diagnosis: Diagnosis, name: str, glyphs: Glyphs) -> Iterator[Field]:
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    node, host = diagnosis.snapshot.nodes.get(name), network.host
    running, disk = node.kubelet_version if node else "", host.k3s_version if host else ""
    if running and disk and running != disk:
        said = f"runs {running}, {disk} is on disk: not restarted since it was replaced"
        yield Field("k3s", status("warning", glyphs, said))
    else:
        yield Field("k3s", Span(running or disk or glyphs.unknown))
    if host:
        yield Field("kernel", Span(host.kernel or glyphs.unknown))
        yield Field("boot", Span(host.boot_id or glyphs.unknown, "muted"))


_RESOLVERS: Final = (
    Column("path", "FILE", 16, 44),
    Column("nameservers", "NAMESERVERS", 12, 50),
    Column("search", "SEARCH", 8, 40, priority=1),
    Column("options", "OPTIONS", 8, 40, priority=2, grow=True),
)
_FALLBACK: Final = "8.8.8.8"
_K3S: Final = "/rancher/k3s/"


def resolver_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> Section:
    """List the resolv.conf files, and say which one pods get."""
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    if network.resolvers is None:
        why = network.unassessed.get("resolvers", "the node has not told yet")
        return Heading("Resolvers", status("unknown", glyphs)), (Paragraph(why, "unknown"),)
    rows = tuple(Row(f"resolv {each.path}", _resolver(each, glyphs)) for each in network.resolvers)
    blocks: list[Block] = [Grid(_RESOLVERS, rows, Span("no resolv.conf", "muted"))]
    if "resolvers" in network.unassessed:
        blocks.append(Paragraph(network.unassessed["resolvers"], "unknown"))
    own = next((each for each in network.resolvers if _K3S in each.path), None)
    if own and own.nameservers == (_FALLBACK,):
        said = f"k3s found only loopback resolvers on the host and gives pods {_FALLBACK} instead"
        blocks.append(Fields((Field("fallback", status("warning", glyphs, said)),)))
    return Heading("Resolvers"), tuple(blocks)


def _resolver(each: Resolvers, glyphs: Glyphs) -> tuple[Cell, ...]:
    is_fallback = _K3S in each.path and each.nameservers == (_FALLBACK,)
    servers = " ".join(each.nameservers) or "none"
    return (
        Span(each.path),
        status("warning", glyphs, servers) if is_fallback or not each.nameservers else Span(servers),
        Span(" ".join(each.search), "muted"),
        Span(" ".join(each.options), "muted"),
    )


_COPIES: Final = (
    Column("path", "FILE", 20, 60),
    Column("mtu", "MTU", 5, 12),
    Column("subnet", "SUBNET", 12, 40, priority=1),
    Column("written", "WRITTEN", 6, 8, right=True),
    Column("more", "", 8, 60, priority=2, grow=True),
)


def copies_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> Section | None:
    """List copies of subnet.env that a backup script left and may put back; None where there is none."""
    network = diagnosis.snapshot.networks.get(name)
    if network is None or not network.subnet_env_copies:
        return None
    live = network.subnet_env
    rows = tuple(Row(f"copy {copy.path}", _copy(copy, live, glyphs)) for copy in network.subnet_env_copies)
    wrong = sum(live is not None and (copy.mtu, copy.subnet) != (live.mtu, live.subnet) for copy in _copies(network))
    note = status("warning", glyphs, f"{wrong} stale") if wrong else Span(f"{len(rows)}, like the live one", "muted")
    return Heading("Copies of subnet.env", note), (Grid(_COPIES, rows),)


def _copies(network: NodeNetwork) -> tuple[SubnetEnv, ...]:
    return network.subnet_env_copies or ()


def _copy(copy: SubnetEnv, live: SubnetEnv | None, glyphs: Glyphs) -> tuple[Cell, ...]:
    found = glyphs.unknown if copy.mtu is None else str(copy.mtu)
    differs = live is not None and copy.mtu != live.mtu
    said = f"the live file says {live.mtu}" if live is not None and differs else ""
    return (
        Span(copy.path),
        status("warning", glyphs, found) if differs else Span(found),
        Span(copy.subnet, "warning" if live is not None and copy.subnet != live.subnet else "text"),
        Ticking(copy.written_at, ago),
        Span(said, "muted"),
    )


_COUNTERS: Final = (
    Column("name", "COUNTER", 20, 40),
    Column("since", "SINCE OPENED", 12, 16, right=True),
    Column("growth", "GROWTH", 12, 12, priority=2),
    Column("total", "TOTAL", 8, 20, right=True),
    Column("means", "", 8, 80, priority=1, grow=True),
)
_MEANING: Final[Mapping[str, str]] = {
    "IcmpInDestUnreachs": "a peer has no VXLAN socket, or a router wants smaller packets",
    "UdpNoPorts": "packets for a port without a socket: VXLAN, where its device is gone",
    "UdpInCsumErrors": "wrong checksums: transmit offload of the VXLAN device",
    "UdpInErrors": "packets dropped on receipt",
    "IpFragFails": "packets too large that may not be cut: path MTU",
    "IpReasmFails": "fragments that never became whole",
    "TcpRetransSegs": "sent again",
    "TcpExtTCPTimeouts": "no answer until the timer ran out",
    "TcpExtTCPMTUPFail": "path MTU probing found a smaller path",
    "IpOutNoRoutes": "no route",
    "TcpExtIPReversePathFilter": "dropped by rp_filter",
}
_FAULTS: Final = ("_dropped", "_errors", "errors", "Errs", "Errors", "Fails")


def counter_section(
    diagnosis: Diagnosis,
    name: str,
    before: Mapping[str, int],
    history: Mapping[str, History],
    glyphs: Glyphs = UNICODE,
) -> Section:
    """List the kernel's counters by how much they grew since ``before`` was read, those of faults first.

    ``history`` has a counter's growth between readings as ``NODE/COUNTER``.
    """
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    if network.counters is None:
        why = network.unassessed.get("counters", "the node has not told yet")
        return Heading("Counters", status("unknown", glyphs)), (Paragraph(why, "unknown"),)
    grown = {key: value - before.get(key, value) for key, value in network.counters.items()}
    shown = [key for key, value in network.counters.items() if value]
    shown.sort(key=lambda key: (not (_is_fault(key) and grown[key] > 0), not grown[key], not _is_fault(key), key))
    rows = tuple(
        Row(f"counter {key}", _counter(key, grown[key], network.counters[key], history.get(f"{name}/{key}"), glyphs))
        for key in shown
    )
    faults = sum(_is_fault(key) and value > 0 for key, value in grown.items())
    note = status("warning", glyphs, f"{faults} of faults grow") if faults else Span("no fault grows", "muted")
    zero = len(network.counters) - len(shown)
    return Heading("Counters", note), (Grid(_COUNTERS, rows), Paragraph(f"{zero} more are zero", "muted"))


def _is_fault(key: str) -> bool:
    return key in _MEANING or key.endswith(_FAULTS)


def _counter(key: str, grown: int, total: int, past: History | None, glyphs: Glyphs) -> tuple[Cell, ...]:
    if grown > 0 and _is_fault(key):
        shown = status("warning", glyphs, f"+{grown}")
    elif grown < 0:
        shown = Span("began anew", "muted")
    else:
        shown = Span(f"+{grown}" if grown else glyphs.none, "text" if grown else "muted")
    growth = draw(past.values, _SPARK, glyphs) if past is not None and any(past.values) else (Span(""),)
    return (Span(key), shown, growth, Span(str(total), "muted"), Span(_MEANING.get(key, ""), "muted"))


_SPARK: Final = 12
_NEARLY_FULL: Final = 0.8
_FULL: Final = 0.95


def kernel_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> Section:
    """Say how full connection tracking is, and what the kernel was told that packets depend on."""
    network = diagnosis.snapshot.networks.get(name) or NodeNetwork()
    fields = [Field("conntrack", _conntrack(network, glyphs))]
    for feature, is_on in sorted((network.offloads or {}).items()):
        fields.append(Field(feature, Span("on" if is_on else "off")))
    for key, value in sorted((network.sysctls or {}).items()):
        is_wrong = key == "net.ipv4.ip_forward" and value == "0"
        said = status("critical", glyphs, "0: this host forwards nothing of its pods") if is_wrong else Span(value)
        fields.append(Field(key, said))
    blocks: list[Block] = [Fields(tuple(fields))]
    gaps = [fact for fact in ("sysctls", "offloads") if fact in network.unassessed]
    blocks += [Paragraph(f"{fact}: {network.unassessed[fact]}", "unknown") for fact in gaps]
    return Heading("Kernel"), tuple(blocks)


def _conntrack(network: NodeNetwork, glyphs: Glyphs) -> Span:
    fill = network.conntrack
    if fill is None:
        why = network.unassessed.get("conntrack", "" if network.links is None else "connection tracking is not in use")
        return status("unknown" if "conntrack" in network.unassessed else "none", glyphs, why)
    share = fill.count / fill.maximum if fill.maximum else 0.0
    said = f"{fill.count} of {fill.maximum} entries ({share:.0%})"
    if share >= _FULL:
        return status("critical", glyphs, said)
    return status("warning", glyphs, said) if share >= _NEARLY_FULL else Span(said)


def gap_section(diagnosis: Diagnosis, name: str, glyphs: Glyphs = UNICODE) -> Section | None:
    """List what is not known of a node, and why; None where everything is."""
    gaps = [gap for gap in diagnosis.gaps if gap.where == name]
    if not gaps:
        return None
    fields = tuple(Field(gap.what, Span(gap.reason)) for gap in gaps)
    return Heading("Not known", status("unknown", glyphs, str(len(gaps)))), (Fields(fields),)
