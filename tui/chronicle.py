"""Chronicle: what happened since underlay was opened, bounded in memory."""

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final

from probes.model.changes import Change, changes
from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis, Finding
from tui.widgets.sparkline import History

_MOST_CHANGES: Final = 1000
_MOST_SERIES: Final = 4000
SERIES: Final = ("TcpRetransSegs", "IpFragFails", "IpReasmFails", "UdpInErrors", "IpInDiscards")
"""Kernel counters whose growth is kept as a history: what grows when a path loses or cuts packets."""


class Chronicle:
    """A timeline of changes, histories of measurements, and since when each finding is known."""

    def __init__(self) -> None:
        self.timeline: deque[Change] = deque(maxlen=_MOST_CHANGES)
        """Oldest first."""
        self.history: dict[str, History] = {}
        """``api`` is the API's latency in seconds, ``NODE/COUNTER`` how much a counter grew between two looks."""
        self.since: dict[tuple[str, ObjectRef], float] = {}
        """When a finding was first seen: it began then or before."""
        self.opened: dict[str, Mapping[str, int]] = {}
        """The counters of each node as they were first seen."""

    def note(self, before: Diagnosis, after: Diagnosis) -> None:
        """Note what is other than it was."""
        told = changes(before.snapshot, after.snapshot)
        # That a node has answered for the first time is no event: underlay has just begun to ask.
        self.timeline.extend(change for change in told if change.before or change.what != "answer")
        self._note_findings(after)
        self._note_values(before, after)

    def _note_findings(self, after: Diagnosis) -> None:
        """Keep when each finding was first seen; one that went and comes back is new."""
        present = {(finding.code, finding.subject) for finding in _flat(after.findings)}
        for key in [key for key in self.since if key not in present]:
            del self.since[key]
        for key in present:
            self.since.setdefault(key, after.snapshot.at)

    def _note_values(self, before: Diagnosis, after: Diagnosis) -> None:
        if after.snapshot.api_latency not in {None, before.snapshot.api_latency}:
            self._series("api", after.snapshot.api_latency)
        was, now = before.snapshot.networks, after.snapshot.networks
        if was is now:
            return
        for name in [name for name in self.opened if name not in now]:
            del self.opened[name]
        for name, network in now.items():
            old = was.get(name)
            counters = network.counters
            if old is network or counters is None:
                continue
            base = old.counters if old is not None else None
            self.opened.setdefault(name, counters)
            for counter in SERIES if base is not None and base is not counters else ():
                if counter in counters and counter in (base or {}):
                    grown = counters[counter] - (base or {})[counter]
                    # A counter that shrank began anew: the node was booted.
                    self._series(f"{name}/{counter}", float(grown) if grown >= 0 else None)

    def _series(self, name: str, value: float | None) -> None:
        if name in self.history or len(self.history) < _MOST_SERIES:
            self.history.setdefault(name, History()).add(value)


def _flat(findings: tuple[Finding, ...]) -> Iterator[Finding]:
    for finding in findings:
        yield finding
        yield from _flat(finding.symptoms)
