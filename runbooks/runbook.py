"""Runbook: what a runbook's YAML becomes, templates still in it.

A template is text with ``${name}`` in it, where a parameter, a fact of the node that a group is about, or ``${run}``
comes in when the plan is made; it never becomes several arguments.
"""

import re
from typing import Any, Final, Literal, get_args

import msgspec

from runbooks.actions import ACTIONS

Type = Literal["node", "nodes", "int", "seconds", "bool", "text", "path", "choice", "host", "url", "object", "objects"]
TYPES: Final = get_args(Type)
Order = Literal["agents-first", "servers-first", "as-given"]
ORDERS: Final = get_args(Order)
DEFAULTS: Final = (
    *("all-nodes", "found-nodes", "found-objects", "source-controller", "stuck-controller"),
    *("failing-sources", "unsynced-secrets"),
)
"""What the diagnosis can fill in: every node; the nodes, or the objects, of the findings that the runbook fixes; the
node of Flux's source-controller, and the same only while it cannot fetch something; the Flux sources that cannot be
fetched; the ExternalSecrets that are not in sync."""
NODE_FACTS: Final = (
    *("name", "role", "unit", "address", "uplink", "uplink-mtu", "overlay", "overlay-mtu", "overlay-mtu-expected"),
    *("subnet-env-mtu", "kernel", "version", "families", "pod-network", "source-controller-netns"),
)
"""What ``${node.FACT}`` may name, as the diagnosis knows it; ``${node.host.NAME}`` is what its host has set."""
OBJECT_FACTS: Final = (
    *("kind", "namespace", "name"),
    *("url", "host", "scheme", "web", "secret", "revision", "interval", "refreshed", "target", "store"),
)
"""What ``${object.FACT}`` may name: of a Flux object or an External Secret, as the API tells it."""
FREE: Final = ("run", "now")
"""``${run}`` is the run's name, ``${now}`` when the plan was made (RFC 3339)."""

HOLE: Final = re.compile(r"\$\{([a-z0-9.-]*)(?: ([+-]) ([0-9]{1,5}))?\}")
"""A hole, ``${mtu}``, or one with a number added or taken off, ``${mtu - 50}``."""
HOLE_LIKE: Final = re.compile(r"\$\{[^}]*\}?")


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a runbook."""

    name: str
    type: Type
    about: str
    default: str | None = None
    """A literal, or ``from-diagnosis``'s key, see ``source``; None: it must be given."""
    source: str = ""
    """One of DEFAULTS, where the diagnosis gives the default."""
    order: Order = "as-given"
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    optional: bool = False
    """Whether it may be empty."""
    by_finding: dict[str, str] = {}
    """Code of a finding -> the value that goes with it: of the object that was chosen, else of whatever is found."""


class ConditionTemplate(msgspec.Struct, frozen=True):
    """A condition as a runbook writes it."""

    kind: str
    place: str
    node: str = ""
    args: dict[str, str] = {}
    absolute: bool = True


class GateTemplate(msgspec.Struct, frozen=True):
    """A gate as a runbook writes it."""

    conditions: tuple[ConditionTemplate, ...]
    timeout: str = "300s"
    soak: str = "0s"


class Only(msgspec.Struct, frozen=True):
    """What decides, when the plan is made, whether a step is in it: a text that must be one of some."""

    text: str
    """A template; FOUND: a finding with one of these codes about the step's node or object, or anywhere."""
    values: tuple[str, ...]
    place: str


FOUND: Final = "found"


class StepTemplate(msgspec.Struct, frozen=True):
    """A step as a runbook writes it."""

    name: str
    place: str
    """``FILE:LINE``."""
    do: str
    """The action, of ACTIONS."""
    fields: dict[str, Any]
    """The action's fields, templates still in them."""
    why: str
    effect: str = ""
    risk: str = ""
    clears: tuple[str, ...] = ()
    gate: GateTemplate | None = None
    before: tuple[ConditionTemplate, ...] = ()
    when: tuple[ConditionTemplate, ...] = ()
    """The step is done only if all of these hold when it is its turn."""
    unless: tuple[ConditionTemplate, ...] = ()
    """The step is not needed if all of these hold when it is its turn."""
    confirm: str = "default"
    each: str = ""
    """Of EACH: the step is done once for each of them; empty: once."""
    only: tuple[Only, ...] = ()
    """The step is in a plan only if all of these hold when it is made."""


COPIES: Final = "copies"
EACH: Final = {COPIES: "copy"}
"""What a step of a ``for-each: node`` may be done for each of (copies of its subnet.env), and what it calls one."""


class Group(msgspec.Struct, frozen=True):
    """Steps that are done for each of a parameter's values in turn; of one that stands alone, once."""

    steps: tuple[StepTemplate, ...]
    place: str
    each: str = ""
    """The name by which steps call the value: ``node`` for nodes."""
    of: str = ""
    """The parameter."""


class Runbook(msgspec.Struct, frozen=True):
    """A runbook, read and found to be whole."""

    name: str
    title: str
    about: str
    file: str
    fixes: tuple[str, ...]
    leaves: dict[str, str]
    """Finding code -> why this runbook does not clear it, for those that one may expect it to."""
    parameters: tuple[Parameter, ...]
    groups: tuple[Group, ...]
    expect: str = ""
    """What to expect, and for how long."""

    @property
    def writes(self) -> bool:
        """Whether any step changes anything."""
        return any(ACTIONS[step.do].weight != "nothing" for group in self.groups for step in group.steps)


def seconds(text: str) -> float | None:
    """Read a time such as ``30``, ``2.5s``, ``5m`` or ``1h``; None for what is none."""
    found = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|h)?", text.strip())
    return float(found[1]) * {"m": 60, "h": 3600}.get(found[2] or "s", 1) if found else None
