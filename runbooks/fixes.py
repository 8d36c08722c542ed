"""Fixes: which runbooks repair which finding, read from the catalog without what they do."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import yaml

_FIXES: Final = re.compile(r"(?m)^fixes:.*(?:\n[ \t-].*)*")


def fixes() -> Mapping[str, tuple[str, ...]]:
    """Name, by the code of a finding, our own runbooks that repair it; their schema is held by `shelf.catalog`.

    Of each file only the part under ``fixes`` is parsed: a whole catalog would take longer than a glance may.
    """
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted(files("runbooks").joinpath("catalog").iterdir(), key=lambda each: each.name):
        part = _FIXES.search(file.read_text("utf-8")) if file.name.endswith(".yaml") else None
        for code in yaml.safe_load(part[0])["fixes"] if part else ():
            found[code] = (*found.get(code, ()), file.name.removesuffix(".yaml"))
    return found
