"""Label and field selectors as the Kubernetes API takes them."""

import re
from collections.abc import Callable
from typing import Any, Final

Object = dict[str, Any]
Test = Callable[[Object], bool]
_SET: Final = re.compile(r"^\s*([\w./-]+)\s+(in|notin)\s+\(([^)]*)\)\s*$")
_PARTS: Final = re.compile(r",(?![^(]*\))")
_FIELDS: Final = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.unschedulable": ("spec", "unschedulable"),
    "status.phase": ("status", "phase"),
    "status.podIP": ("status", "podIP"),
    "type": ("type",),
    "reason": ("reason",),
    "involvedObject.kind": ("involvedObject", "kind"),
    "involvedObject.name": ("involvedObject", "name"),
    "involvedObject.namespace": ("involvedObject", "namespace"),
    "involvedObject.uid": ("involvedObject", "uid"),
    "source": ("source", "component"),
}


def selector(labels: str, fields: str) -> Test | None:
    """Make the test for both selectors, None where neither selects; ValueError for one that cannot be read."""
    tests = [_label_test(part) for part in _PARTS.split(labels) if part.strip()]
    tests += [_field_test(part) for part in fields.split(",") if part.strip()]
    if not tests:
        return None
    return lambda obj: all(test(obj) for test in tests)


def _label_test(part: str) -> Test:
    if found := _SET.match(part):
        key, negated = found[1], found[2] == "notin"
        values = {value.strip() for value in found[3].split(",")}
        return lambda obj: (_labels(obj).get(key) in values) is not negated
    for sign, negated in (("!=", True), ("==", False), ("=", False)):
        if sign in part:
            key, value = (word.strip() for word in part.split(sign, 1))
            return lambda obj, key=key, value=value, negated=negated: (_labels(obj).get(key) == value) is not negated  # type: ignore[misc]
    key = part.strip()
    if not re.fullmatch(r"!?[\w./-]+", key):
        raise ValueError(f"unable to parse requirement: {part!r}")
    if key.startswith("!"):
        return lambda obj: key[1:] not in _labels(obj)
    return lambda obj: key in _labels(obj)


def _field_test(part: str) -> Test:
    found = re.fullmatch(r"\s*([\w.]+)\s*(!=|==|=)\s*(.*?)\s*", part)
    if found is None:
        raise ValueError(f"invalid field selector: {part!r}")
    if found[1] not in _FIELDS:
        raise ValueError(f"field label not supported: {found[1]}")
    path, negated, value = _FIELDS[found[1]], found[2] == "!=", found[3]
    return lambda obj: (_field(obj, path) == value) is not negated


def _labels(obj: Object) -> dict[str, str]:
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    return labels


def _field(obj: Object, path: tuple[str, ...]) -> str:
    value: Any = obj
    for name in path:
        value = value.get(name, "") if isinstance(value, dict) else ""
    return str(value).lower() if isinstance(value, bool) else str(value)
