"""Schema: a runbook's YAML, read strictly into values; every complaint has its file and line.

What may stand where is in docs/runbooks.md.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from probes.rules.codes import RANK
from runbooks.actions import ACTIONS
from runbooks.conditions import KINDS
from runbooks.reading import At, read
from runbooks.runbook import (
    DEFAULTS,
    EACH,
    FOUND,
    FREE,
    HOLE,
    HOLE_LIKE,
    NODE_FACTS,
    OBJECT_FACTS,
    ORDERS,
    TYPES,
    ConditionTemplate,
    GateTemplate,
    Group,
    Only,
    Parameter,
    Runbook,
    StepTemplate,
    seconds,
)

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SHELLS: Final = {"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "perl", "python", "python3", "ruby", "awk"}
_STEP_KEYS: Final = {
    *("name", "why", "effect", "risk", "clears", "gate", "before", "when", "unless", "confirm", "only", "each"),
}
_CONFIRM: Final = ("default", "type-context", "type-node")


def parse(text: str, file: str) -> Runbook:
    """Read a runbook; raises RunbookError."""
    top = read(text, file)
    items = _known(
        top, ("name", "title", "about", "expect", "fixes", "leaves", "parameters", "steps"), ("name", "title", "steps")
    )
    name = items["name"].text()
    if not _NAME.fullmatch(name):
        raise items["name"].error(f"{name!r} is no name for a runbook: small letters, digits and hyphens")
    if Path(file).stem != name:
        raise items["name"].error(f"the runbook {name} must be in {name}.yaml, not in {Path(file).name}")
    parameters = _parameters(items["parameters"]) if "parameters" in items else ()
    groups = tuple(_group(each, parameters) for each in items["steps"].list())
    if not groups:
        raise items["steps"].error("a runbook without steps does nothing")
    return Runbook(
        name=name,
        title=items["title"].text(),
        about=items["about"].text().strip() if "about" in items else "",
        expect=items["expect"].text().strip() if "expect" in items else "",
        file=file,
        fixes=_codes(items["fixes"]) if "fixes" in items else (),
        leaves=_leaves(items["leaves"]) if "leaves" in items else {},
        parameters=parameters,
        groups=groups,
    )


def _known(at: At, known: Iterable[str], needed: Iterable[str] = ()) -> dict[str, At]:
    """Read a mapping that has all of ``needed`` and nothing but ``known``."""
    items = at.items()
    for key, value in items.items():
        if key not in known:
            raise value.error(f"{key!r} is not known here; known are {', '.join(sorted(known))}")
    if missing := [key for key in needed if key not in items]:
        raise at.error(f"{missing[0]!r} is missing")
    return items


def _code(at: At) -> str:
    code = at.text()
    if code not in RANK:
        raise at.error(f"{code!r} is no finding; `underlay explain` lists them all")
    return code


def _codes(at: At) -> tuple[str, ...]:
    return tuple(_code(each) for each in at.list())


def _leaves(at: At) -> dict[str, str]:
    for code, value in at.items().items():
        if code not in RANK:
            raise value.error(f"{code!r} is no finding; `underlay explain` lists them all")
    return {code: value.text().strip() for code, value in at.items().items()}


def _parameters(at: At) -> tuple[Parameter, ...]:
    return tuple(_parameter(name, each) for name, each in at.items().items())


def _parameter(name: str, at: At) -> Parameter:
    known = ("type", "about", "default", "from", "order", "choices", "least", "most", "optional", "by-finding")
    items = _known(at, known, ("type", "about"))
    if not _NAME.fullmatch(name) or name in FREE:
        raise at.error(f"{name!r} is no name for a parameter: small letters, digits and hyphens, none of {FREE}")
    kind = items["type"].text()
    if kind not in TYPES:
        raise items["type"].error(f"{kind!r} is no type; there are {', '.join(TYPES)}")
    if "default" in items and "from" in items:
        raise items["from"].error("a parameter has a default or takes it from the diagnosis, not both")
    source = _one_of(items.get("from"), DEFAULTS)
    of_objects = source in {"found-objects", "failing-sources", "unsynced-secrets"}
    wanted = {"object", "objects"} if of_objects else {"node", "nodes"}
    if "by-finding" in items and kind != "choice":
        raise items["by-finding"].error("only a choice goes by what is found")
    if source and kind not in wanted:
        raise items["from"].error(f"{source} gives {' or '.join(sorted(wanted))}, not {kind}")
    if kind == "choice" and "choices" not in items:
        raise at.error("a choice needs `choices`")
    default = items["default"].text(empty=True) if "default" in items else None
    if default is not None and HOLE.search(default):
        raise items["default"].error("a default is a plain value: a parameter that takes another's could go in a loop")
    order = _one_of(items.get("order"), ORDERS) or "as-given"
    return msgspec.convert(
        {
            "name": name,
            "type": kind,
            "about": items["about"].text().strip(),
            "default": default,
            "source": source,
            "order": order,
            "choices": items["choices"].texts() if "choices" in items else (),
            "least": _number(items.get("least")),
            "most": _number(items.get("most")),
            "optional": _one_of(items.get("optional"), ("true", "false")) == "true",
            "by_finding": _leaves(items["by-finding"]) if "by-finding" in items else {},
        },
        Parameter,
    )


def _one_of(at: At | None, known: tuple[str, ...]) -> str:
    if at is None:
        return ""
    said = at.text()
    if said not in known:
        raise at.error(f"{said!r} is not known here; known are {', '.join(known)}")
    return said


def _number(at: At | None) -> float | None:
    if at is None:
        return None
    try:
        return float(at.text())
    except ValueError:
        raise at.error(f"{at.text()!r} is no number") from None


def _group(at: At, parameters: tuple[Parameter, ...]) -> Group:
    items = at.items()
    if "for-each" not in items:
        return Group((_step(at, parameters, ""),), at.place)
    items = _known(at, ("for-each", "of", "steps"), ("for-each", "of", "steps"))
    each, of = items["for-each"].text(), items["of"].text()
    found = next((p for p in parameters if p.name == of), None)
    if found is None or found.type not in {"nodes", "objects"}:
        raise items["of"].error(f"{of!r} is no parameter of type nodes or objects")
    if each != ("node" if found.type == "nodes" else "object"):
        raise items["for-each"].error(f"of {found.type}, each is called {found.type.removesuffix('s')}")
    steps = items["steps"].list()
    for step in steps:
        if "for-each" in step.items():
            raise step.error("a for-each within a for-each: such a loop is refused; write two groups")
    if not steps:
        raise items["steps"].error("a for-each without steps does nothing")
    return Group(tuple(_step(step, parameters, each) for step in steps), at.place, each, of)


def _step(at: At, parameters: tuple[Parameter, ...], each: str) -> StepTemplate:
    items = at.items()
    named = [key for key in items if key not in _STEP_KEYS]
    if not named:
        raise at.error(f"the step does nothing: give one of {', '.join(ACTIONS)}")
    for key in named:
        if key not in ACTIONS:
            raise items[key].error(f"{key!r} is no action; there are {', '.join(ACTIONS)}")
    if len(named) > 1:
        raise items[named[1]].error(f"a step does one thing: {named[0]} or {named[1]}")
    (do,) = named
    repeated = _one_of(items.get("each"), tuple(EACH))
    if repeated and each != "node":
        raise items["each"].error(f"{repeated} are a node's: only in a `for-each: node`")
    if "why" not in items and do != "note":
        raise at.error("a step must say why: add `why`")
    scope = _Scope(parameters, each, EACH.get(repeated, ""))
    step = StepTemplate(
        name=items["name"].text() if "name" in items else do,
        place=at.place,
        do=do,
        fields=_fields(do, items[do], scope),
        why=scope.text(items["why"]).strip() if "why" in items else "",
        effect=scope.text(items["effect"]).strip() if "effect" in items else "",
        risk=scope.text(items["risk"]).strip() if "risk" in items else "",
        clears=_codes(items["clears"]) if "clears" in items else (),
        gate=_gate(items["gate"], scope) if "gate" in items else None,
        before=_conditions(items.get("before"), scope),
        when=_conditions(items.get("when"), scope),
        unless=_conditions(items.get("unless"), scope),
        confirm=_one_of(items.get("confirm"), _CONFIRM) or "default",
        each=repeated,
        only=_only(items["only"], scope) if "only" in items else (),
    )
    if ACTIONS[do].weight == "disrupts" and (step.gate is None or not step.gate.conditions):
        raise at.error(f"{do} disrupts what runs and has no gate: say under `gate` what must be seen after it")
    return step


def _only(at: At, scope: "_Scope") -> tuple[Only, ...]:
    found = []
    for text, values in at.items().items():
        if text == FOUND:
            found.append(Only(FOUND, _codes(values), values.place))
        elif HOLE.search(text):
            found.append(Only(scope.check(values, text), values.texts(), values.place))
        else:
            raise values.error(f"{text!r} is always the same: write found, or a text with a ${{…}} in it")
    return tuple(found)


class _Scope:
    """What templates at one place may name."""

    def __init__(self, parameters: tuple[Parameter, ...], each: str, one: str) -> None:
        self._types: Mapping[str, str] = {p.name: p.type for p in parameters}
        self._each = each
        self._one = one

    def check(self, at: At, text: str) -> str:
        """Refuse a hole that nothing can fill, and ``$`` forms that some shell might."""
        for like in HOLE_LIKE.findall(text):
            if not HOLE.fullmatch(like):
                raise at.error(f"{like} is no template: write ${{name}}, or ${{name - 50}}")
        for name, _, _ in HOLE.findall(text):
            if not self._fills(name):
                raise at.error(f"${{{name}}} is nothing here: no parameter, no {self._each or 'node'}, no run or now")
        return text

    def text(self, at: At) -> str:
        return self.check(at, at.text(empty=True))

    def _fills(self, name: str) -> bool:
        head, _, fact = name.partition(".")
        if name in {*FREE, self._one} - {""} or (
            not fact and self._types.get(name, "nodes") not in {"nodes", "objects"}
        ):
            return True
        typed = self._types.get(head)
        if typed == "object" or (head == "object" and self._each == "object"):
            return fact in {"", *OBJECT_FACTS}
        if (head == "node" and self._each == "node") or typed == "node":
            return fact in {"", *NODE_FACTS} or fact.startswith("host.")
        return False


def _fields(do: str, at: At, scope: _Scope) -> dict[str, Any]:
    """Read an action's fields: those it has, none that it has not, with templates that can be filled."""
    struct = ACTIONS[do]
    known = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    needed = [name for name, field in known.items() if field.required]
    if do == "note" and not at.is_map:
        return {"text": scope.text(at)}
    if do == "probe" and not at.is_map and not at.text(empty=True):
        return {}
    items = _known(at, known, needed)
    read_fields = {name: _template(each, scope) for name, each in items.items()}
    _refuse_shells(do, at, read_fields)
    return read_fields


