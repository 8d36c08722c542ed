"""Plan: a runbook, parameters and a diagnosis become the exact steps. Pure: the same in, the same out.

Nothing is run that a plan does not show. A plan is data: the journal's first record holds it whole, and a run that is
resumed goes by that one, never by a new one.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis, Finding
from runbooks.actions import ACTIONS, BACKUPS, Action, AnyAction, Drain, RemoveFile, RestartUnit, Target, WriteFile
from runbooks.conditions import KINDS
from runbooks.facts import Found, fill, node_facts, order_nodes
from runbooks.gates import stood
from runbooks.parameters import PlanError, Value, nodes_of, plain, resolve
from runbooks.runbook import ConditionTemplate, GateTemplate, Group, Order, Runbook, StepTemplate, seconds
from runbooks.sight import Condition, Gate, Sight, Stood, finding_key, findings_of, members

_WORST: Final = 20


class PlannedStep(msgspec.Struct, frozen=True):
    """One step, with everything in it that will be done, seen and asked."""

    id: str
    """``03-restart-unit-samwise``: of letters, digits and hyphens; the unit on the node is named after it."""
    name: str
    action: AnyAction
    why: str
    effect: str
    risk: str
    node: str
    """Where it is done; empty for what is no node's."""
    by_hand: tuple[str, ...]
    """The command lines that do the same."""
    clears: tuple[str, ...] = ()
    """``CODE SUBJECT`` of findings of now that are to be gone after it."""
    typed: str = ""
    """What confirms it: a node's or the context's name; empty: a plain yes."""
    before: tuple[Condition, ...] = ()
    when: tuple[Condition, ...] = ()
    unless: tuple[Condition, ...] = ()
    gate: Gate | None = None

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.action.weight != "nothing"


class Left(msgspec.Struct, frozen=True):
    """A finding of now that the run is not going to clear, and why."""

    finding: str
    """``CODE SUBJECT``."""
    reason: str


