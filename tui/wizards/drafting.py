"""Drafting: parameters as they stand, what is wrong with them, and the plan that they make. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis
from runbooks.facts import Found
from runbooks.parameters import PlanError, read_value, suggested
from runbooks.plan import Plan, plan
from runbooks.runbook import Parameter, Runbook
from tui.wizards.planned import Entered

_OBJECTS: Final = {"object", "objects"}


def begin_with(runbook: Runbook, ref: ObjectRef | None, diagnosis: Diagnosis) -> dict[str, str]:
    """Tell what parameters are where a runbook was chosen for an object: that one, where they can be it."""
    given: dict[str, str] = {}
    for each in runbook.parameters if ref is not None else ():
        is_node = ref is not None and ref.kind == "Node" and ref.name in diagnosis.views
        if ref is None or (not is_node and each.type not in _OBJECTS):
            continue
        name = ref.name if is_node else f"{ref.kind}/{ref.namespace}/{ref.name}"
        is_suggested = each.source.startswith("found-") and name in suggested(runbook, _many(each), diagnosis)
        if is_suggested or (is_node and each.type == "node"):
            given[each.name] = name
    return given


def _many(parameter: Parameter) -> Parameter:
    """Take a parameter as one of many values, so that all that is suggested is listed."""
    kinds = {"node": "nodes", "object": "objects"}
    return replace(parameter, type=kinds.get(parameter.type, parameter.type))


class Draft:
    """What was given for a runbook, and what it comes to on a diagnosis."""

    def __init__(self, runbook: Runbook, given: Mapping[str, str], *, run: str, now: float) -> None:
        """``run``: the run's name, see runbooks.plan.run_name; ``now``: one moment for every plan that is made of it.

        What a plan writes down, such as a request's stamp, is the same in each: only the cluster makes them differ.
        """
        self.runbook = runbook
        self.given = dict(given)
        self.run = run
        self.now = now
        self.plan: Plan | None = None
        self.wrong = ""
        """Why there is no plan, in one sentence."""
        self.entered: tuple[Entered, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        """Look up a parameter."""
        return next((each for each in self.runbook.parameters if each.name == name), None)

    def text(self, name: str) -> str:
        """Give what a parameter is now, as it would be given."""
        return next((each.text for each in self.entered if each.parameter.name == name), "")

    def complaint(self, name: str, text: str, diagnosis: Diagnosis) -> str:
        """Tell what is wrong with what is given for a parameter; nothing given is its default, if it has one."""
        parameter = self.parameter(name)
        if parameter is None:
            return f"there is no parameter {name}"
        if not text.strip() and (self._default(parameter, diagnosis) or parameter.optional):
            return ""
        try:
            read_value(parameter, text, diagnosis)
        except PlanError as error:
            return str(error)
        return ""

    def give(self, name: str, text: str) -> None:
        """Take what was given for a parameter; nothing given is its default."""
        if text.strip():
            self.given[name] = text.strip()
        else:
            self.given.pop(name, None)

    def _default(self, parameter: Parameter, diagnosis: Diagnosis) -> str:
        if parameter.source:
            return ",".join(suggested(self.runbook, parameter, diagnosis))
        return parameter.default or ""

    def make(self, diagnosis: Diagnosis, found: Found) -> None:
        """Make the plan of what is given, or tell what is wrong."""
        self.entered = tuple(self._entered(each, diagnosis) for each in self.runbook.parameters)
        lacking = [each for each in self.entered if each.wrong]
        self.plan = None
        if lacking:
            self.wrong = lacking[0].wrong
            return
        try:
            self.plan = plan(self.runbook, self.given, diagnosis, run=self.run, now=self.now, found=found)
        except PlanError as error:
            self.wrong = str(error)
        else:
            self.wrong = ""

    def _entered(self, parameter: Parameter, diagnosis: Diagnosis) -> Entered:
        is_given = parameter.name in self.given
        text = self.given[parameter.name] if is_given else self._default(parameter, diagnosis)
        source = "given" if is_given else "from the diagnosis" if parameter.source else "default"
        if text or parameter.optional:
            wrong = self.complaint(parameter.name, text, diagnosis)
        elif parameter.source:
            wrong = (
                f"{parameter.name}: nothing that {self.runbook.name} fixes is found now; enter gives one all the same"
            )
        else:
            wrong = f"{parameter.name} is needed: enter gives it"
        return Entered(parameter, text, source if text else "", wrong)


def differs(one: Plan | None, other: Plan | None) -> bool:
    """Tell whether two plans differ in what they do, ask for or promise."""
    if one is None or other is None:
        return one is not other
    return (one.steps, one.consents, one.warnings, one.clears) != (
        other.steps,
        other.consents,
        other.warnings,
        other.clears,
    )