def _template(at: At, scope: _Scope) -> Any:
    if at.is_map:
        return {scope.check(each, key): _template(each, scope) for key, each in at.items().items()}
    if at.is_list:
        return [_template(each, scope) for each in at.list()]
    value = at.plain()
    return scope.check(at, value) if isinstance(value, str) else value


def _refuse_shells(do: str, at: At, fields: Mapping[str, Any]) -> None:
    """Refuse a program that reads a program from its arguments where a parameter is among them."""
    argv = fields.get("argv") if do == "run" else None
    if not isinstance(argv, list) or not argv:
        if do == "run":
            raise at.error("argv must be a list: the program, then each of its arguments")
        return
    program = str(argv[0]).rsplit("/", 1)[-1]
    if HOLE.search(str(argv[0])):
        raise at.error("which program runs must be written out: no ${…} in its name")
    if program in _SHELLS and any(HOLE.search(str(each)) for each in argv):
        raise at.error(f"{program} would read a parameter as a program: give the command itself as argv")


def _gate(at: At, scope: _Scope) -> GateTemplate:
    items = _known(at, ("timeout", "soak", "must", "keep"))
    must = _conditions(items.get("must"), scope)
    keep = _conditions(items.get("keep"), scope, absolute=False)
    if not must and not keep:
        raise at.error("a gate without conditions is always open: list some under `must` or `keep`")
    times = {key: scope.text(items[key]) for key in ("timeout", "soak") if key in items}
    for key, text in times.items():
        if not HOLE.search(text) and seconds(text) is None:
            raise items[key].error(f"{text!r} is no time; write seconds or minutes, as in 30s or 5m")
    return GateTemplate((*must, *keep), times.get("timeout", "300s"), times.get("soak", "0s"))