class Plan(msgspec.Struct, frozen=True):
    """What a run is going to do."""

    run: str
    """The run's name, ``1125-224526-7f3a``; with underlay- before and the step's id after it, units on nodes."""
    runbook: str
    title: str
    context: str
    server: str
    made_at: float
    parameters: dict[str, str]
    steps: tuple[PlannedStep, ...]
    clears: tuple[str, ...] = ()
    """``CODE SUBJECT`` of findings of now."""
    leaves: tuple[Left, ...] = ()
    consents: tuple[str, ...] = ()
    """What the operator must agree to before it begins, a sentence each; with any, the context's name is typed."""
    warnings: tuple[str, ...] = ()
    baseline: dict[str, Stood] = {}
    """By Condition.key, how the conditions that only must not get worse stood when the plan was made."""
    findings: tuple[str, ...] = ()
    """``CODE SUBJECT`` of every finding when the plan was made."""
    expect: str = ""

    @property
    def writes(self) -> bool:
        """Whether any step changes anything."""
        return any(step.writes for step in self.steps)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes it is done on, in their order."""
        return tuple(dict.fromkeys(step.node for step in self.steps if step.node))


def plan(
    runbook: Runbook,
    given: Mapping[str, str],
    diagnosis: Diagnosis,
    *,
    run: str,
    now: float,
    found: Found | None = None,
) -> Plan:
    """Make the plan of a run; raises PlanError with one sentence.

    ``run``: its name, see run_name. ``now``: seconds since the epoch. ``found``: what was read besides the diagnosis.
    """
    found = found or Found()
    values = resolve(runbook, given, diagnosis)
    drafts = [draft for group in runbook.groups for draft in _drafts(group, runbook, values, diagnosis, found, given)]
    if len(drafts) > 10_000:  # noqa: PLR2004 - a fleet's worth
        raise PlanError(f"{runbook.name} would have {len(drafts)} steps here: give fewer nodes")
    maker = _Maker(runbook, diagnosis, run, now, found, values)
    steps = tuple(maker.step(number, template, scope) for number, (template, scope) in enumerate(drafts, 1))
    cleared = tuple(dict.fromkeys(key for step in steps for key in step.clears))
    everything = findings_of(diagnosis)
    return Plan(
        run=run,
        runbook=runbook.name,
        title=runbook.title,
        context=diagnosis.snapshot.context,
        server=diagnosis.snapshot.server,
        made_at=now,
        parameters=plain(values),
        steps=steps,
        clears=cleared,
        leaves=_leaves(runbook, everything, cleared),
        consents=_consents(steps, diagnosis),
        warnings=(*_reordered(runbook, values, given, diagnosis, found), *_warnings(steps, diagnosis)),
        baseline=_baseline(steps, diagnosis),
        findings=tuple(sorted({finding_key(each) for each in everything})),
        expect=runbook.expect,
    )


def run_name(now: float, salt: int) -> str:
    """Name a run by its beginning (UTC) and a number that nobody else has drawn."""
    return f"{time.strftime('%m%d-%H%M%S', time.gmtime(now))}-{salt & 0xFFFF:04x}"


Scope = Mapping[str, Value]


def _drafts(
    group: Group,
    runbook: Runbook,
    values: Mapping[str, Value],
    diagnosis: Diagnosis,
    found: Found,
    given: Mapping[str, str],
) -> list[tuple[StepTemplate, Scope]]:
    """Unroll a group: its steps, once for each value, with what templates may name."""
    if not group.each:
        return [(step, values) for step in group.steps]
    value = values[group.of]
    if group.each == "node":
        usual: Order = next(p.order for p in runbook.parameters if p.name == group.of)
        order: Order = "as-given" if given.get(group.of, "all").strip() != "all" else usual
        each: tuple[Value, ...] = order_nodes(nodes_of(value), order, diagnosis, found)
    else:
        each = tuple(one for one in value if isinstance(one, Target)) if isinstance(value, tuple) else ()
    return [(step, {**values, group.each: one}) for one in each for step in group.steps]


class _Maker:
    """Makes steps of templates."""

    def __init__(
        self, runbook: Runbook, diagnosis: Diagnosis, run: str, now: float, found: Found, values: Mapping[str, Value]
    ) -> None:
        self._runbook = runbook
        self._diagnosis = diagnosis
        self._found = found
        self._free = {"run": run, "now": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))}
        self._values = values

    def step(self, number: int, template: StepTemplate, scope: Scope) -> PlannedStep:
        action = self._action(template, scope)
        node = action.place
        if node and node not in self._diagnosis.views:
            raise PlanError(f"{template.place}: the cluster has no node {node[:80]!r}")
        before = self._conditions(template.before, scope, node)
        if isinstance(action, RestartUnit) and action.unit == "k3s":
            before = (*before, Condition("quorum", node))
        return PlannedStep(
            id=_id(number, template.do, node),
            name=template.name,
            action=action,
            why=self._text(template.why, scope, template.place),
            effect=self._text(template.effect, scope, template.place) or _usual_effect(action),
            risk=self._text(template.risk, scope, template.place),
            node=node,
            by_hand=action.by_hand,
            clears=self._cleared(template, node, scope),
            typed=self._typed(template, action),
            before=before,
            when=self._conditions(template.when, scope, node),
            unless=self._conditions(template.unless, scope, node),
            gate=self._gate(template.gate, scope, node) if template.gate else None,
        )

    def _action(self, template: StepTemplate, scope: Scope) -> AnyAction:
        fields = self._filled(template.fields, scope, template.place)
        try:
            return msgspec.convert(fields, ACTIONS[template.do], strict=False)
        except msgspec.ValidationError as error:
            raise PlanError(f"{template.place}: {template.do}: {' '.join(str(error).split())}") from error

    def _filled(self, value: Any, scope: Scope, place: str) -> Any:
        if isinstance(value, str):
            return self._text(value, scope, place)
        if isinstance(value, list):
            return [self._filled(each, scope, place) for each in value]
        if isinstance(value, dict):
            return {self._text(key, scope, place): self._filled(each, scope, place) for key, each in value.items()}
        return value

    def _text(self, text: str, scope: Scope, place: str) -> str:
        return fill(text, scope, self._free, lambda node: node_facts(self._diagnosis, node, self._found), place)

    def _conditions(self, templates: tuple[ConditionTemplate, ...], scope: Scope, node: str) -> tuple[Condition, ...]:
        return tuple(self._condition(each, scope, node) for each in templates)

    def _condition(self, template: ConditionTemplate, scope: Scope, node: str) -> Condition:
        args = {key: self._text(each, scope, template.place) for key, each in template.args.items()}
        about = ""
        if KINDS[template.kind].of_node:
            about = self._text(template.node, scope, template.place) or node or str(scope.get("node", ""))
            if about not in self._diagnosis.views:
                raise PlanError(f"{template.place}: {template.kind} is about a node: say which under `node`")
        return Condition(template.kind, about, args, template.absolute)

    def _gate(self, template: GateTemplate, scope: Scope, node: str) -> Gate:
        times = []
        for text in (template.timeout, template.soak):
            filled = seconds(self._text(text, scope, ""))
            if filled is None:
                raise PlanError(f"{text!r} of a gate is no time")
            times.append(filled)
        return Gate(self._conditions(template.conditions, scope, node), times[0], times[1])

    def _cleared(self, template: StepTemplate, node: str, scope: Scope) -> tuple[str, ...]:
        """List the findings of now that a step is to clear: of its node or object, where it has one."""
        one = scope.get("object")
        wanted = ObjectRef(one.kind, one.namespace, one.name) if isinstance(one, Target) else None
        found = []
        for each in findings_of(self._diagnosis):
            mine = not node or node == each.subject.name or node in each.about
            if each.code in template.clears and mine and wanted in {None, each.subject}:
                found.append(finding_key(each))
        return tuple(dict.fromkeys(found))

    def _typed(self, template: StepTemplate, action: Action) -> str:
        context = self._diagnosis.snapshot.context
        if action.weight == "nothing":
            return ""
        if template.confirm == "type-context":
            return context
        if template.confirm == "type-node" or action.weight == "disrupts":
            return action.place or context
        return ""


def _id(number: int, do: str, node: str) -> str:
    """Make an id that may stand in a unit's name; a node's name is a DNS name, its dots become hyphens."""
    return "-".join(part for part in (f"{number:02}", do, node.replace(".", "-")[:60]) if part)


def _usual_effect(action: AnyAction) -> str:
    match action:
        case WriteFile() | RemoveFile():
            return f"what is there now is kept under {BACKUPS} on {action.node}"
        case Drain():
            return "pods are made anew elsewhere, one eviction at a time; PodDisruptionBudgets are heeded"
        case _:
            return ""


def _leaves(runbook: Runbook, everything: list[Finding], cleared: tuple[str, ...]) -> tuple[Left, ...]:
    left = []
    for each in everything:
        key = finding_key(each)
        if key in cleared:
            continue
        said = runbook.leaves.get(each.code, "")
        left.append(Left(key, said or "nothing in this run is meant to clear it"))
    return tuple(dict.fromkeys(left))


def _restarted(steps: tuple[PlannedStep, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.node for s in steps if isinstance(s.action, RestartUnit) and "k3s" in s.action.unit))


def _consents(steps: tuple[PlannedStep, ...], diagnosis: Diagnosis) -> tuple[str, ...]:
    """Say what nobody can avoid and everybody should know: outages that the restarts bring."""
    restarted = _restarted(steps)
    servers = [row.name for row in diagnosis.nodes if row.role == "server"]
    hit = [name for name in servers if name in restarted]
    etcd, _ = members(diagnosis)
    said = []
    if hit and len(servers) == 1:
        kept = "embedded etcd of one member" if etcd else "sqlite or another database"
        said.append(
            f"{servers[0]} is the only server ({kept}): the API is away while its k3s restarts, with a large database "
            "for minutes; pods go on running"
        )
    elif set(hit) & set(etcd) and len(etcd) < 3:  # noqa: PLR2004 - see gates.CAN_LOSE_ONE
        said.append(f"etcd has {len(etcd)} members and loses its quorum with either: the API is away meanwhile")
    cut = [row.name for row in diagnosis.nodes if row.name in restarted and row.backend == "wireguard"]
    if cut:
        said.append(
            f"the backend is wireguard-native: its device goes with k3s, so pods on {', '.join(cut[:5])} are cut off "
            "from other nodes' pods while k3s restarts there"
        )
    return tuple(said)


def _reordered(
    runbook: Runbook, values: Mapping[str, Value], given: Mapping[str, str], diagnosis: Diagnosis, found: Found
) -> list[str]:
    """Say where the operator's order is another than the usual one: it is kept."""
    said = []
    for each in runbook.parameters:
        if each.type != "nodes" or each.name not in given or given[each.name].strip() == "all":
            continue
        names = nodes_of(values[each.name])
        usual = order_nodes(names, each.order, diagnosis, found)
        if usual != names:
            said.append(f"the order is yours, {', '.join(names)}; usual is {', '.join(usual)} ({each.about})")
    return said


def _warnings(steps: tuple[PlannedStep, ...], diagnosis: Diagnosis) -> tuple[str, ...]:
    said = []
    for name in _restarted(steps):
        unit = diagnosis.views[name].summary.unit
        if unit is not None and unit.kill_mode not in {"process", ""}:
            said.append(f"KillMode of {unit.name} on {name} is {unit.kill_mode}: a restart ends the node's pods")
    unseen = [name for name in dict.fromkeys(step.node for step in steps if step.node) if _unseen(diagnosis, name)]
    if unseen:
        said.append(f"not seen, so no step there can be judged: {', '.join(unseen[:_WORST])}")
    return tuple(said)


def _unseen(diagnosis: Diagnosis, name: str) -> bool:
    return diagnosis.views[name].summary.source.status != "ok"


def _baseline(steps: tuple[PlannedStep, ...], diagnosis: Diagnosis) -> dict[str, Stood]:
    """Note how what must not get worse stands now; what has to be probed is probed when the run begins."""
    sight = Sight(diagnosis)
    return {
        each.key: stood(sight, each)
        for step in steps
        for each in (step.gate.conditions if step.gate else ())
        if not each.absolute and not KINDS[each.kind].probe
    }
