"""Fixes: which runbooks repair which finding, read from the catalog without what they do."""

import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import yaml

_FIXES: Final = re.compile(r"(?m)^fixes:.*(?:\n[ \t-].*)*")
_ALL: Final = re.compile(r"(?m)^ +from: all-nodes$")


def fixes() -> Mapping[str, tuple[str, ...]]:
    """Name, by the code of a finding, our own runbooks that repair it, those first that touch only what is broken.

    Their schema is held by `shelf.catalog`.
    Of each file only the part under ``fixes`` is parsed: a whole catalog would take longer than a glance may.
    """
    there = (each for each in files("runbooks").joinpath("catalog").iterdir() if each.name.endswith(".yaml"))
    texts = [(each.name.removesuffix(".yaml"), each.read_text("utf-8")) for each in there]
    found: dict[str, tuple[str, ...]] = {}
    for name, text in sorted(texts, key=lambda each: (bool(_ALL.search(each[1])), each[0])):
        part = _FIXES.search(text)
        for code in yaml.safe_load(part[0])["fixes"] if part else ():
            found[code] = (*found.get(code, ()), name)
    return found