def _conditions(at: At | None, scope: _Scope, *, absolute: bool = True) -> tuple[ConditionTemplate, ...]:
    return tuple(_condition(each, scope, absolute) for each in at.list()) if at is not None else ()


def _condition(at: At, scope: _Scope, absolute: bool) -> ConditionTemplate:  # noqa: FBT001 - one of two lists
    name, items = at.text() if not at.is_map else "", {}
    if at.is_map:
        named = at.items()
        if len(named) != 1:
            raise at.error("a condition is one name, or one name with its arguments beneath it")
        ((name, inner),) = named.items()
        items = inner.items()
    if name not in KINDS:
        raise at.error(f"{name!r} is no condition; there are {', '.join(KINDS)}")
    kind = KINDS[name]
    known = {*kind.args, *(("node",) if kind.of_node else ())}
    for key, value in items.items():
        if key not in known:
            raise value.error(f"{name} takes no {key!r}; it takes {', '.join(sorted(known)) or 'nothing'}")
    if missing := [key for key in kind.args if key not in items]:
        raise at.error(f"{name} needs {missing[0]!r}")
    args = {key: scope.text(value) for key, value in items.items()}
    if "finding" in args and args["finding"] not in RANK:
        raise items["finding"].error(f"{args['finding']!r} is no finding; `underlay explain` lists them all")
    return ConditionTemplate(name, at.place, args.pop("node", ""), args, absolute)
