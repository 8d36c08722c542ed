"""Sources that do not answer: never green, for what is behind them is not known, and one finding for one cause."""

from collections.abc import Iterator
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.snapshot import KUBE, NODE, Snapshot, SourceState
from probes.rules.facts import node_ref
from probes.rules.finding import Evidence, Finding, Severity

_API: Final = ObjectRef("API", "", "API")
_AWAY: Final = frozenset({"unreachable", "timeout"})
_SPELLED_OUT: Final = 4
"""Resources that a summary names; more are counted."""


def judge_sources(snapshot: Snapshot) -> Iterator[Finding]:
    """Name what did not answer; an API that is away is one finding, and so is one cause that many resources share."""
    failing = {name: s for name, s in sorted(snapshot.sources.items()) if s.status not in {"ok", "absent", "loading"}}
    for name, state in failing.items():
        if name.startswith(NODE):
            seen = Evidence(name, state.reason, "operator", state.since)
            summary = f"the node did not answer: {state.reason}"
            subject = node_ref(name.removeprefix(NODE))
            refutes = f"underlay status --nodes {subject.name} shows it seen just now"
            yield Finding("node-unreachable", Severity.WARNING, subject, summary, (seen,), refutes)
    resources = {name: state for name, state in failing.items() if name.startswith(KUBE)}
    if snapshot.source(f"{KUBE}nodes").status in _AWAY:
        away = {name: state for name, state in resources.items() if state.status in _AWAY}
        reason = away[f"{KUBE}nodes"].reason
        summary = f"the API does not answer, so nothing new is known of {len(away)} of its resources: {reason}"
        seen = Evidence(f"{KUBE}nodes", reason, "operator", away[f"{KUBE}nodes"].since)
        yield Finding("api-unreachable", Severity.CRITICAL, _API, summary, (seen,), "kubectl get --raw /readyz says ok")
        resources = {name: state for name, state in resources.items() if name not in away}
    for alike in _by_cause(resources):
        evidence = tuple(Evidence(name, state.reason, "operator", state.since) for name, state in alike.items())
        summary = f"{name_resources(list(alike))} cannot be read: {evidence[0].excerpt}"
        yield Finding("resource-unread", Severity.WARNING, _API, summary, evidence, "kubectl get of each lists it")


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
