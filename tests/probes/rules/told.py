"""Worlds as data: a healthy snapshot with changes written in YAML, and all that is told of it.

`python -m tests.probes.rules.told` writes anew what each case is told as; read the difference before it is kept.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition, Node
from probes.model.network import FdbEntry, Link, Neighbor, NodeNetwork, PodNetns, Resolvers, Route, SubnetEnv
from probes.model.secrets import SecretObject
from probes.model.snapshot import KUBE, NODE, Snapshot, SourceState
from probes.rules.diagnose import diagnose
from probes.rules.finding import Finding, subject_text
from tests.probes.worlds import AT, healthy

FOLDER = Path(__file__).parent / "cases" / "worlds"
KEYS: Mapping[type, str] = {
    Link: "ifname",
    Route: "dst",
    Neighbor: "dst",
    FdbEntry: "mac",
    PodNetns: "name",
    Condition: "type",
    Resolvers: "path",
    SubnetEnv: "path",
    Node: "name",
}
"""What the entries of a table are called by."""
_SEVERITIES = ("note", "warning", "critical")


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One world, and what is told of it."""

    case: str
    change: dict[str, Any]
    """By field of Snapshot; see `patched`."""
    told: tuple[str, ...] = ()
    """A finding a line: severity, code, subject, summary; symptoms are indented beneath their cause."""
    whole: bool = False
    """Whether evidence, whom it concerns, what would refute it and what is said besides are told as well."""
    family: str = ""

    @property
    def world(self) -> Snapshot:
        """The healthy cluster with the change."""
        return changed(healthy(), self.change)


def cases() -> list[Case]:
    """Read all cases."""
    return [
        msgspec.structs.replace(case, family=path.stem)
        for path in sorted(FOLDER.glob("*.yaml"))
        for case in msgspec.convert(yaml.safe_load(path.read_text()), list[Case])
    ]


def tree(findings: Iterable[Finding], *, whole: bool = False, depth: int = 0) -> Iterator[str]:
    """Write findings a line each, symptoms beneath their cause; ``whole``: with a line for all else that each says."""
    for one in findings:
        yield f"{'> ' * depth}{_SEVERITIES[one.severity]} {one.code} {subject_text(one.subject)}: {one.summary}"
        if whole:
            yield from (f"  {quote.vantage}, {quote.source}: {quote.excerpt}" for quote in one.evidence)
            yield f"  about {', '.join(one.about) or 'nobody else'}; refuted if {one.refutes}"
            if one.detail:
                yield f"  {one.detail}"
        yield from tree(one.symptoms, whole=whole, depth=depth + 1)


def told(case: Case) -> tuple[str, ...]:
    """Tell of a case what a diagnosis from nothing tells."""
    return tuple(tree(diagnose(case.world).findings, whole=case.whole))


def changed(world: Snapshot, change: Mapping[str, Any]) -> Snapshot:
    """Change a snapshot: what was changed has been told, and a node without facts has never been asked."""
    hints = get_type_hints(Snapshot)
    given = {name: each for name, each in change.items() if name != "sources"}
    fields = {name: patched(getattr(world, name), each, hints[name]) for name, each in given.items()}
    answered = {f"{KUBE}{name}" for name in fields if name not in {"networks", "at"}}
    for name in {"flux", "secrets"} & fields.keys():
        answered |= {f"{KUBE}{name}/{key.partition('/')[0]}" for key in fields[name]}
    silent = {f"{NODE}{name}" for name in world.networks.keys() - fields.get("networks", world.networks).keys()}
    sources = {name: state for name, state in world.sources.items() if name not in silent}
    sources |= {name: SourceState("ok", AT, AT) for name in answered}
    fields["sources"] = patched(sources, change.get("sources", {}), hints["sources"])
    return msgspec.structs.replace(world, **fields)


def patched(value: Any, change: Any, hint: Any) -> Any:
    """Change a value of a type: fields of a struct and entries of a table or mapping by name, all else as a whole.

    An entry that is null goes, one that is not there comes, and ``"*"`` changes all that are there.
    """
    if not isinstance(change, dict):
        return msgspec.convert(_refs(change, hint), hint)
    if isinstance(value, msgspec.Struct):
        hints = get_type_hints(type(value))
        return msgspec.structs.replace(
            value, **{name: patched(getattr(value, name), each, hints[name]) for name, each in change.items()}
        )
    entry = _entry(hint)
    if value is not None and entry is not None and isinstance(value, Mapping):
        return _entries(dict(value), change, entry)
    if value is not None and entry is not None and isinstance(value, tuple) and entry in KEYS:
        table = {getattr(each, KEYS[entry]): each for each in value}
        return tuple(_entries(table, change, entry).values())
    return msgspec.convert(change, hint)


def _entries(table: dict[str, Any], change: Mapping[str, Any], entry: type) -> dict[str, Any]:
    hints = get_type_hints(entry)
    for key, each in change.items():
        for name in list(table) if key == "*" else [key]:
            if each is None:
                del table[name]
            elif name in table:
                table[name] = patched(table[name], each, entry)
            else:
                fields = {field: _refs(said, hints[field]) for field, said in each.items()}
                table[name] = msgspec.convert({**_named(entry, name), **fields}, entry)
    return table


def _named(entry: type, key: str) -> dict[str, Any]:
    """Give a new entry the name it is filed under."""
    if entry in {FluxObject, SecretObject}:
        return {"ref": _refs(key, ObjectRef)}
    if entry in KEYS:
        return {KEYS[entry]: key}
    if {"namespace", "name"} <= get_type_hints(entry).keys():
        namespace, _, name = key.partition("/")
        return {"namespace": namespace, "name": name}
    return {"name": key} if "name" in get_type_hints(entry) else {}


def _refs(change: Any, hint: Any) -> Any:
    """Read ``Kind/namespace/name`` where a reference is meant."""
    if isinstance(change, str) and ObjectRef in {hint, *get_args(hint)}:
        return dict(zip(("kind", "namespace", "name"), change.split("/"), strict=True))
    if isinstance(change, list) and get_origin(hint) is tuple:
        return [_refs(each, get_args(hint)[0]) for each in change]
    return change


def _entry(hint: Any) -> type | None:
    """Find the struct that a table or mapping is of."""
    if get_origin(hint) in {Union, UnionType}:
        return next((found for each in get_args(hint) if (found := _entry(each)) is not None), None)
    for each in get_args(hint):
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each is not NodeNetwork:
            return each
    return NodeNetwork if NodeNetwork in get_args(hint) else None


def main() -> int:
    """Write anew what every case is told as."""
    for path in sorted(FOLDER.glob("*.yaml")):
        head, *parts = re.split(r"(?m)^(?=- case: )", path.read_text())
        read = msgspec.convert(yaml.safe_load(path.read_text()), list[Case])
        for number, (case, part) in enumerate(zip(read, parts, strict=True)):
            lines = [f"    - {_quoted(line)}\n" for line in told(case)]
            body = re.sub(r"(?ms)^  told:.*", "", part).rstrip("\n")
            parts[number] = f"{body}\n  told:{' []' if not lines else ''}\n{''.join(lines)}"
        path.write_text("".join((head, *parts)))
    return 0


def _quoted(line: str) -> str:
    return "'" + line.replace("'", "''") + "'"


if __name__ == "__main__":
    sys.exit(main())
