"""Shelf: the runbooks there are, ours and the operator's own."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import msgspec

from runbooks.reading import RunbookError
from runbooks.runbook import Runbook
from runbooks.schema import parse


class Catalog(msgspec.Struct, frozen=True):
    """The runbooks there are, ours and the operator's own, and what is wrong with those that cannot be used."""

    runbooks: Mapping[str, Runbook]
    errors: tuple[str, ...] = ()


def catalog(folder: Path | None = None) -> Catalog:
    """Read every runbook: ours, then the operator's own in ``folder``, which may not take the name of one of ours."""
    found: dict[str, Runbook] = {}
    errors: list[str] = []
    ours = files("runbooks").joinpath("catalog")
    texts = {f"{each.name}": each.read_text("utf-8") for each in ours.iterdir() if each.name.endswith(".yaml")}
    for file, text in sorted(texts.items()):
        found[file.removesuffix(".yaml")] = parse(text, file)
    for path in sorted(folder.glob("*.yaml")) if folder is not None and folder.is_dir() else ():
        try:
            own = parse(read_file(path), str(path))
        except RunbookError as error:
            errors.append(str(error))
            continue
        if own.name in found:
            errors.append(f"{path}:1: {own.name} is the name of one of underlay's own; take another")
        else:
            found[own.name] = own
    return Catalog(found, tuple(errors))


def read_file(path: Path) -> str:
    """Read a runbook's file; raises RunbookError."""
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise RunbookError(f"{path}:1: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RunbookError(f"{path}:1: not UTF-8 text") from error
