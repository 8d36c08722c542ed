"""Plan: a runbook, parameters and a diagnosis become the exact steps. Pure: the same in, the same out.

Nothing is run that a plan does not show. A plan is data: the journal's first record holds it whole, and a run that is
resumed goes by that one, never by a new one.
"""

import difflib
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis, Finding
from runbooks.actions import ACTIONS, BACKUPS, Action, AnyAction, Drain, RemoveFile, RestartUnit, Target, WriteFile
from runbooks.conditions import KINDS
from runbooks.facts import Facts, Found, fill, order_nodes
from runbooks.gates import stood
from runbooks.outlook import by_hand, consents, reordered, warnings
from runbooks.parameters import PlanError, Value, nodes_of, plain, resolve
from runbooks.runbook import (
    COPIES,
    EACH,
    FOUND,
    ConditionTemplate,
    GateTemplate,
    Group,
    Only,
    Order,
    Runbook,
    StepTemplate,
    seconds,
)
from runbooks.sight import Condition, Gate, Sight, Stood, finding_key, findings_of


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
    diff: str = ""
    """Of a file that is written: a unified diff against what is there now, as far as that was read."""
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
    cause: str = ""
    """``CODE SUBJECT`` of what explains it and is to be cleared, with which it should go; empty: it stays."""


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
    drafts = [(template, scope) for template, scope in drafts if maker.wants(template, scope)]
    if not drafts:
        raise PlanError(f"{runbook.name} has nothing to do with these parameters")
    steps = tuple(maker.step(number, template, scope) for number, (template, scope) in enumerate(drafts, 1))
    cleared = tuple(dict.fromkeys(key for step in steps for key in step.clears))
    restarted = tuple(
        dict.fromkeys(s.node for s in steps if isinstance(s.action, RestartUnit) and "k3s" in s.action.unit)
    )
    touched = tuple(dict.fromkeys(step.node for step in steps if step.node))
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
        leaves=_leaves(runbook, diagnosis.findings, cleared),
        consents=consents(restarted, diagnosis),
        warnings=(*reordered(runbook, values, given, diagnosis, found), *warnings(restarted, touched, diagnosis)),
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
    scopes = [{**values, group.each: one} for one in each]
    return [(step, inner) for scope in scopes for step in group.steps for inner in _each(step, scope, diagnosis)]


def _each(step: StepTemplate, scope: Scope, diagnosis: Diagnosis) -> list[Scope]:
    """Give the scopes that a step is done in: its own, or one for each of the node's copies of subnet.env."""
    if step.each != COPIES:
        return [scope]
    network = diagnosis.snapshot.networks.get(str(scope["node"]))
    return [{**scope, EACH[COPIES]: copy.path} for copy in (network.subnet_env_copies if network else None) or ()]


class _Maker:
    """Makes steps of templates."""

    def __init__(
        self, runbook: Runbook, diagnosis: Diagnosis, run: str, now: float, found: Found, values: Mapping[str, Value]
    ) -> None:
        self._runbook = runbook
        self._diagnosis = diagnosis
        self._found = found
        self._facts = Facts(diagnosis, found)
        self._free = {"run": run, "now": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))}
        self._values = values

    def wants(self, template: StepTemplate, scope: Scope) -> bool:
        """Tell whether a step is in the plan at all."""
        return all(self._holds(only, scope) for only in template.only)

    def _holds(self, only: Only, scope: Scope) -> bool:
        if only.text != FOUND:
            return self._text(only.text, scope, only.place) in only.values
        one = scope.get("object", scope.get("node"))
        for each in findings_of(self._diagnosis):
            about = {each.subject.name, *each.about} if each.subject.kind == "Node" else {*each.about}
            mine = one is None or (one in about if isinstance(one, str) else _ref(one) == each.subject)
            if mine and each.code in only.values:
                return True
        return False

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
            by_hand=by_hand(action, self._diagnosis),
            diff=self._diff(action),
            clears=self._cleared(template, node, scope),
            typed=self._typed(template, action),
            before=before,
            when=self._conditions(template.when, scope, node),
            unless=self._conditions(template.unless, scope, node),
            gate=self._gate(template.gate, scope, node) if template.gate else None,
        )

    def _diff(self, action: AnyAction) -> str:
        if not isinstance(action, WriteFile):
            return ""
        before = self._found.files.get(action.node, {}).get(action.path, "")
        lines = difflib.unified_diff(
            before.splitlines(), action.content.splitlines(), f"{action.node}:{action.path}", lineterm="", n=2
        )
        return "\n".join(line for line in lines if line != "+++ ")

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
        return fill(text, scope, self._free, self._facts, place)

    def _conditions(self, templates: tuple[ConditionTemplate, ...], scope: Scope, node: str) -> tuple[Condition, ...]:
        made = (self._condition(each, scope, node) for each in templates)
        return tuple(each for each in made if each is not None)

    def _condition(self, template: ConditionTemplate, scope: Scope, node: str) -> Condition | None:
        args = {key: self._text(each, scope, template.place) for key, each in template.args.items()}
        about = ""
        if KINDS[template.kind].of_node:
            about = self._text(template.node, scope, template.place) or node or str(scope.get("node", ""))
            if about not in self._diagnosis.views:
                raise PlanError(f"{template.place}: {template.kind} is about a node: say which under `node`")
        if template.kind == "fixed":
            mine = {e.code for e in findings_of(self._diagnosis) if about in {e.subject.name, *e.about}}
            if not (found := sorted(mine & set(self._runbook.fixes))):
                return None
            args = {"findings": " ".join(found)}
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
        wanted = _ref(scope.get("object"))
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


def _ref(value: Value | None) -> ObjectRef | None:
    return ObjectRef(value.kind, value.namespace, value.name) if isinstance(value, Target) else None


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


def _leaves(runbook: Runbook, findings: tuple[Finding, ...], cleared: tuple[str, ...]) -> tuple[Left, ...]:
    """Say of what is found and not cleared why it stays, or that what explains it is cleared."""
    left: dict[str, Left] = {}

    def walk(found: Finding, cause: str) -> None:
        key = finding_key(found)
        if key in cleared:
            cause = key
        elif key not in left or left[key].cause:
            said = runbook.leaves.get(found.code, "")
            explained = "" if said else cause
            why = f"explained by {explained}" if explained else "nothing in this run is meant to clear it"
            left[key] = Left(key, said or why, explained)
        for symptom in found.symptoms:
            walk(symptom, cause)

    for each in findings:
        walk(each, "")
    return tuple(left.values())


def _baseline(steps: tuple[PlannedStep, ...], diagnosis: Diagnosis) -> dict[str, Stood]:
    """Note how what must not get worse stands now; what has to be probed is probed when the run begins."""
    sight = Sight(diagnosis)
    return {
        each.key: stood(sight, each)
        for step in steps
        for each in (step.gate.conditions if step.gate else ())
        if not each.absolute and not KINDS[each.kind].probe
    }
