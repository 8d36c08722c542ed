"""Sources that do not answer: never green, for what is behind them is not known, and one finding for one cause."""

from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from probes.model.flux import ObjectRef
from probes.model.snapshot import KUBE, NODE, Snapshot, SourceState
from probes.rules.facts import SLOW_START, START_GRACE, listed, node_ref
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.words import age_text

_API: Final = ObjectRef("API", "", "API")
AWAY: Final = frozenset({"unreachable", "timeout"})
"""States of a source that nobody answers for."""
_NODES: Final = f"{KUBE}nodes"
_SERVER: Final = frozenset({"k3s", "k3s.service"})
"""How the unit of a server is called; an agent's is k3s-agent."""
_PASSING: Final = frozenset({"activating", "deactivating", "reloading"})
API_START: Final = 60.0
"""Seconds that the API may be away while its k3s is restarted before that is more than a note."""
NOT_ASKED: Final = 10.0
"""Seconds in which its server may not have answered again: until then nobody knows whether it is restarted."""
_SPELLED_OUT: Final = 4
"""Resources that a summary names; more are counted."""


def judge_sources(snapshot: Snapshot, silent: Mapping[str, SourceState]) -> Iterator[Finding]:
    """Name what did not answer; an API that is away is one finding, and so is one cause that many resources share.

    ``silent``: the sources that have not answered.
    """
    failing = dict(sorted((name, state) for name, state in silent.items() if state.status != "loading"))
    for name, state in failing.items():
        if name.startswith(NODE):
            seen = Evidence(name, state.reason, "operator", state.since)
            summary = f"the node did not answer: {state.reason}"
            subject = node_ref(name.removeprefix(NODE))
            refutes = f"underlay status --nodes {subject.name} shows it seen just now"
            yield Finding("node-unreachable", Severity.WARNING, subject, summary, (seen,), refutes)
    resources = {name: state for name, state in failing.items() if name.startswith(KUBE)}
    if snapshot.source(_NODES).status in AWAY:
        away = {name: state for name, state in resources.items() if state.status in AWAY}
        yield _api_away(snapshot, away)
        resources = {name: state for name, state in resources.items() if name not in away}
    for alike in _by_cause(resources):
        evidence = tuple(Evidence(name, state.reason, "operator", state.since) for name, state in alike.items())
        summary = f"{name_resources(list(alike))} cannot be read: {evidence[0].excerpt}"
        yield Finding("resource-unread", Severity.WARNING, _API, summary, evidence, "kubectl get of each lists it")


def api_servers(snapshot: Snapshot) -> tuple[str, ...]:
    """Name the nodes that an API which is away may be on: the one with its address, else every server."""
    if snapshot.source(_NODES).status not in AWAY:
        return ()
    host = (urlsplit(snapshot.server).hostname or "").lower()
    named = [n.name for n in snapshot.nodes.values() if host in {n.name, n.hostname, *n.internal_ips, *n.external_ips}]
    servers = [name for name, network in snapshot.networks.items() if network.unit and network.unit.name in _SERVER]
    return tuple(sorted(named or servers))


def _restart(snapshot: Snapshot, since: float) -> tuple[float, list[Evidence]]:
    """Tell since when the k3s behind the API is being restarted, and what shows it; nothing where one runs on."""
    begun, seen = since, []
    for name in api_servers(snapshot):
        network, source = snapshot.networks.get(name), snapshot.source(f"{NODE}{name}")
        unit = network.unit if network else None
        if unit is None or source.at is None or source.status != "ok":
            return since, []
        started = unit.started_at
        young = started is not None and source.at - started < START_GRACE
        if unit.active_state not in _PASSING and not (unit.active_state == "active" and young):
            return since, []
        if started is not None and unit.active_state != "deactivating":
            begun = min(begun, started)
        state = f"ActiveState={unit.active_state} SubState={unit.sub_state}"
        seen.append(Evidence(f"systemctl show {unit.name}", state, name, source.at))
    return begun, seen


def _unasked(snapshot: Snapshot, since: float) -> bool:
    """Tell whether a node that the API may be on has told nothing yet since the API went away."""
    told = [snapshot.source(f"{NODE}{name}").at for name in api_servers(snapshot)]
    return any(at is not None and at < since for at in told)


def _api_away(snapshot: Snapshot, away: dict[str, SourceState]) -> Finding:
    """Name an API that does not answer; that the k3s behind it is being restarted is told, and is given its time."""
    state = away[_NODES]
    since = snapshot.at if state.since is None else state.since
    begun, restarting = _restart(snapshot, since)
    lasts = snapshot.at - begun
    severity, why = Severity.CRITICAL, state.reason
    if restarting:
        who = listed([quote.vantage for quote in restarting])
        why = f"k3s on {who} is being restarted, for {age_text(lasts)}; pods go on meanwhile"
        severity = Severity.NOTE if lasts <= API_START else Severity.WARNING if lasts <= SLOW_START else severity
    elif lasts <= NOT_ASKED and _unasked(snapshot, since):
        why = f"{state.reason}; whether its k3s is being restarted is not known yet"
        severity = Severity.WARNING
    return Finding(
        "api-unreachable",
        severity,
        _API,
        f"the API does not answer, so nothing new is known of {len(away)} of its resources: {why}",
        (Evidence(_NODES, state.reason, "operator", state.since), *restarting),
        "kubectl get --raw /readyz says ok",
        detail=f"The only server's restart is an outage of the API and of nothing else. It is a note for "
        f"{API_START:.0f} seconds and a warning until {SLOW_START:.0f} are over, as a large database makes a start "
        "slow: do not kill it.",
    )


def _by_cause(resources: dict[str, SourceState]) -> Iterator[dict[str, SourceState]]:
    """Put together what fails for one reason; each missing right has a sentence of its own, and all are one cause."""
    groups: dict[str, dict[str, SourceState]] = {}
    for name, state in resources.items():
        groups.setdefault(state.status if state.status == "restricted" else state.reason, {})[name] = state
    yield from groups.values()


def name_resources(sources: list[str]) -> str:
    """Write the resources of some sources as words: ``pods, pull events``; more than a few are counted."""
    words = [source.removeprefix(KUBE).replace("_", " ") for source in sources]
    if len(words) <= _SPELLED_OUT + 1:
        return ", ".join(words)
    return f"{', '.join(words[:_SPELLED_OUT])} and {len(words) - _SPELLED_OUT} more"
