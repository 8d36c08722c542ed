"""Fault: one way to break the testbed, and what underlay must and must not say then; read from FOLDER/FAMILY/*.yaml."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.testbed.commands import TestbedError

CASES = Path(__file__).parent / "cases"
DUAL_STACK = Path(__file__).parent / "dual-stack"
"""Of a testbed that has IPv6 as well."""
PAIRS = Path(__file__).parent / "pairs.yaml"


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A finding that must be there."""

    code: str
    subject: str
    """Its subject: a node's name, else ``Kind namespace/name``."""

    def __str__(self) -> str:
        """Write it as the table does."""
        return f"{self.code} {self.subject}"


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way to break the testbed."""

    what: str
    """What happens to a cluster in this way, in one or two sentences."""
    inject: tuple[dict[str, Any], ...]
    """Steps, see ``steps.py``."""
    expect: tuple[Expected, ...]
    """Root causes; the first one must be the first finding."""
    severity: str = ""
    """Of the first root cause; empty: any."""
    follows: tuple[str, ...] = ()
    """Codes that are true as well then, as symptoms or by themselves."""
    absent: tuple[str, ...] = ()
    """Codes that would be a mistake, where nobody would see it otherwise: those of other kinds are mistakes anyway."""
    folded: tuple[str, ...] = ()
    """Codes that must be beneath the first root cause."""
    within: float = 4.0
    """Seconds after the injection in which it must be told."""
    restore: tuple[dict[str, Any], ...] = ()
    """Steps that put right what is not put back by itself."""
    late: bool = False
    """It restarts units, and what lacks on a node that has just started is a note: such faults come last."""
    family: str = ""
    """The folder its file is in."""
    name: str = ""
    """Its family and its file's name."""


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise TestbedError(f"{path}: {error}") from None


def _faults(folder: Path) -> Iterator[Fault]:
    for path in sorted(folder.glob("*/*.yaml")):
        try:
            fault = msgspec.convert(_read(path), Fault)
        except msgspec.ValidationError as error:
            raise TestbedError(f"{path}: {error}") from None
        yield msgspec.structs.replace(fault, family=path.parent.name, name=f"{path.parent.name}/{path.stem}")


def faults(folder: Path = CASES) -> dict[str, Fault]:
    """Read all faults by name, in the order to inject them: those of the API first, those that restart units last."""
    found = {fault.name: fault for fault in _faults(folder)}
    return dict(sorted(found.items(), key=lambda item: (item[1].late, not _only_api(item[1]), item[1].family)))


def _only_api(fault: Fault) -> bool:
    return all({"patch", "create", "fail", "unpulled"} & step.keys() for step in fault.inject)


def pairs(known: Mapping[str, Fault]) -> tuple[tuple[Fault, Fault], ...]:
    """Read which faults are injected two at a time."""
    return tuple((known[one], known[other]) for one, other in _read(PAIRS))
