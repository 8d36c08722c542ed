"""Nodes as rows: every number of the packet path beside what it should be."""

from collections.abc import Callable
from functools import cache, partial
from typing import Final

from probes.model.peers import NOT_NEEDED, OK
from probes.model.snapshot import SourceState
from probes.model.summary.nodes import NodeSummary
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis, NodeView, Severity
from tui.format import Glyphs, Span, age, status
from tui.views.absence import doubt, nothing
from tui.widgets.cells import Cell, Row, Ticking
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

COLUMNS: Final = (
    Column("node", "NODE", least=10, most=32),
    Column("role", "ROLE", least=6, most=6, priority=6),
    Column("ready", "RDY", least=3, most=12),
    Column("uplink", "UPLINK", least=11, most=20),
    Column("want", "WANT", least=4, most=5, priority=5),
    Column("overlay", "VXLAN", least=9, most=13),
    Column("env", "ENV", least=4, most=13),
    Column("bridge", "CNI0", least=4, most=13, priority=7),
    Column("pods", "PODS", least=7, most=16, priority=4),
    Column("port", "8472", least=4, most=6, priority=3),
    Column("peers", "PEERS", least=5, most=9),
    Column("unit", "UNIT", least=4, most=10, priority=2),
    Column("up", "UP", least=4, most=6, right=True, priority=8),
    Column("version", "VERSION", least=8, most=16, priority=9),
    Column("seen", "SEEN", least=4, most=8, right=True, priority=1),
)
SEEN_LATE: Final = 90.0
"""Seconds after which what a node said is old: it is asked again at least every 30."""
_SEEN_STEP: Final = 5.0
"""Seconds in which the age of an answer is told: a fleet whose every line counts seconds is not quiet."""


class NodeRows:
    """Rows of nodes; a node of which nothing changed keeps its row."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._kept: dict[str, tuple[NodeView, Item]] = {}

    def listing(self, diagnosis: Diagnosis, now: float) -> Listing:
        """List every node, servers first."""
        glyphs = self._glyphs
        self._kept = {name: self._item(name, view) for name, view in diagnosis.views.items()}
        items = tuple(item for _, item in self._kept.values())
        state = diagnosis.snapshot.resource("nodes")
        return Listing(
            items, nothing(state, "nodes", glyphs), _badge(diagnosis, items, glyphs), doubt(state, now, glyphs)
        )

    def _item(self, name: str, view: NodeView) -> tuple[NodeView, Item]:
        kept = self._kept.get(name)
        if kept is not None and kept[0] is view:
            return kept
        is_fault = bool(view.findings) or view.summary.source.status not in {OK, "loading"}
        return view, Item(Row(name, _cells(view.summary, self._glyphs)), node_ref(name), is_fault)


def _badge(diagnosis: Diagnosis, items: tuple[Item, ...], glyphs: Glyphs) -> Span:
    bad = sum(item.is_fault for item in items)
    if bad:
        severities = [finding.worst for view in diagnosis.views.values() for finding in view.findings]
        worst = max(severities, default=Severity.WARNING)
        return status("critical" if worst == Severity.CRITICAL else "warning", glyphs, str(bad))
    if not items or any(view.summary.source.status == "loading" for view in diagnosis.views.values()):
        return status("loading", glyphs)
    return status("ok", glyphs, str(len(items)))


@cache
def seen(glyphs: Glyphs) -> Callable[[float | None, float], Span]:
    """Make the function that shows when a node last answered."""
    return partial(_seen, glyphs)


def _seen(glyphs: Glyphs, at: float | None, now: float) -> Span:
    if at is None:
        return Span(glyphs.unknown, "unknown")
    if now - at < SEEN_LATE:
        return Span(age((now - at) // _SEEN_STEP * _SEEN_STEP, glyphs), "muted")
    return status("stale", glyphs, age(now - at, glyphs))


@cache
def lost(glyphs: Glyphs) -> Callable[[float | None, float], Span]:
    """Make the function that shows when a node answered for the last time, where it does not any more."""
    return partial(_lost, glyphs)


def _lost(glyphs: Glyphs, at: float | None, now: float) -> Span:
    return status("stale", glyphs, age(None if at is None else now - at, glyphs))


@cache
def since(glyphs: Glyphs) -> Callable[[float | None, float], Span]:
    """Make the function that shows how long something has been."""
    return partial(_since, glyphs)


def _since(glyphs: Glyphs, at: float | None, now: float) -> Span:
    return Span("" if at is None else age(now - at, glyphs), "muted")


def _cells(row: NodeSummary, glyphs: Glyphs) -> tuple[Cell, ...]:
    unit_up = row.unit.started_at if row.unit else None
    return (
        (Span(row.name), Span(" cordoned" if row.unschedulable else "", "warning")),
        Span(row.role or glyphs.unknown, "muted" if row.role else "unknown"),
        _ready(row, glyphs),
        _uplink(row, glyphs),
        _wanted(row, glyphs),
        _overlay(row, glyphs),
        _env(row, glyphs),
        _bridge(row, glyphs),
        _pods(row, glyphs),
        _port(row, glyphs),
        _peers(row, glyphs),
        _unit(row, glyphs),
        Ticking(unit_up, since(glyphs)),
        Span(row.version or glyphs.unknown, "muted" if row.version else "unknown"),
        _last(row, glyphs),
    )


def _ready(row: NodeSummary, glyphs: Glyphs) -> Span:
    if row.ready == "True":
        return status("ok", glyphs)
    return status("critical", glyphs, "NotReady") if row.ready == "False" else status("unknown", glyphs)


def _waiting(row: NodeSummary, glyphs: Glyphs) -> Span:
    """Tell why the node's own word is missing: not yet, or it cannot be had."""
    return _not_known(row.source, glyphs)


