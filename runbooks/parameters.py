"""Parameters: what an operator gives, held against what a runbook asks for and what the diagnosis knows. Pure."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from probes.model.flux import ObjectRef
from probes.model.text import clean
from probes.rules.finding import Diagnosis
from runbooks.about_objects import fails, unsynced
from runbooks.actions import Target
from runbooks.runbook import Parameter, Runbook, seconds
from runbooks.sight import findings_of

Value = str | int | float | bool | tuple[str, ...] | Target | tuple[Target, ...]

_LONGEST: Final = 500
_PATH: Final = re.compile(r"/[A-Za-z0-9._@+:=/-]+")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_URL: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&()*+,;=%-]+")
"""What RFC 3986 allows in a URL, but for the apostrophe."""
_WORD: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


class PlanError(Exception):
    """No plan can be made; its text is one sentence for the operator."""


def resolve(runbook: Runbook, given: Mapping[str, str], diagnosis: Diagnosis) -> dict[str, Value]:
    """Give every parameter its value: what was given, else what the diagnosis says, else the default."""
    known = {each.name for each in runbook.parameters}
    if strange := sorted(set(given) - known):
        raise PlanError(
            f"{runbook.name} has no parameter {clean(strange[0])!r}; it has {', '.join(sorted(known)) or 'none'}"
        )
    values: dict[str, Value] = {}
    for each in runbook.parameters:
        values[each.name] = _value(runbook, each, given.get(each.name), diagnosis, values)
    return values


def _value(
    runbook: Runbook, parameter: Parameter, given: str | None, diagnosis: Diagnosis, before: Mapping[str, Value]
) -> Value:
    text = given
    if text is None and parameter.by_finding:
        text = _by_finding(parameter, diagnosis, before)
    if text is None and parameter.source:
        text = ",".join(suggested(runbook, parameter, diagnosis))
        if not text and not parameter.optional:
            if parameter.source == "source-controller":
                raise PlanError(f"source-controller is not seen on any node: give --set {parameter.name}=NODE")
            raise PlanError(
                f"nothing that {runbook.name} fixes is found now; to run it all the same, give --set {parameter.name}=…"
            )
    if text is None:
        text = parameter.default
    if text is None and not parameter.optional:
        raise PlanError(f"{runbook.name} needs {parameter.name} ({parameter.about}): give --set {parameter.name}=…")
    return read_value(parameter, text or "", diagnosis)


def _by_finding(parameter: Parameter, diagnosis: Diagnosis, before: Mapping[str, Value]) -> str | None:
    """Choose by the first finding that says what to choose, of the objects that were given before, if any were."""
    chosen = {
        ObjectRef(target.kind, target.namespace, target.name)
        for value in before.values()
        for target in (value if isinstance(value, tuple) else (value,))
        if isinstance(target, Target)
    }
    for each in findings_of(diagnosis):
        if each.code in parameter.by_finding and (not chosen or each.subject in chosen):
            return parameter.by_finding[each.code]
    return None


def suggested(runbook: Runbook, parameter: Parameter, diagnosis: Diagnosis) -> tuple[str, ...]:
    """Tell what the diagnosis suggests for a parameter."""
    match parameter.source:
        case "all-nodes":
            return tuple(diagnosis.views)
        case "source-controller":
            return diagnosis.places.controller("source-controller")[:1]
        case "stuck-controller":
            stuck = any(fails(each) for each in diagnosis.snapshot.flux.values())
            return diagnosis.places.controller("source-controller")[:1] if stuck else ()
        case "failing-sources":
            return tuple(sorted(key for key, each in diagnosis.snapshot.flux.items() if fails(each)))
        case "unsynced-secrets":
            return tuple(sorted(key for key, each in diagnosis.snapshot.secrets.items() if unsynced(each)))
    subjects = [
        subject for finding in findings_of(diagnosis) if finding.code in runbook.fixes for subject in (finding.subject,)
    ]
    if parameter.source == "found-nodes":
        names = list(dict.fromkeys(each.name for each in subjects if each.kind == "Node"))
    else:
        kinds = {"API", "Registry", "Node"}
        refs = (f"{each.kind}/{each.namespace}/{each.name}" for each in subjects if each.kind not in kinds)
        names = list(dict.fromkeys(refs))
    return tuple(names if parameter.type in {"nodes", "objects"} else names[:1])


def read_value(parameter: Parameter, text: str, diagnosis: Diagnosis) -> Value:
    """Read what was given for a parameter; raises PlanError."""
    if not text.strip():
        if parameter.optional:
            return () if parameter.type in {"nodes", "objects"} else ""
        raise PlanError(f"{parameter.name} must not be empty ({parameter.about})")
    if len(text) > _LONGEST and parameter.type not in {"nodes", "objects"}:
        raise PlanError(f"{parameter.name} is longer than {_LONGEST} characters")
    match parameter.type:
        case "node":
            return _node(parameter, text.strip(), diagnosis)
        case "nodes":
            parts = [part.strip() for part in text.split(",") if part.strip()]
            names = tuple(diagnosis.views) if parts == ["all"] else [_node(parameter, p, diagnosis) for p in parts]
            return tuple(dict.fromkeys(names))
        case "object":
            return _object(parameter, text.strip())
        case "objects":
            return tuple(_object(parameter, part.strip()) for part in text.split(",") if part.strip())
        case _:
            return _scalar(parameter, text.strip())


def _node(parameter: Parameter, name: str, diagnosis: Diagnosis) -> str:
    if name in diagnosis.views:
        return name
    if not _WORD.fullmatch(name):
        raise PlanError(f"{parameter.name}: {clean(name)[:80]!r} is no node's name")
    there = ", ".join(list(diagnosis.views)[:20]) or "none that is known"
    raise PlanError(f"{parameter.name}: the cluster has no node {name}; it has {there}")


def _object(parameter: Parameter, text: str) -> Target:
    parts = text.split("/")
    if len(parts) != 3 or not all(_WORD.fullmatch(part) for part in (parts[0], parts[2])):  # noqa: PLR2004
        raise PlanError(f"{parameter.name}: {clean(text)[:80]!r} is no object; write KIND/NAMESPACE/NAME")
    if parts[1] and not _WORD.fullmatch(parts[1]):
        raise PlanError(f"{parameter.name}: {clean(parts[1])[:80]!r} is no namespace")
    return Target(kind=parts[0], namespace=parts[1], name=parts[2])


def _scalar(parameter: Parameter, text: str) -> Value:
    said = f"{parameter.name}: {clean(text)[:80]!r}"
    if not text.isprintable():
        raise PlanError(f"{said} has characters that cannot be shown")
    match parameter.type:
        case "int" | "seconds":
            return _measured(parameter, text, said)
        case "bool":
            if text.lower() not in {"true", "false", "yes", "no"}:
                raise PlanError(f"{said} is neither yes nor no")
            return text.lower() in {"true", "yes"}
        case "choice" if text not in parameter.choices:
            raise PlanError(f"{said} is not among {', '.join(parameter.choices)}")
        case "path" if not _PATH.fullmatch(text) or any(part in {"", ".", ".."} for part in text.split("/")[1:]):
            raise PlanError(f"{said} is no plain absolute path")
        case "host" if not _is_host(text):
            raise PlanError(f"{said} is neither a host's name nor an address")
        case "url" if not _is_url(text):
            raise PlanError(f"{said} is no http, https, oci or ssh URL without a password")
    if text.startswith("-"):
        raise PlanError(f"{said} begins with a hyphen: a program would take it for an option")
    return text


def _measured(parameter: Parameter, text: str, said: str) -> Value:
    value = seconds(text) if parameter.type == "seconds" else _integer(text)
    if value is None:
        raise PlanError(f"{said} is no {'time, such as 30s or 5m' if parameter.type == 'seconds' else 'whole number'}")
    if (parameter.least is not None and value < parameter.least) or (
        parameter.most is not None and value > parameter.most
    ):
        least = "" if parameter.least is None else f" from {parameter.least:g}"
        most = "" if parameter.most is None else f" up to {parameter.most:g}"
        raise PlanError(f"{said} is out of range:{least}{most} is asked for")
    return value


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def _is_host(text: str) -> bool:
    if _HOST.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_url(text: str) -> bool:
    if not _URL.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        host, password = parts.hostname, parts.password
    except ValueError:
        return False
    return parts.scheme in {"http", "https", "oci", "ssh"} and bool(host) and password is None and " " not in text


def written(value: Value) -> str:
    """Write a value as it would be given."""
    match value:
        case bool():
            return "yes" if value else "no"
        case Target():
            return f"{value.kind}/{value.namespace}/{value.name}"
        case tuple():
            return ",".join(written(each) for each in value)
        case float():
            return f"{value:g}s"
        case _:
            return str(value)


def plain(values: Mapping[str, Value]) -> dict[str, str]:
    """Write all values as they would be given, for a plan to keep."""
    return {name: written(value) for name, value in values.items()}


def nodes_of(value: Value) -> tuple[str, ...]:
    """Take a value that is nodes' names."""
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, tuple) else (str(value),)


def as_any(values: Sequence[Target]) -> Any:
    """Write targets as plain values."""
    return msgspec.to_builtins(values)
