"""The three patches of the Kubernetes API."""

from copy import deepcopy
from typing import Any, Final

MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
JSON: Final = "application/json-patch+json"
_MERGE_KEYS: Final = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ports": "containerPort",
    "taints": "key",
    "ownerReferences": "uid",
    "volumes": "name",
}


class PatchError(Exception):
    """A patch cannot be applied; the message says why."""


def apply(document: Any, patch: Any, media_type: str) -> Any:
    """Apply a patch to a copy of a document; PatchError."""
    if media_type not in {JSON, MERGE, STRATEGIC}:
        raise PatchError(f"the body of the request was in an unknown format - accepted media types: {JSON}, {MERGE}")
    if media_type != JSON and not isinstance(patch, dict):
        raise PatchError("a merge patch is an object")
    try:
        if media_type == JSON:
            return _json_patch(deepcopy(document), patch)
        return _merge(document, patch, strategic=media_type == STRATEGIC)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise PatchError(f"the patch does not fit the object: {error}") from error


def _merge(document: Any, patch: Any, *, strategic: bool, key: str = "") -> Any:
    """RFC 7396; a strategic patch also merges the lists that have a merge key."""
    if strategic and isinstance(patch, list) and isinstance(document, list) and key in _MERGE_KEYS:
        return _merge_list(document, patch, _MERGE_KEYS[key])
    if not isinstance(patch, dict):
        return deepcopy(patch)
    result = dict(document) if isinstance(document, dict) else {}
    if strategic and patch.get("$patch") == "replace":
        return {name: value for name, value in patch.items() if name != "$patch"}
    for name, value in patch.items():
        if name.startswith("$") and strategic:
            continue
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merge(result.get(name), value, strategic=strategic, key=name)
    return result


def _merge_list(document: list[Any], patch: list[Any], merge_key: str) -> list[Any]:
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [deepcopy(item) for item in patch if item.get("$patch") != "replace"]
    result = [deepcopy(item) for item in document]
    for item in patch:
        if not isinstance(item, dict) or merge_key not in item:
            raise PatchError(f"an element without {merge_key} cannot be merged")
        place = next((n for n, old in enumerate(result) if old.get(merge_key) == item[merge_key]), None)
        if item.get("$patch") == "delete":
            if place is not None:
                del result[place]
        elif place is None:
            result.append(deepcopy(item))
        else:
            result[place] = _merge(result[place], item, strategic=True)
    return result


def _json_patch(document: Any, patch: Any) -> Any:
    """RFC 6902: add, remove, replace, test, copy, move."""
    if not isinstance(patch, list):
        raise PatchError("a JSON patch is a list of operations")
    for operation in patch:
        _operate(document, operation)
    return document


def _operate(document: Any, operation: dict[str, Any]) -> None:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind == "test":
        if _lookup(document, path) != operation["value"]:
            raise PatchError(f"testing value {operation['path']} failed: test failed")
        return
    if kind not in {"add", "remove", "replace", "copy", "move"}:
        raise PatchError(f"unknown operation {kind!r}")
    value = operation.get("value")
    if kind in {"copy", "move"}:
        value = deepcopy(_lookup(document, _pointer(operation["from"])))
    if kind == "move":
        _remove(document, _pointer(operation["from"]))
    if kind in {"remove", "replace"}:
        _remove(document, path)
    if kind != "remove":
        _add(document, path, value)


def _pointer(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _lookup(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _add(document: Any, path: list[str], value: Any) -> None:
    parent = _lookup(document, path[:-1])
    if isinstance(parent, list):
        parent.insert(len(parent) if path[-1] == "-" else int(path[-1]), value)
    else:
        parent[path[-1]] = value


def _remove(document: Any, path: list[str]) -> None:
    parent = _lookup(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