def _not_known(state: SourceState, glyphs: Glyphs) -> Span:
    if state.status == "loading":
        return status("loading", glyphs)
    return status("unknown", glyphs)


def _number(value: int | None, glyphs: Glyphs, tone: str = "text") -> Span:
    return Span(glyphs.unknown, "unknown") if value is None else Span(str(value), tone)


def _uplink(row: NodeSummary, glyphs: Glyphs) -> Cell:
    if not row.uplink:
        return _waiting(row, glyphs)
    return (Span(row.uplink + " ", "muted"), _number(row.uplink_mtu, glyphs))


def _wanted(row: NodeSummary, glyphs: Glyphs) -> Span:
    """Show what the overlay's MTU should be, which the uplink's and flannel's configuration tell."""
    if row.overlay_mtu_expected is None:
        return status("none", glyphs) if row.overlay_state == NOT_NEEDED else _waiting(row, glyphs)
    return Span(str(row.overlay_mtu_expected), "muted")


def _mtu(found: int | None, wanted: int | None, name: str, row: NodeSummary, glyphs: Glyphs) -> Span:
    if found is None:
        return _waiting(row, glyphs)
    if wanted is None or found == wanted:
        return Span(str(found))
    return status(name, glyphs, f"{found}{glyphs.differs}{wanted}")


def _overlay(row: NodeSummary, glyphs: Glyphs) -> Span:
    if row.overlay_state == NOT_NEEDED:
        return Span(row.backend or glyphs.none, "muted")
    if row.overlay_state in {"missing", "down"}:
        return status("critical", glyphs, row.overlay_state)
    return _mtu(row.overlay_mtu, row.overlay_mtu_expected, "warning", row, glyphs)


def _env(row: NodeSummary, glyphs: Glyphs) -> Span:
    if row.subnet_env_state == "missing":
        return status("critical", glyphs, "missing")
    return _mtu(row.subnet_env_mtu, row.overlay_mtu_expected or row.overlay_mtu, "warning", row, glyphs)


def _bridge(row: NodeSummary, glyphs: Glyphs) -> Span:
    """Show the bridge's MTU, which follows its smallest port: telling, but nothing to judge by."""
    if row.cni0_mtu is None and row.source.at is not None:
        return Span(glyphs.none, "muted")
    return _mtu(row.cni0_mtu, None, "warning", row, glyphs)


def _pods(row: NodeSummary, glyphs: Glyphs) -> Cell:
    if row.pod_count is None:
        return _waiting(row, glyphs)
    count = Span(f" {glyphs.times}{row.pod_count}", "muted")
    if not row.pod_mtus:
        return Span(f"{glyphs.none} {glyphs.times}{row.pod_count}", "muted")
    low, high = row.pod_mtus[0], row.pod_mtus[-1]
    if low != high:
        return status("warning", glyphs, f"{low}-{high}"), count
    return _mtu(low, row.subnet_env_mtu, "warning", row, glyphs), count


def _port(row: NodeSummary, glyphs: Glyphs) -> Span:
    if row.overlay_state == NOT_NEEDED:
        return status("none", glyphs)
    if row.port_open is None:
        return _waiting(row, glyphs)
    return status("ok" if row.port_open else "critical", glyphs)


def _peers(row: NodeSummary, glyphs: Glyphs) -> Span:
    if not row.peers_expected:
        return status("none", glyphs)
    if row.peers_unknown == row.peers_expected:
        waiting = _waiting(row, glyphs)
        return Span(f"{waiting.text}/{row.peers_expected}", waiting.tone)
    said = f"{row.peers_ok}/{row.peers_expected}"
    if row.peers_ok == row.peers_expected:
        return Span(said, "ok")
    is_broken = row.peers_ok + row.peers_unknown < row.peers_expected
    return status("critical" if is_broken else "unknown", glyphs, said)


def _unit(row: NodeSummary, glyphs: Glyphs) -> Span:
    if row.unit is None:
        return _waiting(row, glyphs)
    if row.unit.active_state == "active":
        return status("ok", glyphs)
    return status("critical", glyphs, row.unit.active_state)


def _last(row: NodeSummary, glyphs: Glyphs) -> Cell:
    if row.seen_at is None and row.source.status == "loading":
        return status("loading", glyphs)
    if row.seen_at is None:
        return status("critical", glyphs, "never")
    return Ticking(row.seen_at, seen(glyphs) if row.source.status == OK else lost(glyphs))
