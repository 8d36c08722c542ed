"""Sight: conditions and gates as values, and what they are judged by. Pure."""

from collections.abc import Mapping
from typing import Final

import msgspec

from probes.rules.finding import Diagnosis, Finding, subject_text
from runbooks.events import State


class Condition(msgspec.Struct, frozen=True):
    """Something that is to be seen: a kind of KINDS, the node it is about, and what else it needs to know."""

    kind: str
    node: str = ""
    args: dict[str, str] = {}
    absolute: bool = True
    """False: it is enough that it is not worse than it was at plan time."""

    @property
    def key(self) -> str:
        """Tell the same condition in the baseline and later."""
        return " ".join((self.kind, self.node, *(f"{k}={v}" for k, v in sorted(self.args.items()))))


class Gate(msgspec.Struct, frozen=True):
    """Conditions that must hold all at once, within ``timeout`` seconds, and go on holding for ``soak`` seconds."""

    conditions: tuple[Condition, ...]
    timeout: float = 300.0
    soak: float = 0.0


COUNTED: Final[tuple[str, ...]] = ("UdpInCsumErrors", "IpReasmFails")


class Mark(msgspec.Struct, frozen=True):
    """What can tell later whether a node's k3s was started anew."""

    at: float = 0.0
    """When we looked."""
    unit: str = ""
    invocation_id: str = ""
    n_restarts: int | None = None
    boot_id: str = ""
    counters: dict[str, int] = {}
    """Of the kernel, those of COUNTED: whether one still moves is told by two looks."""
    pods: tuple[str, ...] = ()
    """Of a drain, the uids of the pods that are to go: those that are made after it was begun are none of them."""


class Stood(msgspec.Struct, frozen=True):
    """How a condition stood, by what was seen or by what a probe came to."""

    state: State
    seen: str = ""
    failing: tuple[str, ...] = ()
    """Of a condition about many: those for which it did not hold."""


class Sight(msgspec.Struct, frozen=True, eq=False):
    """What a gate looks at."""

    diagnosis: Diagnosis
    since: float = 0.0
    """When the step began to act, by our clock: facts that are older say nothing of it."""
    mark: Mark = Mark()
    """Of the step's node, before the step acted."""
    previous: Mark = Mark()
    """Of the step's node, at the look before this one."""
    reached: Mapping[str, Stood] = {}
    """By Condition.key: what the probes said that were sent for this look."""
    findings_before: frozenset[str] = frozenset()
    """``CODE SUBJECT`` of every finding at plan time."""


def mark_of(diagnosis: Diagnosis, node: str, at: float) -> Mark:
    """Note what tells a later start of a node's k3s from this one."""
    network = diagnosis.snapshot.networks.get(node)
    unit = network.unit if network else None
    boot = network.host.boot_id if network and network.host else ""
    counters = (network.counters if network else None) or {}
    counted = {name: counters[name] for name in COUNTED if name in counters}
    if unit is None:
        return Mark(at, boot_id=boot, counters=counted)
    return Mark(at, unit.name, unit.invocation_id, unit.n_restarts, boot, counted)


def members(diagnosis: Diagnosis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the members of embedded etcd, and those of them that are Ready voters, as the API tells it."""
    nodes = [node for node in diagnosis.snapshot.nodes.values() if "etcd" in node.roles]
    voters = [n.name for n in nodes if n.ready == "True" and (c := n.condition("EtcdIsVoter")) and c.status == "True"]
    return tuple(node.name for node in nodes), tuple(voters)


CAN_LOSE_ONE: Final = 3
"""Members of etcd from which on it survives the loss of one (quorum is n // 2 + 1)."""


def findings_of(diagnosis: Diagnosis) -> list[Finding]:
    """List every finding, symptoms included."""

    def flat(finding: Finding) -> list[Finding]:
        return [finding, *(each for symptom in finding.symptoms for each in flat(symptom))]

    return [each for finding in diagnosis.findings for each in flat(finding)]


def finding_key(finding: Finding) -> str:
    """Tell the same finding in two diagnoses."""
    return f"{finding.code} {subject_text(finding.subject)}"
